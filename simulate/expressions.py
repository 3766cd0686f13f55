"""Metric math: the part of CloudWatch's expression language that alarms need.

Numbers, ids, `+ - * / ^`, comparisons, `AND` (`&&`), `OR` (`||`), `IF`, `FILL`, `ABS` and
`ANOMALY_DETECTION_BAND`. Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html.

A time series is a mapping from a period's start (milliseconds) to its value. Operators treat a missing value as 0
wherever the other operand has one, and drop a data point that would divide by zero.
"""

from __future__ import annotations

import bisect
import math
import operator
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

Series = dict[int, float]
Value = float | Mapping[int, float]
"""What a part of an expression comes to: a number or a time series."""

HISTORY_MS: Final = 14 * 24 * 3600 * 1000
"""How far back a band looks; CloudWatch trains on up to two weeks of data
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Anomaly_Detection.html)."""

MIN_HISTORY_POINTS: Final = 8
DEFAULT_BAND_WIDTH: Final = 2.0


class ExpressionError(ValueError):
    """An expression that is not metric math, or uses what this subset leaves out."""


@dataclass(frozen=True)
class Constant:
    value: float


@dataclass(frozen=True)
class Reference:
    id: str


@dataclass(frozen=True)
class Negative:
    operand: Node


@dataclass(frozen=True)
class Binary:
    sign: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Absolute:
    operand: Node


@dataclass(frozen=True)
class Fill:
    operand: Node
    filler: Node | Literal["REPEAT", "LINEAR"]


@dataclass(frozen=True)
class If:
    condition: Node
    true: Node
    false: Node | None


@dataclass(frozen=True)
class Band:
    """`ANOMALY_DETECTION_BAND(id, deviations)`; it stands alone, as the id that an alarm compares with."""

    operand: Reference
    deviations: float


Node = Constant | Reference | Negative | Binary | Absolute | Fill | If
Expression = Node | Band


def _true_or_false(compare: Callable[[float, float], object]) -> Callable[[float, float], float]:
    return lambda left, right: 1.0 if compare(left, right) else 0.0


