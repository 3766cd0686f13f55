"""The real livekit-agents with `turnscope_agent`: what reaches a collector, and what stands on standard output.

Each run is a real job process of a real `AgentServer` (`agent_app.py`), with the environment that `turnscope env`
prints, towards a collector in this process behind TLS. Needs an environment with livekit-agents and the agent library,
as `make contract` makes it, and of the checkout only what the agent has to agree with: the fields of its events
(`core.events`) and its variables (`turnscope.agent_environment`).
"""

from __future__ import annotations

import gzip
import http.server
import importlib.metadata
import importlib.util
import json
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent import futures
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from core import events
from tests.contract.installed import assert_installed
from tests.machine import LIMIT_SECONDS
from turnscope.agent_environment import Gateway, Langfuse, Protocol, agent_environment

if importlib.util.find_spec("livekit") is None or importlib.util.find_spec("livekit.agents") is None:
    pytest.skip(
        "NOT TESTED: livekit-agents is not installed here (`make contract` does)",
        allow_module_level=True,
    )

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces

APP = Path(__file__).with_name("agent_app.py")
TOKEN = "t0ken/with+signs=="
REQUESTS: dict[str, Any] = {
    "traces": traces.ExportTraceServiceRequest,
    "metrics": metrics.ExportMetricsServiceRequest,
    "logs": logs.ExportLogsServiceRequest,
}


