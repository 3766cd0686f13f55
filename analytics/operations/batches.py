"""Log events as Firehose gets them from CloudWatch Logs, in calls of a size that it takes. Pure."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from analytics.operations.comparison import Logged

# docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html
RECORDS_PER_CALL = 500
BYTES_PER_CALL = 4 * 1024 * 1024

ENVELOPE_BYTES = 900_000
"""Before compression, which may also make a record longer, and which Firehose undoes before the record validation."""
LOG_STREAM = "turnscope-replay"


@dataclass(frozen=True)
class Record:
    """A record of PutRecordBatch, with how many events are in it."""

    data: bytes
    events: int


def records(lines: Iterable[Logged], *, account_id: str, subscription_filter: str) -> Iterator[Record]:
    """Envelopes of one log group each (docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html).

    A line that is too long for an envelope of its own is in none; the record validation would refuse it.
    """
    by_group: dict[str, list[Logged]] = {}
    for line in lines:
        by_group.setdefault(line.log_group, []).append(line)
    for log_group, group in by_group.items():
        envelope = {
            "messageType": "DATA_MESSAGE",
            "owner": account_id,
            "logGroup": log_group,
            "logStream": LOG_STREAM,
            "subscriptionFilters": [subscription_filter],
        }
        room = ENVELOPE_BYTES - len(_text(envelope | {"logEvents": []}))
        entries: list[dict[str, Any]] = []
        used = 0
        for line in group:
            entry = {"id": line.key, "timestamp": line.timestamp_ms, "message": line.message}
            size = len(_text(entry)) + len(", ")
            if size > room:
                continue
            if used + size > room:
                yield _record(envelope, entries)
                entries, used = [], 0
            entries.append(entry)
            used += size
        if entries:
            yield _record(envelope, entries)


def calls(found: Iterable[Record]) -> Iterator[tuple[Record, ...]]:
    """Records, as many as one call takes."""
    batch: list[Record] = []
    size = 0
    for record in found:
        if batch and (len(batch) == RECORDS_PER_CALL or size + len(record.data) > BYTES_PER_CALL):
            yield tuple(batch)
            batch, size = [], 0
        batch.append(record)
        size += len(record.data)
    if batch:
        yield tuple(batch)


def _record(envelope: dict[str, Any], entries: Sequence[dict[str, Any]]) -> Record:
    return Record(gzip.compress(_text(envelope | {"logEvents": entries}), mtime=0), len(entries))


def _text(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass")
