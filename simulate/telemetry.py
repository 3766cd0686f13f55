"""Recorded calls as the OTLP requests that an agent exported, and sending them again as calls of now. Pure, except for
reading a file.

A line of a recording is one export request in OTLP's JSON, as the OpenTelemetry collector's file exporter writes it
(opentelemetry.io/docs/specs/otel/protocol/file-exporter, opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding).
"""

from __future__ import annotations

import datetime
import json
import secrets
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from typing import Any

from core.errors import UserError

SIGNALS = {"resourceSpans": "traces", "resourceMetrics": "metrics", "resourceLogs": "logs"}
"""The one key of a request -> the last part of its path (opentelemetry.io/docs/specs/otlp/#otlphttp-request)."""
TIME_SUFFIX = "UnixNano"
"""Of every time's key, in nanoseconds since 1970 UTC; as text, as JSON has no integers of 64 bits."""
WRITTEN_TIMES = {"langfuse.observation.completion_start_time"}
"""Attributes whose value is a time, in ISO 8601 within JSON."""
INSTANCE_KEY = "service.instance.id"
"""Of an agent's process, so of a call: other ones for each call."""
HISTOGRAMS = ("histogram", "exponentialHistogram", "summary")

_FOLDER = resources.files("simulate") / "recordings" / "telemetry"


@dataclass(frozen=True)
class Request:
    """One export request; `signal` is traces, metrics or logs."""

    signal: str
    document: dict[str, Any]


@dataclass(frozen=True)
class Point:
    """A metric's value at a time, in milliseconds since 1970 UTC, as SigNoz stores it."""

    metric: str
    time_ms: int
    is_histogram: bool


@dataclass(frozen=True)
class Call:
    """The telemetry of one call, in the order in which it was exported."""

    requests: tuple[Request, ...]

    @cached_property
    def spans(self) -> tuple[dict[str, Any], ...]:
        return tuple(self._items("scopeSpans", "spans"))

    @cached_property
    def log_records(self) -> tuple[dict[str, Any], ...]:
        return tuple(self._items("scopeLogs", "logRecords"))

    @cached_property
    def points(self) -> tuple[Point, ...]:
        return tuple(
            Point(metric["name"], int(point[f"time{TIME_SUFFIX}"]) // 1_000_000, kind in HISTOGRAMS)
            for metric in self._items("scopeMetrics", "metrics")
            for kind, data in metric.items()
            if isinstance(data, dict) and "dataPoints" in data
            for point in data["dataPoints"]
        )

    @cached_property
    def trace_ids(self) -> tuple[str, ...]:
        return tuple(sorted({each["traceId"] for each in (*self.spans, *self.log_records) if each.get("traceId")}))

    @property
    def end_ns(self) -> int:
        """The latest time in it."""
        return max(time for request in self.requests for time in _times(request.document))

    def sent_again(self, *, end_ns: int, resource: Mapping[str, str], trace_ids: Mapping[str, str]) -> Call:
        """The same call, over at `end_ns`, by an agent with these `resource` attributes.

        Its trace IDs (old -> new, as `fresh_trace_ids` makes them) and process are others, so that a store takes it for
        another call; what it says besides is kept.
        """
        named = {**resource, INSTANCE_KEY: str(uuid.uuid4())}
        move = _Moved(end_ns - self.end_ns, trace_ids, named)
        return Call(tuple(Request(each.signal, move.document(each.document)) for each in self.requests))

    def _items(self, scopes: str, items: str) -> Iterator[dict[str, Any]]:
        for request in self.requests:
            for of_resource in next(iter(request.document.values())):
                for scope in of_resource.get(scopes, []):
                    yield from scope.get(items, [])


def load(text: str) -> Call:
    """The call of a recording's text. Raises `ValueError`, which names the line, for what is no OTLP request."""
    return Call(tuple(_request(line, number) for number, line in enumerate(text.split("\n"), 1) if line.strip()))


def names() -> tuple[str, ...]:
    """The recorded calls that come with Turnscope; those of `simulate.recording` have the same names."""
    return tuple(sorted(path.name.removesuffix(".jsonl") for path in _FOLDER.iterdir() if path.name.endswith(".jsonl")))


def recorded(name: str) -> Call:
    """A recorded call by its name. Raises `UserError` where there is none of that name."""
    if name not in names():
        raise UserError(f"There is no recorded call {name!r}; allowed: {', '.join(names())}.")
    return load(_FOLDER.joinpath(f"{name}.jsonl").read_text(encoding="utf-8"))


def fresh_trace_ids(names: Iterable[str]) -> dict[str, str]:
    """Trace IDs of recorded calls -> the ones that they are sent with: random, so others each time."""
    return {old: secrets.token_hex(16) for name in names for old in recorded(name).trace_ids}


def _request(line: str, number: int) -> Request:
    try:
        document = json.loads(line)
        ((key, found),) = document.items()
        if not isinstance(found, list):
            raise TypeError
        return Request(SIGNALS[key], document)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ValueError(
            f"line {number} is not an OTLP request: a JSON object with one of {', '.join(SIGNALS)}: {line[:60]}"
        ) from None


def _is_time(key: str, value: Any) -> bool:
    # 0 and absent mean "unknown".
    return key.endswith(TIME_SUFFIX) and isinstance(value, str | int) and int(value) > 0


def _times(value: Any) -> Iterator[int]:
    if isinstance(value, list):
        for each in value:
            yield from _times(each)
    elif isinstance(value, dict):
        for key, each in value.items():
            if _is_time(key, each):
                yield int(each)
            else:
                yield from _times(each)


@dataclass(frozen=True)
class _Moved:
    by_ns: int
    trace_ids: Mapping[str, str]
    resource: Mapping[str, str]

    def document(self, document: dict[str, Any]) -> dict[str, Any]:
        ((key, found),) = document.items()
        return {key: [self._value(each) | {"resource": self._resource(each.get("resource", {}))} for each in found]}

    def _resource(self, resource: dict[str, Any]) -> dict[str, Any]:
        """An attribute that the resource lacks is not added: metrics are not told which process they are of."""
        return resource | {
            "attributes": [
                {"key": each["key"], "value": {"stringValue": self.resource[each["key"]]}}
                if each["key"] in self.resource
                else each
                for each in resource.get("attributes", [])
            ]
        }

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.trace_ids.get(value, value)
        if isinstance(value, list):
            return [self._value(each) for each in value]
        if not isinstance(value, dict):
            return value
        if value.get("key") in WRITTEN_TIMES:
            return value | {"value": {"stringValue": self._written(value["value"]["stringValue"])}}
        return {
            key: str(int(each) + self.by_ns) if _is_time(key, each) else self._value(each)
            for key, each in value.items()
        }

    def _written(self, text: str) -> str:
        moment = datetime.datetime.fromisoformat(json.loads(text))
        return json.dumps((moment + datetime.timedelta(microseconds=self.by_ns // 1000)).isoformat())
