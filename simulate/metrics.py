"""From log events to data points, and from data points to a statistic per period.

A metric filter adds one data point for each matching event. CloudWatch reports them a minute at a time, which
makes no difference here: periods begin on whole minutes.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from cloudwatch.plan.model import Metric, MetricFilter, MetricStat
from simulate import patterns

MINUTE_MS: Final = 60_000
MAX_DIMENSIONS: Final = 3

_PERCENTILE = re.compile(r"p(\d{1,3}(?:\.\d{1,10})?)")


@dataclass(frozen=True)
class DataPoint:
    """One raw value of a metric; the time is in milliseconds since 1970 UTC."""

    metric: Metric
    timestamp_ms: int
    value: float


def extract(metric_filter: MetricFilter, message: str, timestamp_ms: int) -> DataPoint | None:
    """The data point that a metric filter makes of a log event.

    None when the pattern does not match, when the value is absent or not a number, or when a dimension is absent:
    the documentation says what to do with a dimension's value, not with its absence, and a point without the
    dimension would belong to another metric.

    Raises:
        ValueError: the pattern does not parse; a value or dimension is not among the fields that the pattern
            extracts; there are more than three dimensions, or any with a pattern that extracts no fields
            (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntaxForMetricFilters.html).
    """
    pattern = patterns.parse(metric_filter.pattern)
    _check_fields(metric_filter, pattern)
    if not pattern.matches(message):
        return None
    value = patterns.metric_value(message, metric_filter.value)
    if value is None:
        return None
    dimensions: list[tuple[str, str]] = []
    for name, selector in metric_filter.dimensions:
        text = _dimension_text(pattern.field(message, selector))
        if not text:
            return None
        dimensions.append((name, text))
    metric = Metric(metric_filter.namespace, metric_filter.metric_name, metric_filter.unit, tuple(dimensions))
    return DataPoint(metric, timestamp_ms, value)


def _check_fields(metric_filter: MetricFilter, pattern: patterns.Pattern) -> None:
    if len(metric_filter.dimensions) > MAX_DIMENSIONS:
        raise ValueError(
            f"metric filter {metric_filter.name!r} has {len(metric_filter.dimensions)} dimensions,"
            f" at most {MAX_DIMENSIONS} are allowed"
        )
    wanted = [("value", metric_filter.value)] if metric_filter.value.startswith("$") else []
    wanted += [(f"dimension {name!r}", selector) for name, selector in metric_filter.dimensions]
    for what, selector in wanted:
        if str(patterns.parse_selector(selector)) not in pattern.fields:
            raise ValueError(
                f"metric filter {metric_filter.name!r}: its {what} is {selector}, which its pattern does not"
                f" extract; add it to the pattern, as in {selector} = *"
            )


def _dimension_text(value: object) -> str:
    """A dimension's value as text; empty where there is none to publish."""
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, int | float) else ""


def percentile(statistic_name: str) -> Fraction | None:
    """The percentile (0 to 100) that a statistic's name asks for; None for another statistic.

    The form is `p` and a number with at most ten decimal places
    (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html).

    Raises:
        ValueError: a percentile above 100.
    """
    found = _PERCENTILE.fullmatch(statistic_name)
    if found is None:
        return None
    percent = Fraction(found.group(1))
    if percent > 100:
        raise ValueError(f"statistic {statistic_name!r}: a percentile is at most p100")
    return percent


_STATISTICS: Final[Mapping[str, Callable[[Sequence[float]], float]]] = {
    "Average": lambda values: math.fsum(values) / len(values),
    "Sum": math.fsum,
    "SampleCount": lambda values: float(len(values)),
    "Minimum": min,
    "Maximum": max,
}


def statistic(values: Sequence[float], name: str) -> float:
    """`Average`, `Sum`, `SampleCount`, `Minimum`, `Maximum` or a percentile such as `p95` of raw values.

    CloudWatch does not document how it finds a percentile, only that p99 is the largest value once the highest one
    percent is left out (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html).
    That is the nearest rank: the smallest value with at least p percent of all values at or below it. It is
    always a value that occurred, never one interpolated between two.

    Raises:
        ValueError: no values, or a statistic of another name.
    """
    if not values:
        raise ValueError(f"statistic {name!r} of no values")
    percent = percentile(name)
    if percent is not None:
        rank = math.ceil(percent * len(values) / 100)
        return float(sorted(values)[max(rank, 1) - 1])
    if name not in _STATISTICS:
        raise ValueError(f"unknown statistic {name!r}; allowed: {', '.join(_STATISTICS)}, or a percentile as in p95")
    return float(_STATISTICS[name](values))


def identity(metric: Metric) -> tuple[str, str, frozenset[tuple[str, str]]]:
    """What makes two metrics the same: namespace, name and all dimensions, in any order.

    The unit is no part of it: an alarm or a graph leaves it out, and then sees every unit
    (https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html, Unit).
    """
    return metric.namespace, metric.name, frozenset(metric.dimensions)


def samples(points: Iterable[DataPoint], stat: MetricStat, start_ms: int, end_ms: int) -> dict[int, list[float]]:
    """The raw values of a statistic's metric by period, keyed by the period's start.

    Periods follow one another from `start_ms`, rounded down to a whole minute, or to a whole period where that is
    shorter than a minute; `end_ms` is exclusive
    (https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html, StartTime). Only
    periods that have data are there.

    Raises:
        ValueError: the statistic's period is not positive.
    """
    if stat.period_seconds <= 0:
        raise ValueError(f"statistic {stat.id!r}: its period is {stat.period_seconds} seconds, not positive")
    period_ms = stat.period_seconds * 1000
    first_ms = start_ms - start_ms % min(period_ms, MINUTE_MS)
    wanted = identity(stat.metric)
    by_period: dict[int, list[float]] = {}
    for point in points:
        if first_ms <= point.timestamp_ms < end_ms and identity(point.metric) == wanted:
            begin = point.timestamp_ms - (point.timestamp_ms - first_ms) % period_ms
            by_period.setdefault(begin, []).append(point.value)
    return dict(sorted(by_period.items()))


def series(points: Iterable[DataPoint], stat: MetricStat, start_ms: int, end_ms: int) -> dict[int, float]:
    """A statistic per period, keyed by the period's start; see `samples` for periods.

    A percentile of a period with a negative value is absent, as CloudWatch has no percentiles over negative values
    (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html#Percentiles).

    Raises:
        ValueError: an unknown statistic, or a period that is not positive.
    """
    statistic((0.0,), stat.statistic)  # An unknown name is an error even without data.
    needs_positive = percentile(stat.statistic) is not None
    return {
        begin: statistic(values, stat.statistic)
        for begin, values in samples(points, stat, start_ms, end_ms).items()
        if not (needs_positive and min(values) < 0)
    }
