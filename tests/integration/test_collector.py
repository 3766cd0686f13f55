"""The rendered configuration in SigNoz' own collector components: what it accepts, refuses, changes and keeps."""

from __future__ import annotations

import base64
import copy
import gzip
import http.server
import itertools
import json
import socket
import ssl
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml

from core.secrets.reference import SecretRef
from signoz.roles.clickhouse import address_of
from signoz.roles.collector.config import (
    CLICKHOUSE_PASSWORD,
    FIREHOSE_ACCESS_KEY,
    LANGFUSE_CREDENTIALS,
    TOKENS,
    render_collector,
)
from signoz.roles.collector.credentials import credential, langfuse_credentials, token_file
from stacks.settings.roles.clickhouse import ClickHouseSettings
from tests.certificates import certificate
from tests.collector_cases import (
    ENVIRONMENTS,
    EXISTING,
    OPTIONS,
    collector_context,
    collector_settings,
    existing_collector,
)
from tests.integration.collector_process import (
    STORES,
    Collector,
    Config,
    encoded,
    in_files,
    localized,
    post,
    validate,
    wait_for,
    with_stores,
)
from tests.integration.collector_program import collector_program
from tests.machine import free_port
from tests.secret_folder import replace_secret_files

FIRST, SECOND, THIRD = "first-token-" + "a" * 20, "second-token-" + "b" * 20, "third-token-" + "c" * 20
WRONG = "wrong-token-" + "d" * 20
FIREHOSE_KEY = "firehose-key-" + "e" * 20
LANGFUSE_KEYS = ("pk-lf-0123456789abcdef", "sk-lf-0123456789abcdef")
SPOKEN = "SPOKEN-BY-THE-CALLER"
CASES = {f"{environment}-defaults": {} for environment in ENVIRONMENTS} | OPTIONS


@pytest.fixture(scope="session")
def program() -> Path:
    return collector_program()


def configured(folder: Path, environment: str = "dev", **over: Any) -> Config:
    """The current release's configuration, localized in `folder`, where its secrets are written."""
    files = {
        TOKENS: token_file({"first": FIRST, "second": SECOND}),
        CLICKHOUSE_PASSWORD: urllib.parse.quote("p@ss/word:1%", safe=""),
        LANGFUSE_CREDENTIALS: langfuse_credentials(*LANGFUSE_KEYS),
        FIREHOSE_ACCESS_KEY: credential("Firehose access_key", FIREHOSE_KEY),
    }
    replace_secret_files(folder / "secrets", files)
    return localized(render_collector(collector_settings(**over), collector_context(environment)), folder)


Start = Callable[..., Collector]


@pytest.fixture
def start(program: Path, tmp_path: Path) -> Iterator[Start]:
    """`start(change=None, **settings)`: a running collector that stores in files; `change` edits its configuration."""
    running: list[Collector] = []

    def started(change: Callable[[Config], None] | None = None, **over: Any) -> Collector:
        folder = tmp_path / str(len(running))
        config = in_files(configured(folder, **over), folder)
        if change:
            change(config)
        running.append(Collector(program, config, folder))
        return running[-1].start()

    yield started
    for each in running:
        each.stop()


_ids = itertools.count(1)


def span(name: str, values: dict[str, Any] | None = None, *, trace: int = 1, root: bool = False, **over: Any) -> Any:
    """A span of OTLP/JSON; one that is no root has a parent that is not sent."""
    return {
        "traceId": f"{trace:032x}",
        "spanId": f"{next(_ids):016x}",
        **({} if root else {"parentSpanId": "f" * 16}),
        "name": name,
        "kind": 1,
        "startTimeUnixNano": str(time.time_ns() - 10**9),
        "endTimeUnixNano": str(time.time_ns()),
        "attributes": encoded(values or {}),
        **over,
    }


