"""A cursor over one text: the steps that every part of the grammar is read with."""

from __future__ import annotations

import re

from simulate.patterns.error import PatternError

_SPACE = re.compile(r"\s*")


class Reader:
    """`at` is the next character's index, from 0."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    @property
    def at_end(self) -> bool:
        return self.at >= len(self.text)

    def peek(self) -> str:
        """The next character; empty at the end."""
        return self.text[self.at : self.at + 1]

    def error(self, message: str, at: int | None = None) -> PatternError:
        """An error at the index `at`, by default the next character's."""
        return PatternError(message, (self.at if at is None else at) + 1)

    def skip_space(self) -> None:
        self.take(_SPACE)

    def take(self, pattern: re.Pattern[str]) -> str:
        """What `pattern` matches here, which is then behind the cursor; empty where it matches nothing."""
        found = pattern.match(self.text, self.at)
        if found is None:
            return ""
        self.at = found.end()
        return found.group()

    def accept(self, token: str) -> bool:
        """Whether `token` comes next; if so, it is then behind the cursor."""
        if self.text.startswith(token, self.at):
            self.at += len(token)
            return True
        return False

    def expect(self, token: str, why: str) -> None:
        if not self.accept(token):
            raise self.error(f"expected {token!r} {why}")

    def expect_end(self) -> None:
        self.skip_space()
        if not self.at_end:
            raise self.error(f"nothing may follow here, found {self.text[self.at :]!r}")