@dataclass
class Collector:
    """What arrived, request by request."""

    requests: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)

    def take(self, signal: str, headers: dict[str, str], body: bytes) -> None:
        self.requests.append((signal, headers, REQUESTS[signal].FromString(body)))

    def of(self, signal: str) -> list[Any]:
        return [request for kind, _, request in self.requests if kind == signal]

    @property
    def spans(self) -> list[Any]:
        return [
            span
            for request in self.of("traces")
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def named(self, name: str) -> list[Any]:
        return [span for span in self.spans if span.name == name]

    @property
    def metrics(self) -> list[Any]:
        return [
            metric
            for request in self.of("metrics")
            for resource in request.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        ]

    @property
    def log_records(self) -> list[Any]:
        return [
            record
            for request in self.of("logs")
            for resource in request.resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
        ]


def attributes(item: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in item.attributes}


def points(metric: Any) -> list[Any]:
    return list(getattr(metric, metric.WhichOneof("data")).data_points)


@dataclass(frozen=True)
class Run:
    """A finished agent: its standard output and what its collectors received."""

    output: str
    collector: Collector
    langfuse: Collector

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.output.splitlines()]

    def events(self, event_type: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line.get("_event_type") == event_type]

    def warnings(self) -> list[str]:
        return [line["message"] for line in self.lines if line.get("name") == "turnscope_agent"]


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Key and self-signed certificate, for 127.0.0.1."""
    key, chain = folder / "key.pem", folder / "cert.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=lab -addext subjectAltName=IP:127.0.0.1"
    subprocess.run([*command.split(), "-keyout", key, "-out", chain], check=True, capture_output=True)
    return key, chain


def serve_http(collector: Collector, certificate: tuple[Path, Path] | None) -> http.server.ThreadingHTTPServer:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            collector.take(self.path.rpartition("/")[2], {k.lower(): v for k, v in self.headers.items()}, body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing on the tests' output."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate[1], certificate[0])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def serve_grpc(collector: Collector, certificate: tuple[Path, Path]) -> tuple[grpc.Server, int]:
    server = grpc.server(futures.ThreadPoolExecutor(4))
    for signal, service in (("traces", "trace"), ("metrics", "metrics"), ("logs", "logs")):

        def export(request: bytes, context: grpc.ServicerContext, signal: str = signal) -> bytes:
            collector.take(signal, {key: str(value) for key, value in context.invocation_metadata()}, request)
            return b""

        method = grpc.unary_unary_rpc_method_handler(export)
        name = f"opentelemetry.proto.collector.{service}.v1.{service.title()}Service"
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, {"Export": method}),))
    key, chain = (path.read_bytes() for path in certificate)
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, chain)]))
    server.start()
    return server, port


def start(mode: str, environment: dict[str, str]) -> subprocess.Popen[str]:
    """The app as in an image: output buffered, and no settings but those given."""
    foreign = ("OTEL_", "LANGFUSE_", "LIVEKIT_", "PYTHONUNBUFFERED")
    clean = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
    return subprocess.Popen(
        [sys.executable, APP, mode],
        env=clean | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def communicated(process: subprocess.Popen[str]) -> tuple[str, str]:
    """What an agent wrote until its end."""
    try:
        return process.communicate(timeout=LIMIT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        raise


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Run]]:
    """Five agents beside each other, each with a collector of its own.

    The one over HTTP has what many images have, a bundle of certificates for Python programs, in which the gateway's
    is not; and a second header for the collector.
    """
    certificate = make_certificate(tmp_path_factory.mktemp("gateway"))
    _, bundle = make_certificate(tmp_path_factory.mktemp("image"))
    collectors = {name: Collector() for name in ("http", "grpc", "killed", "gone", "nowhere", "langfuse")}
    langfuse = serve_http(collectors["langfuse"], None)
    by_http, killed = (serve_http(collectors[name], certificate) for name in ("http", "killed"))
    by_grpc, grpc_port = serve_grpc(collectors["grpc"], certificate)
    ca_file = str(certificate[1])

    def gateway(port: int) -> Gateway:
        return Gateway("127.0.0.1", TOKEN, http_port=port, grpc_port=port, ca_file=ca_file)

    names: Any = {"service_name": "receptionist", "environment": "staging"}
    project = Langfuse(f"http://127.0.0.1:{langfuse.server_port}", "pk-lf-1", "sk-lf-2")
    over_http = agent_environment(gateway(by_http.server_port), **names, langfuse=project)
    over_http["OTEL_EXPORTER_OTLP_HEADERS"] += ",x-tenant=acme"
    processes = {
        "http": start("whole", over_http | {"REQUESTS_CA_BUNDLE": str(bundle)}),
        "grpc": start(
            "hostile", agent_environment(gateway(grpc_port), **names, protocol=Protocol.GRPC, allow_pii=False)
        ),
        "killed": start("killed", agent_environment(gateway(killed.server_port), **names)),
        "gone": start("whole", agent_environment(gateway(9), **names)),
        "nowhere": start("whole", {}),
    }
    finished: dict[str, Run] = {}
    try:
        # All at once: an agent whose output nobody reads stops when the pipe is full.
        with futures.ThreadPoolExecutor(len(processes)) as pool:
            ended = dict(zip(processes, pool.map(communicated, processes.values()), strict=True))
        for name, (output, errors) in ended.items():
            assert processes[name].returncode == 0, errors
            assert "Traceback" not in errors, errors
            finished[name] = Run(output, collectors[name], collectors["langfuse"])
        yield finished
    finally:
        for process in processes.values():
            process.kill()
        by_grpc.stop(None)
        for server in (langfuse, by_http, killed):
            server.shutdown()


def test_the_agent_is_the_installed_wheel(runs: dict[str, Run]) -> None:
    """Its job process, and what it says of itself to the collector."""
    (line,) = (line for line in runs["http"].lines if line.get("message") == "call begins")
    assert_installed(Path(line["imported"]), Path(sys.prefix))
    for request in runs["http"].collector.of("traces"):
        for resource in request.resource_spans:
            found = attributes(resource.resource)
            assert found["telemetry.distro.name"] == "turnscope-agent"
            assert found["telemetry.distro.version"] == importlib.metadata.version("turnscope-agent")


ALIVE = ("http", "grpc", "gone", "nowhere")


def leaves(document: dict[str, Any], above: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in document.items():
        found |= leaves(value, f"{above}{key}.") if isinstance(value, dict) else {f"{above}{key}": value}
    return found


@pytest.mark.parametrize("name", ALIVE)
def test_lines_have_exactly_the_fields_that_filters_and_queries_are_made_from(runs: dict[str, Run], name: str) -> None:
    types: dict[str, Any] = {"string": str, "number": (int, float), "integer": int, "boolean": bool, "array": list}
    # Only what the caller of this run brought to light; an empty environment gives the agent neither name nor traces.
    missing = {"discovered_signals.monthly_volume"} | ({"agent", "trace_id"} if name == "nowhere" else set())
    for event_type, fields in events.EVENTS.items():
        assert runs[name].events(event_type)
        for document in runs[name].events(event_type):
            found = leaves(document)
            known = {each.path: types[each.type] for each in fields}
            assert set(known) - set(found) <= missing
            assert set(found) <= set(known)
            assert all(isinstance(value, known[path]) for path, value in found.items())


@pytest.mark.parametrize("name", ALIVE)
def test_a_call_has_a_line_per_answered_turn_whatever_happens_to_telemetry(runs: dict[str, Run], name: str) -> None:
    """The greeting is no turn; the interrupted answer is one; a lost collector and broken events change nothing."""
    turns = runs[name].events("voice_metrics")
    (session,) = runs[name].events("session_analytics")
    assert [turn["interrupted"] for turn in turns] == [False, True, False]
    assert (session["turns"], session["interruptions"]) == (3, 1)
    assert session["discovered_signals"] == {"team_size": 8}
    assert [(call["tool"], call["success"]) for call in session["tool_calls"]] == [("note_team_size", True)]
    assert session["close_reason"] == "user_initiated"
    assert {line["_session_id"] for line in [*turns, session]} == {"call-contract"}


def test_a_killed_job_process_loses_no_finished_turn(runs: dict[str, Run]) -> None:
    """The process is killed as soon as the event that ends the second answer has been handled."""
    assert len(runs["killed"].events("voice_metrics")) == 2
    assert not runs["killed"].events("session_analytics")
    assert len(runs["killed"].collector.named("agent_turn")) >= 2  # the greeting and the first answer


@pytest.mark.parametrize("name", ["http", "grpc"])
def test_every_span_of_a_call_arrives_in_one_trace_up_to_the_root(runs: dict[str, Run], name: str) -> None:
    """`job_entrypoint` begins before the entrypoint, and ends after the job's shutdown callbacks."""
    collector = runs[name].collector
    assert len({span.trace_id for span in collector.spans}) == 1
    (root,) = (span for span in collector.spans if not span.parent_span_id)
    assert root.name == "job_entrypoint"
    assert {span.parent_span_id for span in collector.spans} - {b""} <= {span.span_id for span in collector.spans}
    counts = {each: len(collector.named(each)) for each in ("agent_session", "user_turn", "agent_turn", "job_shutdown")}
    assert counts == {"agent_session": 1, "user_turn": 3, "agent_turn": 4, "job_shutdown": 1}
    assert all({"job_id", "room_id"} <= attributes(span).keys() for span in collector.spans)


