"""Property selectors such as `$.users[0].name`: where in a JSON document a value is."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, cast

from simulate.patterns.reader import Reader

MAX_WILDCARDS_PER_SELECTOR: Final = 1

_NAME = re.compile(r"[A-Za-z0-9_-]+")
_INDEX = re.compile(r"\d+")


@dataclass(frozen=True)
class Field:
    """`.name`, or `.['any name']` for a name with other characters."""

    name: str

    def __str__(self) -> str:
        return f".{self.name}" if _NAME.fullmatch(self.name) else f".['{self.name}']"


@dataclass(frozen=True)
class Index:
    """`[n]`, counted from 0."""

    number: int

    def __str__(self) -> str:
        return f"[{self.number}]"


@dataclass(frozen=True)
class AnyField:
    """`.*`: every field of an object."""

    def __str__(self) -> str:
        return ".*"


@dataclass(frozen=True)
class AnyIndex:
    """`[*]`: every element of an array."""

    def __str__(self) -> str:
        return "[*]"


Step = Field | Index | AnyField | AnyIndex


@dataclass(frozen=True)
class Selector:
    """A property selector. Its text is the same however it was spelt: `$.a` for `$.['a']`."""

    steps: tuple[Step, ...]

    def __str__(self) -> str:
        return "$" + "".join(map(str, self.steps))

    @property
    def wildcards(self) -> int:
        return sum(isinstance(step, AnyField | AnyIndex) for step in self.steps)

    def find(self, document: object) -> list[object]:
        """Every value that the selector points at in a parsed document, in its order; more than one only with a
        wildcard, none where the document has no such place. JSON's null is a value (None)."""
        found = [document]
        for step in self.steps:
            found = [value for each in found for value in _below(each, step)]
        return found

    def first(self, document: object) -> object:
        """The first value that the selector points at; None where it is null or there is none."""
        return next(iter(self.find(document)), None)


def _below(value: object, step: Step) -> Iterator[object]:
    if isinstance(value, dict):
        fields = cast("dict[str, object]", value)
        if isinstance(step, Field) and step.name in fields:
            yield fields[step.name]
        elif isinstance(step, AnyField):
            yield from fields.values()
    elif isinstance(value, list):
        elements = cast("list[object]", value)
        if isinstance(step, Index) and step.number < len(elements):
            yield elements[step.number]
        elif isinstance(step, AnyIndex):
            yield from elements


@functools.lru_cache(maxsize=1024)
def parse_selector(text: str) -> Selector:
    """Parse a property selector.

    Raises:
        PatternError: it is not a selector, or has more than one wildcard.
    """
    reader = Reader(text)
    selector = read_selector(reader)
    reader.expect_end()
    return selector


def read_selector(reader: Reader) -> Selector:
    """The selector that comes next. Raises `PatternError` as `parse_selector` does."""
    start = reader.at
    reader.expect("$", "at the start of a selector such as $.name")
    steps: list[Step] = []
    while step := _read_step(reader, first=not steps):
        steps.append(step)
    if not steps:
        raise reader.error("expected '.' and a property's name after '$'")
    selector = Selector(tuple(steps))
    if selector.wildcards > MAX_WILDCARDS_PER_SELECTOR:
        raise reader.error(f"a selector has at most {MAX_WILDCARDS_PER_SELECTOR} wildcard", start)
    return selector


def _read_step(reader: Reader, *, first: bool) -> Step | None:
    """The next step; None where the selector ends. Only a property can be the first step."""
    dotted = reader.accept(".")
    if reader.accept("['"):
        end = reader.text.find("']", reader.at)
        if end <= reader.at:
            raise reader.error("expected a name and ']")
        name = reader.text[reader.at : end]
        reader.at = end + 2
        return Field(name)
    if dotted:
        if reader.accept("*"):
            return AnyField()
        name = reader.take(_NAME)
        if not name:
            raise reader.error("expected a property's name, * or ['name'] after '.'")
        return Field(name)
    if first or not reader.accept("["):
        return None
    if reader.accept("*]"):
        return AnyIndex()
    index = reader.take(_INDEX)
    if not index:
        raise reader.error("expected an index, * or 'name' after '['")
    reader.expect("]", "after an index")
    return Index(int(index))
