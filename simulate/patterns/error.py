"""What every part of the package raises."""

from __future__ import annotations


class PatternError(ValueError):
    """A filter pattern or selector that is refused; `column` counts from 1."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(f"column {column}: {message}")
        self.message = message
        self.column = column
