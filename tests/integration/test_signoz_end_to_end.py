"""A whole local stack on Docker, as a user brings it up: telemetry in through the gateway, counted in ClickHouse.

Containers are real and Caddy, the collector's components, SigNoz' migrations and the ClickHouse engine are too; the
images are the lab's where no registry answers. The tests build on each other.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import grpc
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from cloudwatch.clients import ClientFactory, client_factory
from core.secrets.generated import derived
from core.secrets.reference import SecretRef
from forwarding.plan.model import ForwardingPlan
from lab import firehose
from signoz.content.api.bootstrap import make_api_key
from signoz.content.api.errors import Unauthorized
from stacks.settings.loading import load
from stacks.settings.model import Settings
from tests.integration.conftest import Checkout, make_checkout
from tests.machine import LIMIT_SECONDS, RUN, free_port
from turnscope.plans import plan_stack

STACK_NAME = f"t-{RUN}"
SETTINGS = """\
config:
  turnscope:environment: local
  turnscope:owner: tests
  turnscope:agents: {{voice-agent: {{}}}}
  turnscope:lab: {{aws_port: {aws}}}
  turnscope:signoz:
    root_user: {{email: admin@example.com}}
    keep_volumes: false
    gateway: {{listen_address: 127.0.0.1, ui_port: {ui}, otlp_grpc_port: {grpc}, otlp_http_port: {http}}}
    collector: {{firehose: {{log_groups: {{backup_days: null}}}}}}
    clickhouse: {{memory_mib: 2048}}
    limits: {{open_files: 16384}}
"""
LOG_GROUP = "/aws/livekit/voice-agent"
KILLED = ("collector", "clickhouse", "gateway")
BATCH = 50
BUILD_SECONDS = 3600.0
"""The first deployment of a machine builds the images."""

pytestmark = pytest.mark.skipif(shutil.which("docker") is None, reason="needs Docker: turnscope toolchain --all")


@dataclass(frozen=True)
class Stack:
    checkout: Checkout
    environment: Mapping[str, str]
    ports: Mapping[str, int]

    @property
    def certificate(self) -> str:
        return self.environment["OTEL_EXPORTER_OTLP_CERTIFICATE"]

    @property
    def token(self) -> str:
        return self.environment["OTEL_EXPORTER_OTLP_HEADERS"].removeprefix("Authorization=Bearer%20")

    def exporter(self, protocol: str, authorization: str | None = None) -> SpanExporter:
        """`authorization` instead of the stack's own token; empty for none at all."""
        value = f"Bearer {self.token}" if authorization is None else authorization
        if protocol == "http":
            headers = {"Authorization": value} if value else {}
            url = f"https://localhost:{self.ports['http']}/v1/traces"
            return HttpSpanExporter(endpoint=url, certificate_file=self.certificate, headers=headers, timeout=30)
        credentials = grpc.ssl_channel_credentials(Path(self.certificate).read_bytes())
        headers = {"authorization": value} if value else {}
        target = f"https://localhost:{self.ports['grpc']}"
        return GrpcSpanExporter(endpoint=target, credentials=credentials, headers=headers, timeout=30)

    @property
    def plan(self) -> ForwardingPlan:
        found = plan_stack(STACK_NAME, self.settings, self.checkout.root).forwarding
        assert found
        return found

    @cached_property
    def settings(self) -> Settings:
        return load(STACK_NAME, self.checkout.root)

    @property
    def client(self) -> ClientFactory:
        return client_factory(self.settings)

    def secret(self, path: str) -> str:
        passphrase = (self.checkout.root / ".turnscope" / "passphrase").read_text()
        return derived(passphrase, SecretRef(path))

    def log(self, *lines: str) -> int:
        """Put lines into the agent's log group, and wait until Firehose has done with them; their time in ms."""
        logs, name, at_ms = self.client("logs"), f"tests-{time.time_ns()}", time.time_ns() // 10**6
        logs.create_log_stream(logGroupName=LOG_GROUP, logStreamName=name)
        events = [{"timestamp": at_ms, "message": line} for line in lines]
        logs.put_log_events(logGroupName=LOG_GROUP, logStreamName=name, logEvents=events)
        firehose.wait_delivered(self.checkout.root / ".turnscope" / STACK_NAME, LIMIT_SECONDS)
        return at_ms

    def backup(self) -> list[dict[str, Any]]:
        """What SigNoz did not accept."""
        s3, bucket = self.client("s3"), self.plan.bucket.name("123456789012")
        keys = [each["Key"] for each in s3.list_objects_v2(Bucket=bucket).get("Contents", ())]
        assert all(key.startswith("undelivered/http-endpoint-failed/") for key in keys)
        bodies = [s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys]
        return [json.loads(line) for body in bodies for line in body.splitlines()]

    def change_access_key(self, key: str) -> None:
        client, name = self.client("firehose"), self.plan.stream.name
        about = client.describe_delivery_stream(DeliveryStreamName=name)["DeliveryStreamDescription"]
        endpoint = {"Url": self.plan.stream.url, "Name": "SigNoz", "AccessKey": key}
        client.update_destination(
            DeliveryStreamName=name,
            CurrentDeliveryStreamVersionId=about["VersionId"],
            DestinationId=about["Destinations"][0]["DestinationId"],
            HttpEndpointDestinationUpdate={"EndpointConfiguration": endpoint},
        )

    def stored(self, name: str) -> int:
        """Spans of this name in SigNoz' own table."""
        return int(self.asked(f"SELECT count() FROM signoz_traces.signoz_index_v3 WHERE name = '{name}'") or 0)  # noqa: S608

    def asked(self, query: str) -> str:
        """ClickHouse's answer."""
        password = self.secret("signoz.clickhouse.password")
        command = ["clickhouse-client", "--user=turnscope", f"--password={password}", f"--query={query}"]
        return self.docker("exec", f"turnscope-{STACK_NAME}-clickhouse", *command)

    def docker(self, *arguments: str) -> str:
        return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False).stdout.strip()

    def started_at(self) -> dict[str, str]:
        names = self.docker("ps", "--all", "--filter", f"label=turnscope.stack={STACK_NAME}", "--format", "{{.Names}}")
        return {name: self.docker("inspect", "--format", "{{.Id}} {{.Created}}", name) for name in names.split()}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        # requests prefers these to the exporter's own certificate.
        os.environ.pop(variable, None)
    checkout = make_checkout(tmp_path_factory.mktemp("project"))
    ports = {name: free_port() for name in ("aws", "ui", "grpc", "http")}
    (checkout.root / "stacks" / f"Pulumi.{STACK_NAME}.yaml").write_text(SETTINGS.format(**ports))
    try:
        run = checkout.turnscope("up", STACK_NAME, "--yes", timeout_seconds=BUILD_SECONDS)
        assert run.returncode == 0, run.stdout + run.stderr
        found = checkout.turnscope("env", STACK_NAME, "--format", "json")
        assert found.returncode == 0, found.stderr
        yield Stack(checkout, json.loads(found.stdout), ports)
    finally:
        checkout.turnscope("teardown", STACK_NAME, "--yes")


