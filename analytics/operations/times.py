"""Times as people write them on a command line, and hours of the day. All UTC. Pure."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator

from core.errors import UserError

HOUR = datetime.timedelta(hours=1)
DEFAULT_RANGE = datetime.timedelta(hours=24)

_AGO = re.compile(r"-(?P<number>[0-9]{1,6})(?P<unit>[mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def time_of(text: str, now: datetime.datetime, option: str) -> datetime.datetime:
    """The time that `text` names: ISO 8601 (UTC without an offset), `now`, or so long ago (`-90m`, `-24h`, `-7d`,
    `-2w`).

    Raises `UserError` that names the `option`.
    """
    if text == "now":
        return now
    if ago := _AGO.fullmatch(text):
        try:
            return now - datetime.timedelta(**{_UNITS[ago["unit"]]: int(ago["number"])})
        except OverflowError:
            raise _unreadable(text, option) from None
    try:
        moment = datetime.datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)).astimezone(datetime.UTC)
    except (ValueError, OverflowError):
        raise _unreadable(text, option) from None


def range_of(
    first: str | None, last: str | None, now: datetime.datetime
) -> tuple[datetime.datetime, datetime.datetime]:
    """From and to, which is not in it: until now, and from 24 h before, where they are not given.

    Raises `UserError` for what is no time, and for a range that is empty or begins in the future.
    """
    to = time_of(last, now, "--to") if last else now
    since = time_of(first, now, "--from") if first else to - DEFAULT_RANGE
    if since >= min(to, now):
        raise UserError(f"--from {since:%Y-%m-%dT%H:%M:%SZ}: allowed: before --to, {to:%Y-%m-%dT%H:%M:%SZ}, and now.")
    return since, min(to, now)


def hour_of(moment: datetime.datetime) -> datetime.datetime:
    """The beginning of its hour."""
    return moment.astimezone(datetime.UTC).replace(minute=0, second=0, microsecond=0)


def hours_between(since: datetime.datetime, to: datetime.datetime) -> Iterator[datetime.datetime]:
    """Every hour of which a part lies in the range."""
    hour = hour_of(since)
    while hour < to:
        yield hour
        hour += HOUR


def milliseconds(moment: datetime.datetime) -> int:
    """Since 1970, as CloudWatch Logs counts."""
    return (moment - datetime.datetime.fromtimestamp(0, datetime.UTC)) // datetime.timedelta(milliseconds=1)


def from_milliseconds(number: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(0, datetime.UTC) + datetime.timedelta(milliseconds=number)


def own_time(text: object, otherwise: datetime.datetime) -> datetime.datetime:
    """The time that an event states of itself (UTC without an offset), or `otherwise` where it states none."""
    try:
        moment = datetime.datetime.fromisoformat(text) if isinstance(text, str) else otherwise
        return (moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)).astimezone(datetime.UTC)
    except (ValueError, OverflowError):
        return otherwise


def _unreadable(text: str, option: str) -> UserError:
    return UserError(
        f"{option} {text}: allowed: a time in ISO 8601 (2026-01-31T14:00, UTC without an offset), now, or "
        "relative: -90m, -24h, -7d, -2w."
    )
