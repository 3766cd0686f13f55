"""Metric math: the documented tables, Python's arithmetic as a yardstick, and the approximated band."""

from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulate.expressions import (
    DEFAULT_BAND_WIDTH,
    HISTORY_MS,
    Band,
    ExpressionError,
    band,
    evaluate,
    parse,
    references,
)

# The series of the documentation's tables, a dash being a missing value
# (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html).


def _series(*values: float | None) -> dict[int, float]:
    return {at: value for at, value in enumerate(values) if value is not None}


def _evaluate(text: str, series: dict[str, dict[int, float]], periods: range | None = None) -> dict[int, float]:
    expression = parse(text, series)
    assert not isinstance(expression, Band)
    return evaluate(expression, series, periods)


def _run(text: str, periods: int | None = None, **series: dict[int, float]) -> list[float | None]:
    result = _evaluate(text, series, None if periods is None else range(periods))
    return [result.get(at) for at in range(periods or 1 + max(map(max, filter(None, series.values()))))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("m1 < m2", [0, 0, 1, 0]), ("m1 >= 30", [1, 0, 0, 0]), ("m1 > 15 AND m2 > 15", [1, 0, 0, 0])],
)
def test_comparisons_as_documented(text: str, expected: list[float]) -> None:
    """The documentation's table of comparisons, where a missing value counts as 0."""
    assert _run(text, m1=_series(30, 20, 0, 0), m2=_series(20, None, 20, None)) == expected


CONDITION = _series(1, 1, 0, 0, None)
TRUE = _series(30, None, 0, 0, 30)
FALSE = _series(0, 0, 20, None, 20)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("IF(m1, m2, m3)", [30, 0, 20, None, None]),
        ("IF(m1, 5, m3)", [5, 5, 20, None, None]),
        ("IF(m1, m2, 5)", [30, 0, 5, 5, None]),
        ("IF(m1, m2)", [30, 0, None, None, None]),
        ("IF(1, m2, m3)", [30, None, 0, 0, 30]),
        ("IF(0, m2, m3)", [0, 0, 20, None, 20]),
        ("IF(0, m2)", [None] * 5),
        ("IF(m1 && 1, m2 > 7 || m3 > 7, m1 || m3)", [1, 0, 1, 0, None]),
    ],
)
def test_if_as_documented(text: str, expected: list[float | None]) -> None:
    """The documentation's three tables and its rules for omitted values."""
    assert _run(text, m1=CONDITION, m2=TRUE, m3=FALSE) == expected


def test_missing_operands_are_zero_and_division_by_zero_drops_the_point() -> None:
    """As documented for arithmetic: an error rate needs no errors to be 0, and no requests give no rate."""
    series = {"errors": _series(1, None, 2, 0, None), "requests": _series(4, 5, None, 0, None)}
    assert _run("errors / requests", 5, **series) == [0.25, 0, None, None, None]
    assert _run("errors + requests", 5, **series) == [5, 5, 2, 0, None]
    assert _run("1 - errors", 5, **series) == [0, None, -1, 1, None]


@pytest.mark.parametrize(
    ("filler", "expected"),
    [
        ("0", [0, 1, 0, 0, 7, 0]),
        ("-1.5", [-1.5, 1, -1.5, -1.5, 7, -1.5]),
        ("REPEAT", [None, 1, 1, 1, 7, 7]),
        ("LINEAR", [None, 1, 3, 5, 7, None]),
    ],
)
def test_fill(filler: str, expected: list[float | None]) -> None:
    """A number fills every gap, REPEAT only after a value, LINEAR only between two; what was there stays."""
    assert _run(f"FILL(m, {filler})", 6, m=_series(None, 1, None, None, 7, None)) == expected


def test_fill_with_a_number_makes_a_series_where_there_was_no_data() -> None:
    """An alarm on FILL(m, 0) sees zeros in all its periods."""
    assert _run("FILL(m, 0)", 3, m={}) == [0, 0, 0]
    assert _run("FILL(m, REPEAT)", 3, m={}) == [None, None, None]


values = st.floats(-50, 50).map(lambda value: round(value, 2))
signs = st.sampled_from(["+", "-", "*", "/"])
comparisons = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
# Powers only of numbers that have one; roots of negative numbers are complex in Python.
powers = ["a ^ 2", "-b ^ 2", "2 ^ a", "2 ^ 3 ^ 2", "2 ^ -1", "(-b) ^ 3"]
arithmetic = st.recursive(
    st.sampled_from(["a", "b", "2", "0.5", "1e1", "0", *powers]),
    lambda inner: (
        st.builds("({} {} {})".format, inner, signs, inner)
        | st.builds("{} {} {}".format, inner, signs, inner)
        | st.builds("(-{})".format, inner)
        | st.builds("ABS({})".format, inner)
        | st.builds("({} {} {})".format, inner, comparisons, inner)
    ),
    max_leaves=6,
)


