"""From settings to the delivery of a stack's log groups to its SigNoz."""

from __future__ import annotations

import re

from analytics.plan.build import HOUR, STACK_MAXIMUM_CHARACTERS
from analytics.plan.model import Bucket, SubscriptionFilter
from core.errors import UserError
from forwarding.plan.alarms import plan_forwarding_alarms
from forwarding.plan.model import ForwardingPlan, LogStream
from signoz.roles.gateway import FIREHOSE_LOGS_PATH, external_url
from stacks.settings.model import Settings
from stacks.settings.roles.collector import LogGroupDelivery

BUFFER_MIB = 4
"""A record of CloudWatch Logs is compressed, about tenfold: a request is 40 MiB of log lines in the collector's
memory."""
UNDELIVERED_PREFIX = "undelivered/"
EVERY_EVENT = ""
"""The filter pattern that every log event matches (docs.aws.amazon.com/AmazonCloudWatch/latest/logs/
FilterAndPatternSyntax.html)."""


def plan_forwarding(stack: str, settings: Settings) -> ForwardingPlan | None:
    """What will exist to deliver the log groups of `stack` to its SigNoz; None for a stack without. Pure.

    Raises `UserError` for a stack whose name does not fit into a bucket's.
    """
    delivery, signoz = settings.log_delivery, settings.signoz
    if delivery is None or signoz is None or signoz.collector.firehose is None:
        return None
    if len(stack) > STACK_MAXIMUM_CHARACTERS:
        raise UserError(
            f"Stack {stack}: a stack that delivers log groups to SigNoz has a name of at most "
            f"{STACK_MAXIMUM_CHARACTERS} characters, this one {len(stack)}: it is part of its bucket's name."
        )
    name = f"turnscope-{stack}-logs"
    stream = LogStream(
        key="logs",
        name=name,
        url=delivery.url or external_url(signoz.gateway) + FIREHOSE_LOGS_PATH,
        access_key=signoz.collector.firehose.access_key,
        buffer_seconds=delivery.buffer_seconds,
        buffer_mib=BUFFER_MIB,
        retry_seconds=delivery.retry_minutes * 60,
        prefix=UNDELIVERED_PREFIX,
        error_prefix=f"{UNDELIVERED_PREFIX}!{{firehose:error-output-type}}/{HOUR}",
    )
    return ForwardingPlan(
        stack=stack,
        region=settings.region,
        stream=stream,
        subscriptions=tuple(
            SubscriptionFilter(f"{agent}-{stream.key}", name, settings.log_group_name(agent), EVERY_EVENT, stream.key)
            for agent in settings.agents
        ),
        bucket=_bucket(name, settings, delivery),
        delivery_role=f"{name}-delivery",
        subscription_role=f"{name}-subscription",
        error_log_group=f"/aws/kinesisfirehose/{name}",
        error_log_retention_days=delivery.error_log_retention_days,
        alarms=plan_forwarding_alarms(stack, settings, name, delivery.delay_minutes),
    )


def _bucket(name: str, settings: Settings, delivery: LogGroupDelivery) -> Bucket:
    keep = delivery.keeps_backup(settings.environment)
    return Bucket(
        key="backup",
        name_prefix=re.sub("[^a-z0-9]", "-", name.lower()),
        encrypt="aws",
        versioned=False,
        transitions=(),
        expire_days=delivery.backup_days,
        expire_days_by_prefix=(),
        noncurrent_days=None,
        empty_on_delete=not keep,
        keep=keep,
        protect=settings.protect,
    )