def traces(*spans: Any, **resource: Any) -> dict[str, Any]:
    attributes = encoded({"service.name": "agent", **resource})
    return {"resourceSpans": [{"resource": {"attributes": attributes}, "scopeSpans": [{"spans": list(spans)}]}]}


def metrics(*items: Any) -> dict[str, Any]:
    attributes = encoded({"service.name": "agent"})
    return {"resourceMetrics": [{"resource": {"attributes": attributes}, "scopeMetrics": [{"metrics": list(items)}]}]}


def logs(*records: Any) -> dict[str, Any]:
    return {"resourceLogs": [{"resource": {}, "scopeLogs": [{"logRecords": list(records)}]}]}


def sent(collector: Collector, signal: str, body: dict[str, Any]) -> None:
    assert collector.post(signal, body, f"Bearer {FIRST}") == 200


def stored_spans(collector: Collector, count: int) -> dict[str, dict[str, Any]]:
    """Name -> span, once that many are stored."""
    wait_for(lambda: len(collector.spans()) >= count, lambda: f"{len(collector.spans())} of {count}: {collector.log}")
    return {each["name"]: each for each in collector.spans()}


def total(collector: Collector, name: str) -> float:
    return sum(float(point.get("asDouble", point.get("asInt", 0))) for point in collector.points(name))


@pytest.mark.parametrize("case", CASES)
def test_the_components_accept_the_configuration(program: Path, tmp_path: Path, case: str) -> None:
    """All of it: with ClickHouse away the stores' own settings are read, and it stops only at dialling; with no
    store in their place, every processor, connector, receiver and extension is made."""
    config = configured(tmp_path, case.partition("-")[0] if case not in OPTIONS else "dev", **CASES[case])
    assert "connect: connection refused" in validate(program, config, tmp_path)
    assert not validate(program, with_stores(config, "nop", lambda _: None), tmp_path)


@pytest.mark.parametrize("case", EXISTING)
def test_the_components_accept_that_of_a_collector_before_an_existing_signoz(
    program: Path, tmp_path: Path, case: str
) -> None:
    """They are those of the OpenTelemetry Collector, built here into SigNoz' own."""
    assert not validate(program, yaml.safe_load(existing_collector(case)), tmp_path)


@contextmanager
def tls_server(folder: Path) -> Iterator[tuple[int, list[str]]]:
    """A port that completes TLS handshakes and hangs up, and what became of each: `shaken`, or the client's words."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    came: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    accepted = listening.accept()[0]
                except OSError:
                    return
                try:
                    with context.wrap_socket(accepted, server_side=True) as shaken:
                        # TLS 1.3: a client that refuses says so after its handshake is over here.
                        shaken.recv(1)
                    came.append("shaken")
                except OSError as error:
                    came.append(str(error))

        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1], came
        listening.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(("trusted", "accepted"), [("ca", True), ("other", False)])
def test_an_external_clickhouse_is_asked_over_tls_who_it_is(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trusted: str, accepted: bool
) -> None:
    """SigNoz' exporters take the address, and refuse a server whose CA is neither public nor in the settings."""
    for name, by in (("ca", None), ("other", None), ("server", "ca")):
        certificate(tmp_path, name, by)
    with tls_server(tmp_path) as (port, came):
        external = {
            "hosts": ["localhost"],
            "port": port,
            "ca_certificates_pem": (tmp_path / f"{trusted}.pem").read_text(),
        }
        settings = ClickHouseSettings.model_validate({"password": SecretRef("p"), "external": external})
        address = address_of(settings)
        variables, files = address.trust
        for file in files:
            path = tmp_path / file.path.removeprefix("/")
            path.parent.mkdir(parents=True)
            path.write_text(file.text)
        for name, value in variables:
            monkeypatch.setenv(name, f"{tmp_path}{value}")
        replace_secret_files(
            tmp_path / "secrets", {CLICKHOUSE_PASSWORD: "secret", TOKENS: token_file({"first": FIRST})}
        )
        context = replace(collector_context(), clickhouse=address)
        config = localized(render_collector(collector_settings(), context), tmp_path)
        said = validate(program, config, tmp_path)
    assert ("certificate signed by unknown authority" in said) is not accepted, said
    assert ("shaken" in came) is accepted


