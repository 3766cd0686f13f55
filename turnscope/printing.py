"""How commands print names and values."""

from __future__ import annotations

import json
from collections.abc import Mapping

from turnscope.console import console


def print_outputs(found: Mapping[str, object]) -> None:
    """A line each; what is not text is printed as JSON."""
    for name, value in found.items():
        text = value if isinstance(value, str) else json.dumps(value)
        console.print(f"  {name}: {text}", markup=False)
