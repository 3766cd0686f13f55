"""Recorded agent logs as log events, and moving them in time. Pure, except for reading a file."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from core.errors import UserError

TIMESTAMP_KEYS = ("_timestamp", "timestamp")
"""Of the agent's own events, and of LiveKit's JSON log lines."""

_EPOCH = datetime.datetime.fromtimestamp(0, datetime.UTC)
_MILLISECOND = datetime.timedelta(milliseconds=1)
_FOLDER = resources.files("simulate") / "recordings"


@dataclass(frozen=True)
class LogEvent:
    """One event as CloudWatch Logs keeps it; the time is in milliseconds since 1970 UTC."""

    timestamp_ms: int
    message: str


def load(log: Path | str) -> tuple[LogEvent, ...]:
    """The events of a log file, or of its text: a JSON object per line, each with an ISO 8601 time (UTC if it names
    no offset), in the order of their times, as PutLogEvents wants them
    (https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html).

    Raises:
        ValueError: a line is no such object; the message names the line.
    """
    text = log.read_text(encoding="utf-8") if isinstance(log, Path) else log
    # Not splitlines(): JSON strings may hold characters that it takes for the end of a line, as U+2028.
    events = [_event(line, number) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    return tuple(sorted(events, key=lambda event: event.timestamp_ms))


def shift(events: Sequence[LogEvent], *, end_ms: int) -> tuple[LogEvent, ...]:
    """All events moved so that the last is at `end_ms`; the times inside the messages move along."""
    if not events:
        return ()
    by_ms = end_ms - max(event.timestamp_ms for event in events)
    return tuple(LogEvent(event.timestamp_ms + by_ms, _moved(event.message, by_ms)) for event in events)


def names() -> tuple[str, ...]:
    """The recordings that come with Turnscope."""
    return tuple(sorted(path.name.removesuffix(".jsonl") for path in _FOLDER.iterdir() if path.name.endswith(".jsonl")))


def recorded(name: str) -> tuple[LogEvent, ...]:
    """A recording by its name. Raises `UserError` where there is none of that name."""
    if name not in names():
        raise UserError(f"There is no recording {name!r}; allowed: {', '.join(names())}.")
    return load(_FOLDER.joinpath(f"{name}.jsonl").read_text(encoding="utf-8"))


def _event(line: str, number: int) -> LogEvent:
    try:
        document = json.loads(line)
        moment = _moment(next(document[key] for key in TIMESTAMP_KEYS if key in document))
    except (ValueError, TypeError, StopIteration):
        keys = " or ".join(TIMESTAMP_KEYS)
        raise ValueError(f"line {number} is not a JSON object with an ISO 8601 time in {keys}: {line[:60]}") from None
    return LogEvent((moment - _EPOCH) // _MILLISECOND, line)


def _moment(text: str) -> datetime.datetime:
    moment = datetime.datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)


def _moved(message: str, by_ms: int) -> str:
    document = json.loads(message)
    # Only the time that gave the event its own: another one may be a fact that the line states.
    key = next(key for key in TIMESTAMP_KEYS if key in document)
    document[key] = (_moment(document[key]) + by_ms * _MILLISECOND).isoformat()
    return json.dumps(document, ensure_ascii=False)
