"""From settings to the analytics of a stack."""

from __future__ import annotations

import re

from analytics.plan.alarms import plan_analytics_alarms
from analytics.plan.model import (
    AnalyticsPlan,
    Bucket,
    DeliveryStream,
    EventTable,
    Replication,
    Role,
    SubscriptionFilter,
    Transition,
    Workgroup,
)
from analytics.plan.queries import plan_named_queries
from analytics.plan.schema import columns
from core.checked import EVERY_TIME, Checked
from core.errors import UserError
from core.events import EVENTS, Field
from stacks.settings.analytics import OTHER_AGENT, Analytics
from stacks.settings.model import Settings

ERRORS_PREFIX = "errors/"
STACK_MAXIMUM_CHARACTERS = 30
"""A bucket's name has 63 characters, of which `turnscope-`, `-analytics-` and the account's id take 33."""
HOUR = "!{timestamp:yyyy/MM/dd/HH}/"
"""The hour of arrival, UTC (docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html)."""
BY_AGENT = "agent_name=!{partitionKeyFromLambda:agent_name}/"


def plan_analytics(stack: str, settings: Settings, checked: Checked = EVERY_TIME) -> AnalyticsPlan | None:
    """What will exist for the analytics of `stack`; None for a stack without. Pure.

    Raises `UserError` for a stack whose name does not fit into a bucket's.
    """
    analytics = settings.analytics
    if analytics is None:
        return None
    if len(stack) > STACK_MAXIMUM_CHARACTERS:
        raise UserError(
            f"Stack {stack}: a stack with analytics has a name of at most {STACK_MAXIMUM_CHARACTERS} characters, this "
            f"one {len(stack)}: it is part of its buckets' names."
        )
    database = f"turnscope_{re.sub('[^a-z0-9]', '_', stack.lower())}"
    error_log_group, validation_function = (
        f"/aws/kinesisfirehose/turnscope-{stack}",
        f"turnscope-{stack}-analytics-validation",
    )
    data_bucket, results_bucket = _buckets(stack, settings, analytics)
    tables = tuple(_table(event, analytics, tuple(settings.agents)) for event in analytics.events)
    streams = tuple(_stream(stack, table, analytics, error_log_group, validation_function) for table in tables)
    return AnalyticsPlan(
        stack=stack,
        region=settings.region,
        database=database,
        data_bucket=data_bucket,
        results_bucket=results_bucket,
        tables=tables,
        streams=streams,
        subscriptions=tuple(
            SubscriptionFilter(
                key=f"{agent}-{stream.key}",
                name=f"turnscope-{stack}-{stream.event}",
                log_group_name=settings.log_group_name(agent),
                # The plain term: a pattern over JSON would pass by a broken line, which then nobody ever saw.
                pattern=stream.event,
                stream_key=stream.key,
            )
            for agent in settings.agents
            for stream in streams
        ),
        workgroup=Workgroup(f"turnscope-{stack}", analytics.scan_limit_mib),
        queries=plan_named_queries(
            stack, tables, database, settings.prices, settings.targets, settings.saved_queries, checked
        ),
        error_log_group=error_log_group,
        error_log_retention_days=analytics.error_log_retention_days,
        rejected_prefix=f"{ERRORS_PREFIX}rejected/",
        validation_function=validation_function,
        record_max_bytes=analytics.record_max_bytes,
        roles=(
            Role("delivery", f"turnscope-{stack}-analytics-delivery"),
            Role("subscription", f"turnscope-{stack}-analytics-subscription"),
            Role("validation", validation_function),
            *((Role("replication", f"turnscope-{stack}-analytics-replication"),) if analytics.replication else ()),
        ),
        alarms=plan_analytics_alarms(stack, settings, streams, validation_function, analytics.delivery_delay_minutes),
    )


def _buckets(stack: str, settings: Settings, analytics: Analytics) -> tuple[Bucket, Bucket]:
    name = re.sub("[^a-z0-9]", "-", f"turnscope-{stack}".lower())
    keep = analytics.keeps_data(settings.environment)
    versioned = analytics.keeps_versions(settings.environment)
    lifecycle, copies = analytics.lifecycle, analytics.replication
    data = Bucket(
        key="data",
        name_prefix=f"{name}-analytics",
        encrypt=analytics.encryption,
        versioned=versioned,
        transitions=(
            *((Transition(lifecycle.warm_days, "STANDARD_IA"),) if lifecycle.warm_days else ()),
            *((Transition(lifecycle.cold_days, "GLACIER_IR"),) if lifecycle.cold_days else ()),
        ),
        expire_days=lifecycle.expire_days,
        expire_days_by_prefix=((ERRORS_PREFIX, analytics.rejected_days),) if analytics.rejected_days else (),
        noncurrent_days=analytics.noncurrent_days if versioned else None,
        empty_on_delete=not keep,
        keep=keep,
        protect=settings.protect,
        replication=Replication(copies.bucket_arn, copies.storage_class, copies.kms_key_arn) if copies else None,
    )
    results = Bucket(
        key="results",
        name_prefix=f"{name}-athena",
        encrypt=analytics.encryption,
        versioned=False,
        transitions=(),
        expire_days=analytics.results_days,
        expire_days_by_prefix=(),
        noncurrent_days=None,
        # A query gives its result again.
        empty_on_delete=True,
        keep=False,
        protect=settings.protect,
    )
    return data, results


def _table(event: str, analytics: Analytics, agents: tuple[str, ...]) -> EventTable:
    extra = analytics.extra_fields.of(event).items()
    fields = (*EVENTS[event], *(Field(path, each.type, "", each.meaning) for path, each in extra))
    return EventTable(
        event=event,
        fields=fields,
        columns=columns(fields),
        prefix=f"{event}/",
        first_hour=f"{analytics.first_day:%Y/%m/%d}/00",
        by_agent=(*agents, OTHER_AGENT) if analytics.partition_by_agent else (),
    )


def _stream(
    stack: str, table: EventTable, analytics: Analytics, error_log_group: str, validation_function: str
) -> DeliveryStream:
    by_agent = bool(table.by_agent)
    return DeliveryStream(
        key=table.event.replace("_", "-"),
        name=f"turnscope-{stack}-{table.event}",
        event=table.event,
        prefix=f"{table.prefix}{BY_AGENT if by_agent else ''}{HOUR}",
        error_prefix=f"{ERRORS_PREFIX}{table.event}/!{{firehose:error-output-type}}/{HOUR}",
        buffer_seconds=analytics.buffer_seconds,
        buffer_mib=analytics.buffer_mib,
        by_agent=by_agent,
        validation_function=validation_function,
        error_log_group=error_log_group,
    )