_BINARY: Final[Mapping[str, Callable[[float, float], float]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "^": math.pow,
    "==": _true_or_false(operator.eq),
    "!=": _true_or_false(operator.ne),
    "<=": _true_or_false(operator.le),
    ">=": _true_or_false(operator.ge),
    "<": _true_or_false(operator.lt),
    ">": _true_or_false(operator.gt),
    "AND": _true_or_false(lambda left, right: left and right),
    "OR": _true_or_false(lambda left, right: left or right),
}

# --- Evaluation ----------------------------------------------------------------------------------------------


def references(expression: Expression) -> frozenset[str]:
    """The ids that an expression uses."""
    return frozenset(_references(expression))


def _references(node: Expression | str | None) -> Iterator[str]:
    match node:
        case Reference(id):
            yield id
        case Negative(operand) | Absolute(operand) | Fill(operand, _) | Band(operand, _):
            yield from _references(operand)
        case Binary(_, left, right):
            yield from _references(left)
            yield from _references(right)
        case If(condition, true, false):
            for part in (condition, true, false):
                yield from _references(part)
        case _:
            pass


def evaluate(
    expression: Node, series_by_id: Mapping[str, Mapping[int, float]], periods: Iterable[int] | None = None
) -> Series:
    """The values of an expression by period, only for periods that have one.

    `periods` are the starts of all periods asked for, which is where `FILL` fills; without it, the periods that any
    series has data in.

    Raises:
        ValueError: an id without a series, or arithmetic on numbers alone that has no result.
    """
    if periods is None:
        periods = {begin for each in series_by_id.values() for begin in each}
    grid = sorted(periods)
    value = _value(expression, series_by_id, grid)
    return dict(sorted(value.items())) if isinstance(value, Mapping) else dict.fromkeys(grid, value)


def _value(node: Node, series_by_id: Mapping[str, Mapping[int, float]], grid: list[int]) -> Value:
    def value(part: Node) -> Value:
        return _value(part, series_by_id, grid)

    match node:
        case Constant(number):
            return number
        case Reference(id):
            return _named(id, series_by_id)
        case Negative(operand):
            return _binary("-", 0.0, value(operand))
        case Absolute(operand):
            inner = value(operand)
            return {at: abs(each) for at, each in inner.items()} if isinstance(inner, Mapping) else abs(inner)
        case Binary(sign, left, right):
            return _binary(sign, value(left), value(right))
        case Fill(operand, filler):
            inner = value(operand)
            return _fill(inner, filler, grid) if isinstance(inner, Mapping) else inner
        case If(condition, true, false):
            return _if(value(condition), value(true), {} if false is None else value(false))


def _named(id: str, series_by_id: Mapping[str, Mapping[int, float]]) -> Mapping[int, float]:
    if id not in series_by_id:
        raise ValueError(f"no series for the id {id!r}; there are: {', '.join(series_by_id) or 'none'}")
    return series_by_id[id]


def _binary(sign: str, left: Value, right: Value) -> Value:
    if not isinstance(left, Mapping) and not isinstance(right, Mapping):
        result = _apply(sign, left, right)
        if result is None:
            raise ExpressionError(f"{left:g} {sign} {right:g} has no result")
        return result
    times = set[int]().union(*(each for each in (left, right) if isinstance(each, Mapping)))
    results = {at: _apply(sign, _at(left, at), _at(right, at)) for at in times}
    return {at: result for at, result in results.items() if result is not None}


def _apply(sign: str, left: float, right: float) -> float | None:
    try:
        result = _BINARY[sign](left, right)
    except (ArithmeticError, ValueError):  # Division by zero, overflow, a root of a negative number.
        return None
    return result if math.isfinite(result) else None


def _at(value: Value, at: int) -> float:
    return value.get(at, 0.0) if isinstance(value, Mapping) else value


def _if(
    condition: Value,
    true: Value,
    false: Value,
) -> Value:
    """As documented: no condition, no point; a missing value for true is 0, for false drops the point."""
    if not isinstance(condition, Mapping):
        return true if condition else false
    chosen: Series = {}
    for at, holds in condition.items():
        if holds:
            chosen[at] = _at(true, at)
        elif not isinstance(false, Mapping) or at in false:
            chosen[at] = _at(false, at)
    return chosen


def _fill(
    values: Mapping[int, float], filler: Node | Literal["REPEAT", "LINEAR"], grid: list[int]
) -> Mapping[int, float]:
    known = sorted(values)
    number = 0.0 if isinstance(filler, str) else _value(filler, {}, grid)
    filled = dict(values)
    for at in grid:
        if at in values:
            continue
        place = bisect.bisect(known, at)
        if not isinstance(filler, str):
            filled[at] = _at(number, at)
        elif filler == "REPEAT" and place > 0:
            filled[at] = values[known[place - 1]]
        elif filler == "LINEAR" and 0 < place < len(known):
            before, after = known[place - 1], known[place]
            part = (at - before) / (after - before)
            filled[at] = values[before] + part * (values[after] - values[before])
    return filled


def band(
    expression: Band, series_by_id: Mapping[str, Mapping[int, float]], periods: Iterable[int]
) -> tuple[Series, Series]:
    """Lower and upper limit of the band for each of `periods` that has enough history.

    CloudWatch's band comes from a trained model with trends and seasons. Offline it is the mean of the values
    before the period, up to two weeks back, plus and minus `deviations` standard deviations; it exists from eight
    values on. Like CloudWatch's, it stays at or above zero for a metric that was never negative.

    Raises:
        ValueError: an id without a series.
    """
    values = _named(expression.operand.id, series_by_id)
    lower: Series = {}
    upper: Series = {}
    for at in sorted(periods):
        history = [value for begin, value in values.items() if at - HISTORY_MS <= begin < at]
        if len(history) < MIN_HISTORY_POINTS:
            continue
        # Measured from one of the values, so that a constant series has exactly that value as its mean.
        base = history[0]
        mean = base + math.fsum(value - base for value in history) / len(history)
        width = expression.deviations * math.sqrt(math.fsum((value - mean) ** 2 for value in history) / len(history))
        lower[at] = mean - width if min(history) < 0 else max(mean - width, 0.0)
        upper[at] = mean + width
    return lower, upper


# --- Parsing -------------------------------------------------------------------------------------------------

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[A-Za-z][A-Za-z0-9_]*)"
    r"|(?P<sign>==|!=|<=|>=|&&|\|\||[-+*/^<>(),]))"
)
_ALIASES: Final = {"&&": "AND", "||": "OR"}
_LEVELS: Final = (("OR",), ("AND",), ("==", "!=", "<=", ">=", "<", ">"), ("+", "-"), ("*", "/"))
_FUNCTIONS: Final = ("ABS", "FILL", "IF", "ANOMALY_DETECTION_BAND")