def _unknown_key(config: Config) -> str:
    config["exporters"]["clickhousetraces"]["sending_queue"]["storge"] = "x"
    return "storge"


def _unknown_component(config: Config) -> str:
    config["processors"]["memorylimiter"] = {}
    return "memorylimiter"


def _undefined_component(config: Config) -> str:
    config["service"]["pipelines"]["traces"]["processors"].append("transform/missing")
    return "transform/missing"


def _wrong_statement(config: Config) -> str:
    config["processors"]["transform/genai"]["trace_statements"][0]["statements"].append('set(nonsense["x"], 1)')
    return "nonsense"


def _wrong_condition(config: Config) -> str:
    config["connectors"]["signaltometrics"]["spans"][0]["conditions"] = ["nam == 1"]
    return "nam"


@pytest.mark.parametrize(
    "spoil", [_unknown_key, _unknown_component, _undefined_component, _wrong_statement, _wrong_condition]
)
def test_a_mistake_is_refused_by_name(program: Path, tmp_path: Path, spoil: Callable[[Config], str]) -> None:
    config = configured(tmp_path)
    name = spoil(config)
    assert name in validate(program, config, tmp_path)


AUTHORIZATIONS = {
    "first": (f"Bearer {FIRST}", True),
    "second": (f"Bearer {SECOND}", True),
    "wrong": (f"Bearer {WRONG}", False),
    "no-scheme": (FIRST, False),
    "empty-token": ("Bearer ", False),
    "scheme-only": ("Bearer", False),
    "empty": ("", False),
    "none": (None, False),
    "both-lines": (f"Bearer {FIRST} {SECOND}", False),
}


def test_only_a_token_opens_the_ports_and_none_is_logged(start: Start) -> None:
    collector = start()
    for name, (authorization, allowed) in AUTHORIZATIONS.items():
        status = collector.post("traces", traces(span(name)), authorization)
        assert status == (200 if allowed else 401), name
        code = collector.call(authorization)
        assert code == (grpc.StatusCode.OK if allowed else grpc.StatusCode.UNAUTHENTICATED), name
    assert stored_spans(collector, 2).keys() == {"first", "second"}
    collector.stop()
    # The refusal's text holds what was sent; it goes to the sender alone.
    assert not [token for token in (FIRST, SECOND, WRONG) if token in collector.log]


def test_the_readiness_command_tells_a_collector_that_accepts_from_one_that_does_not(start: Start) -> None:
    collector = start()
    assert collector.ready()
    collector.stop()
    assert not collector.ready()


def test_a_line_end_after_the_last_token_would_open_the_ports(start: Start) -> None:
    """Why the file is written without one, and that the test above would notice."""

    def open_hole(config: Config) -> None:
        path = Path(config["extensions"]["bearertokenauth"]["filename"])
        path.chmod(0o600)
        path.write_text(f"{FIRST}\n")

    assert start(open_hole).call("Bearer ") == grpc.StatusCode.OK


def test_tokens_change_while_senders_send(start: Start) -> None:
    """Add the new one, change over, remove the old one: the one that stays is never refused."""
    collector = start()
    folder = collector.folder / "secrets"
    steps = [(SECOND, THIRD), (THIRD,), (THIRD, FIRST)]
    kept = [SECOND, THIRD, THIRD]
    for tokens, token in zip(steps, kept, strict=True):
        replace_secret_files(folder, {"otlp_tokens": token_file(dict(zip("ab", tokens, strict=False)))})

        def settled(expected: tuple[str, ...] = tokens, always: str = token) -> bool:
            assert collector.call(f"Bearer {always}") == grpc.StatusCode.OK
            assert collector.call("Bearer ") == grpc.StatusCode.UNAUTHENTICATED
            open_to = {
                each for each in (FIRST, SECOND, THIRD) if collector.call(f"Bearer {each}") == grpc.StatusCode.OK
            }
            return open_to == set(expected)

        wait_for(settled, lambda: collector.log)


