"""Plan objects of the analytics: log groups -> Firehose -> S3 -> Glue -> Athena. Frozen, no Pulumi, no I/O.

The account's id is known only at deployment; what carries it is named here without it and ends in `-<account id>`
there (`Bucket.name`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from analytics.plan.schema import Column
from cloudwatch.plan.model import MetricAlarm
from core.events import Field


@dataclass(frozen=True)
class Transition:
    """Objects move to `storage_class` after `days`. Only classes that Athena reads without a restore."""

    days: int
    storage_class: Literal["STANDARD_IA", "GLACIER_IR"]


@dataclass(frozen=True)
class Replication:
    """A copy of every object in a bucket that exists already."""

    bucket_arn: str
    storage_class: str
    kms_key_arn: str | None = None


@dataclass(frozen=True)
class Bucket:
    """A bucket. `name_prefix` is completed with the account's id, because names are unique in all of AWS."""

    key: str
    name_prefix: str
    encrypt: Literal["aws", "stack-key"] | str
    versioned: bool
    transitions: tuple[Transition, ...]
    expire_days: int | None
    expire_days_by_prefix: tuple[tuple[str, int], ...]
    """Shorter lives of what lies below a prefix: rejected records, query results."""
    noncurrent_days: int | None
    """Days that a versioned bucket keeps what was overwritten or deleted."""
    empty_on_delete: bool
    """Teardown may delete what is in it."""
    keep: bool
    """Teardown leaves it, with what is in it, and the key that reads it."""
    protect: bool
    """The engine refuses to delete it."""
    replication: Replication | None = None

    @property
    def has_lifecycle(self) -> bool:
        return bool(self.transitions or self.expire_days or self.expire_days_by_prefix or self.noncurrent_days)

    def name(self, account_id: str) -> str:
        return f"{self.name_prefix}-{account_id}"


@dataclass(frozen=True)
class EventTable:
    """A Glue table over one event's Parquet files, partitioned by hour of arrival (`datehour`, `yyyy/MM/dd/HH`, UTC)
    with partition projection: no crawler, no partition to add."""

    event: str
    """The event's name (`voice_metrics`), also the table's."""
    fields: tuple[Field, ...]
    columns: tuple[Column, ...]
    prefix: str
    """Where its files lie in the bucket, with a slash at the end."""
    first_hour: str
    """Where the projection begins, `2026/01/01/00`."""
    by_agent: tuple[str, ...] = ()
    """The values of `agent_name`, where the files are partitioned by agent too (`agent_name=`), else empty."""

    @property
    def partition_keys(self) -> tuple[str, ...]:
        return ("agent_name", "datehour") if self.by_agent else ("datehour",)

    @property
    def location_template(self) -> str:
        """Where a partition's files lie in the bucket, as Athena's partition projection writes it."""
        agent = "agent_name=${agent_name}/" if self.by_agent else ""
        return f"{self.prefix}{agent}${{datehour}}/"

    def as_deployed(self) -> dict[str, Any]:
        """As the engine's state describes the table, as far as a change of it can lose data."""
        return {
            "partitionKeys": [{"name": key} for key in self.partition_keys],
            "storageDescriptor": {"columns": [{"name": each.name, "type": each.type} for each in self.columns]},
        }


@dataclass(frozen=True)
class DeliveryStream:
    """A Firehose stream that makes Parquet files of one event."""

    key: str
    name: str
    event: str
    prefix: str
    """With Firehose's own expressions."""
    error_prefix: str
    buffer_seconds: int
    buffer_mib: int
    by_agent: bool
    """The record validation names each record's agent, as the partition key `agent_name`."""
    validation_function: str
    """The Lambda function that rejects records which do not fit the schema."""
    error_log_group: str
    """Firehose's own log group; never subscribed, which would feed it with itself."""


@dataclass(frozen=True)
class SubscriptionFilter:
    """Sends a log group's lines that match `pattern` to a stream. A log group may have two."""

    key: str
    name: str
    log_group_name: str
    pattern: str
    stream_key: str


@dataclass(frozen=True)
class Workgroup:
    """An Athena workgroup whose own settings win over a client's."""

    name: str
    scan_limit_mib: int
    """A query that would read more is cancelled."""


@dataclass(frozen=True)
class NamedQuery:
    """A saved Athena query."""

    key: str
    name: str
    description: str
    sql: str


@dataclass(frozen=True)
class Role:
    """An IAM role, by its key (`analytics.plan.iam` has its policies)."""

    key: Literal["delivery", "subscription", "validation", "replication"]
    name: str


@dataclass(frozen=True)
class AnalyticsPlan:
    """The analytics of a stack."""

    stack: str
    region: str
    database: str
    data_bucket: Bucket
    results_bucket: Bucket
    tables: tuple[EventTable, ...]
    streams: tuple[DeliveryStream, ...]
    subscriptions: tuple[SubscriptionFilter, ...]
    workgroup: Workgroup
    queries: tuple[NamedQuery, ...]
    error_log_group: str
    error_log_retention_days: int
    rejected_prefix: str
    """Where rejected records lie in the data bucket, each with its reason, with a slash at the end."""
    validation_function: str
    """The record validation's name, also its role's."""
    record_max_bytes: int
    """A longer log line is rejected."""
    roles: tuple[Role, ...]
    alarms: tuple[MetricAlarm, ...]

    @property
    def buckets(self) -> tuple[Bucket, ...]:
        return (self.data_bucket, self.results_bucket)

    @property
    def validation_log_group(self) -> str:
        return f"/aws/lambda/{self.validation_function}"

    def table(self, event: str) -> EventTable:
        """Raises `KeyError` where the event is not kept."""
        return {table.event: table for table in self.tables}[event]
