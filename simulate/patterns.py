"""CloudWatch Logs filter patterns: what a metric filter or a subscription filter lets through.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html and, for metric
values, https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntaxForMetricFilters.html.
Where the documentation is silent, a value that does not fit the condition never matches, and a pattern whose
meaning is not documented is refused.
"""

from __future__ import annotations

import functools
import json
import math
import operator
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeGuard, cast

MAX_PATTERN_CHARACTERS: Final = 1024
MAX_REGEX_PER_PATTERN: Final = 2
MAX_WILDCARDS_PER_SELECTOR: Final = 1
MAX_WILDCARDS_PER_PATTERN: Final = 3

_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
_BARE = re.compile(r"[A-Za-z0-9_.*+-]+")
_BARE_TEXT = re.compile(r"[A-Za-z0-9_.*]+")
_TERM = re.compile(r"[A-Za-z0-9_]+")
_OPERATOR = re.compile(r"!=|<=|>=|=|<|>")
_SPACE = re.compile(r"\s*")


class PatternError(ValueError):
    """A filter pattern or selector that CloudWatch Logs would refuse; `column` counts from 1."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(f"column {column}: {message}")
        self.message = message
        self.column = column


class _Missing:
    """The value of a selector that points at nothing; JSON's null is a value, and so is not this."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()


# --- Selectors -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Field:
    """`.name`, or `.['any name']` for a name with other characters."""

    name: str

    def __str__(self) -> str:
        return f".{self.name}" if re.fullmatch(r"[A-Za-z0-9_-]+", self.name) else f".['{self.name}']"


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


@dataclass(frozen=True)
class Selector:
    """A property selector such as `$.users[0].name`."""

    steps: tuple[Field | Index | AnyField | AnyIndex, ...]

    def __str__(self) -> str:
        return "$" + "".join(map(str, self.steps))

    @property
    def wildcards(self) -> int:
        return sum(isinstance(step, AnyField | AnyIndex) for step in self.steps)

    def find(self, document: object) -> list[object]:
        """Every value the selector points at; more than one only with a wildcard."""
        found = [document]
        for step in self.steps:
            found = [value for each in found for value in _step(each, step)]
        return found


def _step(value: object, step: Field | Index | AnyField | AnyIndex) -> Iterator[object]:
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
    reader = _Reader(text)
    selector = reader.selector()
    reader.expect_end()
    return selector


def select(document: object, selector: str) -> object:
    """The value that `selector` points at in a parsed JSON document, else `MISSING`.

    With a wildcard: the first value in document order.

    Raises:
        PatternError: `selector` is not a selector.
    """
    found = parse_selector(selector).find(document)
    return found[0] if found else MISSING


# --- Literals and conditions ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Number:
    value: float

    def __str__(self) -> str:
        return repr(self.value)

    def equals(self, value: object) -> bool | None:
        return value == self.value if _is_number(value) else None


@dataclass(frozen=True)
class Text:
    """A string; an asterisk at its start or end stands for any text, and alone for any value at all."""

    text: str
    quoted: bool

    def __str__(self) -> str:
        return _quote(self.text) if self.quoted else self.text

    def equals(self, value: object) -> bool | None:
        if not self.text.strip("*") and self.text:
            return True if isinstance(value, str | bool | int | float) else None
        if isinstance(value, str):
            return self._matches(value)
        if _is_number(value) and not self.quoted and "*" in self.text:
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

    def __str__(self) -> str:
        return f"%{self.source}%"

    def equals(self, value: object) -> bool | None:
        return _compiled(self.source).search(value) is not None if isinstance(value, str) else None


Literal = Number | Text | Regex
Subject = Selector | str
"""What a condition is about: a selector into JSON, or the name of a space-delimited field."""
Lookup = Callable[[Subject], list[object]]