def test_livekit_spans_become_what_the_ai_pages_read(start: Start) -> None:
    """Attributes as livekit-agents 1.8.9 writes them."""
    collector = start()
    usage = {"gen_ai.usage.input_tokens": 120, "gen_ai.usage.output_tokens": 9}
    sent(
        collector,
        "traces",
        traces(
            span("agent_session", root=True),
            span(
                "agent_turn",
                {"gen_ai.agent.name": "host", "lk.e2e_latency": 0.75, "gen_ai.operation.name": "invoke_agent"},
            ),
            span("user_turn", {"gen_ai.request.model": "nova-3", "gen_ai.provider.name": "deepgram"}),
            span(
                "llm_request",
                {
                    "gen_ai.operation.name": "chat",
                    "gen_ai.provider.name": "openai",
                    "gen_ai.request.model": "gpt-4.1-mini",
                    "gen_ai.response.time_to_first_chunk": 0.0514,
                    **usage,
                },
            ),
            span("unpriced", {"gen_ai.operation.name": "chat", "gen_ai.request.model": "other", **usage}),
            span("priced_by_sender", {"gen_ai.request.model": "gpt-4.1-mini", "gen_ai.usage.cost": 7.0, **usage}),
            span(
                "tts_request",
                {
                    "gen_ai.request.model": "eleven_turbo_v2_5",
                    "lk.tts_metrics": json.dumps({"type": "tts_metrics", "characters_count": 250, "ttfb": 0.08}),
                },
            ),
            span(
                "function_tool",
                {
                    "gen_ai.operation.name": "execute_tool",
                    "gen_ai.tool.name": "weather",
                    "lk.function_tool.is_error": True,
                    "error.type": "tool_error",
                },
            ),
        ),
    )
    sent(
        collector,
        "metrics",
        metrics(
            _sum("lk.agents.usage.stt_audio_duration", 1, _point(90.0, {"model_name": "nova-3"})),
            _sum("lk.agents.usage.stt_audio_duration", 1, _point(90.0, {"model_name": "unpriced"})),
            _sum("lk.agents.usage.stt_audio_duration", 2, _point(90.0, {"model_name": "nova-3"})),  # cumulative
        ),
    )
    spans = stored_spans(collector, 8)
    llm = spans["llm_request"]["attributes"]
    assert llm["gen_ai.system"] == "openai"
    assert llm["gen_ai.server.ttft"] == 0.0514
    assert llm["gen_ai.usage.cost"] == pytest.approx((120 * 0.40 + 9 * 1.60) / 1e6)
    assert "gen_ai.system" not in spans["user_turn"]["attributes"]
    assert "gen_ai.usage.cost" not in spans["unpriced"]["attributes"]
    assert spans["priced_by_sender"]["attributes"]["gen_ai.usage.cost"] == 7.0
    assert spans["tts_request"]["attributes"]["gen_ai.usage.cost"] == pytest.approx(250 * 0.30 / 1000)
    tool = spans["execute_tool"]
    assert tool["status"]["code"] == 2
    assert tool["attributes"]["gen_ai.error.type"] == "tool_error"
    assert llm.keys() >= usage.keys()
    assert spans["agent_turn"]["resource"]["deployment.environment"] == "dev"

    stt_usd = 90 / 60 * 0.0043
    spans_usd = sum(each["attributes"].get("gen_ai.usage.cost", 0) for each in collector.spans())
    wait_for(
        lambda: total(collector, "turnscope.cost") == pytest.approx(spans_usd + stt_usd),
        lambda: str(collector.points("turnscope.cost")),
    )
    counts = {
        name: total(collector, f"turnscope.{name}")
        for name in ("calls", "turns", "turn.errors", "turn.interruptions", "tool.calls", "tool.errors", "llm.errors")
    }
    assert counts == {
        "calls": 1, "turns": 1, "turn.errors": 0, "turn.interruptions": 0, "tool.calls": 1, "tool.errors": 1,
        "llm.errors": 0,
    }  # fmt: skip
    (latency,) = collector.points("turnscope.turn.e2e_latency")
    assert (latency["count"], latency["sum"]) == ("1", 0.75)
    assert latency["attributes"] == {"gen_ai.agent.name": "host"}


