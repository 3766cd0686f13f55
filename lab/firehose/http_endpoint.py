"""A stream's HTTP endpoint destination: requests, answers, retries, and what becomes of records that fail.

Source: docs.aws.amazon.com/firehose/latest/dev/httpdeliveryrequestresponse.html. An endpoint is called only where it is
on this machine, which AWS would not reach; its certificate may then be of the stack's own authority. AWS retries for as
long as the stream says, this for at most `RETRY_SECONDS`.
"""

from __future__ import annotations

import base64
import json
import ssl
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from lab.firehose.records import Failure, Record, processing_failure
from lab.loopback import on_this_machine

RETRY_SECONDS = 10.0
PAUSE_SECONDS = 1.0
ANSWER_SECONDS = 180.0
"""As long as Firehose waits for an answer."""

TOO_LARGE = 413
FAILED = "http-endpoint-failed"
"""The type of errors in the backup bucket's prefix."""


class EndpointError(Exception):
    """A request that was not accepted. `permanent`: it is not sent again, and its records are not backed up."""

    def __init__(self, code: str, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.code, self.permanent = code, permanent


@dataclass(frozen=True)
class Outcome:
    """What became of a batch."""

    delivered: int
    failed: tuple[Failure, ...] = ()
    refused_requests: int = 0


@dataclass(frozen=True)
class HttpEndpoint:
    """An HTTP endpoint destination as the API has it. `stream_arn` is sent along; `root_certificate` is the file of the
    stack's own authority, which need not exist."""

    configuration: Mapping[str, Any]
    stream_arn: str
    root_certificate: Path

    @property
    def retry_seconds(self) -> float:
        options = self.configuration.get("RetryOptions") or {}
        return min(float(options.get("DurationInSeconds", RETRY_SECONDS)), RETRY_SECONDS)

    def deliver(self, records: Sequence[Record], stopping: Callable[[], bool]) -> Outcome:
        """Send until it is accepted or the time for retries is over; once only where `stopping`."""
        request, refused, trusted = str(uuid.uuid4()), 0, self._trusted()
        deadline = time.monotonic() + self.retry_seconds
        while True:
            try:
                self._send(records, request, trusted)
            except EndpointError as error:
                refused += 1
                if error.permanent:
                    return Outcome(0, (), refused)
                if time.monotonic() >= deadline or stopping():
                    return Outcome(0, tuple(_failure(each, error, refused) for each in records), refused)
                time.sleep(PAUSE_SECONDS)
            else:
                return Outcome(len(records), (), refused)

    def _send(self, records: Sequence[Record], request: str, trusted: ssl.SSLContext) -> None:
        """Raises `EndpointError`."""
        endpoint = self.configuration["EndpointConfiguration"]
        if not on_this_machine(endpoint["Url"]):
            raise EndpointError("HttpEndpoint.ConnectionFailed", "lab: not sent outside this machine")
        body = {
            "requestId": request,
            "timestamp": int(time.time() * 1000),
            "records": [{"data": base64.b64encode(each.data).decode()} for each in records],
        }
        headers = {
            "Content-Type": "application/json",
            "X-Amz-Firehose-Protocol-Version": "1.0",
            "X-Amz-Firehose-Request-Id": request,
            "X-Amz-Firehose-Source-Arn": self.stream_arn,
        }
        if key := endpoint.get("AccessKey"):
            headers["X-Amz-Firehose-Access-Key"] = key
        try:
            answer = httpx.post(
                endpoint["Url"],
                content=json.dumps(body),
                headers=headers,
                timeout=ANSWER_SECONDS,
                verify=trusted,
                trust_env=False,
                follow_redirects=False,
            )
        except (httpx.HTTPError, OSError) as error:
            raise EndpointError("HttpEndpoint.ConnectionFailed", type(error).__name__) from None
        _check(answer, request)

    def _trusted(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self.root_certificate.is_file():
            context.load_verify_locations(cafile=self.root_certificate)
        return context


def _check(answer: httpx.Response, request: str) -> None:
    """Raises `EndpointError` for an answer that Firehose does not take for success."""
    if answer.status_code != httpx.codes.OK:
        message = (
            "The following response was received from the endpoint destination. "
            f"{answer.status_code}: {answer.text[:1000]}"
        )
        raise EndpointError("HttpEndpoint.DestinationException", message, permanent=answer.status_code == TOO_LARGE)
    try:
        found = answer.json()
        fits = found["requestId"] == request and "timestamp" in found
    except (ValueError, KeyError, TypeError):
        fits = False
    if not fits or answer.headers.get("Content-Type", "").partition(";")[0] != "application/json":
        raise EndpointError("HttpEndpoint.InvalidResponseFromDestination", "The answer is not Firehose's format.")


def _failure(record: Record, error: EndpointError, attempts: int) -> Failure:
    return processing_failure(record, error.code, str(error), kind=FAILED, attempts=attempts)
