"""Alarms on the machine.

EC2's own metrics (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/viewing_metrics_with_cloudwatch.html), and those
of the machine in the stack's own namespace, where they have no dimensions: disk and memory by the CloudWatch agent
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/metrics-collected-by-CloudWatch-agent.html), containers
by a timer of its own (`templates/host`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from cloudwatch.plan.alarms import ActionStrategy, AlarmFactory, runbooks_below
from cloudwatch.plan.model import Comparison, Metric, MetricAlarm, MissingData, Severity
from stacks.settings.host import HostSettings
from stacks.settings.model import Alarms, Settings

PERIOD_SECONDS = 60
SLOW_PERIOD_SECONDS = 300
INSTANCE_ID = "InstanceId"
"""The dimension whose value only the deployment knows."""
DISK, MEMORY, UNHEALTHY = "disk_used_percent", "mem_used_percent", "unhealthy_containers"


def plan_host_alarms(
    stack: str, settings: Settings, host: HostSettings, name: str, namespace: str
) -> tuple[MetricAlarm, ...]:
    """The machine's alarms; each notifies directly."""
    factory = AlarmFactory(
        agent=name,
        name=lambda key: f"turnscope-{stack}-{key}",
        runbook=runbooks_below(settings.runbook_base_url),
        actions=ActionStrategy(per_alarm=True),
        settings=Alarms(period_seconds=PERIOD_SECONDS, evaluation_periods=2, datapoints_to_alarm=2),
    )
    return (*_status(factory), *_resources(factory, host, namespace))


def _status(factory: AlarmFactory) -> Iterator[MetricAlarm]:
    def check(key: str, title: str, name: str, periods: int) -> MetricAlarm:
        metric = Metric("AWS/EC2", name, "Count", ((INSTANCE_ID, ""),))
        return factory.alarm(
            key,
            title,
            Severity.CRITICAL,
            (factory.stat("failed", metric, "Maximum"),),
            Comparison.AT_LEAST,
            1,
            unit="Count",
            evaluation_periods=periods,
            datapoints_to_alarm=periods,
            page="host-status",
        )

    # AWS' simplified automatic recovery is on by default and acts later, without a notification; this action is tried
    # at once (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/cloudwatch-recovery.html).
    system = check(
        "host-system-check", "AWS' hardware under the machine fails; it is moved", "StatusCheckFailed_System", 2
    )
    yield replace(system, recovers=True)
    # Three: a restart alone, which a recovery or an update is, must not page anyone.
    yield check(
        "host-instance-check", "The machine's operating system does not answer", "StatusCheckFailed_Instance", 3
    )


def _resources(factory: AlarmFactory, host: HostSettings, namespace: str) -> Iterator[MetricAlarm]:
    numbers = host.alarms

    def above(key: str, title: str, severity: Severity, metric: str, percent: int, page: str) -> MetricAlarm:
        stat = factory.stat("used", Metric(namespace, metric, "Percent"), "Maximum", SLOW_PERIOD_SECONDS)
        return factory.alarm(
            key,
            title,
            severity,
            (stat,),
            Comparison.ABOVE,
            percent,
            unit="Percent",
            period_seconds=SLOW_PERIOD_SECONDS,
            page=page,
        )

    warning, critical = numbers.disk_warning_percent, numbers.disk_critical_percent
    for severity, percent in ((Severity.WARNING, warning), (Severity.CRITICAL, critical)):
        title = f"A volume of the machine is more than {percent} % full"
        yield above(f"host-disk-{severity}", title, severity, DISK, percent, "host-disk")
    title = f"The machine uses more than {numbers.memory_percent} % of its memory"
    yield above("host-memory", title, Severity.WARNING, MEMORY, numbers.memory_percent, "host-memory")
    minutes = numbers.unhealthy_minutes
    yield factory.alarm(
        "host-containers",
        f"A container is unhealthy for {minutes} minutes, or the machine does not report",
        Severity.CRITICAL,
        (factory.stat("unhealthy", Metric(namespace, UNHEALTHY, "Count"), "Maximum"),),
        Comparison.ABOVE,
        0,
        unit="Count",
        evaluation_periods=minutes,
        datapoints_to_alarm=minutes,
        # Who cannot report cannot be seen; a machine that is stopped by a schedule is meant to be silent.
        missing_data=MissingData.NOT_BREACHING if host.schedule else MissingData.BREACHING,
        page="host-containers",
    )
