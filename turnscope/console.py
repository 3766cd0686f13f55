"""Where the command line prints."""

from __future__ import annotations

import os
import sys

from rich.console import Console

# Where nothing tells a width (a pipe, a CI log), the 80 columns that rich assumes would fold every table.
_width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else 160
console = Console(highlight=False, soft_wrap=True, width=_width)
