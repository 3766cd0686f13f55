"""What is rendered, read by the programs it is for: Caddy, Alertmanager, PostgreSQL and ClickHouse's engine.

Debian's packages `caddy`, `prometheus-alertmanager` and `postgresql` have the first three, PyPI's `chdb` the engine.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.server import ThreadedMotoServer
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult

from core.releases import CURRENT
from core.secrets import placeholders
from core.secrets.reference import SecretRef
from signoz.roles import clickhouse, gateway, server
from signoz.roles.alertmanager import SECRETS_PATH, render_alertmanager
from signoz.roles.gateway import render_caddyfile
from stacks.settings.roles.alertmanager import AlertmanagerSettings
from stacks.settings.roles.database import Postgres
from stacks.settings.roles.gateway import GatewaySettings
from tests import clickhouse_schema
from tests.certificates import certificate
from tests.machine import LIMIT_SECONDS, free_port
from tests.role_cases import (
    ALERTMANAGER,
    COLD,
    COLD_ACCESS,
    FIREHOSE,
    GATEWAY,
    RELEASES,
    WEBHOOK,
    alertmanager_settings,
    clickhouse_settings,
    gateway_settings,
)

TOKEN = "a-token-of-this-test"
PLUGINS = {"dns-challenge"}
"""Caddyfiles for an image with plugins, which no package has."""


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


# --- Caddy


def caddy_says(text: str, folder: Path) -> tuple[bool, str]:
    """Whether Caddy takes a Caddyfile, and what it says. Files and folders it names are made below `folder`."""
    text = text.replace(gateway.DATA_PATH, str(folder / "data"))
    if gateway.CERTIFICATE_PATH in text:
        certificate, key = folder / "certificate.pem", folder / "key.pem"
        subject = ["-subj", "/CN=signoz.example.com", "-days", "2"]
        made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        subprocess.run([*made, *subject, "-out", certificate, "-keyout", key], check=True, capture_output=True)
        text = text.replace(gateway.CERTIFICATE_PATH, str(certificate)).replace(gateway.PRIVATE_KEY_PATH, str(key))
    path = folder / "Caddyfile"
    path.write_text(text)
    done = subprocess.run(
        [program("caddy"), "validate", "--config", path, "--adapter", "caddyfile"],
        env={**os.environ, "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode == 0, done.stderr


@pytest.mark.parametrize("case", [case for case in GATEWAY if case not in PLUGINS])
@pytest.mark.parametrize("release", RELEASES)
def test_caddy_takes_every_caddyfile(case: str, release: str, tmp_path: Path) -> None:
    """`caddy validate` provisions every module of every rendered Caddyfile."""
    accepted, said = caddy_says(
        render_caddyfile(gateway_settings(case), RELEASES[release], FIREHOSE.get(case)), tmp_path
    )
    assert accepted, said


@pytest.mark.parametrize("case", PLUGINS)
def test_caddy_lacks_only_the_plugin(case: str, tmp_path: Path) -> None:
    """Of a Caddyfile for an image with a plugin, stock Caddy refuses the plugin's directive and nothing else."""
    text = render_caddyfile(gateway_settings(case), CURRENT)
    accepted, said = caddy_says(text, tmp_path)
    assert not accepted
    assert "dns.providers.cloudflare" in said
    accepted, said = caddy_says(re.sub(r"\n\s*dns .*", "", text), tmp_path)
    assert accepted, said


@pytest.mark.parametrize(
    ("right", "wrong"), [("max_size", "maximum_size"), ("admin off", "admins off"), ("tls internal", "tls inside")]
)
def test_caddy_refuses_a_wrong_key(right: str, wrong: str, tmp_path: Path) -> None:
    """The check above fails for a Caddyfile that is wrong."""
    text = render_caddyfile(gateway_settings("local"), CURRENT)
    assert right in text
    accepted, _ = caddy_says(text.replace(right, wrong), tmp_path)
    assert not accepted


