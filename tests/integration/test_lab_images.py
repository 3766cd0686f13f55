"""Lab images, built from package registries and run: health, users, SigNoz' migrations, telemetry in and out."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from rich.console import Console

from core.roles import Role
from lab.images.build import ensure_images, is_built
from signoz.plan.model import Image
from tests.machine import LIMIT_SECONDS, RUN
from toolchain import docker_engine

pytestmark = pytest.mark.skipif(not docker_engine.answers(), reason="no Docker engine answers")

T = TypeVar("T")
PASSWORD = "Lab-password-1"
COUNT = 1000
DSN = f"tcp://turnscope:{PASSWORD}@clickhouse:9000"
MIGRATIONS = " && ".join(
    f"/signoz-otel-collector migrate {step}" for step in ("ready", "bootstrap", "sync up", "async up", "sync check")
)
MIGRATOR_ENVIRONMENT = {
    "SIGNOZ_OTEL_COLLECTOR_CLICKHOUSE_DSN": DSN,
    "SIGNOZ_OTEL_COLLECTOR_CLICKHOUSE_REPLICATION": "true",
    "SIGNOZ_OTEL_COLLECTOR_TIMEOUT": "10m",
}
COLLECTOR_CONFIG = f"""\
receivers:
  otlp: {{protocols: {{http: {{endpoint: 0.0.0.0:4318}}}}}}
exporters:
  clickhousetraces: {{datasource: {DSN}/signoz_traces, use_new_schema: true}}
  signozclickhousemetrics: {{dsn: {DSN}/signoz_metrics}}
  clickhouselogsexporter: {{dsn: {DSN}/signoz_logs, use_new_schema: true}}
service:
  pipelines:
    traces: {{receivers: [otlp], exporters: [clickhousetraces]}}
    metrics: {{receivers: [otlp], exporters: [signozclickhousemetrics]}}
    logs: {{receivers: [otlp], exporters: [clickhouselogsexporter]}}
