"""Settings of what SigNoz holds: thresholds of the shipped alert rules, retention, planned downtimes, own content.

Who is told is in the alertmanager role's settings, what models cost in `prices`; both are used here as they are.
"""

from __future__ import annotations

import datetime
import zoneinfo
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from stacks.settings.fields import NUMBER, Matching, Model, problem

Key = Annotated[str, Matching("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", "1 to 63 lower-case letters, digits and -")]
Keys = Annotated[tuple[Key, ...], Field(max_length=100)]
Days = Annotated[int, Field(ge=1, le=3650), NUMBER]
Minutes = Annotated[int, Field(ge=1, le=1440), NUMBER]
Percent = Annotated[float, Field(gt=0, le=100), NUMBER]
LocalTime = Annotated[
    str,
    Matching(
        "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]",
        "a day and a time of day such as 2026-02-01T22:00",
    ),
]
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


class Thresholds(Model):
    """Numbers in the shipped alert rules."""

    llm_ttft_ms: Annotated[float, Field(gt=0, le=60_000), NUMBER] = 2000
    """Milliseconds to the language model's first token, on average, above which warning is given (5 minutes)."""
    error_count: Annotated[int, Field(ge=1, le=1_000_000), NUMBER] = 10
    """Failed turns of a service in 5 minutes above which warning is given."""
    turn_p95_critical_ms: Annotated[float, Field(gt=0, le=60_000), NUMBER] = 800
    """Milliseconds that the P95 turn of one agent keeps callers waiting, above which someone is paged."""
    total_p95_warning_seconds: Annotated[float, Field(gt=0, le=60), NUMBER] = 1.5
    """Seconds that the P95 turn of a service keeps callers waiting, above which warning is given."""
    total_p95_critical_seconds: Annotated[float, Field(gt=0, le=60), NUMBER] = 2.0
    """Seconds that it keeps them waiting, above which someone is paged; above the warning."""
    minimum_turns: Annotated[int, Field(ge=1, le=10_000), NUMBER] = 10
    """Turns (tool calls, for their failures) that 5 minutes need to be judged: the P95 of two turns says nothing."""
    cost_per_call_usd: Annotated[float, Field(gt=0, le=10_000), NUMBER] = 0.20
    """US dollars that a call costs, on average, above which warning is given."""
    minimum_calls: Annotated[int, Field(ge=1, le=10_000), NUMBER] = 10
    """Calls that half an hour needs for their cost to be judged."""
    circuit_breaker_open_minutes: Minutes = 5
    """Minutes of an open circuit breaker after which someone is paged."""
    provider_down_minutes: Minutes = 2
    """Minutes without an answer of a provider after which someone is paged."""
    worker_memory_percent: Percent = 80
    """Percent of a worker's memory above which warning is given."""
    worker_load: Annotated[float, Field(gt=0, le=1), NUMBER] = 0.7
    """Load of a worker, 0 to 1, above which warning is given; LiveKit sends a worker above 0.7 no more calls."""
    no_data_minutes: Annotated[int, Field(ge=5, le=1440), NUMBER] = 60
    """Minutes without any span of an agent after which someone is paged."""
    tool_failure_percent: Percent = 5
    """Percent of tool calls that fail, above which warning is given."""
    collector_queue_percent: Percent = 50
    """Percent of the collector's queue in use above which someone is paged: once full, telemetry is refused."""

    @field_validator("total_p95_critical_seconds")
    @classmethod
    def _critical_above_warning(cls, value: float, info: ValidationInfo) -> float:
        warning = info.data.get("total_p95_warning_seconds")
        if warning is not None and value <= warning:
            raise problem(f"allowed: above total_p95_warning_seconds ({warning})")
        return value


class SignalRetention(Model):
    """How long one signal is kept."""

    days: Days
    """Days that it is kept."""
    cold_after_days: Days | None = None
    """Days after which it moves to `clickhouse.cold_storage`; fewer than `days`. Null to keep it on the local disk."""

    @field_validator("cold_after_days")
    @classmethod
    def _before_its_end(cls, value: int | None, info: ValidationInfo) -> int | None:
        days = info.data.get("days")
        if value is not None and days is not None and value >= days:
            raise problem(f"allowed: fewer than days ({days}), or null")
        return value