@dataclass
class Receiver(TraceServiceServicer):
    """A small collector: OTLP over gRPC, and an HTTP server that stands for the rest."""

    spans: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    posted: list[tuple[str, str | None, int]] = field(default_factory=list)
    hold: threading.Event = field(default_factory=threading.Event)
    """While cleared, HTTP requests to `/hold` do not end."""
    held: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def Export(self, request: Any, context: grpc.ServicerContext) -> ExportTraceServiceResponse:
        metadata = {key: value for key, value in context.invocation_metadata() or ()}
        self.tokens.append(str(metadata.get("authorization")))
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                self.spans += [span.name for span in scope.spans]
        return ExportTraceServiceResponse()

    def handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                receiver.posted.append((self.path, self.headers.get("Authorization"), len(body)))
                if self.path == "/hold":
                    receiver.held.release()
                    receiver.hold.wait(LIMIT_SECONDS)
                self.answer()

            def do_GET(self) -> None:
                self.answer()

            def answer(self) -> None:
                self.send_response(200)
                self.send_header("Server", "behind")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler


class Collector:
    """The gRPC side of a receiver, always on the same port."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self.port = 0
        self.start()

    def start(self) -> None:
        self.server = grpc.server(futures.ThreadPoolExecutor(4))
        add_TraceServiceServicer_to_server(self.receiver, self.server)
        self.port = self.server.add_insecure_port(f"127.0.0.1:{self.port}")
        self.server.start()

    def stop(self) -> None:
        self.server.stop(0).wait()


@dataclass(frozen=True)
class Gateway:
    """Real Caddy with a rendered Caddyfile, on free ports."""

    ports: dict[int, int]
    root_certificate: Path
    log: Path
    receiver: Receiver
    collector: Collector

    def url(self, port: int, path: str = "/", name: str = "localhost") -> str:
        return f"https://{name}:{self.ports[port]}{path}"

    def client(self) -> httpx.Client:
        trusted = ssl.create_default_context(cafile=str(self.root_certificate))
        return httpx.Client(verify=trusted, timeout=LIMIT_SECONDS, trust_env=False)

    def exporter(self, authorization: str | None = f"Bearer {TOKEN}", *, trusted: bool = True) -> OTLPSpanExporter:
        root = self.root_certificate.read_bytes() if trusted else None
        return OTLPSpanExporter(
            endpoint=self.url(gateway.OTLP_GRPC_PORT),
            credentials=grpc.ssl_channel_credentials(root),
            headers=() if authorization is None else (("authorization", authorization),),
            # Over a certificate that it does not trust it tries again until then.
            timeout=60 if trusted else 3,
        )


def free_ports(count: int) -> list[int]:
    return [free_port() for _ in range(count)]


def eventually(ready: Callable[[], object], what: str, process: subprocess.Popen[bytes] | None = None) -> None:
    deadline = time.monotonic() + LIMIT_SECONDS
    while not ready():
        assert process is None or process.poll() is None, f"{what}: the process ended"
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@contextmanager
def running(command: list[str | Path], log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=output, stderr=output)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def gateway_with(settings: GatewaySettings, folder: Path) -> Iterator[Gateway]:
    receiver = Receiver()
    collector = Collector(receiver)
    web = ThreadingHTTPServer(("127.0.0.1", 0), receiver.handler())
    threading.Thread(target=web.serve_forever, daemon=True).start()

    internal = [
        gateway.UI_PORT,
        gateway.OTLP_GRPC_PORT,
        gateway.OTLP_HTTP_PORT,
        gateway.PLAIN_HTTP_PORT,
        gateway.HEALTH_PORT,
    ]
    ports = dict(zip(internal, free_ports(len(internal)), strict=True))
    upstreams = {"collector:4317": collector.port, "collector:4318": web.server_port, "signoz:8080": web.server_port}
    text = render_caddyfile(settings, CURRENT).replace(gateway.DATA_PATH, str(folder / "data"))
    for upstream, port in upstreams.items():
        text = text.replace(upstream, f"127.0.0.1:UP{port}")
    text = re.sub(r"\b(https?://\S*:|https?_port )(\d+)", lambda found: f"{found[1]}{ports[int(found[2])]}", text)
    path, log = folder / "Caddyfile", folder / "log"
    path.write_text(text.replace(":UP", ":"))
    root = folder / "data" / Path(gateway.ROOT_CERTIFICATE_PATH).relative_to(gateway.DATA_PATH)
    command: list[str | Path] = [program("caddy"), "run", "--config", path, "--adapter", "caddyfile"]
    try:
        with running(command, log, HOME=str(folder), XDG_CONFIG_HOME=str(folder)) as process:
            made = Gateway(ports, root, log, receiver, collector)

            def serves() -> bool:
                try:
                    health = httpx.get(f"http://127.0.0.1:{ports[gateway.HEALTH_PORT]}/healthz", trust_env=False)
                    with made.client() as client:
                        return health.status_code == 200 and client.get(made.url(gateway.UI_PORT)).status_code < 500
                except (httpx.HTTPError, OSError):
                    return False

            eventually(serves, "the gateway serves", process)
            yield made
    finally:
        receiver.hold.set()
        web.shutdown()
        web.server_close()
        collector.stop()


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    settings = GatewaySettings(plain_http_port=80, ingest_body_mib=1, ui_body_mib=1)
    with gateway_with(settings, tmp_path_factory.mktemp("gateway")) as made:
        yield made


def a_span(name: str) -> ReadableSpan:
    span = TracerProvider().get_tracer("test").start_span(name)
    span.end()
    assert isinstance(span, ReadableSpan)
    return span


def export_bytes(made: Gateway, body: bytes, authorization: str | None) -> grpc.StatusCode | None:
    """The status of a plain gRPC call to the OTLP port; None when it succeeded."""
    credentials = grpc.ssl_channel_credentials(made.root_certificate.read_bytes())
    with grpc.secure_channel(f"localhost:{made.ports[gateway.OTLP_GRPC_PORT]}", credentials) as channel:
        call = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
        try:
            call(body, metadata=() if authorization is None else (("authorization", authorization),), timeout=10)
        except grpc.RpcError as error:
            return error.code()  # pyright: ignore[reportAttributeAccessIssue]
    return None


def test_grpc_passes_with_tls_verified(local: Gateway) -> None:
    """An OTLP exporter that knows the internal root reaches the collector over gRPC, its token unchanged."""
    assert local.exporter().export([a_span("agent_turn")]) is SpanExportResult.SUCCESS
    assert local.receiver.spans == ["agent_turn"]
    assert local.receiver.tokens == [f"Bearer {TOKEN}"]


def test_a_restarting_collector_delays_senders(local: Gateway) -> None:
    """A request that comes while the collector is away waits for it: no sender has to repeat it."""
    local.collector.stop()
    with futures.ThreadPoolExecutor(1) as pool:
        sent = pool.submit(export_bytes, local, b"", f"Bearer {TOKEN}")
        time.sleep(0.5)  # for the request to find nobody; had it not come by then, it would pass too
        local.collector.start()
        assert sent.result(LIMIT_SECONDS) is None


def test_grpc_needs_the_internal_root(local: Gateway) -> None:
    """Without the root certificate the exporter does not trust the gateway, and nothing passes."""
    before = len(local.receiver.spans)
    assert local.exporter(trusted=False).export([a_span("untrusted")]) is SpanExportResult.FAILURE
    assert len(local.receiver.spans) == before


@pytest.mark.parametrize("authorization", [None, "Bearer ", "Bearer", ""])
def test_no_token_does_not_reach_the_collector(local: Gateway, authorization: str | None) -> None:
    """A missing and an empty token are refused on gRPC (UNAUTHENTICATED, which is final) and on HTTP (401)."""
    spans, posted = len(local.receiver.spans), len(local.receiver.posted)
    assert export_bytes(local, b"", authorization) is grpc.StatusCode.UNAUTHENTICATED
    headers = {} if authorization is None else {"Authorization": authorization}
    connection = http.client.HTTPSConnection(
        "localhost",
        local.ports[gateway.OTLP_HTTP_PORT],
        context=ssl.create_default_context(cafile=str(local.root_certificate)),
    )
    connection.request("POST", "/v1/traces", b"{}", headers)  # httpx would refuse to send an empty token
    answer = connection.getresponse()
    connection.close()
    assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert (len(local.receiver.spans), len(local.receiver.posted)) == (spans, posted)


def test_too_much_is_refused_for_good(local: Gateway) -> None:
    """A request of the largest size arrives whole; a larger one is refused in a way that senders do not retry: 413, and
    on gRPC none of the codes for "again later" (opentelemetry.io/docs/specs/otlp, Failures)."""
    with local.client() as client:
        url, headers = local.url(gateway.OTLP_HTTP_PORT, "/v1/traces"), {"Authorization": f"Bearer {TOKEN}"}
        assert client.post(url, content=b"x" * 1024**2, headers=headers).status_code == 200
        assert local.receiver.posted[-1] == ("/v1/traces", f"Bearer {TOKEN}", 1024**2)
        assert client.post(url, content=b"x" * (1024**2 + 1), headers=headers).status_code == 413
    status = export_bytes(local, b"x" * (1024**2 + 1), f"Bearer {TOKEN}")
    assert status in (grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL, grpc.StatusCode.INVALID_ARGUMENT)


@pytest.mark.parametrize("port", [gateway.UI_PORT, gateway.OTLP_HTTP_PORT])
def test_another_name_is_no_success(local: Gateway, port: int) -> None:
    """A request for a name that is none of ours must not get Caddy's empty 200: a sender would drop its data."""
    headers = {"Host": "elsewhere.example.com", "Authorization": f"Bearer {TOKEN}"}
    with local.client() as client:
        assert client.post(local.url(port), content=b"{}", headers=headers).status_code == 421


