"""What is being done, while it is."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from rich.console import Console

Progress = Callable[[str], object]
"""Takes what is being done, to be shown until the next."""


@contextlib.contextmanager
def shown() -> Iterator[Progress]:
    """On a terminal, on the error stream: what is printed can be piped."""
    errors = Console(stderr=True, highlight=False)
    if not errors.is_terminal:
        yield lambda _: None
        return
    with errors.status("...") as status:
        yield lambda text: status.update(text)