_ORDER: Final[dict[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True)
class Comparison:
    subject: Subject
    operator: str
    literal: Literal

    def __str__(self) -> str:
        return f"{self.subject} {self.operator} {self.literal}"

    def holds(self, lookup: Lookup) -> bool:
        return any(self._holds_for(value) for value in lookup(self.subject))

    def _holds_for(self, value: object) -> bool:
        literal = self.literal
        if isinstance(self.subject, str) and isinstance(literal, Number) and isinstance(value, str):
            value = _number(value)
        if self.operator in _ORDER:
            holds = _ORDER[self.operator]
            return _is_number(value) and isinstance(literal, Number) and holds(value, literal.value)
        equal = literal.equals(value)
        return equal is not None and equal == (self.operator == "=")


@dataclass(frozen=True)
class Is:
    """`IS NULL`, `IS TRUE`, `IS FALSE`."""

    subject: Selector
    value: bool | None

    def __str__(self) -> str:
        return f"{self.subject} IS {_IS_NAMES[self.value]}"

    def holds(self, lookup: Lookup) -> bool:
        return any(value is self.value for value in lookup(self.subject))


_IS_NAMES: Final = {None: "NULL", True: "TRUE", False: "FALSE"}


@dataclass(frozen=True)
class NotExists:
    subject: Selector

    def __str__(self) -> str:
        return f"{self.subject} NOT EXISTS"

    def holds(self, lookup: Lookup) -> bool:
        return not lookup(self.subject)


@dataclass(frozen=True)
class And:
    parts: tuple[Condition, ...]

    def __str__(self) -> str:
        return " && ".join(f"({part})" if isinstance(part, And | Or) else str(part) for part in self.parts)

    def holds(self, lookup: Lookup) -> bool:
        return all(part.holds(lookup) for part in self.parts)


@dataclass(frozen=True)
class Or:
    parts: tuple[Condition, ...]

    def __str__(self) -> str:
        return " || ".join(f"({part})" if isinstance(part, Or) else str(part) for part in self.parts)

    def holds(self, lookup: Lookup) -> bool:
        return any(part.holds(lookup) for part in self.parts)


Condition = Comparison | Is | NotExists | And | Or


def _comparisons(condition: Condition) -> Iterator[Comparison | Is | NotExists]:
    if isinstance(condition, And | Or):
        for part in condition.parts:
            yield from _comparisons(part)
    else:
        yield condition


# --- Patterns ------------------------------------------------------------------------------------------------


class Pattern(ABC):
    """A parsed filter pattern; its text is its canonical form."""

    @abstractmethod
    def matches(self, message: str) -> bool:
        """Whether the log event passes. A message in another format never does."""

    @property
    def fields(self) -> frozenset[str]:
        """The selectors whose values the pattern extracts.

        A metric value or dimension must be among them: a metric filter publishes only what its pattern extracts
        (https://docs.aws.amazon.com/cdk/api/v2/docs/aws-cdk-lib.aws_logs.MetricFilterOptions.html, metricValue).
        """
        return frozenset()

    def field(self, message: str, selector: str) -> object:
        """The value of one of `fields` in a message, else `MISSING`."""
        return MISSING


@dataclass(frozen=True)
class AllEvents(Pattern):
    """The empty pattern."""

    def __str__(self) -> str:
        return ""

    def matches(self, message: str) -> bool:
        return True


@dataclass(frozen=True)
class Terms(Pattern):
    """Case-sensitive terms: all of `required`, none of `excluded`, one of `optional`.

    As documented, optional terms count only when there are no others.
    """

    required: tuple[str, ...]
    excluded: tuple[str, ...]
    optional: tuple[str, ...]

    def __str__(self) -> str:
        groups = (("", self.required), ("-", self.excluded), ("?", self.optional))
        return " ".join(prefix + _quote(term) for prefix, terms in groups for term in terms)

    def matches(self, message: str) -> bool:
        if not self.required and not self.excluded:
            return any(term in message for term in self.optional)
        return all(term in message for term in self.required) and not any(term in message for term in self.excluded)


@dataclass(frozen=True)
class RegexPattern(Pattern):
    """A pattern that is one regular expression."""

    regex: Regex

    def __str__(self) -> str:
        return str(self.regex)

    def matches(self, message: str) -> bool:
        return self.regex.equals(message) is True


@dataclass(frozen=True)
class JsonPattern(Pattern):
    """`{ ... }`: conditions on a log event that is a JSON object."""

    condition: Condition

    def __str__(self) -> str:
        return f"{{ {self.condition} }}"

    def matches(self, message: str) -> bool:
        document = _document(message)
        if document is None:
            return False
        return self.condition.holds(lambda subject: cast("Selector", subject).find(document))

    @property
    def fields(self) -> frozenset[str]:
        return frozenset(str(each.subject) for each in _comparisons(self.condition))

    def field(self, message: str, selector: str) -> object:
        return select(_document(message), selector)


@dataclass(frozen=True)
class Column:
    """One place of a space-delimited pattern; `name` is empty for a place without a name."""

    name: str
    condition: Condition | None = None

    def __str__(self) -> str:
        return self.name if self.condition is None else str(self.condition)


@dataclass(frozen=True)
class DelimitedPattern(Pattern):
    """`[a, b, ..., z]`: conditions on space-delimited fields; text in brackets or quotes is one field.

    The documented pattern `[w1=ERROR, w2]` matches longer events, so the last column stands for all fields from
    its place on. `ellipsis` is how many columns stand before the `...`, None without one.
    """

    columns: tuple[Column, ...]
    ellipsis: int | None = None

    def __str__(self) -> str:
        texts = [str(column) for column in self.columns]
        if self.ellipsis is not None:
            texts.insert(self.ellipsis, "...")
        return "[" + ", ".join(texts) + "]"

    def matches(self, message: str) -> bool:
        values = self._values(message)
        if values is None:
            return False
        return all(
            column.condition is None or column.condition.holds(lambda _, value=value: [value])
            for column, (_, value) in zip(self.columns, values, strict=True)
        )

    @property
    def fields(self) -> frozenset[str]:
        return frozenset(f"${column.name}" for column in self.columns if column.name)

    def field(self, message: str, selector: str) -> object:
        for column, (position, value) in zip(self.columns, self._values(message) or (), strict=False):
            if selector == f"${column.name or position}":
                return value
        return MISSING

    def _values(self, message: str) -> list[tuple[int, str]] | None:
        """Position (from 1) and text of each column's field; None when there are too few fields."""
        fields = [(at + 1, text) for at, text in enumerate(_split(message))]
        if len(fields) < len(self.columns):
            return None
        if self.ellipsis is None:
            last = len(self.columns) - 1
            rest = " ".join(text for _, text in fields[last:])
            return [*fields[:last], (last + 1, rest)]
        after = len(self.columns) - self.ellipsis
        return fields[: self.ellipsis] + fields[len(fields) - after :]


_DELIMITED_FIELD = re.compile(r'\[([^\]]*)\](?=\s|$)|"([^"]*)"(?=\s|$)|(\S+)')


def _split(message: str) -> list[str]:
    return [next(g for g in found.groups() if g is not None) for found in _DELIMITED_FIELD.finditer(message)]


@functools.lru_cache(maxsize=64)
def _document(message: str) -> dict[str, object] | None:
    """The message as a JSON object; None if it is anything else. Cached because many filters see one message."""
    try:
        document = json.loads(message, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, object]", document) if isinstance(document, dict) else None


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _is_number(value: object) -> TypeGuard[int | float]:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)


