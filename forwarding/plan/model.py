"""Plan objects of the delivery of log groups to SigNoz: log groups, Firehose, gateway. Frozen, no Pulumi, no I/O."""

from __future__ import annotations

from dataclasses import dataclass

from analytics.plan.model import Bucket, SubscriptionFilter
from cloudwatch.plan.model import MetricAlarm
from core.secrets.reference import SecretRef


@dataclass(frozen=True)
class LogStream:
    """A Firehose stream that sends log events to SigNoz' gateway."""

    key: str
    name: str
    url: str
    access_key: SecretRef
    buffer_seconds: int
    buffer_mib: int
    retry_seconds: int
    prefix: str
    """Of everything in the backup bucket."""
    error_prefix: str
    """Of undelivered log events there, below `prefix`, with Firehose's own expressions."""


@dataclass(frozen=True)
class ForwardingPlan:
    """Everything that delivers a stack's log groups to its SigNoz."""

    stack: str
    region: str
    stream: LogStream
    subscriptions: tuple[SubscriptionFilter, ...]
    bucket: Bucket
    """What SigNoz did not take."""
    delivery_role: str
    """Firehose's, by name."""
    subscription_role: str
    """CloudWatch Logs', by name."""
    error_log_group: str
    """Firehose's own log group; never subscribed, which would feed it with itself."""
    error_log_retention_days: int
    alarms: tuple[MetricAlarm, ...]
