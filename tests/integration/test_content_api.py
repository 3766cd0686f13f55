"""The client of SigNoz' API against a server: the lab's stand-in always, and a real one where there is one.

The same functions for both, so that the stand-in answers as the real server does. The real one is named by
TURNSCOPE_SIGNOZ_URL, with TURNSCOPE_SIGNOZ_EMAIL and TURNSCOPE_SIGNOZ_PASSWORD of its root user; it should be one that
nobody needs. Retention is tried where it has a ClickHouse with SigNoz' tables.
"""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from core.secrets.placeholders import secrets_in
from lab.images.signoz.api import Api
from lab.images.signoz.server import Server
from lab.images.signoz.store import Store
from signoz.content.api import bootstrap, errors
from signoz.content.api.client import SigNozClient
from signoz.content.api.http import RetryPolicy
from signoz.content.api.normalise import normalise
from signoz.content.build import plan_content
from signoz.content.model import ContentObject, Kind
from signoz.content.placeholders import filled
from tests import targets
from tests.content_lab import ROOT as ROOT_USER
from tests.machine import free_port
from tests.stack_settings import validate
from tests.unit.conftest import MINIMAL
from tests.unit.test_content_normalise import SIGNOZ

ROOT = Path(__file__).parents[2]
URL, EMAIL, PASSWORD = "TURNSCOPE_SIGNOZ_URL", "TURNSCOPE_SIGNOZ_EMAIL", "TURNSCOPE_SIGNOZ_PASSWORD"
STAND_IN = "from lab.images.signoz import server; server.PORT = {port}; raise SystemExit(server.main())"
HOOK = "https://hooks.example.com/services/T0/B0/sEcReT"
RUN = uuid.uuid4().hex[:8]
"""In every name: a real server may have others' objects, and those of runs before."""


@dataclass
class World:
    """A server, and an administrator's client of it. `real`: SigNoz itself."""

    address: str
    email: str
    password: str = field(repr=False)
    real: bool
    key: str = field(repr=False)
    client: SigNozClient

    def raw(self, method: str, path: str, body: Any = None, **params: str) -> Any:
        """What somebody does in the UI."""
        answer = httpx.request(
            method, self.address + path, json=body, params=params, headers={"SIGNOZ-API-KEY": self.key}, timeout=60
        )
        answer.raise_for_status()
        return answer.json() if answer.content else None

    @property
    def has_store(self) -> bool:
        return not self.real or httpx.get(f"{self.address}/api/v1/health?live=1", timeout=60).status_code == 200


def serve(folder: Path) -> tuple[str, subprocess.Popen[bytes]]:
    port = free_port()
    environment = {
        **os.environ, "PYTHONPATH": str(ROOT), "SIGNOZ_SQLSTORE_SQLITE_PATH": str(folder / "signoz.db"), **ROOT_USER,
    }  # fmt: skip
    process = subprocess.Popen([sys.executable, "-c", STAND_IN.format(port=port)], env=environment)
    return f"http://127.0.0.1:{port}", process