def _number(text: str) -> float | None:
    """The number that a text is, as CloudWatch Logs writes numbers; None for another text."""
    if not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def metric_value(message: str, value_selector: str, pattern: Pattern | None = None) -> float | None:
    """The number that a metric filter publishes for a matching message.

    `value_selector` is a number as text, a selector into a JSON message (`$.latency`), or, with its space-delimited
    `pattern`, a field's name (`$bytes`). None where the value is absent or not a number; a JSON string is not one.

    Raises:
        PatternError: `value_selector` is neither a number nor a selector.
    """
    constant = _number(value_selector)
    if constant is not None:
        return constant
    if isinstance(pattern, DelimitedPattern):
        text = pattern.field(message, value_selector)
        return _number(text) if isinstance(text, str) else None
    value = select(_document(message), value_selector)
    if not _is_number(value):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


# --- Parsing -------------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=512)
def parse(text: str) -> Pattern:
    """Parse a filter pattern, within the documented limits.

    Limits: 1,024 characters; two regular expressions; one wildcard selector in a property selector, three in a
    pattern.

    Raises:
        PatternError: CloudWatch Logs would refuse the pattern, or its meaning is not documented.
    """
    if len(text) > MAX_PATTERN_CHARACTERS:
        raise PatternError(
            f"a pattern has at most {MAX_PATTERN_CHARACTERS} characters, this one has {len(text)}",
            MAX_PATTERN_CHARACTERS + 1,
        )
    reader = _Reader(text)
    reader.skip_space()
    if reader.at_end:
        return AllEvents()
    parsers = {"{": reader.json_pattern, "[": reader.delimited_pattern, "%": reader.regex_pattern}
    try:
        pattern = parsers.get(reader.peek(), reader.terms)()
    except RecursionError:
        raise reader.error("parentheses are nested too deeply") from None
    reader.expect_end()
    return pattern


