"""What a recorded agent exports by OTLP (HTTP, protobuf), as lines of a file.

A line is one export request as JSON, as the OpenTelemetry collector's file exporter writes it
(opentelemetry.io/docs/specs/otel/protocol/file-exporter).

Scrubbed, so that a recording is the same wherever it is made: folders and host names. Left out: what tells that the
recording machine was busy (`tells_of_a_busy_machine`), and attributes that repeat others (`REPEATED`).
"""

from __future__ import annotations

import base64
import gzip
import http.server
import json
import re
import threading
from collections.abc import Iterator
from importlib import import_module
from typing import Any

BATCH_MILLISECONDS = "30000"
"""Between two exports: longer than an agent's own, for fewer lines that repeat the resource."""
SIGNALS = {"traces": "trace", "metrics": "metrics", "logs": "logs"}
"""Of an OTLP path, and of its protobuf module."""
IDS = ("traceId", "spanId", "parentSpanId")
"""Hexadecimal in OTLP's JSON, where protobuf's own has base64
(opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding)."""
SCOPES = {"scopeSpans", "scopeMetrics", "scopeLogs"}
ITEMS = {"spans", "metrics", "logRecords"}
REPEATED = {"lk.function_tools", "lk.llm_metrics", "lk.pii.chat_ctx", "lk.pii.response.function_calls"}
"""Attributes that a call's `gen_ai.*` attributes repeat: left out, because they make up a quarter of a recording."""
HOST = "agent-host"


class Receiver:
    """An OTLP receiver of one agent: its requests, in the order of their arrival."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        received = self.requests

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                received.append(as_json(self.path.rpartition("/")[2], body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing: what a session prints is what matters."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def environment(self) -> dict[str, str]:
        """Of an agent that exports to here; else as `turnscope env` prints it."""
        return {
            "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=local,deployment.environment.name=local",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self._server.server_port}",
            "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "delta",
            "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": "explicit_bucket_histogram",
            "OTEL_BSP_SCHEDULE_DELAY": BATCH_MILLISECONDS,
            "OTEL_BLRP_SCHEDULE_DELAY": BATCH_MILLISECONDS,
            "OTEL_METRIC_EXPORT_INTERVAL": BATCH_MILLISECONDS,
        }

    def lines(self) -> list[str]:
        """What arrived, a line for each request."""
        return [scrub(request) for request in of_the_call(self.requests)]


def as_json(signal: str, body: bytes) -> dict[str, Any]:
    """An export request in OTLP's JSON."""
    from google.protobuf.json_format import MessageToDict

    module = import_module(f"opentelemetry.proto.collector.{SIGNALS[signal]}.v1.{SIGNALS[signal]}_service_pb2")
    request = getattr(module, f"Export{SIGNALS[signal].title()}ServiceRequest").FromString(body)
    return _with_hexadecimal_ids(MessageToDict(request, use_integers_for_enums=True))


def _with_hexadecimal_ids(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_hexadecimal_ids(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        key: base64.b64decode(each).hex() if key in IDS else _with_hexadecimal_ids(each) for key, each in value.items()
    }


def of_the_call(requests: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The requests with what belongs into a recording; without those that then hold nothing."""
    for request in requests:
        if sum([keep(scope) for scope in scopes(request)]):
            yield request


def scopes(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The `ScopeSpans`, `ScopeMetrics` or `ScopeLogs` of a request."""
    for resources in request.values():
        for resource in resources:
            for key in SCOPES & resource.keys():
                yield from resource[key]


def keep(scope: dict[str, Any]) -> int:
    """Take out of a scope what tells how busy the machine was, and attributes that repeat others; items left."""
    (key,) = ITEMS & scope.keys()
    scope[key] = [each for each in scope[key] if not tells_of_a_busy_machine(each)]
    for item in scope[key]:
        if "events" in item:
            item["events"] = [each for each in item["events"] if not tells_of_a_busy_machine(each)]
        if "attributes" in item:
            item["attributes"] = [each for each in item["attributes"] if each["key"] not in REPEATED]
    return len(scope[key])


def tells_of_a_busy_machine(item: dict[str, Any]) -> bool:
    """A span, a span's event, a metric or a log record of LiveKit's monitor of the event loop."""
    name = item.get("name") or item.get("body", {}).get("stringValue", "")
    return name.startswith(("event_loop_blocked", "event loop blocked", "lk.agents.event_loop."))


def scrub(request: dict[str, Any]) -> str:
    """One line, without what belongs to the machine that recorded it."""
    text = json.dumps(_of_any_host(request), ensure_ascii=False, separators=(",", ":"))
    text = re.sub(r"(?:/[\w.@+-]+)+/record_agent_\w+\.py", "agent.py", text)
    return re.sub(r"(?:/[\w.@+-]+)+/(?:site-packages|lib/python3\.\d+)/", "", text)


def _of_any_host(value: Any) -> Any:
    if isinstance(value, list):
        return [_of_any_host(each) for each in value]
    if not isinstance(value, dict):
        return value
    if value.get("key") == "host.name":
        return {"key": "host.name", "value": {"stringValue": HOST}}
    return {key: _of_any_host(each) for key, each in value.items()}