def succeeded(run: subprocess.CompletedProcess[str]) -> str:
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def spans(name: str, number: int) -> list[ReadableSpan]:
    tracer = TracerProvider().get_tracer("tests")
    made = [tracer.start_span(name) for _ in range(number)]
    for span in made:
        span.end()
    return [span for span in made if isinstance(span, ReadableSpan)]


def eventually(ask: Callable[[], int], wanted: int, timeout_seconds: float = LIMIT_SECONDS) -> int:
    deadline = time.monotonic() + timeout_seconds
    while (found := ask()) < wanted and time.monotonic() < deadline:
        time.sleep(1)
    return found


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_what_a_token_lets_in_is_stored_once_each(stack: Stack, protocol: str) -> None:
    name = f"accepted-{protocol}"
    assert stack.exporter(protocol).export(spans(name, 300)) is SpanExportResult.SUCCESS
    assert eventually(lambda: stack.stored(name), 300) == 300


@pytest.mark.parametrize("protocol", ["grpc", "http"])
@pytest.mark.parametrize("authorization", ["", "Bearer ", "Bearer wrong", "Basic abc"])
def test_nothing_comes_in_without_a_right_token(stack: Stack, protocol: str, authorization: str) -> None:
    """An empty token is the hole of the collector's own check (a token file that ends in a line break)."""
    name = f"refused-{protocol}"
    assert stack.exporter(protocol, authorization).export(spans(name, 1)) is SpanExportResult.FAILURE
    assert stack.stored(name) == 0


def test_no_port_but_the_gateways_is_published(stack: Stack) -> None:
    listed = stack.docker("ps", "--filter", f"label=turnscope.stack={STACK_NAME}", "--format", "{{.Names}} {{.Ports}}")
    published = {line.split()[0] for line in listed.splitlines() if "->" in line}
    assert published == {f"turnscope-{STACK_NAME}-gateway"}


