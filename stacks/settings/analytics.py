"""Settings of the analytics: events from the log groups through Firehose into S3, for Athena.

Ranges are AWS': buffers of a stream that converts to Parquet (docs.aws.amazon.com/firehose/latest/APIReference/
API_BufferingHints.html), storage classes (docs.aws.amazon.com/AmazonS3/latest/userguide/
lifecycle-transition-general-considerations.html), scan limit (docs.aws.amazon.com/athena/latest/ug/
workgroups-setting-control-limits-cloudwatch.html).
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from core import events
from core.environments import Environment
from stacks.settings.fields import NUMBER, RETENTION_DAYS, Date, Flag, KmsKey, Matching, Model, OneOf, problem

WARM_MINIMUM_DAYS = 30
"""S3 moves nothing to STANDARD_IA before, and nothing out of it sooner; it also charges for that long."""
COLD_CHARGED_DAYS = 90
"""S3 charges GLACIER_IR for at least as long."""
OTHER_AGENT = "other"
"""The partition of events whose agent the settings do not name."""
HELD_BY_KEEPING = (Environment.STAGING, Environment.PROD)
"""Where data is kept, and buckets have versions, unless the settings say otherwise."""

# docs.aws.amazon.com/athena/latest/ug/reserved-words.html, the words reserved in SELECT
# fmt: off
RESERVED = frozenset((
    "alter", "and", "as", "between", "by", "case", "cast", "constraint", "create", "cross", "cube", "current_catalog",
    "current_date", "current_path", "current_schema", "current_time", "current_timestamp", "current_user",
    "deallocate", "delete", "describe", "distinct", "drop", "else", "end", "escape", "except", "execute", "exists",
    "extract", "false", "first", "for", "from", "full", "group", "grouping", "having", "in", "inner", "insert",
    "intersect", "into", "is", "join", "last", "left", "like", "listagg", "localtime", "localtimestamp", "natural",
    "normalize", "not", "null", "of", "on", "or", "order", "outer", "prepare", "recursive", "right", "rollup",
    "select", "skip", "table", "then", "trim", "true", "uescape", "union", "unnest", "using", "values", "when",
    "where", "with",
))
# fmt: on

EventName = Literal["voice_metrics", "session_analytics"]
FieldPath = Annotated[
    str,
    Matching(
        r"[a-z][a-z0-9_]{0,62}(\.[a-z][a-z0-9_]{0,62}){0,3}",
        "up to four names of lower-case letters, digits and _, separated by dots",
    ),
]


class Lifecycle(Model):
    """When data moves to cheaper storage, and when it is deleted. Athena reads all these storage classes without a
    restore."""

    warm_days: Annotated[int, Field(ge=WARM_MINIMUM_DAYS, le=36_500), NUMBER] | None = None
    """Days after which data moves to STANDARD_IA (half the price, a fee per GB read); null for never."""
    cold_days: Annotated[int, Field(ge=1, le=36_500), NUMBER] | None = None
    """Days after which data moves to GLACIER_IR (a sixth of the price, a higher fee per GB read); null for never.
    At least 30 days after warm_days."""
    expire_days: Annotated[int, Field(ge=1, le=36_500), NUMBER] | None = None
    """Days after which data is deleted; null for never. At least 30 days after warm_days and 90 days after cold_days,
    because S3 charges for these days in any case."""

    @field_validator("cold_days")
    @classmethod
    def _warm_long_enough(cls, value: int | None, info: ValidationInfo) -> int | None:
        warm = info.data.get("warm_days")
        if value and warm and value < warm + WARM_MINIMUM_DAYS:
            raise problem(f"allowed: at least {warm + WARM_MINIMUM_DAYS}, {WARM_MINIMUM_DAYS} days after warm_days")
        return value

    @field_validator("expire_days")
    @classmethod
    def _after_what_is_charged(cls, value: int | None, info: ValidationInfo) -> int | None:
        warm, cold = info.data.get("warm_days"), info.data.get("cold_days")
        if value and cold and value < cold + COLD_CHARGED_DAYS:
            raise problem(f"allowed: at least {cold + COLD_CHARGED_DAYS}, {COLD_CHARGED_DAYS} days after cold_days")
        if value and warm and value < warm + WARM_MINIMUM_DAYS:
            raise problem(f"allowed: at least {warm + WARM_MINIMUM_DAYS}, {WARM_MINIMUM_DAYS} days after warm_days")
        return value


class Replication(Model):
    """A copy of every object in an existing bucket with versioning."""

    bucket_arn: Annotated[
        str, Matching(r"arn:aws[a-z-]*:s3:::[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "a bucket's ARN (arn:aws:s3:::NAME)")
    ]
    """ARN of the bucket for the copies."""
    storage_class: Literal["STANDARD", "STANDARD_IA", "GLACIER_IR"] = "STANDARD_IA"
    """Storage class of the copies."""
    kms_key_arn: (
        Annotated[
            str,
            Matching(
                r"arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9_-]+",
                "a key's ARN (arn:aws:kms:REGION:ACCOUNT:key/ID)",
            ),
        ]
        | None
    ) = None
    """ARN of the KMS key, in that bucket's region, that encrypts the copies; required unless encryption is aws."""