def test_pages_carry_security_headers(local: Gateway) -> None:
    """Pages come through with the headers that browsers act on, and without the name of what runs behind."""
    with local.client() as client:
        answer = client.get(local.url(gateway.UI_PORT))
    assert answer.text == "{}"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert "Server" not in answer.headers
    assert "Alt-Svc" not in answer.headers  # HTTP/3's port is not published


def test_plain_http_only_redirects(local: Gateway) -> None:
    """Without TLS there is nothing but the way to TLS."""
    port = local.ports[gateway.PLAIN_HTTP_PORT]
    answer = httpx.get(f"http://localhost:{port}/alerts?a=1", trust_env=False)
    assert (answer.status_code, answer.headers["Location"]) == (308, "https://localhost/alerts?a=1")


def test_the_admin_api_is_off(local: Gateway) -> None:
    """Caddy's admin API, which could change everything, does not listen; the health port answers only for health."""
    assert "admin endpoint disabled" in local.log.read_text()
    port = local.ports[gateway.HEALTH_PORT]
    assert httpx.get(f"http://127.0.0.1:{port}/config/", trust_env=False).status_code == 404


def test_no_log_record_holds_a_token(local: Gateway) -> None:
    """Access records name the request, but neither headers nor tokens in addresses."""
    secrets = ("header-secret", "query-secret", "key-secret")
    with local.client() as client:
        client.post(
            local.url(gateway.OTLP_HTTP_PORT, "/v1/logs?token=query-secret"),
            content=b"{}",
            headers={"Authorization": "Bearer header-secret", "Signoz-Api-Key": "key-secret"},
        )

    def records() -> list[dict[str, Any]]:
        lines = [line for line in local.log.read_text().splitlines() if line.startswith("{")]
        return [record for record in map(json.loads, lines) if "/v1/logs" in str(record.get("request"))]

    eventually(records, "an access record")
    assert records()[0]["request"]["uri"] == "/v1/logs?token=hidden"
    assert not [secret for secret in secrets if secret in local.log.read_text()]


