"""The analytics' part of a plan in rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from analytics.plan.model import AnalyticsPlan, Bucket

Row = dict[str, Any]


def analytics_rows(plan: AnalyticsPlan) -> Iterator[Row]:
    """Kind, name and numbers of everything; alarms are among the stack's alarms."""
    for bucket in plan.buckets:
        yield bucket_row(bucket)
    for table in plan.tables:
        yield {
            "kind": "table",
            "name": f"{plan.database}.{table.event}",
            "columns": {column.name: column.type for column in table.columns},
            "partition_keys": list(table.partition_keys),
            "first_hour": table.first_hour,
        }
    for stream in plan.streams:
        yield {
            "kind": "delivery stream",
            "name": stream.name,
            "event": stream.event,
            "buffer_seconds": stream.buffer_seconds,
            "buffer_mib": stream.buffer_mib,
            "prefix": stream.prefix,
            "error_prefix": stream.error_prefix,
        }
    for each in plan.subscriptions:
        yield {
            "kind": "subscription filter",
            "name": f"{each.log_group_name}/{each.name}",
            "pattern": each.pattern,
        }
    yield {"kind": "function", "name": plan.validation_function, "record_max_bytes": plan.record_max_bytes}
    for role in plan.roles:
        yield {"kind": "role", "name": role.name}
    for name in (plan.error_log_group, plan.validation_log_group):
        yield {"kind": "log group", "name": name, "retention_days": plan.error_log_retention_days}
    yield {"kind": "workgroup", "name": plan.workgroup.name, "scan_limit_mib": plan.workgroup.scan_limit_mib}
    for query in plan.queries:
        yield {"kind": "Athena query", "name": query.name, "description": query.description}


def bucket_row(bucket: Bucket) -> Row:
    """A private bucket; its name as far as it is known without an account."""
    return {
        "kind": "bucket",
        "name": f"{bucket.name_prefix}-ACCOUNT",
        "encryption": bucket.encrypt,
        "versioned": bucket.versioned,
        "moves_after_days": {each.storage_class: each.days for each in bucket.transitions},
        "expires_after_days": bucket.expire_days,
        "expires_after_days_by_prefix": dict(bucket.expire_days_by_prefix),
        "replicated_to": bucket.replication.bucket_arn if bucket.replication else None,
        "kept_at_teardown": bucket.keep,
    }


def analytics_summary(row: Row) -> str | None:
    """As `plan_table.summary`; None for a row that is not the analytics'."""
    match row["kind"]:
        case "bucket":
            moves = [f"{storage_class} after {days} days" for storage_class, days in row["moves_after_days"].items()]
            gone = [f"deleted after {row['expires_after_days']} days"] if row["expires_after_days"] else []
            kept = ["kept at tear-down"] if row["kept_at_teardown"] else []
            return ", ".join([*moves, *gone, *kept]) or "no lifecycle"
        case "table":
            return f"{len(row['columns'])} columns, partitioned by {', '.join(row['partition_keys'])}"
        case "delivery stream":
            return f"every {row['buffer_seconds']} s or {row['buffer_mib']} MiB into {row['prefix']}"
        case "subscription filter":
            return f"lines with {row['pattern']}"
        case "function":
            return (
                f"rejects lines that do not match the schema or are larger than {row['record_max_bytes'] // 1024} KiB"
            )
        case "workgroup":
            return f"cancels a query that would read more than {row['scan_limit_mib']} MiB"
        case "Athena query":
            return row["description"]
        case _:
            return None