@given(arithmetic, values, values)
def test_arithmetic_is_pythons(text: str, a: float, b: float) -> None:
    """Same precedence, associativity and result as Python's, wherever Python divides by no zero."""
    try:
        expected = eval(text.replace("^", "**").replace("ABS", "abs"), {"a": a, "b": b})  # noqa: S307 - made above
    except ZeroDivisionError:
        return
    assert _evaluate(f"0 * a + 0 * b + ({text})", {"a": {0: a}, "b": {0: b}}) == {0: expected}


def test_what_has_no_finite_result_is_no_data_point() -> None:
    """Division by zero, overflow and the root of a negative number; among numbers alone they are an error."""
    for text in ("1 / (m - 2)", "(10 ^ m) ^ (100 ^ m)", "(-m) ^ 0.5"):
        assert _run(text, m=_series(2)) == [None]
    with pytest.raises(ExpressionError, match="1 / 0 has no result"):
        _run("m + 1 / 0", m=_series(2))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("m1 +", "the end"),
        ("m9 + 1", "unknown id 'm9'"),
        ("MAX(m1)", "unknown function 'MAX'"),
        ("1 + 2", "not a time series"),
        ("m1 m1", "unexpected 'm1'"),
        ("m1 $ 2", "unexpected '$'"),
        ("(m1", "expected ')'"),
        ("FILL(m1)", "expected ','"),
        ("FILL(m1, m1)", "REPEAT or LINEAR"),
        ("1 + ANOMALY_DETECTION_BAND(m1, 2)", "stands alone"),
        ("ANOMALY_DETECTION_BAND(m1, 0)", "above 0"),
        ("ANOMALY_DETECTION_BAND(2)", "one id"),
        ("(" * 5000, "nested"),
        ("", "the end"),
    ],
)
def test_what_is_no_expression_is_refused(text: str, said: str) -> None:
    """One clear message for each mistake."""
    with pytest.raises(ExpressionError) as caught:
        parse(text, {"m1"})
    assert said in str(caught.value)


def test_references_are_the_ids_in_use() -> None:
    """All of them, through every kind of node."""
    text = "IF(a > 1 && e == 1, FILL(b, 0), -ABS(c) ^ d)"
    assert references(parse(text, set("abcdef"))) == set("abcde")
    assert references(parse("ANOMALY_DETECTION_BAND(f, 2)", {"f"})) == {"f"}


def _band(text: str) -> Band:
    expression = parse(text, {"m"})
    assert isinstance(expression, Band)
    return expression


@pytest.mark.parametrize("seven_or_eight", [7, 8])
def test_a_band_needs_eight_values_before_the_period(seven_or_eight: int) -> None:
    """The period's own value and later ones are no part of its history."""
    series = {"m": {at: float(at % 3) for at in range(seven_or_eight)} | {100: 50.0, 200: 60.0}}
    lower, upper = band(_band("ANOMALY_DETECTION_BAND(m, 2)"), series, [100])
    if seven_or_eight == 7:
        assert (lower, upper) == ({}, {})
    else:
        history = [float(at % 3) for at in range(8)]
        assert math.isclose(upper[100], statistics.fmean(history) + 2 * statistics.pstdev(history))
        assert lower[100] == 0


def test_a_band_follows_the_last_two_weeks_and_its_width() -> None:
    """Older values are forgotten, a wider band is wider, and negative metrics have negative limits."""
    series = {"m": dict.fromkeys(range(20), 1e6) | {HISTORY_MS + at: -5.0 + at % 2 for at in range(20)}}
    two, four = _band("ANOMALY_DETECTION_BAND(m)"), _band("ANOMALY_DETECTION_BAND(m, 4)")
    assert two.deviations == DEFAULT_BAND_WIDTH
    at = HISTORY_MS + 20
    assert band(two, series, [at]) == ({at: -5.5}, {at: -3.5})
    assert band(four, series, [at]) == ({at: -6.5}, {at: -2.5})


@given(st.floats(0, 1e6), st.integers(8, 50))
def test_a_constant_metric_is_never_above_its_band(value: float, count: int) -> None:
    """Rounding of the mean must not make a constant value an anomaly."""
    series = {"m": dict.fromkeys(range(count + 1), value)}
    lower, upper = band(_band("ANOMALY_DETECTION_BAND(m)"), series, [count])
    assert lower[count] <= value <= upper[count]