def test_networks_are_kept_out(tmp_path: Path) -> None:
    """With allow lists that leave this machine out, pages and ingest answer 403, token or not."""
    settings = GatewaySettings(ui_networks=("192.0.2.0/24",), ingest_networks=("192.0.2.0/24",))
    with gateway_with(settings, tmp_path) as made, made.client() as client:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        assert client.get(made.url(gateway.UI_PORT)).status_code == 403
        assert client.post(made.url(gateway.OTLP_HTTP_PORT), content=b"{}", headers=headers).status_code == 403
        assert made.exporter().export([a_span("outside")]) is SpanExportResult.FAILURE
        assert (made.receiver.spans, made.receiver.posted) == ([], [])


def test_too_many_at_a_time_are_told_to_come_again(tmp_path: Path) -> None:
    """Beyond the limit a request gets 503, which OTLP senders retry; below it again, it passes."""
    with gateway_with(GatewaySettings(ingest_concurrent_requests=1), tmp_path) as made, made.client() as client:
        url, headers = made.url(gateway.OTLP_HTTP_PORT, "/hold"), {"Authorization": f"Bearer {TOKEN}"}
        with futures.ThreadPoolExecutor(1) as pool:
            first = pool.submit(client.post, url, content=b"{}", headers=headers)
            assert made.receiver.held.acquire(timeout=LIMIT_SECONDS)
            assert client.post(made.url(gateway.OTLP_HTTP_PORT, "/v1/traces"), headers=headers).status_code == 503
            made.receiver.hold.set()
            assert first.result(LIMIT_SECONDS).status_code == 200
        assert client.post(made.url(gateway.OTLP_HTTP_PORT, "/v1/traces"), headers=headers).status_code == 200


