"""A delivery stream at work: records in, objects in the bucket or requests to an endpoint out, in a thread of its own.

Everything is as the stream is deployed at that moment, with one exception: AWS buffers for a minute or more, this
delivers `FLUSH_SECONDS` after a record came in.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from lab.firehose.http_endpoint import HttpEndpoint
from lab.firehose.output import Destination, Object
from lab.firehose.processing import Processors
from lab.firehose.records import Failure, Record

log = logging.getLogger("lab")

FLUSH_SECONDS = 1.0
BATCH_BYTES = 2 * 1024 * 1024
"""Of records as they came in, mostly compressed: so much is worked on at a time."""
RETRY_SECONDS = 1.0


class Account(Protocol):
    """What a stream uses of its account."""

    def destination(self, stream: str) -> Destination | None:
        """The bucket, as it is deployed, of an endpoint the backup; None where the stream is gone."""
        ...

    def endpoint(self, stream: str) -> HttpEndpoint | None:
        """The HTTP endpoint, as it is deployed; None where the stream delivers into the bucket."""
        ...

    def columns(self, schema: Mapping[str, Any], /) -> Mapping[str, str]:
        """Columns (name -> Hive type) of a Glue table. Raises `LookupError`."""
        ...

    def call(self, function_arn: str, event: Mapping[str, Any], /) -> Mapping[str, Any]:
        """Run a function. Raises whatever goes wrong."""
        ...

    def put_object(self, bucket: str, key: str, content: bytes) -> None: ...

    def put_metrics(self, stream: str, values: Mapping[str, tuple[float, str]]) -> None:
        """Of each metric its value and unit."""
        ...

    def log_failures(self, destination: Destination, stream_arn: str, failed: Sequence[Failure]) -> None:
        """Where the stream's configuration says."""
        ...


@dataclass
class Progress:
    """Counts since the stream was first written to."""

    pending: int = 0
    """Records received and not yet in the bucket, or in the error prefix."""
    delivered: int = 0
    """Rows, or records where nothing is converted."""
    failed: int = 0
    """Records and lines in the error prefix; what the record validation refused is not among them."""


class Stream:
    """`put` may be called from any thread."""

    def __init__(self, arn: str, account: Account) -> None:
        self._arn, self._name, self._account = arn, arn.rpartition("/")[2], account
        self._waiting: list[Record] = []
        self._changed = threading.Condition()
        self._stopping = False
        self.progress = Progress()
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def put(self, data: Sequence[bytes]) -> None:
        now_ms = int(time.time() * 1000)
        with self._changed:
            self._waiting += [Record(each, now_ms, each) for each in data]
            self.progress.pending += len(data)
            self._changed.notify_all()
        size = sum(len(each) for each in data)
        self._account.put_metrics(
            self._name,
            {
                "IncomingRecords": (len(data), "Count"),
                "IncomingBytes": (size, "Bytes"),
                "ThrottledRecords": (0, "Count"),
            },
        )

    def stop(self, wait_seconds: float) -> None:
        """Deliver what is there, and nothing after."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join(wait_seconds)

    def _run(self) -> None:
        while batch := self._next():
            try:
                self._deliver(batch)
            except Exception:  # a fault of this program; the next batch may fare better
                log.exception("lab: stream %s lost %d records", self._name, len(batch))
            with self._changed:
                self.progress.pending -= len(batch)

    def _next(self) -> list[Record]:
        """The records to deliver next; none when it is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._stopping)
            self._changed.wait_for(lambda: self._stopping or self._size() >= BATCH_BYTES, FLUSH_SECONDS)
            size = count = 0
            while count < len(self._waiting) and (count == 0 or size < BATCH_BYTES):
                size += len(self._waiting[count].data)
                count += 1
            batch, self._waiting = self._waiting[:count], self._waiting[count:]
            return batch

    def _size(self) -> int:
        return sum(len(each.data) for each in self._waiting)

    def _deliver(self, batch: Sequence[Record]) -> None:
        destination = self._account.destination(self._name)
        if destination is None:
            log.info("lab: stream %s was deleted with %d undelivered records", self._name, len(batch))
            return
        if endpoint := self._account.endpoint(self._name):
            self._send(endpoint, destination, batch)
        else:
            self._write(destination, batch)

    def _write(self, destination: Destination, batch: Sequence[Record]) -> None:
        processing = destination.configuration.get("ProcessingConfiguration") or {}
        processors = (processing.get("Processors") or ()) if processing.get("Enabled") else ()
        left, failed = Processors(processors, self._arn, self._account.call).run(batch)
        objects, unfit = destination.objects(left, self._account.columns)
        failed += unfit
        for each in (*objects, *destination.failures(failed)):
            self._put(destination.bucket, each)
        delivered = sum(each.records for each in objects)
        refused = sum(each.kind == "format-conversion-failed" for each in failed)
        self.progress.delivered += delivered
        self.progress.failed += len(failed)
        age_seconds = time.time() - min(each.arrived_ms for each in batch) / 1000
        self._account.put_metrics(
            self._name,
            {
                "DeliveryToS3.Records": (delivered, "Count"),
                "DeliveryToS3.Bytes": (sum(len(each.content) for each in objects), "Bytes"),
                "DeliveryToS3.Success": (1, "Count"),
                "DeliveryToS3.DataFreshness": (age_seconds, "Seconds"),
                "SucceedConversion.Records": (delivered, "Count"),
                "FailedConversion.Records": (refused, "Count"),
            },
        )
        self._account.log_failures(destination, self._arn, failed)
        log.info("lab: stream %s delivered %d records, %d failed", self._name, delivered, len(failed))

    def _send(self, endpoint: HttpEndpoint, backup: Destination, batch: Sequence[Record]) -> None:
        outcome = endpoint.deliver(batch, lambda: self._stopping)
        for each in backup.failures(outcome.failed):
            self._put(backup.bucket, each)
        self.progress.delivered += outcome.delivered
        self.progress.failed += len(batch) - outcome.delivered
        # One value for each request, as AWS has it: of several in a moment, one that failed shows.
        values = [0] * outcome.refused_requests + [1] * bool(outcome.delivered)
        age_seconds = time.time() - min(each.arrived_ms for each in batch) / 1000
        for value in values:
            self._account.put_metrics(self._name, {"DeliveryToHttpEndpoint.Success": (value, "Count")})
        self._account.put_metrics(
            self._name,
            {
                "DeliveryToHttpEndpoint.Records": (outcome.delivered, "Count"),
                "DeliveryToHttpEndpoint.DataFreshness": (age_seconds, "Seconds"),
            },
        )
        self._account.log_failures(replace(backup, configuration=endpoint.configuration), self._arn, outcome.failed)
        log.info("lab: stream %s sent %d records of %d", self._name, outcome.delivered, len(batch))

    def _put(self, bucket: str, each: Object) -> None:
        """As Firehose does, until it succeeds; but not for a stream that is gone."""
        told = False
        while True:
            try:
                return self._account.put_object(bucket, each.key, each.content)
            except Exception as error:  # of the emulator's S3, of which there are many kinds
                if not told:
                    log.warning("lab: stream %s retries every second: %s: %s", self._name, bucket, error)
                told = True
            if self._stopping or self._account.destination(self._name) is None:
                return log.warning("lab: stream %s gave up on object %s", self._name, each.key)
            time.sleep(RETRY_SECONDS)