def test_the_server_can_read_what_the_migrations_tell_of_columns(stack: Stack) -> None:
    """Of a column that came with a later release server 0.138.0 wants to know what was there before; without, each
    query of its fields fails with "no base evolution found"."""
    table = "signoz_metadata.distributed_column_evolution_metadata"
    every, based = (
        set(stack.asked(f"SELECT DISTINCT signal, field_context FROM {table} {where}").splitlines())  # noqa: S608
        for where in ("", "WHERE release_time = 0")
    )
    assert every
    assert every == based


def test_a_person_signs_in_as_login_says(stack: Stack) -> None:
    hidden = stack.checkout.turnscope("login", STACK_NAME, "--json")
    assert json.loads(hidden.stdout)["password"] == "[secret]"
    found = json.loads(stack.checkout.turnscope("login", STACK_NAME, "--show-secrets", "--json").stdout)
    assert found["url"] == f"https://localhost:{stack.ports['ui']}"
    authority = Path(stack.certificate).read_text()
    key, *_ = make_api_key(found["url"], authority, found["email"], found["password"], "a-person")
    assert key
    with pytest.raises(Unauthorized):
        make_api_key(found["url"], authority, found["email"], found["password"] + "x", "nobody")


def test_a_recorded_call_is_stored_whole_and_sent_twice_counts_twice(stack: Stack) -> None:
    """By the agent's own way in: its gateway, its token, its name."""
    reports = [
        json.loads(succeeded(stack.checkout.turnscope("lab", "send", "slow-llm", "--stack", STACK_NAME, "--json")))
        for _ in range(2)
    ]
    calls = [call for report in reports for call in report["signoz"]["calls"]]
    for call in calls:
        assert {kind: call[kind] for kind in call["sent"]} == call["sent"]
        assert min(call["sent"].values()) > 0
        assert call["turns"] == 10
        assert call["e2e_latency_p95_seconds"] > 2
    assert calls[0]["trace_ids"] != calls[1]["trace_ids"]
    traces = ", ".join(f"'{trace}'" for call in calls for trace in call["trace_ids"])
    agent = f"resource_string_service$$name = '{reports[0]['agent']}'"
    recent = "timestamp > now() - INTERVAL 15 MINUTE AND timestamp <= now()"
    table = "signoz_traces.signoz_index_v3"
    found = stack.asked(f"SELECT count() FROM {table} WHERE trace_id IN ({traces}) AND {agent} AND {recent}")  # noqa: S608
    assert int(found) == 2 * calls[0]["spans"]
    assert reports[0]["signoz"]["url"] == f"https://localhost:{stack.ports['ui']}"


def test_a_log_event_of_cloudwatch_is_a_log_record_in_signoz(stack: Stack) -> None:
    """Log group, subscription filter, Firehose, gateway with TLS, collector with the key, store: once each, with its
    time, text and log group."""
    lines = [f'{{"message": "forwarded {RUN}", "number": {number}}}' for number in range(200)]
    at_ms = stack.log(*lines)
    wanted = f"FROM signoz_logs.logs_v2 WHERE body LIKE '%forwarded {RUN}%'"
    assert eventually(lambda: int(stack.asked(f"SELECT count() {wanted}") or 0), 200) == 200
    found = stack.asked(
        f"SELECT DISTINCT intDiv(timestamp, 1000000), resources_string['aws.cloudwatch.log_group_name'] {wanted}"
    )
    assert found.split() == [str(at_ms), LOG_GROUP]
    assert int(stack.asked(f"SELECT uniqExact(body) {wanted}")) == 200
    assert stack.backup() == []


def test_what_signoz_refuses_goes_to_the_backup_bucket(stack: Stack) -> None:
    """With another key nothing is stored, and with the right one again the same record is taken from the backup."""
    stack.change_access_key("not-the-key-of-this-stack")
    try:
        stack.log(f"refused {RUN}")
    finally:
        stack.change_access_key(stack.secret("signoz.collector.firehose.access_key"))
    [failure] = stack.backup()
    assert failure["errorCode"] == "HttpEndpoint.DestinationException"
    assert "401" in failure["errorMessage"]
    stored = f"SELECT count() FROM signoz_logs.logs_v2 WHERE body = 'refused {RUN}'"  # noqa: S608
    assert int(stack.asked(stored)) == 0
    stack.client("firehose").put_record(
        DeliveryStreamName=stack.plan.stream.name, Record={"Data": base64.b64decode(failure["rawData"])}
    )
    assert eventually(lambda: int(stack.asked(stored) or 0), 1) == 1