# --- Alertmanager


def deployed(settings: AlertmanagerSettings, folder: Path, webhook: str = "http://127.0.0.1:9/") -> Path:
    """`alertmanager.yml` as deployed, its secret files below `folder`."""
    text = placeholders.fill(render_alertmanager(settings), {WEBHOOK.path: webhook})
    path = folder / "alertmanager.yml"
    path.write_text(text.replace(SECRETS_PATH, str(folder)))
    return path


def amtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program("amtool"), *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("case", ALERTMANAGER)
def test_amtool_takes_every_file(case: str, tmp_path: Path) -> None:
    """`amtool check-config` accepts every rendered `alertmanager.yml`."""
    done = amtool("check-config", deployed(alertmanager_settings(case), tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("right", "wrong"), [("group_wait:", "group_waits:"), ("routing_key_file:", "routing_key_path:")]
)
def test_amtool_refuses_a_wrong_key(right: str, wrong: str, tmp_path: Path) -> None:
    """The check above fails for a file that is wrong."""
    path = deployed(alertmanager_settings("prod"), tmp_path)
    assert right in path.read_text()
    path.write_text(path.read_text().replace(right, wrong))
    assert amtool("check-config", path).returncode != 0


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        (["severity=critical"], "pager"),
        (["severity=warning"], "mail"),
        (["severity=warning", 'agent="a \\"quoted\\" \\\\ name"'], "hook"),
        (["severity=info"], "mail"),
    ],
)
def test_alerts_reach_who_the_routes_say(labels: list[str], receiver: str, tmp_path: Path) -> None:
    """Alertmanager's own routing agrees with the settings, also for labels with quotes in them."""
    path = deployed(alertmanager_settings("everything"), tmp_path)
    done = amtool("config", "routes", "test", "--config.file", path, *labels)
    assert done.stdout.strip() == receiver, done.stderr