def test_spans_say_whose_call_it_is(runs: dict[str, Run]) -> None:
    (session,) = runs["http"].collector.named("agent_session")
    found = attributes(session)
    expected = {"session.id": "call-contract", "user.id": "caller-1", "app.version": "7"}
    assert expected.items() <= found.items()


@pytest.mark.parametrize("name", ["http", "grpc"])
def test_every_request_carries_the_token_and_the_service(runs: dict[str, Run], name: str) -> None:
    requests = runs[name].collector.requests
    assert {kind for kind, _, _ in requests} == {"traces", "metrics", "logs"}
    assert {headers["authorization"] for _, headers, _ in requests} == {f"Bearer {TOKEN}"}
    for request in runs[name].collector.of("traces"):
        for resource in request.resource_spans:
            found = attributes(resource.resource)
            assert found["service.name"] == "receptionist"
            assert found["deployment.environment"] == found["deployment.environment.name"] == "staging"


@pytest.mark.parametrize("name", ["http", "grpc"])
def test_metrics_tell_a_fast_turn_from_a_slow_one_and_no_call_from_another(runs: dict[str, Run], name: str) -> None:
    collector = runs[name].collector
    found = {metric.name: metric for metric in collector.metrics}
    latency = points(found["lk.agents.turn.e2e_latency"])
    assert sum(point.count for point in latency) == 3
    for point in latency:
        # Turns of 0.6 and 0.8 s, apart: with OpenTelemetry's own bounds all are between 0 and 5.
        assert sum(bool(count) for count in point.bucket_counts) > 1
        assert {0.7, 1.5, 2.0} <= set(point.explicit_bounds)
    assert {"gen_ai.client.token.usage", "lk.agents.usage.tts_characters"} <= found.keys()
    for metric in collector.metrics:
        assert not any({"room_id", "job_id"} & attributes(point).keys() for point in points(metric)), metric.name
        kind = getattr(metric, metric.WhichOneof("data"))
        if hasattr(kind, "aggregation_temporality"):
            assert kind.aggregation_temporality == 1, metric.name  # delta
    for request in collector.of("metrics"):
        for resource in request.resource_metrics:
            assert "service.instance.id" not in attributes(resource.resource)


