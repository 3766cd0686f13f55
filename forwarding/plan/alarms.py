"""Alarms on the delivery of log events to SigNoz.

Metrics: docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-metrics.html, "Delivery to HTTP endpoints".
"""

from __future__ import annotations

from cloudwatch.plan.alarms import ActionStrategy, AlarmFactory, runbooks_below
from cloudwatch.plan.model import Comparison, Metric, MetricAlarm, Severity
from stacks.settings.model import Alarms, Settings

PERIOD_SECONDS = 300
PERIODS = 3
"""Firehose repeats what fails once, as while a container restarts: the trouble must last."""


def plan_forwarding_alarms(
    stack: str, settings: Settings, stream: str, delay_minutes: int
) -> tuple[MetricAlarm, MetricAlarm]:
    """Both notify the warning topic directly."""
    factory = AlarmFactory(
        agent=stream,
        name=lambda key: f"turnscope-{stack}-{key}",
        runbook=runbooks_below(settings.runbook_base_url),
        actions=ActionStrategy(per_alarm=True),
        settings=Alarms(period_seconds=PERIOD_SECONDS, evaluation_periods=PERIODS, datapoints_to_alarm=PERIODS),
    )

    def metric(name: str, unit: str) -> Metric:
        return Metric("AWS/Firehose", f"DeliveryToHttpEndpoint.{name}", unit, (("DeliveryStreamName", stream),))

    return (
        factory.alarm(
            "log-forwarding-failed",
            "SigNoz does not accept log events from CloudWatch",
            Severity.WARNING,
            # 1 for each request that was accepted and 0 for each other: the average is their ratio.
            (factory.stat("accepted", metric("Success", "Count"), "Average"),),
            Comparison.BELOW,
            1,
        ),
        factory.alarm(
            "log-forwarding-delayed",
            f"The oldest log event that is not in SigNoz is older than {delay_minutes} minutes",
            Severity.WARNING,
            (factory.stat("age", metric("DataFreshness", "Seconds"), "Maximum"),),
            Comparison.ABOVE,
            delay_minutes * 60,
            unit="Seconds",
        ),
    )
