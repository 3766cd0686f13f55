"""What the log groups hold against what the bucket holds, hour by hour. Pure."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from analytics.operations.times import hour_of, hours_between


@dataclass(frozen=True)
class Logged:
    """An event in a log group."""

    event: str
    key: str
    """What makes two lines the same event (`_event_id`, else a hash of the line)."""
    moment: datetime.datetime
    """When it happened, as it says itself."""
    arrived: datetime.datetime
    """When CloudWatch Logs took it."""
    log_group: str
    timestamp_ms: int
    message: str


@dataclass(frozen=True)
class Stored:
    """An event in the bucket, with how many rows there are of it."""

    event: str
    key: str
    moment: datetime.datetime
    copies: int


@dataclass(frozen=True)
class Rejected:
    """A line that the record validation rejected."""

    event: str
    moment: datetime.datetime
    about: str
    """The field, or the kind of mistake."""
    reason: str


@dataclass
class Hour:
    """Figures of an event in an hour (UTC)."""

    hour: datetime.datetime
    event: str
    in_log: int = 0
    in_bucket: int = 0
    missing: int = 0
    on_the_way: int = 0
    """Not in the bucket yet, and too young to be missed."""
    rejected: int = 0
    duplicates: int = 0
    """Rows in the bucket beyond one for each event; queries read each event once."""


@dataclass(frozen=True)
class Comparison:
    hours: tuple[Hour, ...]
    missing: tuple[Logged, ...]
    """In the order of their times."""
    rejected: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    """What rejected records were about -> how many there are, and one's reason."""

    @property
    def complete(self) -> bool:
        return not self.missing


def compare(
    logged: Iterable[Logged],
    stored: Iterable[Stored],
    rejected: Iterable[Rejected],
    *,
    events: Sequence[str],
    since: datetime.datetime,
    to: datetime.datetime,
    on_the_way_since: datetime.datetime,
) -> Comparison:
    """Compare what happened from `since` until before `to`.

    Args:
        logged: what happened in the range.
        stored: may reach further than the range: what happened in it may have arrived late.
        on_the_way_since: what arrived in the log group from then on may still be buffered.
    """
    hours = {(event, hour): Hour(hour, event) for hour in hours_between(since, to) for event in events}
    rows = {(each.event, each.key): each for each in stored}
    lines = {(each.event, each.key): each for each in logged}
    missing = []
    for identity, line in lines.items():
        figures = hours[line.event, hour_of(line.moment)]
        figures.in_log += 1
        if identity in rows:
            continue
        if line.arrived >= on_the_way_since:
            figures.on_the_way += 1
        else:
            figures.missing += 1
            missing.append(line)
    for row in rows.values():
        if since <= row.moment < to:
            figures = hours[row.event, hour_of(row.moment)]
            figures.in_bucket += 1
            figures.duplicates += row.copies - 1
    reasons: dict[str, tuple[int, str]] = {}
    for record in rejected:
        if since <= record.moment < to:
            hours[record.event, hour_of(record.moment)].rejected += 1
            number, example = reasons.get(record.about, (0, record.reason))
            reasons[record.about] = (number + 1, example)
    return Comparison(tuple(hours.values()), tuple(sorted(missing, key=lambda line: (line.moment, line.key))), reasons)