def test_log_lines_and_log_records_lead_to_the_trace(runs: dict[str, Run]) -> None:
    run = runs["http"]
    (root,) = run.collector.named("job_entrypoint")
    (line,) = (line for line in run.lines if line.get("message") == "call begins")
    assert (line["trace_id"], line["tenant"]) == (root.trace_id.hex(), "acme")
    (record,) = (each for each in run.collector.log_records if each.body.string_value == "call begins")
    assert record.trace_id == root.trace_id
    assert attributes(record)["tenant"] == "acme"
    written = [line for line in run.lines if "_event_type" in line]
    assert {line["_event_type"] for line in written} == {"voice_metrics", "session_analytics"}
    assert {line["trace_id"] for line in written} == {root.trace_id.hex()}


def test_without_leave_no_content_is_exported(runs: dict[str, Run]) -> None:
    assert runs["http"].collector.named("llm_request")
    spoken, told = "pricing", "+31 6 1234"
    allowed, withheld = (
        [str(request) for signal in REQUESTS for request in runs[name].collector.of(signal)]
        for name in ("http", "grpc")
    )
    assert any(spoken in text for text in allowed)
    assert any(told in text for text in allowed)
    assert not any(spoken in text or told in text or "call-contract" in text for text in withheld)


def test_langfuse_receives_the_spans_and_not_the_collectors_headers(runs: dict[str, Run]) -> None:
    run = runs["http"]
    assert {span.span_id for span in run.langfuse.spans} == {span.span_id for span in run.collector.spans}
    assert all(headers["x-tenant"] == "acme" for _, headers, _ in run.collector.requests)
    for kind, headers, _ in run.langfuse.requests:
        assert (kind, headers["authorization"]) == ("traces", "Basic cGstbGYtMTpzay1sZi0y")
        assert headers["x-langfuse-ingestion-version"] == "4"
        assert TOKEN not in str(headers)
        assert "x-tenant" not in headers


def test_troubles_are_logged_once_and_success_is_silent(runs: dict[str, Run]) -> None:
    assert runs["http"].warnings() == []
    processes = {line["pid"] for line in runs["nowhere"].lines if line.get("message") == "process initialized"}
    (message,) = set(runs["nowhere"].warnings())
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in message
    assert len(runs["nowhere"].warnings()) <= len(processes)
    # Once in each process: the one that waits for a call has gauges to send too.
    gone = [(line["pid"], line["message"]) for line in runs["gone"].lines if line.get("name") == "turnscope_agent"]
    assert gone
    assert len(gone) == len(set(gone))
    assert any("_on_item" in message for message in runs["grpc"].warnings())
