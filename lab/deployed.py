"""Plan objects with the numbers that were deployed.

Between a change of the settings and the next deployment the plan is ahead of what runs: the emulator, as
CloudWatch, goes by what runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cloudwatch.plan.model import Comparison, CompositeAlarm, MetricAlarm, MetricFilter, MissingData


def metric_filter(description: Mapping[str, Any]) -> MetricFilter:
    """A metric filter from one entry of DescribeMetricFilters."""
    transformation = description["metricTransformations"][0]
    return MetricFilter(
        key=description["filterName"],
        name=description["filterName"],
        log_group_name=description["logGroupName"],
        pattern=description.get("filterPattern", ""),
        namespace=transformation["metricNamespace"],
        metric_name=transformation["metricName"],
        value=transformation["metricValue"],
        unit=transformation.get("unit", "None"),
        dimensions=tuple(transformation.get("dimensions", {}).items()),
    )


def metric_alarm(planned: MetricAlarm, description: Mapping[str, Any]) -> MetricAlarm:
    """`planned` with threshold, comparison, periods and missing data of its entry in DescribeAlarms."""
    periods = description["EvaluationPeriods"]
    return replace(
        planned,
        comparison=Comparison(description["ComparisonOperator"]),
        threshold=None if planned.band_id else description["Threshold"],
        evaluation_periods=periods,
        datapoints_to_alarm=description.get("DatapointsToAlarm") or periods,
        missing_data=MissingData(description.get("TreatMissingData") or "missing"),
        low_samples=description.get("EvaluateLowSampleCountPercentile") or planned.low_samples,
    )


def composite_alarm(planned: CompositeAlarm, description: Mapping[str, Any]) -> CompositeAlarm:
    """`planned` with the suppressor of its entry in DescribeAlarms."""
    return replace(
        planned,
        # Named by its name or its ARN, which ends with the name.
        suppressor_name=(description.get("ActionsSuppressor") or "").rsplit(":", 1)[-1] or None,
        suppressor_wait_seconds=description.get("ActionsSuppressorWaitPeriod") or 0,
        suppressor_extension_seconds=description.get("ActionsSuppressorExtensionPeriod") or 0,
    )
