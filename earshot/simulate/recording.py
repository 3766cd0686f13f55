"""Recorded agent logs as log events, and moving them in time. Pure but for reading a file."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

TIMESTAMP_KEYS = ("_timestamp", "timestamp")
"""Of Earshot's own events, and of LiveKit's JSON log lines."""


@dataclass(frozen=True)
class LogEvent:
    """One event as CloudWatch Logs keeps it; the time is in milliseconds since 1970 UTC."""

    timestamp_ms: int
    message: str


def load(log: Path | str) -> tuple[LogEvent, ...]:
    """The events of a log file, or of its text: a JSON object per line, each with an ISO 8601 time.

    Raises `ValueError` naming the line that is no such object.
    """
    text = log.read_text(encoding="utf-8") if isinstance(log, Path) else log
    events = [_event(line, number) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    return tuple(sorted(events, key=lambda event: event.timestamp_ms))


def shift(events: Sequence[LogEvent], *, end_ms: int) -> tuple[LogEvent, ...]:
    """All events moved so that the last is at `end_ms`; the times inside the messages move along."""
    if not events:
        return ()
    by_ms = end_ms - max(event.timestamp_ms for event in events)
    return tuple(LogEvent(event.timestamp_ms + by_ms, _moved(event.message, by_ms)) for event in events)


def names() -> tuple[str, ...]:
    """The recordings that come with Earshot."""
    return tuple(sorted(path.name.removesuffix(".jsonl") for path in _FOLDER.iterdir() if path.name.endswith(".jsonl")))


def recorded(name: str) -> tuple[LogEvent, ...]:
    """A recording by its name."""
    return load(_FOLDER.joinpath(f"{name}.jsonl").read_text(encoding="utf-8"))


_FOLDER = resources.files("earshot") / "lab" / "recordings"


def _event(line: str, number: int) -> LogEvent:
    try:
        document = json.loads(line)
        text = next(document[key] for key in TIMESTAMP_KEYS if key in document)
        moment = datetime.datetime.fromisoformat(text)
    except (ValueError, TypeError, StopIteration):
        keys = " or ".join(TIMESTAMP_KEYS)
        raise ValueError(f"line {number} is not a JSON object with an ISO 8601 time in {keys}: {line[:60]}") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return LogEvent(round(moment.timestamp() * 1000), line)


def _moved(message: str, by_ms: int) -> str:
    document = json.loads(message)
    by = datetime.timedelta(milliseconds=by_ms)
    for key in TIMESTAMP_KEYS:
        if key in document:
            document[key] = (datetime.datetime.fromisoformat(document[key]) + by).isoformat()
    return json.dumps(document)
