"""CloudWatch GetMetricStatistics: exact dimensions, periods and percentiles.

AWS keeps a metric apart for every set of dimensions and answers for exactly the set that is asked for; periods
follow one another from the start of the time asked for; percentiles come as `ExtendedStatistics`.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricStatistics.html

moto mixes every set that contains the dimensions asked for (all of them, if none are), begins its periods at the
first data point, and has no percentiles.
"""

from __future__ import annotations

import datetime
from collections import defaultdict
from typing import Any

from moto.cloudwatch.exceptions import InvalidParameterCombination, InvalidParameterValue
from moto.cloudwatch.models import MetricDatumBase, Statistics
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult

from simulate import metrics

MINUTE_SECONDS = 60


def get_metric_statistics(self: CloudWatchResponse) -> ActionResult:
    names: list[str] = self._get_param("Statistics", [])
    percentiles: list[str] = self._get_param("ExtendedStatistics", [])
    if not names and not percentiles:
        raise InvalidParameterCombination("Must specify either Statistics or ExtendedStatistics")
    start, end = self._get_param("StartTime"), self._get_param("EndTime")
    if start >= end:
        raise InvalidParameterValue("The parameter StartTime must be less than the parameter EndTime.")
    period: int = self._get_param("Period")
    first = int(_utc(start).timestamp()) // MINUTE_SECONDS * MINUTE_SECONDS
    by_period: dict[int, list[MetricDatumBase]] = defaultdict(list)
    for datum in _data(self):
        age = int(_utc(datum.timestamp).timestamp()) - first
        if age >= 0 and _utc(datum.timestamp) < _utc(end):
            by_period[first + age // period * period].append(datum)
    points = [_point(begin, data, names, percentiles) for begin, data in sorted(by_period.items())]
    return ActionResult({"Label": self._get_param("MetricName"), "Datapoints": points})


def _data(response: CloudWatchResponse) -> list[MetricDatumBase]:
    metric = (response._get_param("Namespace"), response._get_param("MetricName"))
    unit = response._get_param("Unit")
    dimensions = {(each["Name"], each["Value"]) for each in response._get_param("Dimensions", [])}
    return [
        datum
        for datum in response.cloudwatch_backend.get_all_metrics()
        if (datum.namespace, datum.name) == metric
        and {(each.name, each.value) for each in datum.dimensions} == dimensions
        and (not unit or datum.unit == unit)
    ]


def _point(begin: int, data: list[MetricDatumBase], names: list[str], percentiles: list[str]) -> dict[str, Any]:
    statistics = Statistics(names, datetime.datetime.fromtimestamp(begin, datetime.UTC))
    statistics.metric_data = data
    point: dict[str, Any] = {"Timestamp": statistics.timestamp, "Unit": data[-1].unit}
    point |= {name: statistics.get_statistics_for_type(name) for name in names}
    values = statistics.metric_single_values_list
    if percentiles and values:
        point["ExtendedStatistics"] = {name: metrics.statistic(values, name) for name in percentiles}
    return point


def _utc(time: datetime.datetime) -> datetime.datetime:
    # Moto's times without a zone are UTC.
    return time if time.tzinfo else time.replace(tzinfo=datetime.UTC)


def install() -> None:
    CloudWatchResponse.get_metric_statistics = get_metric_statistics
