"""Lab images without Docker: names by content, when they are allowed, and the rules of what runs in them."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from core.errors import UserError
from core.roles import Role
from lab.images import build
from lab.images import catalogue as lab_images
from lab.images.clickhouse import access, native, statements
from lab.images.signoz.accounts import password_problem
from lab.images.signoz.answers import Refusal
from lab.images.signoz.api import Api, Request
from lab.images.signoz.store import Store
from signoz.plan.model import Image

PASSWORD = "Lab-password-1"


# --- names and when they are allowed


def test_every_role_has_a_lab_image_with_a_context() -> None:
    """A role without one could not start where no registry answers."""
    assert set(lab_images.LAB_IMAGES) == set(Role)
    for lab in lab_images.LAB_IMAGES.values():
        assert lab.image.lab
        assert (lab.context / "Dockerfile").is_file() or lab == lab_images.BASE


def test_a_tag_changes_with_the_content_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Same files, same tag, wherever they are; a changed byte in the context or in its base gives another."""
    role = Role.GATEWAY
    before = lab_images.lab_image(role)
    shutil.copytree(lab_images.CONTEXTS, tmp_path / "images")
    monkeypatch.setattr(lab_images, "CONTEXTS", tmp_path / "images")
    (tmp_path / "images" / "gateway" / "__pycache__").mkdir()
    (tmp_path / "images" / "gateway" / "__pycache__" / "x.pyc").write_bytes(b"x")
    assert lab_images.lab_image(role) == before
    others = {other: lab_images.lab_image(other) for other in Role if other is not role}
    with (tmp_path / "images" / "gateway" / "Dockerfile").open("a") as file:
        file.write("# changed\n")
    changed = lab_images.lab_image(role)
    assert changed.tag != before.tag
    assert {other: lab_images.lab_image(other) for other in others} == others
    (tmp_path / "images" / "base" / "recipe.json").write_text('{"suite": "trixie", "include": []}')
    assert all(lab_images.lab_image(other) != image for other, image in others.items())
    assert lab_images.lab_image(role) != changed


def test_an_image_that_another_run_built_meanwhile_is_not_built_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two checkouts build at the same time: the second waits for the first, and then finds everything there."""
    asked: list[str] = []

    def is_built(image: Image) -> bool:
        asked.append(image.reference)
        return asked.count(image.reference) > 1

    monkeypatch.setenv("TURNSCOPE_TOOLCHAIN", str(tmp_path))
    monkeypatch.setattr(build.docker_engine, "answers", lambda: True)
    monkeypatch.setattr(build, "is_built", is_built)
    monkeypatch.setattr(build, "_prepare", lambda context, *_: context)
    monkeypatch.setattr(build, "_run", lambda name, *_: pytest.fail(f"{name} was built"))
    roles = [Role.GATEWAY, Role.ALERTMANAGER]
    wanted = build.ensure_images(roles, Console(), environment="local")
    assert wanted == {role: lab_images.lab_image(role) for role in roles}


def test_images_wait_for_what_is_more_urgent_and_their_base_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Docker's engine builds with a priority of its own, which would slow Pulumi's build down."""
    urgent_ended, order = threading.Event(), list[str]()
    monkeypatch.setenv("TURNSCOPE_TOOLCHAIN", str(tmp_path))
    monkeypatch.setattr(build.docker_engine, "answers", lambda: True)
    monkeypatch.setattr(build, "is_built", lambda image: False)
    monkeypatch.setattr(build, "_prepare", lambda context, *_: context)

    def run(name: str, *_: Any) -> None:
        order.append(name)
        if name == "lab-base":
            threading.Timer(0.2, lambda: (order.append("urgent"), urgent_ended.set())).start()

    monkeypatch.setattr(build, "_run", run)
    build.ensure_images([Role.GATEWAY], Console(), environment="local", images_after=urgent_ended)
    assert order == ["lab-base", "urgent", "lab-gateway"]


