"""Alarms on the delivery of events into the bucket.

Metrics are Firehose's and Lambda's own: docs.aws.amazon.com/firehose/latest/dev/
monitoring-with-cloudwatch-metrics.html, docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from analytics.plan.model import DeliveryStream
from cloudwatch.plan.alarms import ActionStrategy, AlarmFactory, runbooks_below
from cloudwatch.plan.model import Comparison, Metric, MetricAlarm, Severity
from stacks.settings.model import Alarms, Settings

PERIOD_SECONDS = 300
FRESHNESS_PERIODS = 3
"""One late buffer is no trouble: the delay must last."""


def plan_analytics_alarms(
    stack: str,
    settings: Settings,
    streams: Sequence[DeliveryStream],
    validation_function: str,
    delay_minutes: int,
) -> tuple[MetricAlarm, ...]:
    """The alarms of every stream, and of the record validation. Each notifies directly, the warning topic."""
    page = runbooks_below(settings.runbook_base_url)

    def factory(subject: str, part: str = "") -> AlarmFactory:
        return AlarmFactory(
            agent=subject,
            name=lambda key: f"turnscope-{stack}-{key}",
            runbook=lambda key: page(key.removesuffix(f"-{part}")),
            actions=ActionStrategy(per_alarm=True),
            settings=Alarms(period_seconds=PERIOD_SECONDS, evaluation_periods=1, datapoints_to_alarm=1),
        )

    of_streams = (_of_stream(factory(each.name, each.key), each, delay_minutes) for each in streams)
    return (*itertools.chain.from_iterable(of_streams), _of_check(factory(validation_function), validation_function))


def _of_stream(factory: AlarmFactory, stream: DeliveryStream, delay_minutes: int) -> Iterator[MetricAlarm]:
    def metric(name: str, unit: str = "Count") -> Metric:
        return Metric("AWS/Firehose", name, unit, (("DeliveryStreamName", stream.name),))

    def any_of(key: str, title: str, name: str) -> MetricAlarm:
        series = (factory.stat("records", metric(name), "Sum"),)
        return factory.alarm(f"{key}-{stream.key}", title, Severity.WARNING, series, Comparison.ABOVE, 0, unit="Count")

    yield factory.alarm(
        f"analytics-delivery-delayed-{stream.key}",
        f"The oldest undelivered record is older than {delay_minutes} minutes",
        Severity.WARNING,
        (factory.stat("age", metric("DeliveryToS3.DataFreshness", "Seconds"), "Maximum"),),
        Comparison.ABOVE,
        delay_minutes * 60,
        unit="Seconds",
        evaluation_periods=FRESHNESS_PERIODS,
        datapoints_to_alarm=FRESHNESS_PERIODS,
    )
    yield any_of("analytics-conversion-failed", "Records could not be written as Parquet", "FailedConversion.Records")
    yield any_of("analytics-throttled", "Firehose throttles records", "ThrottledRecords")


def _of_check(factory: AlarmFactory, function: str) -> MetricAlarm:
    metric = Metric("AWS/Lambda", "Errors", "Count", (("FunctionName", function),))
    series = (factory.stat("errors", metric, "Sum"),)
    title = "The record validation function failed"
    return factory.alarm(
        "analytics-record-validation-failed", title, Severity.WARNING, series, Comparison.ABOVE, 0, unit="Count"
    )
