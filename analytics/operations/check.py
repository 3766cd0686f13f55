"""Compares, hour by hour, what the log groups hold with what arrived in the bucket."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from analytics.operations.bucket_events import read_rejected, read_stored
from analytics.operations.comparison import Comparison, Hour, compare
from analytics.operations.log_events import read_log_events
from analytics.operations.progress import Progress
from analytics.operations.target import Target
from core.environments import Environment

MARGIN_SECONDS = 300
"""Beyond the buffer: for the subscription, the record validation and writing the file."""
LAB_DELAY_SECONDS = 15
"""The lab's Firehose does not wait for a buffer to fill."""


@dataclass(frozen=True)
class Checked:
    comparison: Comparison
    since: datetime.datetime
    to: datetime.datetime
    delay_seconds: int
    """How long an event may take to the bucket."""
    rejected: int
    """Lines in the log groups that the record validation rejects."""
    warnings: tuple[str, ...]


def check(
    target: Target,
    *,
    since: datetime.datetime,
    to: datetime.datetime,
    agent: str | None,
    event: str | None,
    progress: Progress,
    now: datetime.datetime | None = None,
) -> Checked:
    """Raises `UserError` for an agent or event that there is not, and where something can't be read."""
    now = now or datetime.datetime.now(datetime.UTC)
    events, log_groups = target.events(event), target.log_groups(agent)
    delay_seconds = delivery_delay_seconds(target)
    from_log = read_log_events(target, log_groups, events, since, to, progress)
    # After the log groups: what arrives in between is then not missed.
    progress("events in the bucket")
    stored = read_stored(target.query_engine(progress), target, events, since)
    if agent is not None:
        own = {(line.event, line.key) for line in from_log.events}
        stored = [row for row in stored if (row.event, row.key) in own]
    comparison = compare(
        from_log.events,
        stored,
        read_rejected(target, events, agent, since, progress),
        events=events,
        since=since,
        to=to,
        on_the_way_since=now - datetime.timedelta(seconds=delay_seconds),
    )
    return Checked(comparison, since, to, delay_seconds, from_log.rejected, from_log.warnings)


def delivery_delay_seconds(target: Target) -> int:
    if target.settings.environment == Environment.LOCAL:
        return LAB_DELAY_SECONDS
    return max(stream.buffer_seconds for stream in target.plan.streams) + MARGIN_SECONDS


def as_data(checked: Checked) -> dict[str, Any]:
    """For `--json`."""
    return {
        "from": checked.since.isoformat(),
        "to": checked.to.isoformat(),
        "complete": checked.comparison.complete,
        "hours": [{**vars(each), "hour": each.hour.isoformat()} for each in checked.comparison.hours],
        "rejected": [
            {"about": about, "number": number, "example": example}
            for about, (number, example) in checked.comparison.rejected.items()
        ],
        "rejected_in_log": checked.rejected,
        "warnings": list(checked.warnings),
    }


def print_report(checked: Checked, stack: str, console: Console) -> None:
    for warning in checked.warnings:
        console.print(warning, style="yellow")
    hours = [each for each in checked.comparison.hours if _says_something(each)]
    table = Table("hour (UTC)", "event", box=None, pad_edge=False)
    for column in ("log", "bucket", "missing", "on the way", "rejected", "duplicates"):
        table.add_column(column, justify="right")
    for each in hours:
        missing = f"[bold red]{each.missing}[/bold red]" if each.missing else "0"
        figures = (each.in_log, each.in_bucket, missing, each.on_the_way, each.rejected, each.duplicates)
        table.add_row(f"{each.hour:%Y-%m-%d %H:00}", each.event, *map(str, figures))
    console.print(f"From {checked.since:%Y-%m-%d %H:%M} until {checked.to:%Y-%m-%d %H:%M} UTC:")
    if hours:
        console.print(table)
    for about, (number, example) in sorted(checked.comparison.rejected.items(), key=lambda item: -item[1][0]):
        console.print(f"rejected, {number}: {about}; for example: {example}", markup=False)
    console.print(_verdict(checked, stack, bool(hours)), markup=False)


def _verdict(checked: Checked, stack: str, anything: bool) -> str:
    missing = len(checked.comparison.missing)
    on_the_way = sum(each.on_the_way for each in checked.comparison.hours)
    if missing:
        times = f"--from {checked.since:%Y-%m-%dT%H:%M:%SZ} --to {checked.to:%Y-%m-%dT%H:%M:%SZ}"
        return (
            f"{missing} events are missing from the bucket. Send them again: turnscope analytics replay {stack} {times}"
        )
    if not anything:
        return "There are no events, neither in the log groups nor in the bucket."
    waiting = f"; {on_the_way} are on the way (up to {checked.delay_seconds} s)" if on_the_way else ""
    return f"Complete: every event of the log groups is in the bucket{waiting}."


def _says_something(hour: Hour) -> bool:
    return any((hour.in_log, hour.in_bucket, hour.rejected))
