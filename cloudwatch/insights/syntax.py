"""Queries as data. `str()` of any part is canonical query text that parses back to an equal part.

Every part knows its position in the text it came from (`at`, a character offset), which equality ignores.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from cloudwatch.insights.language import RESERVED

_PLAIN_NAME = re.compile(r"@?[A-Za-z_@][A-Za-z0-9_@]*(\.([A-Za-z_@][A-Za-z0-9_@]*|\d+))*")
"""CWL_QuerySyntax-Guidelines.html: other characters need back-ticks; an array's element is `.0` or `[0]`."""


def written_name(name: str) -> str:
    """A field's or an alias's name as query text; the `@` of a system field stays outside back-ticks."""
    if _PLAIN_NAME.fullmatch(name) and name.lower() not in RESERVED:
        return name
    return f"@`{name[1:]}`" if name.startswith("@") and len(name) > 1 else f"`{name}`"


def _listed(parts: Iterable[object]) -> str:
    return ", ".join(map(str, parts))


@dataclass(frozen=True)
class Node:
    at: int = field(default=0, compare=False, repr=False, kw_only=True)


@dataclass(frozen=True)
class Number(Node):
    digits: str

    def __str__(self) -> str:
        return self.digits


@dataclass(frozen=True)
class Text(Node):
    value: str

    def __str__(self) -> str:
        escaped = self.value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'


@dataclass(frozen=True)
class Boolean(Node):
    value: bool

    def __str__(self) -> str:
        return str(self.value).lower()


@dataclass(frozen=True)
class Regex(Node):
    """A regular expression, without its delimiters; a `/` in it is escaped."""

    pattern: str

    @property
    def named_groups(self) -> tuple[str, ...]:
        return tuple(re.findall(r"\(\?P?<([A-Za-z_][A-Za-z0-9_]*)>", self.pattern))

    def group_count(self) -> int:
        """How many groups capture; raises `re.error` for what Python's dialect can't read."""
        return re.compile(re.sub(r"\(\?<(?=[A-Za-z_])", "(?P<", re.sub(r"\(\?[a-zA-Z]+\)", "", self.pattern))).groups

    def __str__(self) -> str:
        return f"/{self.pattern}/"


@dataclass(frozen=True)
class Period(Node):
    """A length of time such as `5m`."""

    count: int
    unit: str

    def __str__(self) -> str:
        return f"{self.count}{self.unit}"


@dataclass(frozen=True)
class Star(Node):
    """The `*` of `count(*)`."""

    def __str__(self) -> str:
        return "*"


@dataclass(frozen=True)
class Field(Node):
    """A log field or an alias; a path's parts are joined with dots, an array's index among them."""

    name: str

    def __str__(self) -> str:
        return written_name(self.name)


@dataclass(frozen=True)
class Call(Node):
    """A function's result; `name` is the documented spelling."""

    name: str
    arguments: tuple[Expression, ...]

    def __str__(self) -> str:
        return f"{self.name}({_listed(self.arguments)})"


@dataclass(frozen=True)
class Member(Node):
    """A part of what a function gave: `jsonParse(text).path`."""

    subject: Call
    path: str

    def __str__(self) -> str:
        return f"{self.subject}.{written_name(self.path)}"


@dataclass(frozen=True)
class Unary(Node):
    operator: Literal["-", "not"]
    operand: Expression

    def __str__(self) -> str:
        level = _LEVELS["not" if self.operator == "not" else "negative"]
        return f"{self.operator}{' ' if self.operator == 'not' else ''}{_within(self.operand, level)}"


@dataclass(frozen=True)
class Binary(Node):
    """Arithmetic, a comparison, `and` or `or`; all but comparisons group from the left."""

    operator: str
    left: Expression
    right: Expression

    def __str__(self) -> str:
        level = _LEVELS[self.operator]
        left = _within(self.left, level + 1 if self.operator in COMPARISONS else level)
        return f"{left} {self.operator} {_within(self.right, level + 1)}"


@dataclass(frozen=True)
class Match(Node):
    """`like`, `not like` (a substring or a regular expression) and `=~` (a regular expression)."""

    operator: Literal["like", "not like", "=~"]
    subject: Expression
    pattern: Text | Regex

    def __str__(self) -> str:
        return f"{_within(self.subject, _LEVELS['='] + 1)} {self.operator} {self.pattern}"


@dataclass(frozen=True)
class Membership(Node):
    """`in` and `not in` a list of literals."""

    operator: Literal["in", "not in"]
    subject: Expression
    options: tuple[Text | Number, ...]

    def __str__(self) -> str:
        return f"{_within(self.subject, _LEVELS['='] + 1)} {self.operator} [{_listed(self.options)}]"


Expression = Number | Text | Boolean | Period | Star | Field | Call | Member | Unary | Binary | Match | Membership

COMPARISONS = ("=", "!=", "<", "<=", ">", ">=")
_LEVELS = {
    "or": 1,
    "and": 2,
    "not": 3,
    **dict.fromkeys(COMPARISONS, 4),
    **dict.fromkeys("+-", 5),
    **dict.fromkeys("*/%", 6),
    "^": 7,
    "negative": 8,
}
"""How strongly operators bind."""