@pytest.mark.parametrize("environment", ["dev", "staging", "prod", "Local", ""])
def test_refused_outside_local(environment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is asked of Docker: a stand-in must never run in the place of the real thing."""
    monkeypatch.setattr(build, "_docker", lambda *_: pytest.fail("asked Docker"))
    monkeypatch.setattr(build.docker_engine, "answers", lambda: pytest.fail("asked Docker"))
    with pytest.raises(UserError, match="only in a stack with environment local"):
        build.ensure_images([Role.GATEWAY], Console(), environment=environment)


# --- does a registry answer


@contextmanager
def web_server(status: int, kind: str = "text/html") -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/v2/" else 404)
            self.send_header("Content-Type", kind)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("status", "kind", "answers"),
    [(401, "application/json", True), (200, "application/json", True), (200, "text/html", False),
     (403, "text/html", False), (502, "text/html", False)],
)  # fmt: skip
def test_a_registry_answers_like_one(status: int, kind: str, answers: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A login page or a proxy's refusal is no registry, one that wants credentials is."""
    monkeypatch.setattr(build, "_engine_information", dict)
    with web_server(status, kind) as host:
        assert build.registry_answers(f"{host}/mirror") is answers


def test_no_registry_where_nothing_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused connection and an engine that names no registry are answers, not errors."""
    monkeypatch.setattr(build, "_engine_information", dict)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert not build.registry_answers(f"127.0.0.1:{unused.getsockname()[1]}")
    assert not build.registry_answers("")


def test_the_engine_names_the_default_registry() -> None:
    """Its mirrors count too; a prefix with a host is asked itself."""
    information = {
        "IndexServerAddress": "https://index.example/v1/",
        "RegistryConfig": {"Mirrors": ["http://m.example/"]},
    }
    urls = ["http://m.example/v2/", "https://index.example/v2/"]
    assert build._registry_urls("", information) == urls
    assert build._registry_urls("signoz", information) == urls
    assert build._registry_urls("registry.example/team", information) == ["https://registry.example/v2/"]
    assert build._registry_urls("localhost:5000", information) == ["http://localhost:5000/v2/"]


# --- ClickHouse


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("CREATE DATABASE IF NOT EXISTS d ON CLUSTER cluster", "CREATE DATABASE IF NOT EXISTS d"),
        ("ALTER TABLE d.t ON CLUSTER `cluster` ADD COLUMN a UInt8", "ALTER TABLE d.t ADD COLUMN a UInt8"),
        ("CREATE TABLE d.distributed_t ON CLUSTER cluster AS d.t ENGINE = Distributed(cluster, d, t, rand())", None),
        ("INSERT INTO d.distributed_t (a) VALUES", "INSERT INTO d.t (a) VALUES"),
        (
            "CREATE TABLE d.t (a UInt8) ENGINE = ReplicatedMergeTree('/p/{shard}', '{replica}') ORDER BY a",
            "CREATE TABLE d.t (a UInt8) ENGINE = MergeTree() ORDER BY a",
        ),
        (
            "CREATE TABLE d.t (a UInt8) ENGINE = ReplicatedReplacingMergeTree ORDER BY a SETTINGS x = 1",
            "CREATE TABLE d.t (a UInt8) ENGINE = ReplacingMergeTree ORDER BY a SETTINGS x = 1, "
            "allow_dimensions_outside_sorting_key = 1",
        ),
        ("SELECT count() FROM clusterAllReplicas('cluster', system.mutations)", "SELECT count() FROM system.mutations"),
    ],
)
def test_a_statement_for_a_cluster_runs_on_one_node(given: str, wanted: str | None) -> None:
    """Distribution and replication go, everything else stays."""
    assert statements.local(given) == wanted


@pytest.mark.parametrize(
    ("sql", "wanted"),
    [
        ("INSERT INTO d.t (a, b) VALUES", statements.Insert("d.t", "a, b")),
        ("INSERT INTO d.t", statements.Insert("d.t", "")),
        ("insert into d.t (a) SETTINGS async_insert=1 FORMAT Native", statements.Insert("d.t", "a")),
        ("INSERT INTO d.t (a) VALUES (1)", None),
        ("INSERT INTO d.t SELECT 1", None),
    ],
)
def test_inserts_that_wait_for_blocks(sql: str, wanted: statements.Insert | None) -> None:
    """Only an insert without rows of its own takes them from the client; a wrong guess would hang both sides."""
    assert statements.insert(sql) == wanted


def _configured(folder: Path, users: str, config: str = "", **environ: str) -> access.Configuration:
    (folder / "users.xml").write_text(f"<clickhouse><users>{users}</users></clickhouse>")
    (folder / "config.d").mkdir()
    (folder / "config.d" / "lab.xml").write_text(f"<clickhouse>{config}</clickhouse>")
    return access.read(folder, environ)


def test_users_prove_themselves_as_configured(tmp_path: Path) -> None:
    """Each form of password that users.xml has; no user but those, and none from elsewhere than allowed."""
    digest = hashlib.sha256(b"secret").hexdigest()
    found = _configured(
        tmp_path,
        f"<hashed><password_sha256_hex>{digest}</password_sha256_hex></hashed>"
        "<plain><password>secret</password><networks><ip>10.0.0.0/8</ip></networks></plain>"
        "<named><password from_env='GIVEN'/></named>",
        "<tcp_port>9440</tcp_port><prometheus><port>9363</port></prometheus><path>/data/</path>",
        GIVEN="secret",
    )
    assert (found.tcp_port, found.http_port, found.metrics_port, found.data) == (9440, 8123, 9363, Path("/data"))
    for name in ("hashed", "plain", "named"):
        assert found.authenticated(name, "secret", "10.1.2.3")
        for wrong in ("", "Secret", digest):
            assert not found.authenticated(name, wrong, "10.1.2.3")
    assert not found.authenticated("plain", "secret", "192.168.0.1")
    assert not found.authenticated("default", "", "127.0.0.1")
    assert not found.authenticated("", "", "127.0.0.1")


def test_a_user_with_an_unknown_form_of_password_is_no_open_door(tmp_path: Path) -> None:
    """What the lab cannot check must stop it, not let everyone in."""
    with pytest.raises(ValueError, match="user odd"):
        _configured(tmp_path, "<odd><ssl_certificates><common_name>x</common_name></ssl_certificates></odd>")


def test_without_a_configuration_only_this_machine_may_enter(tmp_path: Path) -> None:
    """As the official image: no password means no access from the network."""
    found = access.read(tmp_path, {})
    assert found.authenticated("default", "", "127.0.0.1")
    assert not found.authenticated("default", "", "172.17.0.2")
    given = access.read(tmp_path, {"CLICKHOUSE_USER": "turnscope", "CLICKHOUSE_PASSWORD": "secret"})
    assert given.authenticated("turnscope", "secret", "172.17.0.2")
    assert not given.authenticated("default", "", "127.0.0.1")


class FakeEngine:
    """Answers every query with two blocks of one column, and keeps what is inserted."""

    def __init__(self) -> None:
        self.inserted: list[bytes] = []

    def read(self, sql: str) -> tuple[list[tuple[str, str]], list[bytes]]:
        if "broken" in sql:
            raise RuntimeError("Code: 60. DB::Exception: no such table")
        return [("n", "UInt8")], [b"first", b"second"]

    def columns(self, _: statements.Insert) -> list[tuple[str, str]]:
        return [("n", "UInt8")]

    def insert(self, table: str, columns: list[tuple[str, str]], block: bytes) -> None:
        self.inserted.append(block)


@contextmanager
def clickhouse(engine: FakeEngine) -> Iterator[socket.socket]:
    users = {"turnscope": access.User("turnscope", "password", "secret")}
    server = native.Server(("127.0.0.1", 0), engine, access.Configuration(users))  # pyright: ignore[reportArgumentType]
    with server, socket.create_connection(server.server_address, timeout=60) as client:  # pyright: ignore[reportArgumentType]
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield client
        server.shutdown()


def hello(password: str) -> bytes:
    version = native.varint(1) + native.varint(0) + native.varint(54460)
    names = b"".join(native.string(text) for text in ("", "turnscope", password))
    return native.varint(0) + native.string("test") + version + names


def query(sql: str, block: bytes = b"") -> bytes:
    start = native.varint(1) + native.string("id") + b"\0" + native.string("") + native.string("")
    data = native.DATA_PREFIX + block if block else b""
    return start + native.varint(2) + native.varint(0) + native.string(sql) + native.LAST_BLOCK + data


def received(client: socket.socket, end: bytes) -> bytes:
    answer = b""
    while not answer.endswith(end):
        chunk = client.recv(65536)
        if not chunk:
            break
        answer += chunk
    return answer


def test_native_protocol_refuses_a_wrong_password() -> None:
    """The error carries ClickHouse's code, and the connection ends."""
    with clickhouse(FakeEngine()) as client:
        client.sendall(hello("wrong") + query("SELECT 1"))
        answer = received(client, b"never")
    assert answer[:5] == b"\x02" + (516).to_bytes(4, "little")
    assert b"first" not in answer


def test_native_protocol_sends_each_block_in_a_packet() -> None:
    """A client reads one block from each packet: two in one would break it. An error ends only the query."""
    with clickhouse(FakeEngine()) as client:
        client.sendall(hello("secret") + query("SELECT * FROM broken") + query("SELECT n"))
        answer = received(client, b"second" + native.varint(native.END_OF_STREAM))
    packet = native.varint(native.DATA) + native.string("") + native.BLOCK_INFO
    assert b"\x02" + (60).to_bytes(4, "little") in answer
    assert packet + b"first" + packet + b"second" in answer


def test_native_protocol_stores_an_insert_byte_for_byte() -> None:
    """What follows the last block of the query is the block, whole."""
    engine, block = FakeEngine(), bytes(range(256)) * 5000
    with clickhouse(engine) as client:
        client.sendall(hello("secret") + query("INSERT INTO d.t (n) VALUES", block) + native.LAST_BLOCK)
        received(client, native.varint(native.END_OF_STREAM))
    assert engine.inserted == [block]


# --- SigNoz


class Client:
    """The API with a root user and, once made, a key."""

    def __init__(self, store: Store) -> None:
        self.api = Api(store, {})
        self.api.accounts.set_root(
            {
                "SIGNOZ_USER_ROOT_ENABLED": "true",
                "SIGNOZ_USER_ROOT_EMAIL": "a@b.c",
                "SIGNOZ_USER_ROOT_PASSWORD": PASSWORD,
            }
        )
        organisation = self("GET", "/api/v2/sessions/context", email="a@b.c")["orgs"][0]["id"]
        login = {"email": "a@b.c", "password": PASSWORD, "orgId": organisation}
        login = self("POST", "/api/v2/sessions/email_password", login, 200)
        self.authorization = f"Bearer {login['accessToken']}"

    authorization: str | None = None
    key: str | None = None

    def __call__(self, method: str, path: str, body: Any = None, status: int | None = None, **query: str) -> Any:
        """The data of an answer; with `status`, only of one with this status."""
        try:
            answer = self.api.answer(method, path, Request(query=query, json=body), self.key, self.authorization)
        except Refusal as refusal:
            if refusal.status != status:
                raise
            return refusal.body.get("error", refusal.body)
        assert status is None or answer.status == status
        assert status is not None or answer.status < 300
        return json.loads(json.dumps(answer.data))

    def become(self, role: str) -> None:
        """From now on a service account with this role."""
        account = self("POST", "/api/v1/service_accounts", {"name": role}, 201)["id"]
        wanted = next(each["id"] for each in self("GET", "/api/v1/roles") if each["name"] == role)
        self("POST", "/api/v1/service_account_roles", {"serviceAccountId": account, "roleId": wanted}, 201)
        keys = f"/api/v1/service_accounts/{account}/keys"
        secret = self("POST", keys, {"name": "k1", "expiresAt": 0}, 201)["key"]
        assert secret not in json.dumps(self("GET", keys))
        self.key = secret
        self.authorization = None


@pytest.fixture
def signoz(tmp_path: Path) -> Client:
    return Client(Store(tmp_path / "signoz.db"))


CHANNEL = {"name": "on-call", "slack_configs": [{"api_url": "https://example.com", "channel": "#a"}]}
QUERY = {"name": "A", "signal": "traces", "aggregations": [{"expression": "count()"}]}
VIEW = {
    "name": "slow", "source": "traces", "schemaVersion": "v2",
    "spec": {
        "displayName": "Slow turns", "panelType": "graph", "requestType": "time_series",
        "queries": [{"type": "builder_query", "spec": QUERY}],
    },
}  # fmt: skip


def panel(kind: str = "signoz/TimeSeriesPanel", **query: Any) -> dict[str, Any]:
    plugin = {"kind": "signoz/BuilderQuery", "spec": {**QUERY, **query}}
    queries = [{"kind": "time_series", "spec": {"name": "A", "plugin": plugin}}]
    return {
        "kind": "Panel",
        "spec": {"display": {"name": "p"}, "plugin": {"kind": kind, "spec": {}}, "queries": queries},
    }


def item(key: str, x: int, width: int = 6) -> dict[str, Any]:
    return {"x": x, "y": 0, "width": width, "height": 4, "content": {"$ref": f"#/spec/panels/{key}"}}


def dashboard(name: str = "turns", **changes: Any) -> dict[str, Any]:
    layout = {"kind": "Grid", "spec": {"items": [item("a", 0), item("b", 6)]}}
    spec = {"display": {"name": "Turns"}, "variables": [], "panels": {"a": panel(), "b": panel()}, "layouts": [layout]}
    return {"schemaVersion": "v6", "name": name, "tags": [], "spec": {**spec, **changes}}


def rule(**changes: Any) -> dict[str, Any]:
    condition = {
        "compositeQuery": {"queryType": "builder", "queries": [{"type": "builder_query", "spec": QUERY}]},
        "selectedQueryName": "A", "thresholds": {"kind": "basic", "spec": [THRESHOLD]},
    }  # fmt: skip
    base = {"alert": "Slow", "alertType": "TRACES_BASED_ALERT", "ruleType": "threshold_rule", "version": "v5"}
    window = {"kind": "rolling", "spec": {"evalWindow": "5m", "frequency": "1m"}}
    rest = {"schemaVersion": "v2alpha1", "evaluation": window, "notificationSettings": {}, "condition": condition}
    return {**base, **rest, **changes}


THRESHOLD = {"name": "critical", "op": "above", "matchType": "at_least_once", "target": 1, "channels": ["on-call"]}


def without(body: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in names}


def test_nobody_without_a_key_gets_in(signoz: Client) -> None:
    """Open are health and what leads to a key; everything else answers 401, with a wrong or empty key too."""
    signoz.authorization = None
    for key in (None, "", "wrong"):
        signoz.key = key
        for path in ("/api/v2/dashboards", "/api/v2/rules", "/api/v1/channels", "/api/v1/service_accounts"):
            signoz("GET", path, status=401)
    for path in ("/api/v1/health", "/api/v2/healthz", "/api/v2/readyz", "/api/v2/livez", "/api/v1/version"):
        signoz("GET", path, status=200)
    organisation = signoz("GET", "/api/v2/sessions/context", email="a@b.c")["orgs"][0]["id"]
    login = {"email": "a@b.c", "password": PASSWORD, "orgId": organisation}
    signoz("POST", "/api/v2/sessions/email_password", {**login, "password": PASSWORD + "x"}, 401)
    signoz("POST", "/api/v2/sessions/email_password", {**login, "email": "b@b.c"}, 404)
    signoz("POST", "/api/v1/register", {"email": "b@b.c", "password": PASSWORD}, 400)


def test_a_role_decides_what_a_key_may_do(signoz: Client) -> None:
    """An editor makes dashboards; channels, routes and prices need an administrator."""
    signoz.become("signoz-editor")
    signoz("POST", "/api/v2/dashboards", dashboard(), 201)
    signoz("GET", "/api/v1/channels", status=200)
    signoz("POST", "/api/v1/channels", CHANNEL, 403)
    signoz("POST", "/api/v1/route_policies", {"name": "r", "expression": "true", "channels": ["on-call"]}, 403)
    signoz("PUT", "/api/v1/llm_pricing_rules", {"rules": []}, 403)


SCHEDULE = {"timezone": "UTC", "startTime": "2026-01-01T00:00:00Z", "endTime": "2026-01-02T00:00:00Z"}
POLICY = {"name": "r", "expression": "true", "channels": ["on-call"], "kind": "policy"}
CONTENT = [
    ("/api/v2/dashboards", dashboard(), dashboard(duration="1h"), 200),
    ("/api/v2/rules", rule(), rule(alert="Other"), 204),
    ("/api/v1/channels", {**CHANNEL, "name": "x"},
     {"name": "x", "slack_configs": [{"api_url": "https://example.org"}]}, 204),
    ("/api/v1/route_policies", POLICY, {**POLICY, "expression": "false"}, 200),
    ("/api/v1/downtime_schedules",
     {"name": "d", "schedule": SCHEDULE}, {"name": "e", "schedule": SCHEDULE}, 204),
    ("/api/v2/saved_views", VIEW, {**without(VIEW, "name"), "source": "logs"}, 204),
]  # fmt: skip


@pytest.mark.parametrize(("path", "first", "second", "updated"), CONTENT, ids=[each[0] for each in CONTENT])
def test_content_lives_from_create_to_delete(
    signoz: Client, tmp_path: Path, path: str, first: dict[str, Any], second: dict[str, Any], updated: int
) -> None:
    """What is created is read back with an id that an update keeps, from the disk, until it is deleted."""
    signoz.become("signoz-admin")
    signoz("POST", "/api/v1/channels", CHANNEL, 201)
    identifier = signoz("POST", path, first, 201)["id"]
    assert uuid.UUID(identifier).version == 7
    created = signoz("GET", f"{path}/{identifier}", status=200)
    signoz("PUT", f"{path}/{identifier}", second, updated)
    changed = signoz("GET", f"{path}/{identifier}", status=200)
    assert changed["id"] == identifier
    assert changed["createdAt"] == created["createdAt"]
    held = json.loads(changed["data"]) if path.endswith("channels") else changed
    assert under(held, second) == held
    assert changed.get("name") == created.get("name") or "name" in second
    assert Api(Store(tmp_path / "signoz.db"), {}).accounts.organisation is not None
    signoz("DELETE", f"{path}/{identifier}", status=204)
    signoz("GET", f"{path}/{identifier}", status=404)
    signoz("GET", f"{path}/no-id", status=400)
    assert signoz("PUT", f"{path}/{identifier}", second, 400 if "policies" in path else 404)


def under(held: Any, sent: Any) -> Any:
    """`held` with what was sent: itself, where all of it is held."""
    if isinstance(held, dict) and isinstance(sent, dict):
        return {**held, **{name: under(held.get(name), value) for name, value in sent.items()}}
    if isinstance(held, list) and isinstance(sent, list) and len(held) == len(sent):
        return [under(*pair) for pair in zip(held, sent, strict=True)]
    return sent


def placed(*items: dict[str, Any]) -> dict[str, Any]:
    return dashboard(layouts=[{"kind": "Grid", "spec": {"items": list(items)}}])


def with_threshold(**changes: Any) -> dict[str, Any]:
    condition = {**rule()["condition"], "thresholds": {"kind": "basic", "spec": [{**THRESHOLD, **changes}]}}
    return rule(condition=condition)


TWO = panel(aggregations=[{"expression": "count(), sum(x)"}])
DOWNTIME = {"name": "d", "schedule": SCHEDULE}
NO_RULE = str(uuid.uuid4())
REFUSED = [
    ("/api/v2/dashboards", placed(item("a", 0), item("b", 5)), "overlap"),
    ("/api/v2/dashboards", placed(item("a", 8)), "exceeds"),
    ("/api/v2/dashboards", placed(item("a", 0), item("a", 6)), "already placed"),
    ("/api/v2/dashboards", placed(item("c", 0)), "unknown panel"),
    ("/api/v2/dashboards", dashboard(panels={"a": panel("signoz/Nope"), "b": panel()}), "plugin"),
    ("/api/v2/dashboards", dashboard(panels={"a": TWO, "b": panel()}), "one function call"),
    ("/api/v2/dashboards", dashboard(panels={"a": panel(zz=1), "b": panel()}), "unknown field"),
    ("/api/v2/dashboards", dashboard(unknown=1), "unknown field"),
    ("/api/v2/dashboards", dashboard(display={"name": "x" * 129}), "128"),
    ("/api/v2/dashboards", dashboard(variables=None), "variables"),
    ("/api/v2/dashboards", {**dashboard(), "tags": [{"key": "locked", "value": "x"}]}, "reserved"),
    ("/api/v2/dashboards", {**dashboard(), "name": "Turns"}, "lower case"),
    ("/api/v2/dashboards", {**dashboard(), "schemaVersion": "v5"}, "v6"),
    ("/api/v2/rules", rule(condition={}), "compositeQuery"),
    ("/api/v2/rules", rule(ruleType="anomaly_rule"), "anomaly_rule"),
    ("/api/v2/rules", rule(condition={**rule()["condition"], "selectedQueryName": "B"}), "does not match"),
    ("/api/v2/rules", without(rule(), "notificationSettings"), "notificationSettings"),
    ("/api/v2/rules", with_threshold(channels=["nobody"]), "nobody"),
    ("/api/v2/rules", with_threshold(channels=[]), "at least one channel"),
    ("/api/v2/rules", with_threshold(op="over"), "op"),
    ("/api/v2/rules", with_threshold(target=None), "target"),
    ("/api/v1/channels", {"name": "x"}, "at least one"),
    ("/api/v1/route_policies", {**POLICY, "channels": []}, "at least one"),
    ("/api/v1/route_policies", {**POLICY, "expression": "== x"}, "syntax"),
    ("/api/v1/downtime_schedules", {**DOWNTIME, "schedule": {**SCHEDULE, "timezone": "Mars"}}, "timezone"),
    ("/api/v1/downtime_schedules", {**DOWNTIME, "schedule": {**SCHEDULE, "startTime": "2026-02-01T00:00:00Z"}}, "end"),
    ("/api/v2/saved_views", {**VIEW, "source": "spans"}, "source"),
    ("/api/v2/saved_views", {**VIEW, "spec": {**VIEW["spec"], "zz": 1}}, "unknown field"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body", "reason"), REFUSED)
def test_what_signoz_refuses_is_refused(signoz: Client, path: str, body: dict[str, Any], reason: str) -> None:
    """With 400 and the reason, and nothing is stored."""
    signoz.become("signoz-admin")
    signoz("POST", "/api/v1/channels", CHANNEL, 201)
    error = signoz("POST", path, body, 400)
    assert reason in " ".join([error["message"], *(each["message"] for each in error["errors"])])
    stored = signoz("GET", path, status=200)
    assert len(stored["dashboards"] if isinstance(stored, dict) else stored) == int(path.endswith("channels"))


TAKEN = [
    ("/api/v1/channels", {**CHANNEL, "zz": 1, "name": "x"}),
    ("/api/v1/route_policies", {**POLICY, "channels": ["nobody"], "zz": 1}),
    ("/api/v1/downtime_schedules", {**DOWNTIME, "schedule": without(SCHEDULE, "endTime"), "zz": 1}),
    ("/api/v2/rules", rule(zz=1, notificationSettings={"usePolicy": True})),
    ("/api/v2/rules", rule(condition=json.loads(json.dumps(rule()["condition"]).replace("count()", "foo(")))),
    ("/api/v2/dashboards", without(dashboard(), "tags")),
]


@pytest.mark.parametrize(("path", "body"), TAKEN)
def test_what_signoz_takes_without_a_word_is_taken(signoz: Client, path: str, body: dict[str, Any]) -> None:
    """Whoever calls has to know better: fields that nobody knows, channels that are not there, wrong queries."""
    signoz.become("signoz-admin")
    signoz("POST", "/api/v1/channels", CHANNEL, 201)
    made = signoz("POST", path, body, 201)
    assert "zz" not in made


def test_mistakes_that_signoz_calls_its_own(signoz: Client) -> None:
    """500 for a wrong receiver, with the address in clear, and for a downtime of an unknown rule."""
    signoz.become("signoz-admin")
    for address in ("", "no address", "https://example.com/%zz"):
        body = {"name": "x", "slack_configs": [{"api_url": address}]}
        assert address in signoz("POST", "/api/v1/channels", body, 500)["message"]
    signoz("POST", "/api/v1/downtime_schedules", {**DOWNTIME, "alertIds": [NO_RULE]}, 500)
    signoz("POST", "/api/v1/downtime_schedules", {**DOWNTIME, "alertIds": ["1"]}, 400)


def test_names_that_must_be_unique(signoz: Client) -> None:
    """Dashboards and saved views answer 409, channels 400; names stay; the other kinds may share one."""
    signoz.become("signoz-admin")
    channel = signoz("POST", "/api/v1/channels", CHANNEL, 201)
    assert signoz("POST", "/api/v1/channels", CHANNEL, 400)["code"] == "alertmanager_config_conflict"
    signoz("PUT", f"/api/v1/channels/{channel['id']}", {**CHANNEL, "name": "other"}, 400)
    signoz("POST", "/api/v2/saved_views", VIEW, 201)
    signoz("POST", "/api/v2/saved_views", VIEW, 409)
    board = signoz("POST", "/api/v2/dashboards", dashboard(), 201)
    signoz("POST", "/api/v2/dashboards", dashboard(), 409)
    signoz("PUT", f"/api/v2/dashboards/{board['id']}", dashboard("other"), 400)
    for path, body in (("route_policies", POLICY), ("downtime_schedules", DOWNTIME)):
        path = f"/api/v1/{path}"
        assert signoz("POST", path, body, 201)["id"] != signoz("POST", path, body, 201)["id"]


def test_what_is_used_cannot_be_deleted(signoz: Client) -> None:
    """A channel that a rule or a policy names, a rule in a downtime, a downtime with rules, a locked dashboard."""
    signoz.become("signoz-admin")
    channel = signoz("POST", "/api/v1/channels", CHANNEL, 201)["id"]
    made = signoz("POST", "/api/v2/rules", rule(), 201)["id"]
    signoz("DELETE", f"/api/v1/channels/{channel}", status=400)
    downtime = signoz("POST", "/api/v1/downtime_schedules", {**DOWNTIME, "alertIds": [made]}, 201)["id"]
    signoz("DELETE", f"/api/v2/rules/{made}", status=409)
    signoz("DELETE", f"/api/v1/downtime_schedules/{downtime}", status=409)
    signoz("PUT", f"/api/v1/downtime_schedules/{downtime}", DOWNTIME, 204)
    signoz("DELETE", f"/api/v1/downtime_schedules/{downtime}", status=204)
    signoz("DELETE", f"/api/v2/rules/{made}", status=204)
    signoz("DELETE", f"/api/v1/channels/{channel}", status=204)
    board = signoz("POST", "/api/v2/dashboards", dashboard(), 201)["id"]
    signoz("PUT", f"/api/v2/dashboards/{board}/lock", status=204)
    signoz("PUT", f"/api/v2/dashboards/{board}", dashboard(), 400)
    signoz("DELETE", f"/api/v2/dashboards/{board}", status=400)


def test_queries_are_judged_by_the_preview(signoz: Client) -> None:
    """It refuses a filter that cannot be read; what SigNoz would not say at the rule itself."""
    signoz.become("signoz-viewer")

    def preview(status: int, **changes: Any) -> Any:
        queries = [{"type": "builder_query", "spec": {**QUERY, **changes}}]
        return signoz("POST", "/api/v5/query_range/preview", {"compositeQuery": {"queries": queries}}, status)

    good = "name = 'a (b' AND (has_error = true OR x IN ('a', 'b')) AND NOT y EXISTS"
    assert preview(200, filter={"expression": good})["compositeQuery"]["A"]["valid"]
    for wrong in ("name =", "name = 'x", "(name = 'x'", "name = 'x' AND"):
        preview(400, filter={"expression": wrong})
    assert not preview(200, aggregations=[{"expression": "foo("}])["compositeQuery"]["A"]["valid"]


def test_traps_of_the_real_api(signoz: Client) -> None:
    """Old dashboard routes are gone, logs have a retention route of their own, and 0 days is taken without a word."""
    signoz.become("signoz-admin")
    assert signoz("POST", "/api/v1/dashboards", dashboard(), 501)["code"] == "dashboard_deprecated"
    signoz("POST", "/api/v1/settings/ttl", status=500, type="logs", duration="720h")
    signoz("POST", "/api/v1/settings/ttl", status=400, type="traces", duration="0h")
    signoz("POST", "/api/v2/settings/ttl", {"type": "traces", "defaultTTLDays": 20}, 400)
    signoz("POST", "/api/v2/settings/ttl", {"type": "logs", "defaultTTLDays": 0}, 200)
    assert "default_ttl_days" not in signoz("GET", "/api/v2/settings/ttl", type="logs")


def test_retention_takes_a_while(signoz: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pending, with the number of before, and another change is refused; then in force."""
    signoz.become("signoz-admin")
    monkeypatch.setattr("lab.images.signoz.retention.TAKES_SECONDS", 3600)
    signoz("POST", "/api/v1/settings/ttl", status=200, type="traces", duration="48h")
    found = signoz("GET", "/api/v1/settings/ttl", type="traces")
    assert (found["traces_ttl_duration_hrs"], found["status"]) == (360, "pending")
    signoz("POST", "/api/v1/settings/ttl", status=409, type="traces", duration="72h")
    signoz("POST", "/api/v1/settings/ttl", status=200, type="metrics", duration="72h")
    monkeypatch.setattr("lab.images.signoz.retention.TAKES_SECONDS", 0)
    found = signoz("GET", "/api/v1/settings/ttl", type="traces")
    assert (found["traces_ttl_duration_hrs"], found["status"]) == (48, "success")


def test_prices_are_replaced_by_their_source_alone(signoz: Client) -> None:
    """One without id or source is added each time; nothing in it is looked into."""
    signoz.become("signoz-admin")
    price = {"modelName": "m", "provider": "p", "modelPattern": ["m*"], "unit": "per_token", "enabled": True}
    for _ in range(2):
        signoz("PUT", "/api/v1/llm_pricing_rules", {"rules": [{**price, "sourceId": NO_RULE}]}, 204)
    assert signoz("GET", "/api/v1/llm_pricing_rules")["total"] == 1
    for _ in range(2):
        signoz("PUT", "/api/v1/llm_pricing_rules", {"rules": [price]}, 204)
    found = signoz("GET", "/api/v1/llm_pricing_rules")
    assert found["total"] == 3
    assert [each["isOverride"] for each in found["items"]] == [True, True, False]
    signoz("PUT", "/api/v1/llm_pricing_rules", {"rules": [{**price, "sourceId": "s"}]}, 400)


@pytest.mark.parametrize(
    "weak", ["", "short-A1", "no-digits-Here", "no_upper_case_1", "NO_LOWER_CASE_1", "NoSymbols1234", "Space in-it 12"]
)
def test_weak_root_passwords_are_refused(weak: str, tmp_path: Path) -> None:
    """The container does not start with one, as SigNoz does not."""
    assert password_problem(weak)
    environ = {"SIGNOZ_USER_ROOT_ENABLED": "true", "SIGNOZ_USER_ROOT_EMAIL": "a@b.c", "SIGNOZ_USER_ROOT_PASSWORD": weak}
    with pytest.raises(ValueError, match="PASSWORD"):
        Api(Store(tmp_path / "s.db"), {}).accounts.set_root(environ)
    assert password_problem(PASSWORD) is None
