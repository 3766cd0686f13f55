"""A delivery stream at work: records in, objects in the bucket out, in a thread of its own.

Everything is as the stream is deployed at that moment, but for one thing: AWS buffers for a minute or more, this
delivers `FLUSH_SECONDS` after a record came in.
"""

from __future__ import annotations

import datetime
import gzip
import logging
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from earshot.errors import UserError
from earshot.lab.firehose.conversion import Conversion, ConversionError
from earshot.lab.firehose.prefixes import PrefixError, evaluate
from earshot.lab.firehose.processing import Call, Processors
from earshot.lab.firehose.records import Failure, Record, conversion_failure, processing_failure

log = logging.getLogger("earshot.lab")

FLUSH_SECONDS = 1.0
BATCH_BYTES = 2 * 1024 * 1024
"""Of records as they came in, mostly compressed: so much is worked on at a time."""
RETRY_SECONDS = 1.0


@dataclass(frozen=True)
class Deployed:
    """A stream as it is deployed; `destination` is the API's extended S3 destination."""

    arn: str
    version: str
    destination: Mapping[str, Any]

    @property
    def name(self) -> str:
        return self.arn.rpartition("/")[2]


class Account(Protocol):
    """What a stream uses of its account."""

    def deployed(self, arn: str) -> Deployed | None: ...
    def columns(self, schema: Mapping[str, Any]) -> Mapping[str, str]:
        """A Glue table's columns: name -> Hive type. Raises `LookupError`."""
        ...

    def put_object(self, bucket: str, key: str, content: bytes) -> None: ...
    def put_metrics(self, stream: str, values: Mapping[str, tuple[float, str]]) -> None:
        """Of each metric its value and unit."""
        ...

    def log_failure(self, stream: Deployed, failure: Failure) -> None: ...
    @property
    def call(self) -> Call: ...


@dataclass
class Progress:
    """Records since the stream was first written to."""

    received: int = 0
    pending: int = 0
    failed: int = 0
    """Records and lines that ended in the error prefix."""
    objects: int = 0


class Stream:
    """`put` may be called from any thread."""

    def __init__(self, arn: str, account: Account) -> None:
        self._arn, self._account = arn, account
        self._waiting: list[Record] = []
        self._changed = threading.Condition()
        self._stopping = False
        self.progress = Progress()
        self._thread = threading.Thread(target=self._run, name=f"firehose-{arn.rpartition('/')[2]}", daemon=True)
        self._thread.start()

    def put(self, data: Sequence[bytes]) -> None:
        now_ms = int(time.time() * 1000)
        with self._changed:
            self._waiting += [Record(each, now_ms, each) for each in data]
            self.progress.received += len(data)
            self.progress.pending += len(data)
            self._changed.notify_all()
        self._account.put_metrics(
            self._arn.rpartition("/")[2],
            {
                "IncomingRecords": (len(data), "Count"),
                "IncomingBytes": (sum(map(len, data)), "Bytes"),
                "ThrottledRecords": (0, "Count"),
            },
        )

    def stop(self, patience_seconds: float) -> None:
        """Deliver what is there at once, and no more after."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join(patience_seconds)

    def _run(self) -> None:
        while batch := self._next():
            try:
                self._deliver(batch)
            except Exception:  # a fault of this program: the next batch may fare better
                log.exception("lab: stream %s lost %d records", self._arn, len(batch))
            with self._changed:
                self.progress.pending -= len(batch)

    def _next(self) -> list[Record]:
        """The records to deliver next; none when it is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._stopping)
            self._changed.wait_for(
                lambda: self._stopping or sum(len(each.data) for each in self._waiting) >= BATCH_BYTES, FLUSH_SECONDS
            )
            size = count = 0
            while count < len(self._waiting) and (count == 0 or size < BATCH_BYTES):
                size += len(self._waiting[count].data)
                count += 1
            batch, self._waiting = self._waiting[:count], self._waiting[count:]
            return batch

    def _deliver(self, batch: Sequence[Record]) -> None:
        stream = self._account.deployed(self._arn)
        if stream is None:
            log.info("lab: stream %s is gone, and %d records with it", self._arn, len(batch))
            return
        destination = stream.destination
        processing = destination.get("ProcessingConfiguration") or {}
        processors = processing.get("Processors") or () if processing.get("Enabled") else ()
        left, failed = Processors(processors, self._arn, self._account.call).run(batch)
        conversion = destination.get("DataFormatConversionConfiguration") or {}
        metrics: dict[str, tuple[float, str]] = {}
        if conversion.get("Enabled", bool(conversion)):
            objects, rows, unfit = self._parquet(left, destination, conversion)
            failed += unfit
            converted, refused = sum(rows.values()), len([each for each in unfit if "lastErrorCode" in each.content])
            metrics |= {
                "SucceedConversion.Records": (converted, "Count"),
                "FailedConversion.Records": (refused, "Count"),
            }
            suffix = ".parquet"
        else:
            objects, unfit = _raw(left, destination)
            failed += unfit
            suffix = ".gz" if destination.get("CompressionFormat") == "GZIP" else ""
        for prefix, (content, _) in objects.items():
            self._put(stream, f"{prefix}{_name(stream)}{suffix}", content)
        self._put_failures(stream, failed)
        oldest = min(each.arrived_ms for each in batch)
        delivered = sum(count for _, count in objects.values())
        metrics |= {
            "DeliveryToS3.Records": (delivered, "Count"),
            "DeliveryToS3.Bytes": (sum(len(content) for content, _ in objects.values()), "Bytes"),
            "DeliveryToS3.Success": (1, "Count"),
            "DeliveryToS3.DataFreshness": (time.time() - oldest / 1000, "Seconds"),
        }
        self._account.put_metrics(stream.name, metrics)
        self.progress.failed += len(failed)
        log.info("lab: stream %s delivered %d records, %d failed", stream.name, delivered, len(failed))

    def _parquet(
        self, records: Sequence[Record], destination: Mapping[str, Any], configuration: Mapping[str, Any]
    ) -> tuple[dict[str, tuple[bytes, int]], dict[str, int], list[Failure]]:
        raise NotImplementedError
