"""SigNoz' filter language and its aggregations, read as far as is needed to find mistakes and names. Pure.

The grammar is SigNoz' own (signoz.io/docs/userguide/search-syntax; `grammar/FilterQuery.g4` of github.com/SigNoz/signoz
at v0.138.0).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

Value = str | float | bool


class FilterError(ValueError):
    """What is wrong with an expression, in words."""


@dataclass(frozen=True)
class Variable:
    """`$name` in place of a value."""

    name: str


@dataclass(frozen=True)
class Comparison:
    """A key and what it is compared with; `EXISTS` has no values."""

    key: str
    operator: str
    values: tuple[Value | Variable, ...] = ()


@dataclass
class Filter:
    """A filter's conditions in their order; texts without a key are searched for everywhere."""

    comparisons: list[Comparison] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    has_or: bool = False


@dataclass(frozen=True)
class Aggregate:
    """`p95(lk.e2e_latency)`, `countIf(has_error = true)`."""

    function: str
    keys: tuple[str, ...] = ()
    condition: Filter | None = None


_TOKEN = re.compile(
    r"""\s*(?:
    (?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
  | (?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
  | (?P<operator><>|!=|>=|<=|==|=|<|>)
  | (?P<mark>[()\[\],])
  | (?P<key>[A-Za-z$_@{\#][\w$@\#{}:/-]*(?:\.[A-Za-z$_@{\#][\w$@\#{}:/-]*|\.\d+|\[\]|\[\*\])*)
    )""",
    re.VERBOSE,
)
_KEY = re.compile(r"[A-Za-z$_@#][\w$@#:/-]*(?:\.[\w$@#:/-]+)*(?:\[\])?")
_WORDS = {"and", "or", "not", "in", "like", "ilike", "between", "exists", "exist", "regexp", "contains", "contain"}
_FUNCTIONS = {"has", "hasany", "hasall", "hastoken", "search"}

_PERCENTILES = ("p05", "p10", "p20", "p25", "p50", "p75", "p90", "p95", "p99", "p999")
AGGREGATES = {
    "count": (0, 1),
    "countDistinct": (1, 10),
    "rate": (0, 1),
    **dict.fromkeys(("sum", "avg", "min", "max", "rate_sum", "rate_avg", "rate_min", "rate_max"), (1, 1)),
    **dict.fromkeys(_PERCENTILES, (1, 1)),
}
"""Functions over spans and log records, with how many keys each takes (`pkg/querybuilder/agg_funcs.go`)."""
CONDITIONAL_AGGREGATES = {
    "countIf": 0,
    "countDistinctIf": 1,
    "rateIf": 0,
    **dict.fromkeys(tuple(f"{name}If" for name in ("sum", "avg", "min", "max", *_PERCENTILES)), 1),
}
"""The same with a filter as the last argument, and how many keys come before it."""


def parse_filter(text: str) -> Filter:
    """Raises `FilterError`."""
    reader = _Reader(text)
    found = Filter()
    if reader.peek() is not None:
        _either(reader, found)
    if (left := reader.peek()) is not None:
        raise FilterError(f"{left[1]} is not expected here")
    return found


def parse_aggregate(text: str) -> Aggregate:
    """Raises `FilterError`."""
    match = re.fullmatch(r"\s*([A-Za-z_]\w*)\s*\((.*)\)\s*", text, re.DOTALL)
    if not match:
        raise FilterError("one function of a key: count(), p95(lk.e2e_latency)")
    name, arguments = match[1], _arguments(match[2])
    functions = {each.lower(): each for each in (*AGGREGATES, *CONDITIONAL_AGGREGATES)}
    known = functions.get(name.lower().replace("_if", "if").replace("_distinct", "distinct"))
    if known is None:
        raise FilterError(f"no function {name}: allowed: {', '.join([*AGGREGATES, *CONDITIONAL_AGGREGATES])}")
    condition = None
    if known in CONDITIONAL_AGGREGATES:
        least = most = CONDITIONAL_AGGREGATES[known]
        if arguments:
            condition = parse_filter(arguments.pop())
        if condition is None or not condition.comparisons:
            raise FilterError(f"{known} takes a condition: countIf(has_error = true)")
    else:
        least, most = AGGREGATES[known]
    if not least <= len(arguments) <= most:
        count = str(least) if least == most else f"{least} to {most}"
        raise FilterError(f"{known} takes {count} key{'' if most == 1 else 's'}, not {len(arguments)}")
    for each in arguments:
        if not _KEY.fullmatch(each):
            raise FilterError(f"{each} is not a key; arithmetic belongs into a formula of several queries")
    return Aggregate(known, tuple(arguments), condition)