def _within(expression: Expression, level: int) -> str:
    """`expression` as an operand of something that binds at `level`."""
    match expression:
        case Binary():
            own = _LEVELS[expression.operator]
        case Match() | Membership():
            own = _LEVELS["="]
        case Unary(operator="not"):
            own = _LEVELS["not"]
        case Unary():
            own = _LEVELS["negative"]
        case _:
            return str(expression)
    return str(expression) if own >= level else f"({expression})"


@dataclass(frozen=True)
class Item(Node):
    """An expression with the name that it gets, if any."""

    expression: Expression
    alias: str | None = None

    @property
    def column(self) -> str:
        """Its name in the result."""
        if self.alias is not None:
            return self.alias
        return self.expression.name if isinstance(self.expression, Field) else str(self.expression)

    def __str__(self) -> str:
        return f"{self.expression}" if self.alias is None else f"{self.expression} as {written_name(self.alias)}"


@dataclass(frozen=True)
class Display(Node):
    items: tuple[Item, ...]

    def __str__(self) -> str:
        return f"display {_listed(self.items)}"


@dataclass(frozen=True)
class Fields(Node):
    items: tuple[Item, ...]

    def __str__(self) -> str:
        return f"fields {_listed(self.items)}"


@dataclass(frozen=True)
class Filter(Node):
    condition: Expression

    def __str__(self) -> str:
        return f"filter {self.condition}"


@dataclass(frozen=True)
class FilterIndex(Node):
    """Only what a field index finds: `field = literal` or `field in [literals]`."""

    condition: Expression

    def __str__(self) -> str:
        return f"filterIndex {self.condition}"


@dataclass(frozen=True)
class Pattern(Node):
    expression: Expression

    def __str__(self) -> str:
        return f"pattern {self.expression}"


@dataclass(frozen=True)
class Anomaly(Node):
    def __str__(self) -> str:
        return "anomaly"


@dataclass(frozen=True)
class Diff(Node):
    period: str | None = None

    def __str__(self) -> str:
        return "diff" if self.period is None else f"diff {self.period}"


@dataclass(frozen=True)
class Parse(Node):
    """New fields from the text of `source`.

    `by` is a glob (one alias a `*`), a regular expression (named groups, or aliases), `logfmt` (one alias, a map)
    or `csv` (an alias a column). `multi` makes one row a match of the regular expression.
    """

    source: Field
    by: Text | Regex | Literal["logfmt", "csv"]
    aliases: tuple[str, ...] = ()
    multi: bool = False

    def __str__(self) -> str:
        names = f" as {', '.join(map(written_name, self.aliases))}" if self.aliases else ""
        return f"parse {self.source} {self.by}{names}{' multi' if self.multi else ''}"


@dataclass(frozen=True)
class SortKey(Node):
    expression: Expression
    direction: Literal["asc", "desc"] | None = None

    def __str__(self) -> str:
        return f"{self.expression}" if self.direction is None else f"{self.expression} {self.direction}"


@dataclass(frozen=True)
class Sort(Node):
    keys: tuple[SortKey, ...]

    def __str__(self) -> str:
        return f"sort {_listed(self.keys)}"


@dataclass(frozen=True)
class Stats(Node):
    items: tuple[Item, ...]
    by: tuple[Item, ...] = ()
    offset: Period | None = None

    def __str__(self) -> str:
        by = f" by {_listed(self.by)}" if self.by else ""
        return f"stats {_listed(self.items)}{by}{'' if self.offset is None else f' offset {self.offset}'}"


@dataclass(frozen=True)
class Limit(Node):
    rows: int
    any: bool = False

    def __str__(self) -> str:
        return f"limit {'any ' if self.any else ''}{self.rows}"


@dataclass(frozen=True)
class Dedup(Node):
    fields: tuple[Field, ...]

    def __str__(self) -> str:
        return f"dedup {_listed(self.fields)}"


@dataclass(frozen=True)
class Unnest(Node):
    """One row an element of a list."""

    expression: Expression
    alias: str

    def __str__(self) -> str:
        return f"unnest {self.expression} into {written_name(self.alias)}"


@dataclass(frozen=True)
class Expand(Node):
    """One row an element of a field that holds a JSON array."""

    field: Field

    def __str__(self) -> str:
        return f"expand {self.field}"


@dataclass(frozen=True)
class Lookup(Node):
    """Columns of a lookup table; `matches` pairs a column of the table with a field of the event."""

    table: str
    matches: tuple[tuple[str, Field], ...]
    mode: Literal["OUTPUT", "OUTPUTNEW"]
    outputs: tuple[str, ...]

    def __str__(self) -> str:
        matches = (f"{written_name(column)} as {of}" for column, of in self.matches)
        return f"lookup {self.table} {_listed(matches)} {self.mode} {_listed(map(written_name, self.outputs))}"


Command = (
    Display | Fields | Filter | FilterIndex | Pattern | Anomaly | Diff | Parse
    | Sort | Stats | Limit | Dedup | Unnest | Expand | Lookup
)  # fmt: skip


@dataclass(frozen=True)
class Query:
    """A query that keeps the rules.

    `fields` are the log fields that it reads, under their path in the event: not the aliases it defines, and
    through `jsonParse(@message)` and `unnest` back to the event (`tool_calls.tool` for a field of a list's
    elements). `columns` are the result's, in order; empty where only the data decides.
    """

    commands: tuple[Command, ...]
    fields: frozenset[str]
    columns: tuple[str, ...]

    def __str__(self) -> str:
        return "\n| ".join(map(str, self.commands))
