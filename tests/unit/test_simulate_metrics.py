"""Metric filters and statistics: what becomes a data point, and what a period's points come to."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudwatch.plan.model import Metric, MetricFilter, MetricStat
from simulate.metrics import DataPoint, extract, samples, series, statistic


def _filter(
    pattern: str = "{ $.llm.ttft = * }", value: str = "$.llm.ttft", dimensions: tuple[tuple[str, str], ...] = ()
) -> MetricFilter:
    return MetricFilter("ttft", "ttft", "/agent", pattern, "Voice", "Ttft", value, "Seconds", dimensions)


def test_a_matching_event_becomes_its_own_number() -> None:
    """The value is the event's, under the filter's metric and the event's time; no match and no number are nothing."""
    point = extract(_filter(), json.dumps({"llm": {"ttft": 0.8}}), 1234)
    assert point == DataPoint(Metric("Voice", "Ttft", "Seconds"), 1234, 0.8)
    assert extract(_filter(), json.dumps({"llm": {"ttft": "slow"}}), 0) is None
    assert extract(_filter(), json.dumps({"stt": {}}), 0) is None
    assert extract(_filter(), "ERROR", 0) is None
    counted = extract(_filter(pattern="ERROR", value="1"), "an ERROR", 0)
    assert counted is not None
    assert counted.value == 1


def test_dimensions_come_from_the_event_and_are_all_needed() -> None:
    """Text and numbers become dimensions; an event that lacks one gives no point at all."""
    pattern = "{ $.ttft = * && ($.model = * || $.model NOT EXISTS) && ($.version = * || $.version NOT EXISTS) }"
    with_both = _filter(pattern, "$.ttft", (("Model", "$.model"), ("Version", "$.version")))
    point = extract(with_both, json.dumps({"ttft": 1, "model": "m", "version": 4}), 0)
    assert point is not None
    assert point.metric == Metric("Voice", "Ttft", "Seconds", (("Model", "m"), ("Version", "4")))
    assert extract(with_both, json.dumps({"ttft": 1, "model": "m"}), 0) is None
    with_three = replace(with_both, dimensions=(*with_both.dimensions, ("Again", "$.model")))
    assert extract(with_three, json.dumps({"ttft": 1, "model": "m", "version": 4}), 0) is not None


def test_a_selector_may_be_spelt_in_either_way() -> None:
    """Dotted or in brackets, the field is the one that the pattern extracts."""
    bracketed = _filter("{ $.ttft > 0 && $['model'] = * }", "$['ttft']", (("Model", "$.model"),))
    point = extract(bracketed, json.dumps({"ttft": 1, "model": "m"}), 0)
    assert point is not None
    assert (point.value, point.metric.dimensions) == (1, (("Model", "m"),))


@pytest.mark.parametrize(
    ("pattern", "value", "dimensions", "said"),
    [
        ("{ $.a = * }", "$.b", (), r"value is \$\.b"),
        ("{ $.a = * }", "$.a", (("B", "$.b"),), "dimension 'B'"),
        ("ERROR", "1", (("B", "$.b"),), "dimension 'B'"),
        ("{ $.a = * }", "$.a", tuple((name, "$.a") for name in "ABCD"), "at most 3"),
        ("{ $.a }", "$.a", (), "column 7"),
        ("{ $.a = * }", "$a", (), "column 2"),
        ("[ip, bytes]", "$bytes", (), "space-delimited"),
    ],
)
def test_a_filter_that_cannot_work_is_an_error(
    pattern: str, value: str, dimensions: tuple[tuple[str, str], ...], said: str
) -> None:
    """Such a filter would silently make no data on AWS; it is refused before any event is looked at."""
    with pytest.raises(ValueError, match=said):
        extract(_filter(pattern, value, dimensions), "{}", 0)


def test_statistics_are_what_their_names_say() -> None:
    """The named statistics, and the nearest rank for percentiles, on values whose results are known by hand."""
    values = [4.0, 1.0, 3.0, 2.0]
    names = ["Average", "Sum", "SampleCount", "Minimum", "Maximum", "p0", "p25", "p26", "p50", "p75.1", "p100"]
    assert [statistic(values, name) for name in names] == [2.5, 10, 4, 1, 4, 1, 1, 2, 2, 4, 4]
    # 0.999 * 1000 and the like are a little off in floating point; the rank is not.
    assert statistic([float(n) for n in range(1, 1001)], "p99.9") == 999
    assert statistic([float(n) for n in range(1, 101)], "p95") == 95