class ExtraField(Model):
    """A field that your agents add to an event."""

    type: Literal["string", "number", "integer", "boolean"]
    """The JSON type; `integer` has 64 bits."""
    meaning: Annotated[str, Field(min_length=1, max_length=200)] = "Added in the settings"
    """Meaning of the field, with its unit; the comment of the column."""


class ExtraFields(Model):
    """Fields that your agents add to events, by dotted path in the event."""

    voice_metrics: dict[FieldPath, ExtraField] = {}
    """Fields of the event of a turn."""
    session_analytics: dict[FieldPath, ExtraField] = {}
    """Fields of the event of a call."""

    def of(self, event: str) -> Mapping[str, ExtraField]:
        return getattr(self, event)

    @field_validator("voice_metrics", "session_analytics")
    @classmethod
    def _new_fields(cls, value: dict[str, ExtraField], info: ValidationInfo) -> dict[str, ExtraField]:
        known = [field.path for field in events.EVENTS[info.field_name or ""]]
        for path in value:
            if reason := _clash(path, [*known, *(other for other in value if other != path)]):
                raise problem(f"{path}: {reason}")
        return value


class Analytics(Model):
    """Events in S3 as Parquet files, queried with Athena."""

    events: Annotated[tuple[EventName, ...], Field(min_length=1, max_length=2)] = ("voice_metrics", "session_analytics")
    """Events to store. Each has a Firehose stream and uses one of the two subscription filters of a log group. If you
    remove an event, its stream and table are deleted; its data stays in the bucket."""
    extra_fields: ExtraFields = ExtraFields()
    """Fields that your agents add to events. You can add fields; a deployed field and its type cannot change."""
    first_day: Date = datetime.date(2026, 1, 1)
    """First day (UTC) that queries read. A day long before the first data makes queries without a time range slower."""
    buffer_seconds: Annotated[int, Field(ge=60, le=900), NUMBER] = 300
    """Seconds after which Firehose writes a buffer to the bucket."""
    buffer_mib: Annotated[int, Field(ge=64, le=128), NUMBER] = 128
    """MiB at which Firehose writes a buffer to the bucket; Parquet needs at least 64."""
    partition_by_agent: Flag = False
    """Also partition data by agent (`agent_name=`): cheaper queries for one agent, smaller files. Cannot be changed
    later, because data in the bucket keeps its layout. Costs per GB and per object."""
    record_max_kib: Annotated[int, Field(ge=16, le=512), NUMBER] = 256
    """Maximum size of a log line in KiB; longer lines are rejected."""
    lifecycle: Lifecycle = Lifecycle()
    """When data moves to cheaper storage, and when it is deleted."""
    rejected_days: Annotated[int, Field(ge=1, le=3650), NUMBER] | None = 30
    """Days that rejected and undelivered records are kept, so that you can correct and resend them; null, or more than
    expire_days, to keep them as long as the data."""
    results_days: Annotated[int, Field(ge=1, le=3650), NUMBER] | None = 7
    """Days that Athena's query results are kept; null for unlimited."""
    encryption: KmsKey = "aws"
    """Encryption of both buckets: `aws` (S3's own keys), `stack-key` (a KMS key that this stack creates), or the ARN of
    an existing key, whose policy must allow this account to use it."""
    versioning: Flag | None = None
    """Keep overwritten and deleted objects; null for true in staging and prod."""
    noncurrent_days: Annotated[int, Field(ge=1, le=3650), NUMBER] = 30
    """Days that overwritten and deleted objects are kept, with versioning."""
    replication: Replication | None = None
    """A copy of every object in another bucket; requires versioning."""
    keep_data: Flag | None = None
    """Keep the data bucket with its content (and its key) at tear-down; null for true in staging and prod. Must not be
    false in prod."""
    scan_limit_mib: Annotated[int, Field(ge=10, le=7_340_032), NUMBER] = 10_240
    """MiB that one Athena query may read before it is cancelled; Athena charges for the data that it reads."""
    error_log_retention_days: Annotated[int, OneOf(RETENTION_DAYS), NUMBER] = 14
    """Days that the logs of Firehose and of the record validation are kept."""
    delivery_delay_minutes: Annotated[int, Field(ge=5, le=1440), NUMBER] = 60
    """Maximum age of the oldest undelivered record, in minutes, before the warning alarm fires; at least three times
    buffer_seconds."""

    @field_validator("events")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value):
            raise problem("allowed: each event once")
        return value

    @field_validator("delivery_delay_minutes")
    @classmethod
    def _longer_than_a_buffer(cls, value: int, info: ValidationInfo) -> int:
        seconds = info.data.get("buffer_seconds")
        if seconds and value * 60 < 3 * seconds:
            raise problem(f"allowed: at least {-(-3 * seconds // 60)}, three times buffer_seconds")
        return value

    @property
    def record_max_bytes(self) -> int:
        return self.record_max_kib * 1024

    def keeps_versions(self, environment: Environment) -> bool:
        return environment in HELD_BY_KEEPING if self.versioning is None else self.versioning

    def keeps_data(self, environment: Environment) -> bool:
        return environment in HELD_BY_KEEPING if self.keep_data is None else self.keep_data