def parse(text: str, known_ids: Collection[str]) -> Expression:
    """Parse an expression over `known_ids`.

    `^` binds tightest and to the right, then unary minus, `* /`, `+ -`, comparisons, AND, OR.

    Raises:
        ExpressionError: not an expression, an unknown id or function, or a result that is a number instead of a
            time series.
    """
    try:
        return _Parser(text, known_ids).expression()
    except RecursionError:
        raise ExpressionError("the expression is nested too deeply") from None


class _Parser:
    def __init__(self, text: str, known_ids: Collection[str]) -> None:
        self.text = text
        self.known_ids = known_ids
        self.tokens: list[str] = []
        at = 0
        text = text.rstrip()
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None:
                raise self.error(f"unexpected {text[at:].lstrip()[0]!r}")
            token = found.group().strip()
            self.tokens.append(_ALIASES.get(token, token))
            at = found.end()

    def error(self, message: str) -> ExpressionError:
        return ExpressionError(f"{message} in the expression {self.text!r}")

    def peek(self) -> str:
        return self.tokens[0] if self.tokens else ""

    def next(self) -> str:
        return self.tokens.pop(0) if self.tokens else ""

    def accept(self, token: str) -> bool:
        if self.peek() == token:
            self.next()
            return True
        return False

    def expect(self, token: str) -> None:
        if not self.accept(token):
            raise self.error(f"expected {token!r} before {self.peek() or 'the end'!r}")

    def expression(self) -> Expression:
        result = self.band() if self.accept("ANOMALY_DETECTION_BAND") else self.level(0)
        if self.tokens:
            raise self.error(f"unexpected {self.peek()!r}")
        if not references(result):
            raise self.error("there is no id, so the result is a number and not a time series")
        return result

    def level(self, depth: int) -> Node:
        if depth == len(_LEVELS):
            return self.unary()
        left = self.level(depth + 1)
        while self.peek() in _LEVELS[depth]:
            left = Binary(self.next(), left, self.level(depth + 1))
        return left

    def unary(self) -> Node:
        if self.accept("-"):
            return Negative(self.unary())
        base = self.atom()
        return Binary("^", base, self.unary()) if self.accept("^") else base

    def atom(self) -> Node:
        token = self.next()
        if token == "(":  # noqa: S105
            inner = self.level(0)
            self.expect(")")
            return inner
        if token[:1].isdigit() or token[:1] == ".":
            return Constant(float(token))
        if token in {"ABS", "FILL", "IF"}:
            return self.call(token)
        if token == "ANOMALY_DETECTION_BAND":  # noqa: S105
            raise self.error("ANOMALY_DETECTION_BAND stands alone: it cannot be part")
        if not token[:1].isalpha():
            raise self.error(f"expected a number, an id or a function before {token or 'the end'!r}")
        if token[0].isupper():
            raise self.error(f"unknown function {token!r} (allowed: {', '.join(_FUNCTIONS)})")
        if token not in self.known_ids:
            raise self.error(f"unknown id {token!r} (there are: {', '.join(sorted(self.known_ids)) or 'none'})")
        return Reference(token)

    def call(self, function: str) -> Node:
        self.expect("(")
        first = self.level(0)
        result: Node
        if function == "ABS":
            result = Absolute(first)
        elif function == "FILL":
            self.expect(",")
            result = Fill(first, self.filler())
        else:
            self.expect(",")
            true = self.level(0)
            result = If(first, true, self.level(0) if self.accept(",") else None)
        self.expect(")")
        return result

    def filler(self) -> Node | Literal["REPEAT", "LINEAR"]:
        if self.accept("REPEAT"):
            return "REPEAT"
        if self.accept("LINEAR"):
            return "LINEAR"
        filler = self.level(0)
        if references(filler):
            raise self.error("FILL fills with a number, REPEAT or LINEAR")
        return filler

    def band(self) -> Band:
        self.expect("(")
        operand = self.atom()
        if not isinstance(operand, Reference):
            raise self.error("ANOMALY_DETECTION_BAND is about one id")
        deviations = DEFAULT_BAND_WIDTH
        if self.accept(","):
            width = self.atom()
            if not isinstance(width, Constant) or width.value <= 0:
                raise self.error("the width of a band is a number above 0, in standard deviations")
            deviations = width.value
        self.expect(")")
        return Band(operand, deviations)
