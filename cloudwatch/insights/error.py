"""What is wrong with a query, and where."""

from __future__ import annotations


class InsightsError(ValueError):
    """A query that CloudWatch would refuse, or answer wrongly without a word.

    `message` says what is wrong and what to write instead; `line` and `column` count from 1.
    """

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(f"line {line}, column {column}: {message}")
        self.message = message
        self.line = line
        self.column = column
