"""A stream's processors, in the order of its configuration.

Source: docs.aws.amazon.com/firehose/latest/APIReference/API_ProcessorParameter.html and
docs.aws.amazon.com/firehose/latest/dev/data-transformation.html. How a CloudWatch Logs batch is taken apart is not
documented further than that only its messages are left: here it is one record, a line for each message.
"""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lab.firehose.records import Failure, Record, processing_failure

LAMBDA_BATCH_BYTES = 1024 * 1024
"""Firehose's own default of `BufferSizeInMBs`."""
LAMBDA_ATTEMPTS = 4
"""The first, and Firehose's own default of `NumberOfRetries`."""

Call = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
"""Runs the function of an ARN with an event; raises whatever goes wrong."""


@dataclass(frozen=True)
class Processors:
    """`configuration` is the API's list of processors; `stream_arn` is passed to the functions."""

    configuration: Sequence[Mapping[str, Any]]
    stream_arn: str
    call: Call

    def run(self, records: Sequence[Record]) -> tuple[list[Record], list[Failure]]:
        """What is left of `records`, and what failed."""
        steps = {
            "Decompression": _decompress,
            "CloudWatchLogProcessing": _extract,
            "Lambda": self._check,
            "AppendDelimiterToRecord": _delimit,
        }
        left, failed = list(records), []
        for processor in self.configuration:
            parameters = {each["ParameterName"]: each["ParameterValue"] for each in processor.get("Parameters") or ()}
            step = steps.get(processor["Type"])
            if step is None:
                message = f"lab: processor {processor['Type']} is not run here"
                return [], [*failed, *(processing_failure(each, "UnknownProcessor", message) for each in left)]
            outcomes = list(step(left, parameters))
            left = [each for each in outcomes if isinstance(each, Record)]
            failed += [each for each in outcomes if isinstance(each, Failure)]
        return left, failed

    def _check(self, records: Sequence[Record], parameters: Mapping[str, str]) -> Iterator[Record | Failure]:
        arn = parameters["LambdaArn"]
        for number, batch in enumerate(_batches(records)):
            event = {
                "invocationId": f"lab-{number}",
                "deliveryStreamArn": self.stream_arn,
                "region": self.stream_arn.split(":")[3],
                "records": [
                    {
                        "recordId": str(index),
                        "approximateArrivalTimestamp": record.arrived_ms,
                        "data": base64.b64encode(record.data).decode(),
                    }
                    for index, record in enumerate(batch)
                ],
            }
            try:
                answers = {each["recordId"]: each for each in self._answer(arn, event)["records"]}
            except Exception as error:  # a function may fail in any way, and its records alone are the worse for it
                for record in batch:
                    yield processing_failure(
                        record, "Lambda.FunctionError", str(error), attempts=LAMBDA_ATTEMPTS, lambdaArn=arn
                    )
                continue
            for index, record in enumerate(batch):
                yield from _outcome(record, answers.get(str(index)), arn)

    def _answer(self, arn: str, event: Mapping[str, Any]) -> Mapping[str, Any]:
        for _ in range(LAMBDA_ATTEMPTS - 1):
            try:
                return self.call(arn, event)
            except Exception:  # noqa: S112 (the failure of the last attempt is reported)
                continue
        return self.call(arn, event)


def _outcome(record: Record, answer: Mapping[str, Any] | None, arn: str) -> Iterator[Record | Failure]:
    match (answer or {}).get("result"):
        case "Ok":
            assert answer is not None  # noqa: S101 (for the type checker)
            keys = (answer.get("metadata") or {}).get("partitionKeys") or {}
            yield replace(record, data=base64.b64decode(answer.get("data") or ""), keys=keys)
        case "Dropped":
            pass
        case "ProcessingFailed":
            yield processing_failure(
                record, "Lambda.ProcessingFailedStatus", "ProcessingFailed status set", lambdaArn=arn
            )
        case _:
            message = "the function did not answer for this record with Ok, Dropped or ProcessingFailed"
            yield processing_failure(record, "Lambda.MissingRecordId", message, lambdaArn=arn)


def _batches(records: Sequence[Record]) -> Iterator[list[Record]]:
    batch: list[Record] = []
    size = 0
    for record in records:
        if batch and size + len(record.data) > LAMBDA_BATCH_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += len(record.data)
    if batch:
        yield batch


def _decompress(records: Sequence[Record], parameters: Mapping[str, str]) -> Iterator[Record | Failure]:
    for record in records:
        try:
            data = gzip.decompress(record.data)
        except (OSError, EOFError, zlib.error) as error:
            yield processing_failure(record, "Decompression.Failed", f"not GZIP: {error}", kind="decompression-failed")
        else:
            yield replace(record, data=data)


def _extract(records: Sequence[Record], parameters: Mapping[str, str]) -> Iterator[Record | Failure]:
    extract = parameters.get("DataMessageExtraction", "false").lower() == "true"
    for record in records:
        try:
            batch = json.loads(record.data)
            is_data = batch["messageType"] == "DATA_MESSAGE"
            messages = [each["message"] for each in batch["logEvents"]]
            data = "".join(f"{message}\n" for message in messages).encode("utf-8", "replace")
        except (ValueError, KeyError, TypeError, RecursionError):
            message = "not a batch of CloudWatch Logs"
            yield processing_failure(record, "CloudWatchLogProcessing.InvalidFormat", message)
            continue
        if is_data:
            yield replace(record, data=data) if extract else record


def _delimit(records: Sequence[Record], parameters: Mapping[str, str]) -> Iterator[Record | Failure]:
    delimiter = parameters.get("Delimiter", "\\n").encode().decode("unicode_escape").encode()
    for record in records:
        yield replace(record, data=record.data + delimiter)