def _point(value: float, values: dict[str, str], began_seconds_ago: int = 1) -> dict[str, Any]:
    now = 1_700_000_000_000_000_000
    return {
        "asDouble": value,
        "attributes": encoded(values),
        "startTimeUnixNano": str(now - began_seconds_ago * 10**9),
        "timeUnixNano": str(now),
    }


def _sum(name: str, temporality: int, *points: Any) -> dict[str, Any]:
    return {
        "name": name,
        "sum": {"aggregationTemporality": temporality, "isMonotonic": True, "dataPoints": list(points)},
    }


def _histogram(name: str, temporality: int, *points: tuple[dict[str, Any], list[int], float]) -> dict[str, Any]:
    encoded_points = []
    for point, counts, value in points:
        rest = {key: each for key, each in point.items() if key != "asDouble"}
        encoded_points.append(
            {
                **rest,
                "count": str(sum(counts)),
                "sum": value,
                "bucketCounts": [str(n) for n in counts],
                "explicitBounds": [1.0],
            }
        )
    return {"name": name, "histogram": {"aggregationTemporality": temporality, "dataPoints": encoded_points}}


@pytest.mark.parametrize("temporality", [1, 2], ids=["delta", "cumulative"])
def test_metrics_of_two_calls_become_one_series_with_the_same_total(start: Start, temporality: int) -> None:
    collector = start()
    first = {"room_id": "RM_1", "job_id": "AJ_1", "model_name": "m"}
    second = {"room_id": "RM_2", "job_id": "AJ_2", "model_name": "m"}
    other = {"room_id": "RM_2", "job_id": "AJ_2", "model_name": "n"}
    body = metrics(
        _sum("counter", temporality, _point(3, first), _point(4, second), _point(5, other)),
        _histogram(
            "histogram", temporality, (_point(0, first), [1, 2], 7.5), (_point(0, second), [3, 1], 4.0),
        ),
    )  # fmt: skip
    sent(collector, "metrics", body)
    wait_for(lambda: collector.points("histogram"), lambda: collector.log)
    counters = {point["attributes"]["model_name"]: point["asDouble"] for point in collector.points("counter")}
    assert counters == {"m": 7, "n": 5}
    assert len(collector.points("counter")) == 2
    (histogram,) = collector.points("histogram")
    assert (histogram["count"], histogram["sum"], histogram["bucketCounts"]) == ("7", 11.5, ["4", "3"])
    assert histogram["attributes"] == {"model_name": "m"}


def test_increments_that_began_at_different_times_keep_their_total(start: Start) -> None:
    """They stay two points: as increments, both count."""
    collector = start()
    points = (_point(3, {"room_id": "RM_1"}, began_seconds_ago=1), _point(4, {"room_id": "RM_2"}, began_seconds_ago=2))
    sent(collector, "metrics", metrics(_sum("counter", 1, *points)))
    wait_for(lambda: total(collector, "counter") == 7, lambda: str(collector.points("counter")))
    assert all(not point["attributes"] for point in collector.points("counter"))