"""
TABLES = ("signoz_traces.signoz_index_v3", "signoz_metrics.samples_v4", "signoz_logs.logs_v2")


def docker(*arguments: str, check: bool = True) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False, timeout=LIMIT_SECONDS)
    assert not check or done.returncode == 0, f"docker {' '.join(arguments)}\n{done.stdout}{done.stderr}"
    return done.stdout.strip()


def logs(container: str) -> str:
    """The end of what a container wrote, for a failed test's message."""
    done = subprocess.run(
        ["docker", "logs", "--tail=20", container],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout


def eventually(ask: Callable[[], T], wanted: Callable[[T], bool]) -> T:
    """The answer once it is as wanted; at the limit the one that was last given."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while not wanted(answer := ask()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return answer


@dataclass(frozen=True)
class Lab:
    """A network of its own with containers of lab images, which have a read-only root as in a stack."""

    name: str
    images: dict[Role, Image]

    def run(self, role: Role, *command: str, options: tuple[str, ...] = (), name: str | None = None) -> str:
        container = f"{self.name}-{name or role}"
        image = self.images[role].reference
        # A second container of a role must not be found under the role's name.
        network = ("--network", self.name, "--network-alias", name or str(role))
        docker("run", "--detach", "--name", container, *network, "--read-only", "--tmpfs=/tmp",
               *options, image, *command)  # fmt: skip
        return container

    def volume(self, name: str) -> str:
        return f"{self.name}-{name}"

    def healthy(self, container: str, *command: str) -> bool:
        def ask() -> bool:
            done = subprocess.run(["docker", "exec", container, *command], capture_output=True, check=False)
            return done.returncode == 0

        return eventually(ask, bool)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    roles = [role for role in Role if role is not Role.SETUP]
    images = ensure_images(roles, Console(), environment="local", assume_yes=True)
    made = Lab(f"turnscope-test-{RUN}", images)
    docker("network", "create", made.name)
    yield made
    for container in docker("ps", "--all", "--quiet", "--filter", f"name={made.name}").split():
        docker("rm", "--force", "--volumes", container)
    for volume in docker("volume", "ls", "--quiet", "--filter", f"name={made.name}").split():
        docker("volume", "rm", volume)
    docker("network", "rm", made.name)


@pytest.fixture(scope="module")
def clickhouse(lab: Lab) -> str:
    container = lab.run(
        Role.CLICKHOUSE,
        options=("--volume", f"{lab.volume('data')}:/var/lib/clickhouse",
                 "--env", "CLICKHOUSE_USER=turnscope", "--env", f"CLICKHOUSE_PASSWORD={PASSWORD}"),
    )  # fmt: skip
    assert lab.healthy(container, "wget", "-q", "--spider", "http://127.0.0.1:8123/ping"), logs(container)
    return container


@pytest.fixture(scope="module")
def migrated(lab: Lab, clickhouse: str) -> str:
    """ClickHouse with the tables of SigNoz' own migrations."""
    environment = [f"--env={name}={value}" for name, value in MIGRATOR_ENVIRONMENT.items()]
    # As in a stack, where it runs again after a failure: on a busy machine Docker's name server may answer too late.
    options = (*environment, "--entrypoint", "/bin/sh", "--restart", "on-failure:5")
    migrator = lab.run(Role.MIGRATOR, "-c", MIGRATIONS, options=options)
    assert docker("wait", migrator) == "0", logs(migrator)
    return clickhouse


HEALTH: dict[Role, tuple[tuple[str, ...], tuple[str, ...]]] = {
    Role.KEEPER: ((), ("clickhouse-keeper-client", "-h", "localhost", "-p", "2181", "-q", "ls")),
    Role.SIGNOZ: ((), ("wget", "-q", "--spider", "http://127.0.0.1:8080/api/v2/healthz")),
    Role.QUERY_SERVICE: (("--config=/x",), ("wget", "-q", "--spider", "http://127.0.0.1:8080/api/v1/health")),
    Role.FRONTEND: ((), ("wget", "-q", "--spider", "http://127.0.0.1:3301/")),
    Role.ALERTMANAGER: (
        ("--config.file=/etc/alertmanager/alertmanager.yml", "--storage.path=/tmp", "--queryService.url=http://x"),
        ("wget", "-q", "--spider", "http://127.0.0.1:9093/-/ready"),
    ),
    Role.GATEWAY: (
        ("caddy", "respond", "--listen", ":8443"),
        ("wget", "-q", "--spider", "http://127.0.0.1:8443/"),
    ),
}
WRITES = {
    Role.KEEPER: "/bitnami/zookeeper",
    Role.SIGNOZ: "/var/lib/signoz",
    Role.QUERY_SERVICE: "/var/lib/signoz",
    Role.GATEWAY: "/data",
}


@pytest.mark.parametrize("role", HEALTH)
def test_role_is_healthy_without_root(lab: Lab, role: Role) -> None:
    """Each program starts under the image's own user, which is not root, with a read-only root file system."""
    command, health = HEALTH[role]
    options = ("--volume", f"{lab.volume(role)}:{WRITES[role]}") if role in WRITES else ()
    container = lab.run(role, *command, options=options)
    assert lab.healthy(container, *health), logs(container)
    assert docker("exec", container, "id", "-u") != "0"


def test_keeper_listens_where_its_configuration_says(lab: Lab, tmp_path: Path) -> None:
    """Started as Keeper, port, data and readiness are those of the mounted file."""
    file = tmp_path / "keeper_config.xml"
    file.write_text(
        "<clickhouse><keeper_server>\n<tcp_port>9181</tcp_port>\n"
        "<log_storage_path>/var/lib/clickhouse-keeper/logs</log_storage_path>\n"
        "<snapshot_storage_path>/var/lib/clickhouse-keeper/snapshots</snapshot_storage_path>\n"
        "<raft_configuration><server><port>9234</port></server></raft_configuration>\n"
        "<http_control>\n<port>9182</port>\n</http_control>\n</keeper_server></clickhouse>\n"
    )
    file.chmod(0o644)
    tmp_path.chmod(0o755)
    container = lab.run(
        Role.KEEPER, "--config-file=/etc/keeper.xml", name="configured",
        options=("--entrypoint", "/usr/bin/clickhouse-keeper", "--volume", f"{file}:/etc/keeper.xml:ro",
                 "--volume", f"{lab.volume('configured')}:/var/lib/clickhouse-keeper"),
    )  # fmt: skip
    assert lab.healthy(container, "clickhouse-keeper-client", "-p", "9181", "-q", "ls"), logs(container)
    assert lab.healthy(container, "wget", "-q", "--spider", "http://127.0.0.1:9182/ready"), logs(container)
    assert "version-2" in docker("exec", container, "ls", "/var/lib/clickhouse-keeper/snapshots")


def select(container: str, sql: str, password: str = PASSWORD) -> str:
    return docker(
        "exec", container, "clickhouse-client", "--user=turnscope", f"--password={password}", f"--query={sql}"
    )


def test_clickhouse_wants_the_password(lab: Lab, clickhouse: str) -> None:
    """On both protocols: a wrong password is refused, the right one serves."""
    assert select(clickhouse, "SELECT 6 * 7") == "42"
    with pytest.raises(AssertionError, match="516"):
        select(clickhouse, "SELECT 1", password="wrong")
    wrong = "--clickhouse-dsn=tcp://turnscope:wrong@clickhouse:9000"
    refused = lab.run(Role.MIGRATOR, "migrate", "ready", wrong, "--timeout=2s", name="refused")
    assert docker("wait", refused) != "0"


def test_histogram_quantile_is_prometheus_one(clickhouse: str) -> None:
    """Linear within a bucket, the last finite bound above it, the first bound's own range below."""
    wanted = {0.3: 0.5, 0.6: 0.75, 0.95: 1.0}
    for quantile, value in wanted.items():
        sql = f"SELECT histogramQuantile([0.5, 1.0, inf], [3.0, 9.0, 10.0], {quantile})"
        assert float(select(clickhouse, sql)) == pytest.approx(value)


def test_clickhouse_has_metrics_where_its_configuration_says(lab: Lab, tmp_path: Path) -> None:
    """Prometheus' endpoint of the mounted configuration serves lines that Prometheus can read."""
    config = tmp_path / "config.xml"
    config.write_text("<clickhouse><prometheus><port>9363</port></prometheus></clickhouse>")
    config.chmod(0o644)
    tmp_path.chmod(0o755)
    container = lab.run(
        Role.CLICKHOUSE, name="metrics",
        options=("--volume", f"{config}:/etc/clickhouse-server/config.xml:ro",
                 "--volume", f"{lab.volume('metrics')}:/var/lib/clickhouse"),
    )  # fmt: skip
    assert lab.healthy(container, "wget", "-q", "--spider", "http://127.0.0.1:8123/ping"), logs(container)
    lines = docker("exec", container, "wget", "-q", "-O-", "http://127.0.0.1:9363/metrics").splitlines()
    assert any(re.fullmatch(r"ClickHouseMetrics_Query \d+", line) for line in lines), lines[:3]
    assert all(re.fullmatch(r"[A-Za-z_]\w* -?[0-9.e+]+", line) for line in lines)


def counts(container: str) -> list[int]:
    return [int(select(container, f"SELECT count() FROM {table}")) for table in TABLES]  # noqa: S608


def post(url: str, body: dict[str, Any]) -> None:
    answer = httpx.post(url, json=body, timeout=LIMIT_SECONDS, trust_env=False)
    assert answer.raise_for_status().json() == {"partialSuccess": {}}


def send(base: str) -> None:
    """COUNT spans, data points and log records over OTLP."""
    now = time.time_ns()
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "lab"}}]}
    spans = [
        {"traceId": secrets.token_hex(16), "spanId": secrets.token_hex(8), "name": f"turn {n % 7}", "kind": 1,
         "startTimeUnixNano": str(now - n * 1_000_000), "endTimeUnixNano": str(now)}
        for n in range(COUNT)
    ]  # fmt: skip
    points = [{"timeUnixNano": str(now - n * 1_000_000_000), "asDouble": n} for n in range(COUNT)]
    records = [{"timeUnixNano": str(now - n), "body": {"stringValue": f"line {n}"}} for n in range(COUNT)]
    metric = {"name": "lab.gauge", "gauge": {"dataPoints": points}}
    post(f"{base}/v1/traces", {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]})
    post(f"{base}/v1/metrics", {"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": [metric]}]}]})
    post(f"{base}/v1/logs", {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": records}]}]})


def test_telemetry_is_stored_exactly_and_kept(lab: Lab, migrated: str, tmp_path: Path) -> None:
    """What the collector accepts is in the tables of SigNoz' migrations, each once, also after ClickHouse is killed."""
    config = tmp_path / "collector.yaml"
    config.write_text(COLLECTOR_CONFIG)
    config.chmod(0o644)
    tmp_path.chmod(0o755)
    collector = lab.run(
        Role.COLLECTOR, "--config=/etc/collector.yaml", "--manager-config=/etc/opamp.yaml", "--copy-path=/tmp/copy",
        options=(
            "--volume", f"{config}:/etc/collector.yaml:ro", "--publish", "127.0.0.1::4318",
            "--restart", "unless-stopped",  # as in a stack, see the migrator
        ),
    )  # fmt: skip
    assert lab.healthy(collector, "bash", "-c", "</dev/tcp/127.0.0.1/4318"), logs(collector)
    assert docker("exec", collector, "id", "-u") == "10001"
    base = f"http://{docker('port', collector, '4318/tcp').splitlines()[0]}"
    send(base)
    assert eventually(lambda: counts(migrated), lambda found: found == [COUNT] * 3) == [COUNT] * 3
    docker("kill", migrated)
    docker("start", migrated)
    assert lab.healthy(migrated, "wget", "-q", "--spider", "http://127.0.0.1:8123/ping"), logs(migrated)
    assert counts(migrated) == [COUNT] * 3
    send(base)
    assert eventually(lambda: counts(migrated), lambda found: found == [2 * COUNT] * 3) == [2 * COUNT] * 3


def test_content_survives_a_restart_of_the_server(lab: Lab) -> None:
    """A channel and the key that made it are still there."""
    root = {"ENABLED": "true", "EMAIL": "root@example.com", "PASSWORD": PASSWORD}
    container = lab.run(
        Role.SIGNOZ, name="restarted",
        options=(*(f"--env=SIGNOZ_USER_ROOT_{name}={value}" for name, value in root.items()),
                 "--publish", "127.0.0.1::8080", "--volume", f"{lab.volume('content')}:/var/lib/signoz"),
    )  # fmt: skip
    health = ("wget", "-q", "--spider", "http://127.0.0.1:8080/api/v2/healthz")
    assert lab.healthy(container, *health), logs(container)

    def call(method: str, path: str, body: Any = None, **headers: str) -> Any:
        base = f"http://{docker('port', container, '8080/tcp').splitlines()[0]}"
        answer = httpx.request(method, base + path, json=body, headers=headers, timeout=LIMIT_SECONDS, trust_env=False)
        return json.loads(answer.raise_for_status().content or b"{}").get("data")

    organisation = call("GET", "/api/v2/sessions/context?email=root@example.com")["orgs"][0]["id"]
    login = {"email": "root@example.com", "password": PASSWORD, "orgId": organisation}
    token = call("POST", "/api/v2/sessions/email_password", login)["accessToken"]
    session = {"Authorization": f"Bearer {token}"}
    account = call("POST", "/api/v1/service_accounts", {"name": "pulumi"}, **session)["id"]
    admin = next(role["id"] for role in call("GET", "/api/v1/roles", **session) if role["name"] == "signoz-admin")
    call("POST", "/api/v1/service_account_roles", {"serviceAccountId": account, "roleId": admin}, **session)
    made = call("POST", f"/api/v1/service_accounts/{account}/keys", {"name": "k1", "expiresAt": 0}, **session)
    key = {"SIGNOZ-API-KEY": made["key"]}
    channel = {"name": "on-call", "webhook_configs": [{"url": "http://127.0.0.1/hook"}]}
    call("POST", "/api/v1/channels", channel, **key)
    docker("kill", container)
    docker("start", container)
    assert lab.healthy(container, *health), logs(container)
    assert [each["name"] for each in call("GET", "/api/v1/channels", **key)] == ["on-call"]
    with pytest.raises(httpx.HTTPStatusError, match="401"):
        call("GET", "/api/v1/channels", **session)


def test_built_images_are_not_built_again(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second run needs no Debian, no Go and no folder of the toolchain."""
    assert all(is_built(image) for image in lab.images.values())
    monkeypatch.setitem(os.environ, "TURNSCOPE_TOOLCHAIN", "/nonexistent/toolchain")
    assert ensure_images(list(lab.images), Console(), environment="local") == lab.images