def test_critical_silences_warning_alike(tmp_path: Path) -> None:
    """In a running Alertmanager a critical alert mutes the warning of the same agent, and no other's."""
    settings = alertmanager_settings("everything")
    (port,) = free_ports(1)
    command: list[str | Path] = [
        program("prometheus-alertmanager"),
        f"--config.file={deployed(settings, tmp_path)}",
        f"--storage.path={tmp_path}/state",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    url = f"http://127.0.0.1:{port}/api"
    fired = [
        {"labels": {"alertname": f"latency-{severity}", "agent": agent, "severity": severity}}
        for agent, severity in (("one", "critical"), ("one", "warning"), ("two", "warning"))
    ]
    with running(command, tmp_path / "log") as process, httpx.Client(trust_env=False) as client:

        def ready() -> bool:
            try:
                return client.get(f"http://127.0.0.1:{port}/-/ready").status_code == 200
            except httpx.HTTPError:
                return False

        eventually(ready, "Alertmanager is ready", process)
        # The address and body that SigNoz 0.75's query service uses.
        assert client.post(f"{url}/v1/alerts", json=[{**each, "receivers": ["x"]} for each in fired]).status_code == 200

        def states() -> dict[tuple[str, str], str]:
            alerts = client.get(f"{url}/v2/alerts").json()
            return {(each["labels"]["agent"], each["labels"]["severity"]): each["status"]["state"] for each in alerts}

        eventually(lambda: states().get(("one", "warning")) == "suppressed", "the warning is muted", process)
        eventually(lambda: states().get(("two", "warning")) == "active", "the other warning is not", process)
        assert states()["one", "critical"] == "active"


# --- PostgreSQL


@contextmanager
def postgres_server(folder: Path, password: str, port: int) -> Iterator[None]:
    """A server on 127.0.0.1 that lets user `signoz` in, with this password."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("Debian's package postgresql is not installed")
    binaries = found[-1].parent
    # PostgreSQL refuses to run as root.
    become = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []
    if become:
        for each in (folder, *folder.iterdir()):
            shutil.chown(each, "postgres", "postgres")
    (folder / "password").write_text(password)
    data, log = folder / "data", (folder / "log").open("w")
    made = [binaries / "initdb", "-D", data, "-U", "signoz", "--auth=scram-sha-256", f"--pwfile={folder / 'password'}"]
    subprocess.run([*become, *made], check=True, capture_output=True, cwd=folder)
    options = {"ssl": "on", "ssl_cert_file": folder / "server.pem", "ssl_key_file": folder / "server.key"}
    options |= {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": folder}
    arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    running = subprocess.Popen([*become, binaries / "postgres", "-D", data, *arguments], stderr=log, cwd=folder)
    try:
        deadline = time.monotonic() + LIMIT_SECONDS
        while "ready to accept connections" not in (folder / "log").read_text():
            assert running.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield
    finally:
        running.send_signal(signal.SIGINT)
        running.wait(LIMIT_SECONDS)
        log.close()


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that other users may enter; pytest's own are in folders that they may not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_postgres_takes_the_address_and_proves_who_it_is(reachable: Path) -> None:
    """libpq reads the options as SigNoz' driver (pgx) does: password with any characters, TLS, the CA's certificate."""
    awkward, reference = "it's $HOME `id` \\ @:/?#%&=", SecretRef("p")
    for name, by in (("ca", None), ("other", None), ("server", "ca")):
        certificate(reachable, name, by)
    (port,) = free_ports(1)
    settings = {"host": "localhost", "port": port, "name": "postgres", "password": reference}

    def asked(ca: str | None, tls: str = "verify-full") -> tuple[str, str]:
        pem = (reachable / f"{ca}.pem").read_text() if ca else None
        made = Postgres.model_validate({**settings, "tls": tls, "ca_certificates_pem": pem})
        dsn = placeholders.fill(server.postgres_dsn(made), {reference.path: awkward})
        dsn = dsn.replace(server.POSTGRES_CA_PATH, str(reachable / f"{ca}.pem"))
        query = "SELECT ssl, current_user FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        done = subprocess.run([program("psql"), "-Atc", query, dsn], capture_output=True, text=True, check=False)
        return done.stdout.strip(), done.stderr

    with postgres_server(reachable, awkward, port):
        assert asked("ca") == ("t|signoz", "")
        assert asked(None, "require") == ("t|signoz", "")
        assert asked(None, "disable") == ("f|signoz", "")
        assert "certificate verify failed" in asked("other")[1]


# --- ClickHouse

ENGINE = """
import json, sys
import chdb
connection = chdb.connect(sys.argv[1])
for query in json.load(sys.stdin):
    answer = str(connection.query(query, "JSON"))
    print(json.dumps(json.loads(answer)["data"] if answer else None))
"""

EMBEDDED_USER = "<default><password/><access_management>1</access_management></default>"
"""The embedded engine works as `default`, a user that the deployed files do not have."""


def engine(
    queries: list[str],
    config: Path | None = None,
    data: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Answers of ClickHouse's engine in a process of its own, a line of JSON each."""
    pytest.importorskip("chdb")
    where = f"{data}?config-file={config}" if config else ":memory:"
    return subprocess.run(
        [sys.executable, "-c", ENGINE, where],
        input=json.dumps(queries),
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )


def clickhouse_folder(case: str, release: str, folder: Path) -> Path:
    """A case's files as deployed, with paths below `folder`; returns the server's."""
    access = COLD_ACCESS if case == "cold-storage-role" else None
    for path, text in clickhouse.render_clickhouse(clickhouse_settings(case), RELEASES[release], access).items():
        values = {path: "secret" for path, _ in placeholders.secrets_in(text)}
        text = text.replace(clickhouse.DATA_PATH, str(folder / "data")).replace("/etc/clickhouse-server", str(folder))
        (folder / Path(path).name).write_text(placeholders.fill(text, values))
    scripts = folder / "data" / "user_scripts"
    scripts.mkdir(parents=True)
    script = scripts / Path(clickhouse.HISTOGRAM_QUANTILE_PATH).name
    script.write_text("#!/bin/sh\nwhile read -r line; do echo 0.25; done\n")
    script.chmod(0o755)
    return folder / Path(clickhouse.CONFIG_PATH).name


@pytest.mark.parametrize(("case", "release"), [("prod", "current"), ("numbers", "current"), ("prod", "classic")])
def test_the_engine_loads_the_files(case: str, release: str, tmp_path: Path) -> None:
    """ClickHouse's engine has from the files: cluster, macros, the function, memory, and logs that end."""
    config = clickhouse_folder(case, release, tmp_path)
    users = tmp_path / Path(clickhouse.USERS_PATH).name
    users.write_text(users.read_text().replace("<users>", f"<users>{EMBEDDED_USER}"))
    settings = clickhouse_settings(case)
    done = engine(
        [
            "SELECT cluster, port FROM system.clusters",
            "SELECT macro, substitution FROM system.macros ORDER BY macro",
            "SELECT histogramQuantile([1., 2.], [1., 2.], 0.5) AS quantile",
            "SELECT value FROM system.settings WHERE name = 'max_memory_usage'",
            "SELECT name, auth_type FROM system.users WHERE name != 'default'",
            "SYSTEM FLUSH LOGS",
            "SELECT name, partition_key, extract(engine_full, 'TTL event_date [+] toIntervalDay.([0-9]+).') AS days"
            " FROM system.tables WHERE database = 'system' AND engine LIKE '%MergeTree'",
        ],
        config,
        tmp_path / "data",
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert answers[0] == [{"cluster": clickhouse.CLUSTER, "port": clickhouse.NATIVE_PORT}]
    assert answers[1] == [
        {"macro": "replica", "substitution": settings.replica},
        {"macro": "shard", "substitution": "01"},
    ]
    assert answers[2] == [{"quantile": 0.25}]
    assert int(answers[3][0]["value"]) == settings.memory_mib * 1024**2 * settings.query_memory_percent // 100
    assert answers[4] == [{"name": clickhouse.DATABASE_USER, "auth_type": ["sha256_password"]}]
    assert {row["name"] for row in answers[-1]} >= {"query_log", "part_log"}
    assert {row["partition_key"] for row in answers[-1]} == {"event_date"}
    assert {int(row["days"]) for row in answers[-1]} == {settings.system_log_retention_days}


@pytest.mark.parametrize("case", ["cold-storage-keys", "cold-storage-role"])
def test_old_data_moves_to_the_bucket(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With cold storage the engine makes a table on policy `tiered` and moves its data to S3, intact, with the keys of
    the settings, or with those that the machine keeps in a file."""
    config = clickhouse_folder(case, "current", tmp_path)
    users = tmp_path / Path(clickhouse.USERS_PATH).name
    users.write_text(users.read_text().replace("<users>", f"<users>{EMBEDDED_USER}"))
    signed: set[str] = set()
    respond = DomainDispatcherApplication.__call__

    def recorded(self: Any, environ: dict[str, Any], start_response: Any) -> Any:
        if credential := re.search("Credential=([^/]+)/", environ.get("HTTP_AUTHORIZATION", "")):
            signed.add(f"{credential[1]} {environ.get('HTTP_X_AMZ_SECURITY_TOKEN')}")
        return respond(self, environ, start_response)

    monkeypatch.setattr(DomainDispatcherApplication, "__call__", recorded)
    (tmp_path / "credentials").write_text(
        "[default]\naws_access_key_id = of-the-role\naws_secret_access_key = x\naws_session_token = session\n"
    )
    environment = {
        name: value.replace("/etc/turnscope/s3", str(tmp_path)) for name, value in clickhouse.credentials(COLD_ACCESS)
    }
    (port,) = free_ports(1)
    store = ThreadedMotoServer("127.0.0.1", port, verbose=False)
    store.start()
    try:
        url = f"http://127.0.0.1:{port}"
        httpx.put(f"{url}/{COLD['bucket']}", content=b"", trust_env=False).raise_for_status()
        endpoint = f"{url}/{COLD['bucket']}/data/"
        config.write_text(re.sub("<endpoint>http[^<]*<", f"<endpoint>{endpoint}<", config.read_text()))
        where = "SELECT disk_name FROM system.parts WHERE table = 't' AND active"
        done = engine(
            [
                "CREATE TABLE t (x Int64) ENGINE = MergeTree ORDER BY x SETTINGS storage_policy = 'tiered'",
                "INSERT INTO t SELECT number FROM numbers(1000)",
                where,
                "ALTER TABLE t MOVE PARTITION tuple() TO VOLUME 's3'",
                where,
                "SELECT toString(sum(x)) AS total FROM t",
            ],
            config,
            tmp_path / "data",
            environment,
        )
        objects = httpx.get(f"{url}/{COLD['bucket']}", trust_env=False).text
    finally:
        store.stop()
    assert done.returncode == 0, done.stderr[-2000:]
    answers = [answer for answer in map(json.loads, done.stdout.splitlines()) if answer]
    assert answers == [[{"disk_name": "default"}], [{"disk_name": "s3"}], [{"total": "499500"}]]
    assert "<Key>data/" in objects
    assert signed == ({"of-the-role session"} if case == "cold-storage-role" else {"secret None"})


def test_nobody_gets_in_as_default(tmp_path: Path) -> None:
    """The deployed files have no user `default`: the engine itself turns it away."""
    done = engine(["SELECT 1"], clickhouse_folder("prod", "current", tmp_path), tmp_path / "data")
    assert done.returncode != 0
    assert "AUTHENTICATION_FAILED" in done.stderr


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("load_balancing", "load_balance", "UNKNOWN_SETTING"),
        ("password_sha256_hex", "password_sha256", "must be specified for user turnscope"),
    ],
)
def test_the_engine_refuses_what_it_can_check(right: str, wrong: str, said: str, tmp_path: Path) -> None:
    """A wrong setting of a profile and a user without a password fail where the engine reads them."""
    config = clickhouse_folder("prod", "current", tmp_path)
    users = tmp_path / Path(clickhouse.USERS_PATH).name
    text = users.read_text().replace("<users>", f"<users>{EMBEDDED_USER}")
    assert f"<{right}>" in text
    users.write_text(text.replace(f"{right}>", f"{wrong}>"))
    done = engine(["SELECT 1"], config, tmp_path / "data")
    assert done.returncode != 0
    assert said in done.stderr


def test_the_schema_agrees_with_the_engine() -> None:
    """What the schema calls a plain server setting, or a setting of a profile, the engine lists under that name."""
    done = engine(["SELECT name FROM system.server_settings", "SELECT name FROM system.settings"])
    assert done.returncode == 0, done.stderr
    server, profile = ({row["name"] for row in json.loads(line)} for line in done.stdout.splitlines())
    assert set(clickhouse_schema.PROFILE_SETTINGS) <= profile
    assert set(clickhouse_schema.LISTED_SERVER_SETTINGS) <= server
