"""Reads the log events of a group, each once, though they come out of order and late.

Events carry the time that the agent gave them, so a reader that asks for "later than the last" would miss some.
This one asks which streams changed, reads those whole, and knows events by their ids: right for a laptop's
volume, not for an account's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

STREAMS_PER_CALL = 100
"""FilterLogEvents takes at most so many stream names."""


@dataclass(frozen=True)
class LogEvent:
    id: str
    timestamp_ms: int
    """When it happened, as its sender says."""
    ingestion_ms: int
    """When it arrived."""
    message: str


@dataclass(frozen=True)
class Unread:
    """New events of one group, and what its streams looked like just before they were read."""

    log_group: str
    events: tuple[LogEvent, ...]
    streams: dict[str, tuple[object, ...]]


class LogReader:
    """Over a boto3 `logs` client."""

    def __init__(self, logs: Any) -> None:
        self._logs = logs
        self._streams: dict[str, dict[str, tuple[object, ...]]] = defaultdict(dict)
        self._read: dict[str, set[str]] = defaultdict(set)

    def unread(self, log_group: str) -> Unread:
        """Events of `log_group` not yet given to `mark_read`; none if the group does not exist."""
        try:
            streams = {each["logStreamName"]: _fingerprint(each) for each in self._describe_streams(log_group)}
        except self._logs.exceptions.ResourceNotFoundException:
            return Unread(log_group, (), {})
        known = self._streams[log_group]
        changed = [name for name, fingerprint in streams.items() if known.get(name) != fingerprint]
        read = self._read[log_group]
        events = [event for event in self._events(log_group, changed) if event.id not in read]
        return Unread(log_group, tuple(events), streams)

    def mark_read(self, unread: Unread) -> None:
        """Not to be given again."""
        self._streams[unread.log_group] = unread.streams
        self._read[unread.log_group].update(event.id for event in unread.events)

    def _describe_streams(self, log_group: str) -> Iterator[dict[str, Any]]:
        for page in self._logs.get_paginator("describe_log_streams").paginate(logGroupName=log_group):
            yield from page["logStreams"]

    def _events(self, log_group: str, streams: Collection[str]) -> Iterator[LogEvent]:
        names = sorted(streams)
        pages = self._logs.get_paginator("filter_log_events")
        for start in range(0, len(names), STREAMS_PER_CALL):
            chunk = names[start : start + STREAMS_PER_CALL]
            for page in pages.paginate(logGroupName=log_group, logStreamNames=chunk):
                for event in page["events"]:
                    yield LogEvent(event["eventId"], event["timestamp"], event["ingestionTime"], event["message"])


def _fingerprint(stream: dict[str, Any]) -> tuple[object, ...]:
    # The token differs after each PutLogEvents, also within one millisecond.
    return (
        stream["creationTime"],
        stream.get("lastIngestionTime"),
        stream.get("uploadSequenceToken"),
        stream.get("storedBytes"),
    )
