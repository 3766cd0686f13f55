"""Settings of what SigNoz holds: numbers of the shipped alert rules, retention, planned downtimes, own content.

Receivers are in the settings of the alertmanager role, prices of models in `prices`; both are used here unchanged.
"""

from __future__ import annotations

import datetime
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from stacks.settings.fields import NUMBER, Matching, Model, TimeZone, problem

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
    """Numbers in the shipped alert rules that are no `targets`: how much data a rule needs, and limits of workers,
    providers and SigNoz itself."""

    error_count: Annotated[int, Field(ge=1, le=1_000_000), NUMBER] = 10
    """Failed turns of a service in 5 minutes above which the warning alert fires."""
    minimum_turns: Annotated[int, Field(ge=1, le=10_000), NUMBER] = 10
    """Minimum number of turns in 5 minutes (tool calls, for tool failures) for an evaluation: a percentile of two turns
    has no meaning."""
    minimum_calls: Annotated[int, Field(ge=1, le=10_000), NUMBER] = 10
    """Minimum number of calls in 30 minutes for an evaluation of their cost."""
    circuit_breaker_open_minutes: Minutes = 5
    """Minutes with an open circuit breaker after which the critical alert fires."""
    provider_down_minutes: Minutes = 2
    """Minutes without an answer from a provider after which the critical alert fires."""
    worker_memory_percent: Percent = 80
    """Percent of a worker's memory above which the warning alert fires."""
    worker_load: Annotated[float, Field(gt=0, le=1), NUMBER] = 0.7
    """Load of a worker, 0 to 1, above which the warning alert fires; LiveKit sends a worker above 0.7 no more calls."""
    no_data_minutes: Annotated[int, Field(ge=5, le=1440), NUMBER] = 60
    """Minutes without spans from any agent after which the critical alert fires."""
    collector_queue_percent: Percent = 50
    """Percent of the collector's queue in use above which the critical alert fires; a full queue rejects telemetry."""


class SignalRetention(Model):
    """Retention of one signal."""

    days: Days
    """Days that the signal is kept."""
    cold_after_days: Days | None = None
    """Days after which data moves to `clickhouse.cold_storage`; fewer than `days`. Null keeps it on the local disk."""

    @field_validator("cold_after_days")
    @classmethod
    def _before_its_end(cls, value: int | None, info: ValidationInfo) -> int | None:
        days = info.data.get("days")
        if value is not None and days is not None and value >= days:
            raise problem(f"allowed: fewer than days ({days}), or null")
        return value


class Retention(Model):
    """Retention of telemetry. A change applies to logs only if they arrive after it."""

    traces: SignalRetention = SignalRetention(days=15)
    """Spans."""
    metrics: SignalRetention = SignalRetention(days=30)
    """Metrics."""
    logs: SignalRetention = SignalRetention(days=15)
    """Log records."""


class Downtime(Model):
    """A planned downtime: a time without notifications. SigNoz still evaluates and shows the alerts."""

    timezone: TimeZone = "UTC"
    """Time zone, such as Europe/Berlin; a repeated downtime follows daylight saving time."""
    start: LocalTime
    """Start of the downtime, or of its first occurrence. In quotes."""
    end: LocalTime | None = None
    """End of the downtime. For a repeated downtime: the end of the repetition, or null for no end."""
    repeat: Literal["daily", "weekly", "monthly"] | None = None
    """Repetition of the downtime; null for once."""
    weekdays: Annotated[tuple[Weekday, ...], Field(max_length=7)] = ()
    """Days on which a weekly downtime starts; only with repeat: weekly."""
    duration_minutes: Annotated[int, Field(ge=1, le=10_080), NUMBER] | None = None
    """Duration of each occurrence in minutes; only with repeat."""
    rules: Keys = ()
    """Keys of the alert rules that do not notify; empty for all rules."""

    @field_validator("start", "end")
    @classmethod
    def _is_a_day(cls, value: str | None) -> str | None:
        try:
            if value:
                datetime.datetime.fromisoformat(value)
        except ValueError:
            raise problem("allowed: a day that exists in the calendar") from None
        return value

    @field_validator("repeat")
    @classmethod
    def _ends_after_it_began(cls, value: str | None, info: ValidationInfo) -> str | None:
        if not {"start", "end"} <= info.data.keys():
            return value
        start, end = info.data["start"], info.data["end"]
        if end is None and value is None:
            raise problem("allowed: daily, weekly or monthly, because there is no end")
        if end is not None and end <= start:
            raise problem(f"allowed: an end after start ({start}), not {end}")
        return value

    @field_validator("weekdays")
    @classmethod
    def _weekly_on_weekdays(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        weekly = info.data.get("repeat") == "weekly"
        if "repeat" in info.data and bool(value) != weekly:
            raise problem(f"allowed: {'at least one, with' if weekly else 'none, without'} repeat: weekly")
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
    """Shipped content that the stack excludes, by key."""

    dashboards: Keys = ()
    """Dashboards."""
    rules: Keys = ()
    """Alert rules."""
    views: Keys = ()
    """Saved views."""


class ContentSettings(Model):
    """Content of SigNoz: dashboards, alert rules, saved views, retention, planned downtimes."""

    thresholds: Thresholds = Thresholds()
    """Numbers in the shipped alert rules that are no `targets`."""
    retention: Retention | None = Retention()
    """Retention of telemetry; null leaves it as it is in SigNoz."""
    downtimes: dict[Key, Downtime] = Field(default={}, max_length=100)
    """Planned downtimes, by name."""
    exclude: Exclude = Exclude()
    """Shipped content that the stack excludes."""
    folder: (
        Annotated[
            str,
            Matching(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*", "a path in the project"),
        ]
        | None
    ) = None
    """Folder of the stack's own dashboards, rules and saved views; null for `stacks/content/<stack>`, if it exists."""