class Retention(Model):
    """How long telemetry is kept. Of logs only what arrives after a change follows it."""

    traces: SignalRetention = SignalRetention(days=15)
    """Spans."""
    metrics: SignalRetention = SignalRetention(days=30)
    """Metrics."""
    logs: SignalRetention = SignalRetention(days=15)
    """Log records."""


class Downtime(Model):
    """A time in which alerts are not told; they are still evaluated, and seen in SigNoz."""

    timezone: Annotated[str, Field(min_length=1, max_length=64)] = "UTC"
    """Time zone of its times, as Europe/Berlin; a repeated one follows daylight saving time."""
    start: LocalTime
    """When it begins; of a repeated one, for the first time. In quotes."""
    end: LocalTime | None = None
    """When it ends; of a repeated one, when it ends for good, or null for never."""
    repeat: Literal["daily", "weekly", "monthly"] | None = None
    """How often it comes again; null for once."""
    weekdays: Annotated[tuple[Weekday, ...], Field(max_length=7)] = ()
    """Days on which a weekly one begins; for weekly ones only."""
    duration_minutes: Annotated[int, Field(ge=1, le=10_080), NUMBER] | None = None
    """Minutes that a repeated one lasts; for repeated ones only."""
    rules: Keys = ()
    """Keys of the alert rules that are silent; none for all of them."""

    @field_validator("timezone")
    @classmethod
    def _zone_is_known(cls, value: str) -> str:
        if value not in zoneinfo.available_timezones():
            raise problem("allowed: a name of the IANA time zone database, such as UTC or Europe/Berlin")
        return value

    @field_validator("start", "end")
    @classmethod
    def _is_a_day(cls, value: str | None) -> str | None:
        try:
            if value:
                datetime.datetime.fromisoformat(value)
        except ValueError:
            raise problem("allowed: a day that the calendar has") from None
        return value

    @field_validator("repeat")
    @classmethod
    def _ends_after_it_began(cls, value: str | None, info: ValidationInfo) -> str | None:
        if not {"start", "end"} <= info.data.keys():
            return value
        start, end = info.data["start"], info.data["end"]
        if end is None and value is None:
            raise problem("allowed: daily, weekly or monthly, as there is no end")
        if end is not None and end <= start:
            raise problem(f"allowed with it: an end after start ({start}), not {end}")
        return value

    @field_validator("weekdays")
    @classmethod
    def _weekly_on_weekdays(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        weekly = info.data.get("repeat") == "weekly"
        if "repeat" in info.data and bool(value) != weekly:
            raise problem("allowed: at least one, with repeat: weekly" if weekly else "allowed: none, unless weekly")
        return value

    @field_validator("duration_minutes")
    @classmethod
    def _repeats_within_its_time(cls, value: int | None, info: ValidationInfo) -> int | None:
        repeat = info.data.get("repeat")
        if "repeat" in info.data and (value is None) != (repeat is None):
            raise problem(f"allowed: minutes, with repeat: {repeat}" if repeat else "allowed: null, without repeat")
        most = {"daily": 1440, "weekly": 10_080}.get(repeat or "")
        if value is not None and most and value > most:
            raise problem(f"allowed: at most {most}, with repeat: {repeat}")
        return value


class Exclude(Model):
    """What of the shipped content a stack does not want, by key."""

    dashboards: Keys = ()
    """Dashboards."""
    rules: Keys = ()
    """Alert rules."""
    views: Keys = ()
    """Saved views."""


class ContentSettings(Model):
    """What SigNoz holds: dashboards, alert rules, saved views, retention, planned downtimes."""

    thresholds: Thresholds = Thresholds()
    """Numbers in the shipped alert rules."""
    retention: Retention = Retention()
    """How long telemetry is kept."""
    downtimes: dict[Key, Downtime] = Field(default={}, max_length=100)
    """Planned downtimes, by name."""
    exclude: Exclude = Exclude()
    """Shipped content that this stack does not want."""
    folder: (
        Annotated[
            str, Matching(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*", "a path below the project")
        ]
        | None
    ) = None
    """Folder of the stack's own dashboards, rules and views; null for `stacks/content/<stack>`, if it is there."""