class _Reader:
    """A recursive-descent parser over one text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.regexes = 0
        self.wildcards = 0

    @property
    def at_end(self) -> bool:
        return self.at >= len(self.text)

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def error(self, message: str, at: int | None = None) -> PatternError:
        return PatternError(message, (self.at if at is None else at) + 1)

    def skip_space(self) -> None:
        self.take(_SPACE)

    def take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        if found is None:
            return ""
        self.at = found.end()
        return found.group()

    def accept(self, token: str) -> bool:
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

    # Kinds of pattern

    def json_pattern(self) -> Pattern:
        self.expect("{", "at the start")
        condition = self.alternatives(self.json_comparison)
        self.expect("}", "at the end of a JSON pattern")
        return JsonPattern(condition)

    def delimited_pattern(self) -> Pattern:
        self.expect("[", "at the start")
        columns: list[Column] = []
        ellipsis: int | None = None
        while True:
            self.skip_space()
            start = self.at
            if self.accept("..."):
                if ellipsis is not None:
                    raise self.error("only one '...' is allowed", start)
                ellipsis = len(columns)
            else:
                column = self.column()
                if column.name and any(column.name == each.name for each in columns):
                    raise self.error(f"two fields are called {column.name!r}", start)
                columns.append(column)
            self.skip_space()
            if not self.accept(","):
                break
        self.expect("]", "at the end of a space-delimited pattern")
        return DelimitedPattern(tuple(columns), ellipsis)

    def column(self) -> Column:
        start = self.at
        if self.peek() in {",", "]"}:
            return Column("")
        name = "" if self.peek() == "(" else self.take(_TERM)
        self.skip_space()
        if name and self.peek() in {",", "]"}:
            return Column(name)
        self.at = start
        condition = self.alternatives(self.field_comparison)
        names = {cast("str", each.subject) for each in _comparisons(condition)}
        if len(names) > 1:
            raise self.error(f"a field's condition is about that field alone, found {sorted(names)}", start)
        return Column(names.pop(), condition)

    def regex_pattern(self) -> Pattern:
        return RegexPattern(self.regex())

    def terms(self) -> Pattern:
        groups: dict[str, list[str]] = {"": [], "-": [], "?": []}
        while not self.at_end:
            prefix = next((mark for mark in "-?" if self.accept(mark)), "")
            start = self.at
            if self.peek() == '"':
                term = self.quoted()
            elif self.peek() == "%":
                raise self.error("a regular expression must be the whole pattern")
            else:
                term = self.take(_TERM)
            if self.at == start or not (self.at_end or self.peek().isspace()):
                raise self.error("a term with characters other than letters, digits and '_' needs double quotes", start)
            if term.strip() or prefix:
                groups[prefix].append(term)
            self.skip_space()
        if not any(groups.values()):
            return AllEvents()
        return Terms(tuple(groups[""]), tuple(groups["-"]), tuple(groups["?"]))

    # Conditions: () before && before ||

    def alternatives(self, comparison: Callable[[], Condition]) -> Condition:
        parts = self.joined("||", lambda: self.conjunction(comparison))
        return parts[0] if len(parts) == 1 else Or(parts)

    def conjunction(self, comparison: Callable[[], Condition]) -> Condition:
        parts = self.joined("&&", lambda: self.group(comparison))
        return parts[0] if len(parts) == 1 else And(parts)

    def joined(self, token: str, part: Callable[[], Condition]) -> tuple[Condition, ...]:
        parts = [part()]
        while self.accept(token):
            parts.append(part())
        return tuple(parts)

    def group(self, comparison: Callable[[], Condition]) -> Condition:
        self.skip_space()
        if self.accept("("):
            condition = self.alternatives(comparison)
            self.expect(")", "to close '('")
        else:
            condition = comparison()
        self.skip_space()
        return condition

    def json_comparison(self) -> Condition:
        start = self.at
        selector = self.selector()
        self.wildcards += selector.wildcards
        if self.wildcards > MAX_WILDCARDS_PER_PATTERN:
            raise self.error(f"a pattern has at most {MAX_WILDCARDS_PER_PATTERN} wildcard selectors", start)
        self.skip_space()
        if self.accept("IS"):
            self.skip_space()
            for value, name in _IS_NAMES.items():
                if self.accept(name):
                    return Is(selector, value)
            raise self.error("IS is followed by NULL, TRUE or FALSE")
        if self.accept("NOT"):
            self.skip_space()
            self.expect("EXISTS", "after NOT")
            return NotExists(selector)
        return self.comparison(selector)

    def field_comparison(self) -> Condition:
        name = self.take(_TERM)
        if not name:
            raise self.error("expected a field's name")
        self.skip_space()
        return self.comparison(name)

    def comparison(self, subject: Subject) -> Condition:
        sign = self.take(_OPERATOR)
        if not sign:
            allowed = "=, !=, <, <=, > or >="
            if isinstance(subject, Selector):
                allowed += ", IS NULL, IS TRUE, IS FALSE or NOT EXISTS"
            raise self.error(f"expected {allowed} after {subject}")
        self.skip_space()
        start = self.at
        literal = self.literal()
        if sign in _ORDER and not isinstance(literal, Number):
            raise self.error(f"{sign} compares with a number", start)
        return Comparison(subject, sign, literal)

    def literal(self) -> Literal:
        start = self.at
        if self.peek() == '"':
            return self.text_literal(self.quoted(), quoted=True, start=start)
        if self.peek() == "%":
            return self.regex()
        word = self.take(_BARE)
        number = _number(word)
        if number is not None:
            return Number(number)
        if not word:
            raise self.error("expected a number, a string, %a regular expression% or *")
        if not _BARE_TEXT.fullmatch(word):
            raise self.error(f"{word!r} needs double quotes", start)
        return self.text_literal(word, quoted=False, start=start)

    def text_literal(self, text: str, *, quoted: bool, start: int) -> Text:
        if "*" in text.strip("*"):
            raise self.error("an asterisk stands at the start or the end of a string, not within it", start)
        return Text(text, quoted)

    def quoted(self) -> str:
        start = self.at
        self.at += 1
        text: list[str] = []
        while not self.at_end:
            character = self.text[self.at]
            self.at += 1
            if character == '"':
                return "".join(text)
            if character == "\\" and self.peek() in {'"', "\\"}:
                character = self.text[self.at]
                self.at += 1
            text.append(character)
        raise self.error("the double quote is not closed", start)

    def selector(self) -> Selector:
        start = self.at
        self.expect("$", "at the start of a selector such as $.name")
        steps: list[Field | Index | AnyField | AnyIndex] = []
        while True:
            dotted = self.accept(".")
            if self.accept("['"):
                end = self.text.find("']", self.at)
                if end <= self.at:
                    raise self.error("expected a name and ']")
                steps.append(Field(self.text[self.at : end]))
                self.at = end + 2
            elif dotted and self.accept("*"):
                steps.append(AnyField())
            elif dotted:
                name = self.take(re.compile(r"[A-Za-z0-9_-]+"))
                if not name:
                    raise self.error("expected a property's name, * or ['name'] after '.'")
                steps.append(Field(name))
            elif steps and self.accept("[*]"):
                steps.append(AnyIndex())
            elif steps and self.accept("["):
                index = self.take(re.compile(r"\d+"))
                if not index:
                    raise self.error("expected an index, * or 'name' after '['")
                steps.append(Index(int(index)))
                self.expect("]", "after an index")
            else:
                break
        if not steps:
            raise self.error("expected '.' and a property's name after '$'")
        selector = Selector(tuple(steps))
        if selector.wildcards > MAX_WILDCARDS_PER_SELECTOR:
            raise self.error(f"a selector has at most {MAX_WILDCARDS_PER_SELECTOR} wildcard", start)
        return selector

    def regex(self) -> Regex:
        start = self.at
        self.regexes += 1
        if self.regexes > MAX_REGEX_PER_PATTERN:
            raise self.error(f"a pattern has at most {MAX_REGEX_PER_PATTERN} regular expressions", start)
        end = self.text.find("%", start + 1)
        if end == -1:
            raise self.error("the regular expression is not closed with %", start)
        source = self.text[start + 1 : end]
        try:
            _compiled(source)
        except PatternError as error:
            raise PatternError(error.message, start + 1 + error.column) from None
        self.at = end + 1
        return Regex(source)


# --- Regular expressions -------------------------------------------------------------------------------------

_REGEX_PIECE = re.compile(
    r"(?P<escape>\\(?:[dDsSwW]|x[0-9A-Fa-f]{2}|[^A-Za-z0-9]))"
    r"|(?P<quantifier>[*+?]|\{\d*,?\d*\})"
    r"|(?P<operator>[\^$\[\]|.])"
    r"|(?P<plain>[A-Za-z0-9:_#=@/;,\- ])"
    r"|(?P<brace>[{}])"
)


@functools.lru_cache(maxsize=512)
def _compiled(source: str) -> re.Pattern[str]:
    """Python's form of a filter pattern's regular expression, which has no groups and ASCII only."""
    if not source:
        raise PatternError("a regular expression is not empty", 1)
    out: list[str] = []
    in_class = False
    quantified = True
    at = 0
    while at < len(source):
        piece = _REGEX_PIECE.match(source, at)
        if piece is None or (piece.lastgroup == "brace" and not in_class):
            raise PatternError(f"{source[at]!r} is not allowed here in a regular expression; try \\xhh", at + 1)
        text = piece.group()
        if in_class:
            if text == "]" and (out[-1] == "[" or out[-2:] == ["[", "^"]):
                raise PatternError("a character class is not empty", at + 1)
            in_class = text != "]"
            out.append("\\[" if text == "[" else text)
        elif piece.lastgroup == "quantifier":
            if quantified:
                raise PatternError(f"{text!r} has nothing to repeat", at + 1)
            out.append(text)
        else:
            in_class = text == "["
            out.append(r"\Z" if text == "$" else text)
        quantified = not in_class and (piece.lastgroup == "quantifier" or text in {"^", "|"})
        at = piece.end()
    try:
        return re.compile("".join(out), re.ASCII | re.DOTALL)
    except re.error as error:
        raise PatternError(f"not a regular expression: {error.msg}", 1) from None