def test_redaction_leaves_no_word_and_every_measurement(start: Start) -> None:
    collector = start(redact_content=True)
    measured = {
        "lk.e2e_latency": 0.6, "lk.interrupted": True, "gen_ai.usage.input_tokens": 1, "gen_ai.request.model": "m",
        "gen_ai.usage.text.input_tokens": 5, "gen_ai.conversation.id": "RM_1",
    }  # fmt: skip
    content = dict.fromkeys(
        (
            "lk.pii.user_input", "lk.user_transcript", "lk.stt.events", "gen_ai.input.messages",
            "gen_ai.tool.call.result", "exception.message", "exception.stacktrace", "user.email",
            "langfuse.trace.input",
        ),
        SPOKEN,
    )  # fmt: skip
    event = {"name": "exception", "timeUnixNano": "1", "attributes": encoded({"exception.type": "E", **content})}
    message = {"name": "gen_ai.user.message", "timeUnixNano": "1", "attributes": encoded({"content": SPOKEN})}
    failed = {"code": 2, "message": f"boom: {SPOKEN}"}
    url = {"url.full": f"https://api.example.com/v1?q={SPOKEN}"}
    sent(
        collector,
        "traces",
        traces(
            span("agent_turn", {**measured, **content, **url}, status=failed, events=[event, message]),
            **{"user.name": SPOKEN},
        ),
    )
    sent(
        collector,
        "logs",
        logs(
            {"body": {"stringValue": "chat item"}, "attributes": encoded({"chat.item": {"message": SPOKEN}})},
            {"body": {"stringValue": "received user transcript"}, "attributes": encoded({"user_transcript": SPOKEN})},
            {
                "body": {
                    "stringValue": json.dumps(
                        {
                            "message": "turn ended",
                            "total_latency": 0.5,
                            "conversation": [{"role": "user", "text": SPOKEN}],
                            "details": {"tool_calls": [{"tool": "weather", "arguments": {"city": SPOKEN}}]},
                        }
                    )
                }
            },
            {"body": {"kvlistValue": {"values": encoded({"transcript": SPOKEN, "level": "info"})}}},
            {"body": {"stringValue": '{"transcript": "' + SPOKEN}},
            {"body": {"stringValue": "mail a.b@example.com, call +1 (555) 010-9999"}},
            {"body": {"stringValue": SPOKEN}, "attributes": encoded({"event.name": "gen_ai.user.message"})},
            {"body": {"stringValue": SPOKEN}, "eventName": "gen_ai.choice", "attributes": encoded({"a": SPOKEN})},
        ),
    )
    turn = stored_spans(collector, 1)["agent_turn"]
    wait_for(lambda: len(collector.records()) == 8, lambda: collector.log)
    collector.stop()
    for path in (collector.folder / "stored").iterdir():
        assert SPOKEN not in path.read_text(), path
    assert SPOKEN not in collector.log
    assert turn["attributes"].items() >= measured.items()
    assert turn["attributes"]["url.full"] == "https://api.example.com/v1"
    assert turn["status"] == {"code": 2}
    bodies = [record["body"] for record in collector.records()]
    session = json.loads(bodies[2]["stringValue"])
    assert (session["message"], session["total_latency"]) == ("turn ended", 0.5)
    assert session["details.tool_calls.0.tool"] == "weather"
    assert bodies[3]["kvlistValue"]["values"] == encoded({"level": "info"})
    assert bodies[5] == {"stringValue": "mail [email], call [phone]"}


def test_sampling_keeps_failed_and_slow_calls_and_counts_all(start: Start) -> None:
    def decide_soon(config: Config) -> None:
        config["processors"]["tail_sampling"]["decision_wait_after_root_received"] = "1s"

    collector = start(decide_soon, tail_sampling={"keep_percent": 0})
    calls = {
        "good": span("agent_turn", {"lk.e2e_latency": 0.4}, trace=11),
        "slow": span("agent_turn", {"lk.e2e_latency": 1.6}, trace=12),
        "failed": span("agent_turn", {"lk.e2e_latency": 0.4}, trace=13, status={"code": 2}),
        "failed_tool": span("function_tool", {"lk.function_tool.is_error": True}, trace=14),
    }
    for trace, turn in enumerate(calls.values(), 11):
        sent(collector, "traces", traces(turn))
        sent(collector, "traces", traces(span("agent_session", trace=trace, root=True)))
    stored_spans(collector, 6)
    assert {int(each["traceId"], 16) for each in collector.spans()} == {12, 13, 14}
    assert len(collector.spans()) == 6
    assert total(collector, "turnscope.calls") == 4
    # A call's late span follows its decision.
    sent(collector, "traces", traces(span("late", trace=11), span("late", trace=12)))
    stored_spans(collector, 7)
    # One that has not ended is decided on when the collector is stopped.
    sent(collector, "traces", traces(span("unfinished", {"lk.e2e_latency": 9.0}, trace=15)))
    collector.stop()
    assert [each for each in collector.spans() if each["name"] == "unfinished"]
    assert [int(each["traceId"], 16) for each in collector.spans() if each["name"] == "late"] == [12]


