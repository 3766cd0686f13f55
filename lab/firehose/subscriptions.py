"""What CloudWatch Logs sends to a stream for a subscription filter. Pure.

Source: docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from simulate.patterns import parse

BATCH_CHARACTERS = 900_000
"""Firehose takes records of at most 1,000 KiB; these are smaller still, because they are compressed."""


def matching(pattern: str, events: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The log events (`message`, ...) that a filter lets through. Raises `PatternError`."""
    parsed = parse(pattern)
    return [event for event in events if parsed.matches(event["message"])]


def records(
    account_id: str, filter_name: str, log_group: str, log_stream: str, events: Sequence[Mapping[str, Any]]
) -> Iterator[bytes]:
    """Batches of log events (`id`, `timestamp`, `message`), compressed."""
    batch: list[dict[str, Any]] = []
    size = 0

    def record() -> bytes:
        envelope = {
            "messageType": "DATA_MESSAGE",
            "owner": account_id,
            "logGroup": log_group,
            "logStream": log_stream,
            "subscriptionFilters": [filter_name],
            "logEvents": batch,
        }
        return gzip.compress(json.dumps(envelope).encode(), compresslevel=1)

    for event in events:
        if batch and size + len(event["message"]) > BATCH_CHARACTERS:
            yield record()
            batch, size = [], 0
        batch.append({"id": str(event["id"]), "timestamp": event["timestamp"], "message": event["message"]})
        size += len(event["message"])
    if batch:
        yield record()
