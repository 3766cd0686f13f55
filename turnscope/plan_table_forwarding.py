"""The delivery of log groups to SigNoz in a plan's rows."""

from __future__ import annotations

from collections.abc import Iterator

from forwarding.plan.model import ForwardingPlan
from turnscope.plan_table_analytics import Row, bucket_row


def forwarding_rows(plan: ForwardingPlan) -> Iterator[Row]:
    """Kind, name and numbers of everything; alarms are among the stack's alarms."""
    stream = plan.stream
    yield {
        "kind": "delivery stream",
        "name": stream.name,
        "url": stream.url,
        "buffer_seconds": stream.buffer_seconds,
        "buffer_mib": stream.buffer_mib,
        "retry_seconds": stream.retry_seconds,
        "error_prefix": stream.error_prefix,
    }
    for each in plan.subscriptions:
        yield {"kind": "subscription filter", "name": f"{each.log_group_name}/{each.name}", "pattern": each.pattern}
    yield bucket_row(plan.bucket)
    for name in (plan.delivery_role, plan.subscription_role):
        yield {"kind": "role", "name": name}
    yield {"kind": "log group", "name": plan.error_log_group, "retention_days": plan.error_log_retention_days}


def forwarding_summary(row: Row) -> str | None:
    """As `plan_table.summary`; None for a row that is not of this part."""
    match row:
        case {"kind": "delivery stream", "url": url}:
            return f"every {row['buffer_seconds']} s or {row['buffer_mib']} MiB to {url}"
        case {"kind": "subscription filter", "pattern": ""}:
            return "every line"
    return None