class Sink:
    """An HTTP server that remembers what is posted; it can be away. Answers 200, or `body` to a GET."""

    def __init__(self, port: int | None = None, body: bytes = b"{}") -> None:
        self.port = port or free_port()
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self._body = body
        self._server: http.server.ThreadingHTTPServer | None = None

    def open(self) -> Sink:
        sink = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    content = gzip.decompress(content)
                sink.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}, content))
                self._answer(b"{}", "application/json")

            def do_GET(self) -> None:
                self._answer(sink._body, "text/plain; version=0.0.4")

            def _answer(self, body: bytes, kind: str) -> None:
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def close(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()

    def spans(self) -> list[str]:
        """Names of all spans that came as OTLP/JSON."""
        return [
            each["name"]
            for path, _, body in self.requests
            if path.endswith("/v1/traces")
            for resource in json.loads(body)["resourceSpans"]
            for scope in resource["scopeSpans"]
            for each in scope["spans"]
        ]


@pytest.fixture
def sink() -> Iterator[Sink]:
    made = Sink()
    yield made
    made.close()


def test_what_was_accepted_survives_a_killed_collector_and_an_absent_store(
    program: Path, tmp_path: Path, sink: Sink
) -> None:
    """The store's own queue settings, on an exporter that needs no ClickHouse; killed, not stopped."""
    config = configured(tmp_path)
    durable = config["exporters"]["clickhousetraces"]
    kept = {key: copy.deepcopy(durable[key]) for key in ("timeout", "retry_on_failure", "sending_queue")}

    def store(_: str) -> Any:
        return {"endpoint": f"http://127.0.0.1:{sink.port}", "encoding": "json", **kept}

    config = with_stores(config, "otlphttp", store, {"clickhousetraces"})
    config = with_stores(config, "nop", lambda _: None, STORES - {"clickhousetraces"})
    collector = Collector(program, config, tmp_path).start()
    names = [f"span-{number}" for number in range(200)]
    try:
        for name in names[:100]:
            sent(collector, "traces", traces(span(name)))
        collector.kill()
        collector.start()
        for name in names[100:]:
            sent(collector, "traces", traces(span(name)))
        collector.kill()
        sink.open()
        collector.start()
        wait_for(
            lambda: set(sink.spans()) >= set(names), lambda: f"{len(sink.spans())} of 200\n{collector.log[-3000:]}"
        )
        assert sorted(sink.spans()) == sorted(names)
    finally:
        collector.stop()


def test_langfuse_gets_traces_with_its_header_session_and_credentials(start: Start, sink: Sink) -> None:
    sink.open()

    def nearby(config: Config) -> None:
        config["exporters"]["otlphttp/langfuse"] |= {"encoding": "json"}

    langfuse = {**OPTIONS["langfuse"]["langfuse"], "base_url": f"http://127.0.0.1:{sink.port}"}
    collector = start(nearby, langfuse=langfuse)
    sent(collector, "traces", traces(span("llm_request", {"gen_ai.conversation.id": "RM_1"})))
    wait_for(lambda: sink.requests, lambda: collector.log)
    path, headers, body = sink.requests[0]
    assert path == "/api/public/otel/v1/traces"
    assert headers["authorization"] == f"Basic {base64.b64encode(':'.join(LANGFUSE_KEYS).encode()).decode()}"
    assert headers["x-langfuse-ingestion-version"] == "4"
    assert {"key": "langfuse.session.id", "value": {"stringValue": "RM_1"}} in json.loads(body)["resourceSpans"][0][
        "scopeSpans"
    ][0]["spans"][0]["attributes"]
    collector.stop()
    credentials = (collector.folder / "secrets" / LANGFUSE_CREDENTIALS).read_text()
    assert credentials not in collector.log


def test_langfuse_being_away_does_not_keep_traces_from_the_store(start: Start) -> None:
    """Not even with its queue full: senders are not told, and the store has everything once."""

    def tiny_queue(config: Config) -> None:
        config["exporters"]["otlphttp/langfuse"]["sending_queue"]["queue_size"] = 1
        config["processors"]["batch/side"] = {"send_batch_size": 1, "send_batch_max_size": 1, "timeout": "1s"}

    langfuse = {**OPTIONS["langfuse"]["langfuse"], "base_url": "http://127.0.0.1:1"}
    collector = start(tiny_queue, langfuse=langfuse)
    for number in range(50):
        sent(collector, "traces", traces(span(f"span-{number}")))
    stored_spans(collector, 50)
    assert len(collector.spans()) == 50


def test_firehose_stores_log_events_of_those_who_have_the_key(start: Start) -> None:
    collector = start(firehose=OPTIONS["firehose-logs"]["firehose"])
    event = {"id": "1", "timestamp": int(time.time() * 1000), "message": '{"level": "INFO"}'}
    group = {
        "messageType": "DATA_MESSAGE", "owner": "111122223333", "logGroup": "/aws/livekit/agent", "logStream": "s",
        "subscriptionFilters": ["all"], "logEvents": [event],
    }  # fmt: skip
    data = base64.b64encode(gzip.compress(json.dumps(group).encode())).decode()
    body = json.dumps({"requestId": "r", "timestamp": 1, "records": [{"data": data}]}).encode()
    url = f"http://{collector.config['receivers']['awsfirehose/logs']['endpoint']}/"
    headers = {"Content-Type": "application/json", "X-Amz-Firehose-Request-Id": "r"}
    for key in ({}, {"X-Amz-Firehose-Access-Key": ""}, {"X-Amz-Firehose-Access-Key": WRONG}):
        assert post(url, body, headers | key) == 401
    assert post(url, body, headers | {"X-Amz-Firehose-Access-Key": FIREHOSE_KEY}) == 200
    wait_for(collector.records, lambda: collector.log)
    (record,) = collector.records()
    assert record["body"] == {"stringValue": event["message"]}
    assert record["resource"]["aws.cloudwatch.log_group_name"] == "/aws/livekit/agent"


def test_scraping_keeps_the_agents_own_metrics(start: Start) -> None:
    agent = Sink(body=b"voice_agent_end_to_end_latency_ms 420\npython_gc_objects_collected_total 1\n").open()
    worker = Sink(body=b"lk_agents_worker_load 0.25\nprocess_open_fds 5\n").open()
    try:
        targets = {
            "agents": [f"127.0.0.1:{agent.port}"],
            "workers": [f"127.0.0.1:{worker.port}"],
            "interval_seconds": 1,
        }
        collector = start(scrape=targets)
        wanted = {"voice_agent_end_to_end_latency_ms", "lk_agents_worker_load"}
        wait_for(lambda: wanted <= collector.metric_names(), lambda: collector.log)
        assert not collector.metric_names() & {"python_gc_objects_collected_total", "process_open_fds"}
        (resource,) = {point["resource"]["service.name"] for point in collector.points("lk_agents_worker_load")}
        assert resource == "livekit-workers"
    finally:
        agent.close()
        worker.close()