@pytest.mark.parametrize("name", ["p101", "P95", "p", "tm99", "Mean", "p95.", ""])
def test_an_unknown_statistic_is_an_error(name: str) -> None:
    """With data and without, so that a wrong name shows at once."""
    with pytest.raises(ValueError, match="statistic"):
        statistic([1.0], name)
    with pytest.raises(ValueError, match="statistic"):
        series([], MetricStat("m", Metric("N", "M"), name, 60), 0, 60_000)


numbers = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40)


@given(numbers, st.integers(0, 1000), st.integers(0, 1000))
def test_percentiles_lie_among_the_values_and_rise(values: list[float], one: int, other: int) -> None:
    """A percentile is one of the values, and a higher one is never smaller."""
    low, high = (statistic(values, f"p{tenths / 10}") for tenths in sorted((one, other)))
    assert low in values
    assert min(values) <= low <= high <= max(values)


@given(numbers, st.integers(1, 999))
def test_a_percentile_has_that_share_at_or_below_it(values: list[float], tenths: int) -> None:
    """At least p percent of the values are at or below the percentile, and fewer are below it."""
    result = statistic(values, f"p{tenths / 10}")
    assert sum(value <= result for value in values) * 1000 >= tenths * len(values)
    assert sum(value < result for value in values) * 1000 < tenths * len(values)


METRIC = Metric("Voice", "Ttft", "Seconds", (("Agent", "a"), ("Model", "m")))


def _points(*times_and_values: tuple[int, float], metric: Metric = METRIC) -> list[DataPoint]:
    return [DataPoint(metric, at, value) for at, value in times_and_values]


def test_periods_follow_from_the_start_and_only_those_with_data_are_there() -> None:
    """Starts are rounded down to the minute, the start counts and the end does not."""
    points = _points((59_999, 9), (60_000, 1), (179_999, 3), (180_000, 5), (420_000, 7), (539_999, 8), (540_000, 9))
    stat = MetricStat("m", METRIC, "Sum", 120)
    assert series(points, stat, 61_234, 540_000) == {60_000: 4, 180_000: 5, 420_000: 15}
    assert series(points, replace(stat, period_seconds=300), 61_234, 540_000) == {60_000: 9, 360_000: 15}
    assert samples(points, stat, 60_000, 200_000) == {60_000: [1, 3], 180_000: [5]}


def test_short_periods_are_rounded_to_themselves() -> None:
    """A ten-second period begins on ten seconds and not only on the minute."""
    stat = MetricStat("m", METRIC, "Sum", 10)
    assert series(_points((69_999, 1), (70_000, 2)), stat, 75_000, 90_000) == {70_000: 2}


def test_a_metric_is_its_namespace_name_and_every_dimension() -> None:
    """Another order of dimensions or another unit is the same metric; one dimension fewer is another metric."""
    stat = MetricStat("m", METRIC, "SampleCount", 60)

    def seen(metric: Metric) -> dict[int, float]:
        return series(_points((0, 1.0), metric=metric), stat, 0, 60_000)

    assert seen(Metric("Voice", "Ttft", "None", METRIC.dimensions[::-1])) == {0: 1}
    for other in (
        Metric("Voice", "Ttft", "Seconds", METRIC.dimensions[:1]),
        Metric("Voice", "Other", "Seconds", METRIC.dimensions),
        Metric("Else", "Ttft", "Seconds", METRIC.dimensions),
    ):
        assert seen(other) == {}


def test_there_is_no_percentile_over_negative_values() -> None:
    """CloudWatch has none for such a metric, while its other statistics stay."""
    points = _points((0, -1.0), (1, 5.0), (60_000, 0.0), (60_001, 2.0))
    assert series(points, MetricStat("m", METRIC, "p50", 60), 0, 120_000) == {60_000: 0}
    assert series(points, MetricStat("m", METRIC, "Minimum", 60), 0, 120_000) == {0: -1, 60_000: 0}


@given(st.lists(st.tuples(st.integers(0, 599_999), st.floats(-1e3, 1e3)), max_size=30), st.sampled_from([60, 120, 300]))
def test_no_point_is_lost_or_counted_twice(times_and_values: list[tuple[int, float]], period_seconds: int) -> None:
    """The sums and counts of all periods are those of all points."""
    points = _points(*times_and_values)
    total = series(points, MetricStat("m", METRIC, "Sum", period_seconds), 0, 600_000)
    count = series(points, MetricStat("m", METRIC, "SampleCount", period_seconds), 0, 600_000)
    assert sum(count.values()) == len(points)
    assert math.isclose(sum(total.values()), sum(value for _, value in times_and_values), abs_tol=1e-6)
    assert all(begin % (period_seconds * 1000) == 0 for begin in count)