def test_the_access_key_is_in_clear_in_no_file_of_the_stack(stack: Stack) -> None:
    """Neither in the engine's state nor in a log."""
    key = stack.secret("signoz.collector.firehose.access_key").encode()
    files = [path for path in (stack.checkout.root / ".turnscope").rglob("*") if path.is_file()]
    assert any(path.name == f"{STACK_NAME}.json" for path in files)
    assert [path for path in files if key in path.read_bytes()] == []


def test_the_stacks_outputs_name_signoz_address(stack: Stack) -> None:
    outputs = json.loads(succeeded(stack.checkout.turnscope("outputs", STACK_NAME, "--json")))
    assert outputs["signoz"] == f"https://localhost:{stack.ports['ui']}"


@pytest.mark.skipif(os.geteuid() != 0, reason="kills processes of containers, as root")
@pytest.mark.parametrize("role", KILLED)
def test_what_was_accepted_survives_a_kill_in_the_middle(stack: Stack, role: str) -> None:
    """A role that dies comes back by itself. Senders repeat what was refused, as OTLP says; what was accepted once
    must be there in the end."""
    name, container = f"while-{role}-dies", f"turnscope-{STACK_NAME}-{role}"
    accepted = 0
    for batch in range(12):
        if batch == 4:
            # From outside: `docker kill` would count as stopped on purpose, and stay so.
            os.kill(int(stack.docker("inspect", "--format", "{{.State.Pid}}", container)), signal.SIGKILL)
        if stack.exporter("http").export(spans(name, BATCH)) is SpanExportResult.SUCCESS:
            accepted += BATCH
    assert eventually(lambda: stack.stored(name), accepted) >= accepted
    assert int(stack.docker("inspect", "--format", "{{.RestartCount}}", container)) == 1
    assert stack.exporter("http").export(spans(f"{name}-after", BATCH)) is SpanExportResult.SUCCESS
    assert eventually(lambda: stack.stored(f"{name}-after"), BATCH) == BATCH


def test_a_second_up_changes_nothing(stack: Stack) -> None:
    run = stack.checkout.turnscope("up", STACK_NAME, "--yes")
    assert "is up to date" in run.stdout, run.stdout + run.stderr


def test_a_stack_of_this_name_in_another_checkout_is_refused_and_nothing_touched(stack: Stack, tmp_path: Path) -> None:
    other, before = make_checkout(tmp_path), stack.started_at()
    file = Path("stacks") / f"Pulumi.{STACK_NAME}.yaml"
    (other.root / file).write_text((stack.checkout.root / file).read_text())
    for command in ("preview", "up"):
        run = other.turnscope(command, STACK_NAME, "--yes")
        assert run.returncode == 2, run.stdout + run.stderr
        assert f"from another checkout, {stack.checkout.root}" in run.stderr
        assert f"turnscope teardown {STACK_NAME}" in run.stderr
    assert stack.started_at() == before
    assert not (other.root / ".turnscope" / "state").exists()


def test_a_changed_setting_replaces_only_the_containers_that_use_it(stack: Stack) -> None:
    before = stack.started_at()
    file = stack.checkout.root / "stacks" / f"Pulumi.{STACK_NAME}.yaml"
    file.write_text(file.read_text().replace("{firehose:", "{log_level: warn, firehose:"))
    run = stack.checkout.turnscope("up", STACK_NAME, "--yes")
    assert run.returncode == 0, run.stdout + run.stderr
    after = stack.started_at()
    changed = {name.removeprefix(f"turnscope-{STACK_NAME}-") for name in after if after[name] != before.get(name)}
    assert "collector" in changed
    assert changed <= {"collector", "setup"}


def test_teardown_leaves_no_container_network_or_volume(stack: Stack) -> None:
    run = stack.checkout.turnscope("teardown", STACK_NAME, "--yes")
    assert "no resources of this stack are left" in run.stdout, run.stdout + run.stderr
    label = f"label=turnscope.stack={STACK_NAME}"
    for kind in (("ps", "--all"), ("network", "ls"), ("volume", "ls")):
        assert stack.docker(*kind, "--filter", label, "--quiet") == ""
