"""Firehose's work over moto's stores: the account of a stream, and its streams."""

from __future__ import annotations

import datetime
import functools
import json
import os
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from moto.awslambda.models import LambdaFunction
from moto.awslambda.utils import get_backend
from moto.cloudwatch.models import cloudwatch_backends
from moto.core.exceptions import JsonRESTError
from moto.firehose.models import DeliveryStream, firehose_backends
from moto.glue.models import glue_backends
from moto.logs.models import logs_backends
from moto.s3.models import s3_backends
from moto.utilities.utils import get_partition

from core.names import ROOT_CERTIFICATE
from lab.firehose import functions
from lab.firehose.http_endpoint import HttpEndpoint
from lab.firehose.output import Destination
from lab.firehose.records import Failure
from lab.firehose.stream import Stream
from lab.state_dir import HOST

STOP_SECONDS = 10.0
DIRECTORY = "TURNSCOPE_LAB_DIRECTORY"
"""The variable of the emulator's process with its directory."""


class EmulatedAccount:
    """An account in a region."""

    def __init__(self, account_id: str, region: str) -> None:
        self._id, self._region = account_id, region

    def destination(self, stream: str) -> Destination | None:
        found = self._stream(stream)
        if found is None:
            return None
        endpoint = found.destinations[0].get("HttpEndpoint")
        configuration = endpoint["S3DestinationDescription"] if endpoint else found.destinations[0]["ExtendedS3"]
        return Destination(stream, found.version_id, configuration)

    def endpoint(self, stream: str) -> HttpEndpoint | None:
        found = self._stream(stream)
        configuration = found.destinations[0].get("HttpEndpoint") if found else None
        if found is None or configuration is None:
            return None
        return HttpEndpoint(configuration, found.delivery_stream_arn, _directory() / ROOT_CERTIFICATE)

    def _stream(self, name: str) -> DeliveryStream | None:
        return firehose_backends[self._id][self._region].delivery_streams.get(name)

    def columns(self, schema: Mapping[str, Any], /) -> Mapping[str, str]:
        region = schema.get("Region") or self._region
        try:
            table = glue_backends[self._id][region].get_table(schema["DatabaseName"], schema["TableName"])
        except JsonRESTError as error:
            raise LookupError(error.message) from None
        described = table.as_dict()["StorageDescriptor"]["Columns"]
        return {column["Name"]: column["Type"] for column in described}

    def call(self, function_arn: str, event: Mapping[str, Any], /) -> Mapping[str, Any]:
        _, _, _, region, _, _, name, *qualifier = function_arn.split(":")
        function = get_backend(self._id, region).get_function(name, *qualifier)
        try:
            return _functions().call(_deployed(function), event)
        except functions.FunctionError:
            dimensions = [{"Name": "FunctionName", "Value": function.function_name}]
            self._put_metrics("AWS/Lambda", dimensions, {"Errors": (1, "Count")})
            raise

    def put_object(self, bucket: str, key: str, content: bytes) -> None:
        s3_backends[self._id][get_partition(self._region)].put_object(bucket, key, content)

    def put_metrics(self, stream: str, values: Mapping[str, tuple[float, str]]) -> None:
        self._put_metrics("AWS/Firehose", [{"Name": "DeliveryStreamName", "Value": stream}], values)

    def log_failures(self, destination: Destination, stream_arn: str, failed: Sequence[Failure]) -> None:
        logging = destination.configuration.get("CloudWatchLoggingOptions") or {}
        group = logs_backends[self._id][self._region].groups.get(logging.get("LogGroupName", ""))
        if not failed or not logging.get("Enabled") or group is None:
            return
        log_stream = group.streams.get(logging["LogStreamName"])
        if log_stream is not None:
            now_ms = int(time.time() * 1000)
            log_stream.put_log_events(
                [{"timestamp": now_ms, "message": _message(each, destination, stream_arn)} for each in failed]
            )

    def _put_metrics(
        self, namespace: str, dimensions: list[dict[str, str]], values: Mapping[str, tuple[float, str]]
    ) -> None:
        now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
        cloudwatch_backends[self._id][self._region].put_metric_data(
            namespace,
            [
                {"MetricName": name, "Dimensions": dimensions, "Timestamp": now, "Value": value, "Unit": unit}
                for name, (value, unit) in values.items()
            ],
        )


def _message(failure: Failure, destination: Destination, stream_arn: str) -> str:
    content, endpoint = failure.content, destination.configuration.get("EndpointConfiguration")
    return json.dumps(
        {
            "deliveryStreamARN": stream_arn,
            "destination": endpoint["Url"] if endpoint else destination.configuration["BucketARN"],
            "deliveryStreamVersionId": int(destination.version),
            "message": content.get("errorMessage", content.get("lastErrorMessage")),
            "errorCode": content.get("errorCode", content.get("lastErrorCode")),
        }
    )


def _deployed(function: LambdaFunction) -> functions.Deployed:
    return functions.Deployed(
        name=function.function_name,
        handler=function.handler or "",
        code=function.code_bytes,
        environment=tuple(sorted(function.environment_vars.items())),
        region=function.region,
        timeout_seconds=float(function.timeout),
    )


_streams: dict[str, Stream] = {}
_lock = threading.Lock()


def _directory() -> Path:
    """The emulator's, which is the stack's own."""
    return Path(os.environ[DIRECTORY])


@functools.cache
def _functions() -> functions.Functions:
    return functions.Functions(f"http://{HOST}:{os.environ['MOTO_PORT']}")


def stream(arn: str) -> Stream:
    """The stream at work of an ARN, begun with its first record."""
    with _lock:
        if arn not in _streams:
            _, _, _, region, account_id, _ = arn.split(":", 5)
            _streams[arn] = Stream(arn, EmulatedAccount(account_id, region))
        return _streams[arn]


def progress() -> dict[str, dict[str, int]]:
    """Each stream's counts, by its ARN."""
    with _lock:
        return {arn: dict(vars(each.progress)) for arn, each in _streams.items()}


def stop() -> None:
    """Deliver what is there, and end the functions."""
    with _lock:
        for each in _streams.values():
            each.stop(STOP_SECONDS)
        _functions().end()
