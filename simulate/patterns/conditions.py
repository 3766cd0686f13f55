"""Conditions of JSON patterns: what holds for a parsed document."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from simulate.patterns.json_values import is_number
from simulate.patterns.regex import compile_regex
from simulate.patterns.selectors import Selector


@dataclass(frozen=True)
class Number:
    value: float

    def equals(self, value: object) -> bool | None:
        """Whether a value is this number; None where it is not a number at all."""
        return value == self.value if is_number(value) else None


@dataclass(frozen=True)
class Text:
    """A string; an asterisk at its start or end stands for any text, and alone for any value at all."""

    text: str
    quoted: bool

    def equals(self, value: object) -> bool | None:
        """Whether a value is this text; None where it is of another type. Unquoted, `4*` also finds numbers."""
        if self.text and not self.text.strip("*"):
            return True if isinstance(value, str | bool | int | float) else None
        if isinstance(value, str):
            return self._matches(value)
        if is_number(value) and not self.quoted and "*" in self.text:
            return self._matches(json.dumps(value))
        return None

    def _matches(self, value: str) -> bool:
        core = self.text.strip("*")
        match self.text.startswith("*"), self.text.endswith("*"):
            case True, True:
                return core in value
            case True, False:
                return value.endswith(core)
            case False, True:
                return value.startswith(core)
            case _:
                return value == core


@dataclass(frozen=True)
class Regex:
    """`%...%`; found anywhere in the text unless anchored."""

    source: str

    def equals(self, value: object) -> bool | None:
        """Whether it is found in a string; None for a value of another type."""
        return compile_regex(self.source).search(value) is not None if isinstance(value, str) else None


Literal = Number | Text | Regex

ORDER: Final[dict[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
"""The operators that compare with a number only."""


@dataclass(frozen=True)
class Comparison:
    """`operator` is `=`, `!=` or one of `ORDER`. It holds where it holds for any value that the selector finds; a
    value of a type that the literal cannot be compared with never matches, not even under `!=`."""

    selector: Selector
    operator: str
    literal: Literal

    def holds(self, document: object) -> bool:
        return any(self._holds_for(value) for value in self.selector.find(document))

    def _holds_for(self, value: object) -> bool:
        if self.operator in ORDER:
            compare = ORDER[self.operator]
            return is_number(value) and isinstance(self.literal, Number) and compare(value, self.literal.value)
        return self.literal.equals(value) is (self.operator == "=")


@dataclass(frozen=True)
class Is:
    """`IS NULL`, `IS TRUE`, `IS FALSE`: `value` is None, True or False."""

    selector: Selector
    value: bool | None

    def holds(self, document: object) -> bool:
        return any(value is self.value for value in self.selector.find(document))


@dataclass(frozen=True)
class NotExists:
    """`NOT EXISTS`; a field that is null exists."""

    selector: Selector

    def holds(self, document: object) -> bool:
        return not self.selector.find(document)


@dataclass(frozen=True)
class And:
    parts: tuple[Condition, ...]

    def holds(self, document: object) -> bool:
        return all(part.holds(document) for part in self.parts)


@dataclass(frozen=True)
class Or:
    parts: tuple[Condition, ...]

    def holds(self, document: object) -> bool:
        return any(part.holds(document) for part in self.parts)


Condition = Comparison | Is | NotExists | And | Or


def selectors_of(condition: Condition) -> Iterator[Selector]:
    """Every selector that a condition names."""
    if isinstance(condition, And | Or):
        for part in condition.parts:
            yield from selectors_of(part)
    else:
        yield condition.selector
