"""Records on their way through a stream, and what becomes of those that fail. Pure.

Failures have the shapes of docs.aws.amazon.com/firehose/latest/dev/data-transformation-failure-handling.html and
docs.aws.amazon.com/firehose/latest/dev/record-format-conversion-error-handling.html.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Record:
    """`original` is what came in, for whoever looks at a failure."""

    data: bytes
    arrived_ms: int
    original: bytes
    keys: Mapping[str, str] = field(default_factory=dict)
    """Partition keys."""


@dataclass(frozen=True)
class Failure:
    """A record that is delivered to the error prefix. `kind` is the error output type."""

    kind: str
    arrived_ms: int
    content: Mapping[str, Any]

    @property
    def line(self) -> bytes:
        return json.dumps(self.content).encode() + b"\n"


def processing_failure(
    record: Record, code: str, message: str, *, kind: str = "processing-failed", attempts: int = 1, **more: Any
) -> Failure:
    """A record that a processor could not take."""
    content = {
        "attemptsMade": attempts,
        "arrivalTimestamp": record.arrived_ms,
        "errorCode": code,
        "errorMessage": message,
        "attemptEndingTimestamp": int(time.time() * 1000),
        "rawData": base64.b64encode(record.original).decode(),
        **more,
    }
    return Failure(kind, record.arrived_ms, content)


def conversion_failure(line: bytes, arrived_ms: int, code: str, message: str, table: Mapping[str, Any]) -> Failure:
    """A line that could not become a row of `table` (as the schema's configuration names it)."""
    content = {
        "attemptsMade": 1,
        "arrivalTimestamp": arrived_ms,
        "lastErrorCode": code,
        "lastErrorMessage": message,
        "attemptEndingTimestamp": int(time.time() * 1000),
        "rawData": base64.b64encode(line).decode(),
        "sequenceNumber": None,
        "subSequenceNumber": None,
        "dataCatalogTable": {
            "databaseName": table.get("DatabaseName"),
            "tableName": table.get("TableName"),
            "region": table.get("Region"),
            "versionId": table.get("VersionId", "LATEST"),
            "catalogId": table.get("CatalogId"),
        },
    }
    return Failure("format-conversion-failed", arrived_ms, content)