def _arguments(text: str) -> list[str]:
    """Split at the commas outside of brackets and quotes."""
    parts, depth, quote, start = [], 0, "", 0
    for at, char in enumerate(text):
        if quote:
            quote = "" if char == quote and text[at - 1] != "\\" else quote
        elif char in "'\"":
            quote = char
        elif char in "([":
            depth += 1
        elif char in ")]":
            depth -= 1
            if depth < 0:
                raise FilterError("one function only; arithmetic belongs into a formula of several queries")
        elif char == "," and not depth:
            parts.append(text[start:at].strip())
            start = at + 1
    if depth or quote:
        raise FilterError("a bracket or quote is not closed")
    parts.append(text[start:].strip())
    return [] if parts == [""] else parts


class _Reader:
    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        at = 0
        while at < len(text) and text[at:].strip():
            match = _TOKEN.match(text, at)
            if not match or match.end() == at:
                raise FilterError(f"cannot be parsed from {text[at:].strip()[:20]!r} on")
            kind = match.lastgroup or ""
            word = match[kind]
            if kind == "key" and word.lower() in _WORDS:
                kind, word = "word", word.lower()
            self._tokens.append((kind, word))
            at = match.end()
        self._at = 0

    def peek(self) -> tuple[str, str] | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def take(self) -> tuple[str, str]:
        token = self.peek()
        if token is None:
            raise FilterError("the expression ends too early")
        self._at += 1
        return token

    def took(self, kind: str, *texts: str) -> bool:
        token = self.peek()
        if token and token[0] == kind and (not texts or token[1] in texts):
            self._at += 1
            return True
        return False

    def expect(self, mark: str) -> None:
        token = self.take()
        if token != ("mark", mark):
            raise FilterError(f"{mark} is missing before {token[1]}")


def _either(reader: _Reader, found: Filter) -> None:
    _all(reader, found)
    while reader.took("word", "or"):
        found.has_or = True
        _all(reader, found)


def _all(reader: _Reader, found: Filter) -> None:
    _one(reader, found)
    while True:
        token = reader.peek()
        if token is None or token in (("word", "or"), ("mark", ")")):
            return
        reader.took("word", "and")  # may be left out
        _one(reader, found)


def _one(reader: _Reader, found: Filter) -> None:
    reader.took("word", "not")
    kind, text = reader.take()
    if (kind, text) == ("mark", "("):
        _either(reader, found)
        reader.expect(")")
    elif kind == "quoted":
        found.texts.append(text[1:-1])
    elif kind == "key" and text.lower() in _FUNCTIONS and reader.took("mark", "("):
        _function(reader, text, found)
    elif kind == "key":
        found.comparisons.append(_comparison(reader, text))
    else:
        raise FilterError(f"{text} is not expected here")


def _function(reader: _Reader, name: str, found: Filter) -> None:
    key, values = None, []
    while not reader.took("mark", ")"):
        kind, text = reader.take()
        if kind == "key" and key is None and name.lower() != "search":
            key = text
        elif kind != "mark":
            values.append(_value(kind, text))
    if key:
        found.comparisons.append(Comparison(key, name.lower(), tuple(values)))
    else:
        found.texts.extend(str(each) for each in values[:1])


def _comparison(reader: _Reader, key: str) -> Comparison:
    negated = "not " if reader.took("word", "not") else ""
    token = reader.peek()
    if token is None or token[0] not in ("operator", "word") or token[1] in ("and", "or"):
        raise FilterError(f"{key}: an operator is missing: =, !=, <, >, IN, LIKE, CONTAINS, REGEXP, EXISTS")
    kind, operator = reader.take()
    if kind == "operator":
        if negated:
            raise FilterError(f"{key} NOT {operator}: allowed: NOT {key} {operator} ...")
        return Comparison(key, operator, (_value(*reader.take()),))
    if operator in ("exists", "exist"):
        return Comparison(key, f"{negated}exists")
    if operator == "between":
        low = _value(*reader.take())
        if not reader.took("word", "and"):
            raise FilterError(f"{key} BETWEEN: AND is missing")
        return Comparison(key, f"{negated}between", (low, _value(*reader.take())))
    if operator == "in":
        return Comparison(key, f"{negated}in", _values(reader))
    return Comparison(key, f"{negated}{operator}", (_value(*reader.take()),))


def _values(reader: _Reader) -> tuple[Value | Variable, ...]:
    close = ")" if reader.took("mark", "(") else "]" if reader.took("mark", "[") else None
    values = [_value(*reader.take())]
    while close and reader.took("mark", ","):
        values.append(_value(*reader.take()))
    if close:
        reader.expect(close)
    return tuple(values)


def _value(kind: str, text: str) -> Value | Variable:
    match kind:
        case "quoted":
            # A quoted variable is replaced as well.
            inner = text[1:-1]
            return Variable(inner[1:]) if re.fullmatch(r"\$\w+", inner) else inner
        case "number":
            return float(text)
        case "key" if text.lower() in ("true", "false"):
            return text.lower() == "true"
        case "key" if text.startswith("$"):
            return Variable(text[1:])
        case "key":
            return text
        case _:
            raise FilterError(f"{text} is not a value, which is expected here")