@pytest.fixture(scope="module", params=["stand-in", "real"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    real, process = request.param == "real", None
    if real:
        if not os.environ.get(URL):
            pytest.skip(f"NOT TESTED AGAINST THE REAL SIGNOZ: {URL}, {EMAIL} and {PASSWORD} name none")
        address, email, password = os.environ[URL], os.environ[EMAIL], os.environ[PASSWORD]
    else:
        address, process = serve(tmp_path_factory.mktemp("signoz"))
        email, password = ROOT_USER["SIGNOZ_USER_ROOT_EMAIL"], ROOT_USER["SIGNOZ_USER_ROOT_PASSWORD"]
    account = f"test-{RUN}"
    # Waits for a server that is starting.
    key, _, account_id = bootstrap.make_api_key(address, None, email, password, account)
    made = World(address, email, password, real, key, SigNozClient(address, api_key=key))
    try:
        yield made
    finally:
        bootstrap.remove_service_account(address, None, email, password, account_id)
        if process:
            process.terminate()
            process.wait(10)


@pytest.fixture
def channel(world: World) -> Iterator[str]:
    """The name of a channel, which is there for one test."""
    name = f"c-{uuid.uuid4().hex[:8]}"
    made = world.client.create(Kind.CHANNEL, {"name": name, "slack_configs": [{"api_url": HOOK}]})
    yield name
    world.client.delete(Kind.CHANNEL, made)


QUERY = {"name": "A", "signal": "traces", "aggregations": [{"expression": "count()"}]}


def rule(channel: str, filtered: str = "name = 'agent_turn'", **over: Any) -> dict[str, Any]:
    threshold = {"name": "critical", "op": "above", "matchType": "last", "target": 1, "channels": [channel]}
    query = {"type": "builder_query", "spec": {**QUERY, "filter": {"expression": filtered}}}
    return {
        "alert": f"Slow {RUN}", "alertType": "TRACES_BASED_ALERT", "ruleType": "threshold_rule",
        "schemaVersion": "v2alpha1", "labels": {"rule": "slow", "stack": RUN},
        "evaluation": {"kind": "rolling", "spec": {"evalWindow": "5m", "frequency": "1m"}},
        "condition": {
            "compositeQuery": {"queryType": "builder", "panelType": "graph", "queries": [query]},
            "thresholds": {"kind": "basic", "spec": [threshold]},
        },
        "notificationSettings": {"renotify": {"enabled": False}}, **over,
    }  # fmt: skip


def dashboard(name: str = f"d-{RUN}", **spec: Any) -> dict[str, Any]:
    plugin = {"kind": "signoz/BuilderQuery", "spec": QUERY}
    panel = {
        "kind": "Panel",
        "spec": {
            "display": {"name": "Turns"}, "plugin": {"kind": "signoz/TimeSeriesPanel", "spec": {}},
            "queries": [{"kind": "time_series", "spec": {"name": "A", "plugin": plugin}}],
        },
    }  # fmt: skip
    item = {"x": 0, "y": 0, "width": 6, "height": 4, "content": {"$ref": "#/spec/panels/a"}}
    layout = {"kind": "Grid", "spec": {"items": [item]}}
    whole = {"display": {"name": "Turns"}, "variables": [], "panels": {"a": panel}, "layouts": [layout], **spec}
    return {"schemaVersion": "v6", "name": name, "tags": [], "spec": whole}


def view(title: str = "Slow turns", name: str = f"v-{RUN}") -> dict[str, Any]:
    queries = [{"type": "builder_query", "spec": QUERY}]
    spec = {"displayName": title, "panelType": "graph", "requestType": "time_series", "queries": queries}
    return {"name": name, "source": "traces", "schemaVersion": "v2", "spec": spec}


def downtime(end: str) -> dict[str, Any]:
    schedule = {"timezone": "Europe/Berlin", "startTime": "2030-12-01T21:00:00Z", "endTime": end}
    return {"name": f"night {RUN}", "schedule": schedule}


def price(dollars: float) -> dict[str, Any]:
    return {
        "modelName": f"m-{RUN}", "provider": "turnscope", "modelPattern": ["m"], "unit": "per_million_tokens",
        "pricing": {"input": dollars, "output": 2.5}, "enabled": True, "isOverride": True,
    }  # fmt: skip


def bodies(kind: Kind, channel: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A body, and what somebody makes of it."""
    policy = {"name": f"p-{RUN}", "expression": 'severity == "critical"', "channels": [channel]}
    receiver = {"name": f"n-{RUN}", "webhook_configs": [{"url": HOOK, "send_resolved": True}]}
    return {
        Kind.CHANNEL: (receiver, {**receiver, "webhook_configs": [{"url": HOOK + "2"}]}),
        Kind.ROUTE_POLICY: (policy, {**policy, "expression": 'severity == "warning"'}),
        Kind.ALERT_RULE: (rule(channel), rule(channel, disabled=True)),
        Kind.DOWNTIME: (downtime("2030-12-02T01:00:00Z"), downtime("2030-12-02T02:00:00Z")),
        Kind.DASHBOARD: (dashboard(), dashboard(display={"name": "Turns, edited"})),
        Kind.SAVED_VIEW: (view(), view("Slow turns, edited")),
        Kind.LLM_PRICES: (price(1.5), price(3)),
    }[kind]


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.RETENTION])
def test_an_object_lives_and_its_drift_shows(world: World, channel: str, kind: Kind) -> None:
    """Made, found, read without drift, edited and seen so, put back, deleted twice, and gone."""
    client = world.client
    body, edited = bodies(kind, channel)
    assert client.find(kind, body) is None
    object_id = client.create(kind, body)
    try:
        assert client.find(kind, body) == object_id

        def comparable() -> Any:
            found = client.read(kind, object_id)
            assert found is not None
            return normalise(kind, body, found)

        assert comparable() == body
        client.update(kind, object_id, edited)
        assert comparable() != body
        assert normalise(kind, edited, client.read(kind, object_id)) == edited
        client.update(kind, object_id, body)
        assert comparable() == body
    finally:
        for _ in range(2):
            client.delete(kind, object_id)
    assert client.read(kind, object_id) is None
    assert client.find(kind, body) is None
    with pytest.raises(errors.NotFound):
        client.update(kind, object_id, body)


def library() -> tuple[ContentObject, ...]:
    """With every target, and an agent that has its own: rules that a stack may do without are there too."""
    settings = {
        "environment": "dev", "signoz": SIGNOZ, "targets": targets.OPTIONAL,
        "agents": {"receptionist": {}, f"a-{RUN}": {"targets": {"percentile": 90, "cost_per_call_usd": 3}}},
        "prices": {"llm": {f"m-{RUN}": {"input_usd_per_million_tokens": 1.0, "output_usd_per_million_tokens": 2.5}}},
    }  # fmt: skip
    return plan_content(f"s-{RUN}", validate({**MINIMAL, **settings}, source=Path("test")), folder=None).objects


def test_everything_that_ships_is_taken_and_does_not_drift(world: World) -> None:
    """Dashboards, rules, channels, policies, views, downtimes, prices; retention is below."""
    client, ids, taken = world.client, dict[str, str](), list[str]()
    objects = [each for each in library() if each.kind is not Kind.RETENTION]
    made: list[tuple[Kind, str]] = []
    try:
        for each in objects:
            body = filled(each.body, dict.fromkeys(dict(secrets_in(each.body)), HOOK), ids)
            object_id = client.find(each.kind, body) or client.create(each.kind, body)
            made.append((each.kind, object_id))
            client.update(each.kind, object_id, body)
            ids[each.name] = object_id
            assert normalise(each.kind, body, client.read(each.kind, object_id)) == body, each.name
            taken.append(each.name)
    finally:
        for kind, object_id in reversed(made):
            client.delete(kind, object_id)
    assert taken == [each.name for each in objects]


def refused_rules(channel: str) -> list[tuple[dict[str, Any], str]]:
    unset = {name: value for name, value in rule(channel).items() if name != "notificationSettings"}
    return [
        (rule(channel, "name ="), "filter expression"),
        (rule(channel, "(name = 'x'"), "filter expression"),
        (rule("nobody"), "nobody"),
        (unset, "notificationSettings"),
        (rule(channel, alert=""), "alert"),
        (rule(channel, labels={"bad key": "x"}), "label"),
    ]


def test_a_wrong_rule_is_refused_with_its_reason(world: World, channel: str) -> None:
    """One sentence with the server's words, and nothing is made."""
    before = len(world.client.list(Kind.ALERT_RULE))
    for body, reason in refused_rules(channel):
        with pytest.raises(errors.Invalid, match=reason) as raised:
            world.client.create(Kind.ALERT_RULE, body)
        assert world.address in str(raised.value)
    assert len(world.client.list(Kind.ALERT_RULE)) == before


def test_a_wrong_dashboard_is_refused_with_its_reason(world: World) -> None:
    grid = dashboard()["spec"]["layouts"][0]["spec"]["items"]
    wide, twice = [{**grid[0], "width": 13}], [*grid, {**grid[0], "y": 4}]
    for spec, reason in (
        ({"unknown": 1}, "unknown"),
        ({"layouts": [{"kind": "Grid", "spec": {"items": wide}}]}, "width"),
        ({"layouts": [{"kind": "Grid", "spec": {"items": twice}}]}, "already placed"),
        ({"display": {"name": "x" * 129}}, "128"),
        ({"panels": {}}, "unknown panel"),
    ):
        with pytest.raises(errors.Invalid, match=reason):
            world.client.create(Kind.DASHBOARD, dashboard(f"w-{RUN}", **spec))
    assert world.client.find(Kind.DASHBOARD, {"name": f"w-{RUN}"}) is None


def test_an_unknown_channel_is_refused_in_a_policy(world: World) -> None:
    policy = {"name": f"q-{RUN}", "expression": "true", "channels": ["nobody"]}
    with pytest.raises(errors.Invalid, match="no channel nobody"):
        world.client.create(Kind.ROUTE_POLICY, policy)
    assert world.client.find(Kind.ROUTE_POLICY, policy) is None


def test_a_taken_name_is_a_conflict(world: World, channel: str) -> None:
    """Of channels, dashboards and views; the first one stays as it is."""
    for kind, body in (
        (Kind.CHANNEL, {"name": channel, "slack_configs": [{"api_url": HOOK}]}),
        (Kind.DASHBOARD, dashboard(f"t-{RUN}")),
        (Kind.SAVED_VIEW, view(name=f"t-{RUN}")),
    ):
        object_id = client_id(world, kind, body)
        try:
            with pytest.raises(errors.Conflict):
                world.client.create(kind, body)
            assert world.client.find(kind, body) == object_id
        finally:
            if kind is not Kind.CHANNEL:
                world.client.delete(kind, object_id)


def client_id(world: World, kind: Kind, body: dict[str, Any]) -> str:
    return world.client.find(kind, body) or world.client.create(kind, body)


def test_what_is_used_is_not_deleted(world: World, channel: str) -> None:
    """A channel that a rule names is refused, with the server's reason; a downtime of a rule goes nevertheless."""
    made = world.client.create(Kind.ALERT_RULE, rule(channel))
    used = world.client.find(Kind.CHANNEL, {"name": channel}) or ""
    silent = world.client.create(Kind.DOWNTIME, {**downtime("2030-12-02T01:00:00Z"), "alertIds": [made]})
    with pytest.raises(errors.Invalid, match="used by"):
        world.client.delete(Kind.CHANNEL, used)
    with pytest.raises(errors.Conflict):
        world.client.delete(Kind.ALERT_RULE, made)
    world.client.delete(Kind.DOWNTIME, silent)
    world.client.delete(Kind.ALERT_RULE, made)


def test_a_locked_dashboard_is_said_to_be(world: World) -> None:
    object_id = world.client.create(Kind.DASHBOARD, dashboard(f"l-{RUN}"))
    world.raw("PUT", f"/api/v2/dashboards/{object_id}/lock")
    with pytest.raises(errors.Locked, match="unlock"):
        world.client.update(Kind.DASHBOARD, object_id, dashboard(f"l-{RUN}"))
    world.raw("DELETE", f"/api/v2/dashboards/{object_id}/lock")
    world.client.delete(Kind.DASHBOARD, object_id)


def test_a_tag_in_another_spelling_is_no_drift(world: World) -> None:
    """The server keeps one spelling of a tag for all dashboards: that of the first one, which may be somebody's."""
    theirs = {**dashboard(f"theirs-{RUN}"), "tags": [{"key": "Area", "value": f"Calls-{RUN}"}]}
    ours = {**dashboard(f"ours-{RUN}"), "tags": [{"key": "area", "value": f"calls-{RUN}"}]}
    made = [world.client.create(Kind.DASHBOARD, body) for body in (theirs, ours)]
    found = world.client.read(Kind.DASHBOARD, made[1]) or {}
    assert found["tags"] == theirs["tags"]
    assert normalise(Kind.DASHBOARD, ours, found) == ours
    for object_id in made:
        world.client.delete(Kind.DASHBOARD, object_id)


def refused(channel: str) -> list[tuple[Kind, dict[str, Any], str]]:
    """Mistakes of users, which the stand-in finds as the real server does."""
    threshold = {"name": "critical", "op": "above", "matchType": "last", "target": 1, "channels": [channel]}
    spec = {**dashboard()["spec"]["panels"]["a"]["spec"]}
    unset = {name: value for name, value in threshold.items() if name != "name"}
    condition = rule(channel)["condition"]
    renotify: dict[str, Any] = {"notificationSettings": {"renotify": {"enabled": True}}}
    night = downtime("2030-12-02T01:00:00Z")
    return [
        (Kind.ALERT_RULE, rule(channel, **renotify), "interval"),
        (Kind.ALERT_RULE, rule(channel, annotations={"a b": "x"}), "annotation"),
        (Kind.ALERT_RULE, rule(channel, labels={"a": 1}), "(?i)label"),
        (Kind.ALERT_RULE, rule(channel, evaluation={"kind": "rolling", "spec": {"evalWindow": "5m"}}), "frequency"),
        (Kind.ALERT_RULE, rule(channel, schemaVersion="v1"), "condition.target"),
        (Kind.ALERT_RULE, rule(channel, condition={**condition, "thresholds": {"kind": "basic", "spec": [unset]}}),
         "threshold name"),
        (Kind.ALERT_RULE, rule(channel, condition={**condition, "thresholds": {"kind": "x", "spec": [threshold]}}),
         "threshold kind"),
        (Kind.DASHBOARD, dashboard(f"x-{RUN}", panels={"a": {"kind": "Panel", "spec": {
            **spec, "plugin": {"kind": "signoz/TimeSeriesPanel"}}}}), "spec"),
        (Kind.DASHBOARD, dashboard(f"x-{RUN}", duration="soon"), "duration"),
        (Kind.DASHBOARD, dashboard(f"x-{RUN}", variables=[{"kind": "TextVariable", "spec": {"name": "a b"}}]), "name"),
        (Kind.DOWNTIME, {**night, "schedule": {**night["schedule"], "timezone": "Mars/Base"}}, "timezone"),
        (Kind.DOWNTIME, {**night, "schedule": {**night["schedule"], "recurrence": {"duration": "2h"}}}, "(?i)repeat"),
        (Kind.SAVED_VIEW, {**view(name=f"x-{RUN}"), "source": "calls"}, "source"),
    ]  # fmt: skip


def test_a_users_mistake_is_refused_with_its_reason(world: World, channel: str) -> None:
    for kind, body, reason in refused(channel):
        with pytest.raises(errors.Invalid, match=reason):
            world.client.create(kind, body)
        assert world.client.find(kind, body) is None, reason


def test_a_receiver_without_a_target_is_refused(world: World) -> None:
    """SigNoz says so as if it had failed itself."""
    for receiver in ({"email_configs": [{}]}, {"pagerduty_configs": [{}]}, {"slack_configs": [{"channel": "#x"}]}):
        body = {"name": f"e-{RUN}", **receiver}
        with pytest.raises(errors.ServerError, match=r"(?i)missing|no Slack"):
            world.client.create(Kind.CHANNEL, body)
        assert world.client.find(Kind.CHANNEL, body) is None


def test_a_secret_is_in_no_message(world: World) -> None:
    """The server repeats an address that it cannot parse."""
    for address in (f"{HOOK}/%zz", f"https://user:{'sEcReT' * 60}@example.com:port/"):
        body = {"name": f"s-{RUN}", "webhook_configs": [{"url": address}]}
        with pytest.raises(errors.ApiError) as raised:
            world.client.create(Kind.CHANNEL, body)
        assert "sEcReT" not in str(raised.value)
        assert world.client.find(Kind.CHANNEL, body) is None


def test_the_key_is_replaced_and_dies_with_its_account(world: World) -> None:
    """A second one revokes the first; a wrong password is one sentence without it."""

    def make(password: str = world.password) -> tuple[str, str, str]:
        return bootstrap.make_api_key(world.address, None, world.email, password, f"key-{RUN}")

    def works(key: str) -> bool:
        return bootstrap.key_works(world.address, None, key)

    first, second = make(), make()
    assert first[2] == second[2]
    assert (works(first[0]), works(second[0])) == (False, True)
    with pytest.raises(errors.Unauthorized, match="password") as raised:
        make("Wrong-password-1")
    assert "Wrong-password-1" not in str(raised.value)
    for _ in range(2):
        bootstrap.remove_service_account(world.address, None, world.email, world.password, second[2])
    assert not works(second[0])
    with pytest.raises(errors.Unauthorized):
        SigNozClient(world.address, api_key=second[0]).list(Kind.CHANNEL)
    again = make()
    assert again[2] != second[2]
    assert works(again[0])
    bootstrap.remove_service_account(world.address, None, world.email, world.password, again[2])


@pytest.mark.parametrize("signal", ["traces", "metrics", "logs"])
def test_retention_is_set_and_in_force(world: World, signal: str) -> None:
    """Read back after a while, without drift; what was before is put back."""
    if not world.has_store:
        pytest.skip(f"RETENTION NOT TESTED AGAINST THE REAL SIGNOZ: {world.address} has no ClickHouse")
    client = world.client
    before = client.read(Kind.RETENTION, signal) or {}
    body = {"signal": signal, "days": before["days"] + 3}
    assert client.create(Kind.RETENTION, body) == signal
    assert normalise(Kind.RETENTION, body, client.read(Kind.RETENTION, signal)) == body
    client.update(Kind.RETENTION, signal, before)
    assert client.read(Kind.RETENTION, signal) == before
    client.delete(Kind.RETENTION, signal)
    assert client.read(Kind.RETENTION, signal) == before


def test_another_change_of_retention_is_waited_for(world: World) -> None:
    """The server takes a second one while the first is under way, and may leave the first one's number and say success:
    what is said to be done is in force."""
    if not world.has_store:
        pytest.skip(f"RETENTION NOT TESTED AGAINST THE REAL SIGNOZ: {world.address} has no ClickHouse")
    before = world.client.read(Kind.RETENTION, "traces") or {}
    world.raw("POST", "/api/v1/settings/ttl", type="traces", duration="480h")
    world.client.update(Kind.RETENTION, "traces", {"signal": "traces", "days": 21})
    assert (world.client.read(Kind.RETENTION, "traces") or {})["days"] == 21
    world.client.update(Kind.RETENTION, "traces", before)


# --- What only a server of this test's own can show


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Address of a stand-in behind TLS, and the certificate's PEM."""
    folder = tmp_path_factory.mktemp("gateway")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    made += ["-keyout", str(key), "-out", str(certificate), "-days", "2", "-subj", "/CN=signoz.internal"]
    subprocess.run([*made, "-addext", "subjectAltName=DNS:signoz.internal"], check=True, capture_output=True)
    store = Store(folder / "signoz.db")
    api = Api(store, {})
    api.accounts.set_root(ROOT_USER)
    server = Server(("127.0.0.1", 0), store, api)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"https://127.0.0.1:{server.server_address[1]}", certificate.read_text()
    server.shutdown()
    server.server_close()


def test_the_gateway_is_trusted_by_its_own_root_alone(gateway: tuple[str, str]) -> None:
    """By its name, which need not be the address; without the root, or with another name, nothing is sent."""
    address, root = gateway
    trusting = SigNozClient(address, root_certificate=root, server_name="signoz.internal")
    assert trusting.version().startswith("v0.138.0")
    for client in (
        SigNozClient(address),
        SigNozClient(address, root_certificate=root),
        SigNozClient(address, server_name="signoz.internal"),
    ):
        with pytest.raises(errors.Unreachable, match="not trusted"):
            client.version()


def test_plain_http_to_a_tls_port_is_said_so(gateway: tuple[str, str]) -> None:
    """And TLS to a plain one; neither hangs."""
    address = gateway[0].replace("https", "http")
    with pytest.raises(errors.Unreachable, match="did not answer"):
        SigNozClient(address, retry_policy=RetryPolicy(1), timeout_seconds=5).version()


def test_nobody_at_the_address_is_said_so() -> None:
    address = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(errors.Unreachable, match="Is it running"):
        SigNozClient(address, retry_policy=RetryPolicy(1)).list(Kind.CHANNEL)


def test_a_server_that_starts_late_is_waited_for(tmp_path: Path) -> None:
    """Asked before it listens, the key is made once it does."""
    address, process = serve(tmp_path)
    try:
        key = bootstrap.make_api_key(
            address, None, ROOT_USER["SIGNOZ_USER_ROOT_EMAIL"], ROOT_USER["SIGNOZ_USER_ROOT_PASSWORD"], "late"
        )
        assert bootstrap.key_works(address, None, key[0])
    finally:
        process.terminate()
        process.wait(10)


def test_a_hanging_server_does_not_hang_the_client() -> None:
    """It takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = SigNozClient(
            f"http://127.0.0.1:{silent.getsockname()[1]}", retry_policy=RetryPolicy(1), timeout_seconds=0.2
        )
        with pytest.raises(errors.LostAnswer, match="did not answer"):
            client.version()


class Empty(BaseHTTPRequestHandler):
    """Has nothing, and says so in a word."""

    def do_GET(self) -> None:
        self.send_response(404)
        self.end_headers()
        self.wfile.write(b"not here")

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


def test_an_answer_of_another_server_is_no_content() -> None:
    """Its 404 must not read as an object that is gone."""
    server = HTTPServer(("127.0.0.1", 0), Empty)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        client = SigNozClient(f"http://127.0.0.1:{server.server_address[1]}", retry_policy=RetryPolicy(1))
        with pytest.raises(errors.Unsupported, match="Is this the address of SigNoz"):
            client.read(Kind.DASHBOARD, "x")
    finally:
        server.shutdown()
        server.server_close()