def _clash(path: str, others: Collection[str]) -> str | None:
    """Why a field can't be added beside others; None where it can."""
    # The queries' own names among them.
    columns = {"datehour", "agent_name", "event_type", "event_id", "session_id", "occurred_at"}
    columns |= {"happened_at", "copy_number"}
    top = path.split(".")[0]
    if path in others:
        return "allowed: a new name; the event already has this field"
    if twin := next((other for other in others if other.replace(".", "_") == path.replace(".", "_")), None):
        return f"allowed: another name; in exports it would have the same name as {twin}"
    if top in columns:
        return f"allowed: another name; {top} is a column of every table"
    if word := next((name for name in path.split(".") if name in RESERVED), None):
        return f"allowed: another name; {word} is a reserved word of Athena's SQL"
    if around := next((other for other in others if other.startswith(f"{path}.")), None):
        return f"allowed: another name; {around} is nested in it"
    if above := next((other for other in others if path.startswith(f"{other}.")), None):
        return f"allowed: another name; {above} is a field, and cannot contain other fields"
    return None


PARTITIONED_AGENTS_MAXIMUM = 249
"""Firehose keeps 500 partitions of a stream open (docs.aws.amazon.com/firehose/latest/dev/buffering.html), beyond which
records go to the errors: around a full hour two of each agent and two of `OTHER_AGENT`."""


def environment_problem(value: Analytics, environment: Environment, agents: Mapping[str, object]) -> str | None:
    """What of the analytics does not fit the environment and the agents, as what is allowed; None for nothing."""
    if environment == Environment.PROD and not value.keeps_data(environment):
        return "keep_data: allowed: true or null, in environment prod"
    if value.replication and not value.keeps_versions(environment):
        return "replication: allowed with versioning: true; S3 replicates versions only"
    if value.replication and value.encryption != "aws" and not value.replication.kms_key_arn:
        return f"replication.kms_key_arn: missing: required with encryption {value.encryption}"
    if value.partition_by_agent and OTHER_AGENT in agents:
        return (
            f"partition_by_agent: allowed without an agent named {OTHER_AGENT}, because that is the partition of all "
            "agents that the settings do not name"
        )
    if value.partition_by_agent and len(agents) > PARTITIONED_AGENTS_MAXIMUM:
        return (
            f"partition_by_agent: allowed with at most {PARTITIONED_AGENTS_MAXIMUM} agents, here {len(agents)}: "
            "Firehose keeps 500 partitions of a stream open, and around a full hour two of each agent are"
        )
    return None
