"""The client of SigNoz' API: what it makes of every way in which a request can go wrong, and what it never sends."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signoz.content.api import bootstrap, errors
from signoz.content.api.client import SigNozClient
from signoz.content.api.http import FAILURES, Http
from signoz.content.model import Kind
from tests.content_lab import ADDRESS, EMAIL, PASSWORD, Clock, Lab, make_lab

KEY = "kEy-that-nobody-may-see"
HOOK = "https://hooks.example.com/services/T0/B0/sEcReT"
CHANNEL = {"name": "team", "slack_configs": [{"api_url": HOOK, "send_resolved": True}]}
POLICY = {"name": "all", "expression": "true", "channels": ["team"]}
VIEW = {
    "name": "slow", "source": "traces", "schemaVersion": "v2",
    "spec": {
        "displayName": "Slow turns", "panelType": "graph", "requestType": "time_series",
        "queries": [{"type": "builder_query", "spec": {
            "name": "A", "signal": "traces", "aggregations": [{"expression": "count()"}]}}],
    },
}  # fmt: skip
PRICE = {
    "modelName": "m", "provider": "p", "modelPattern": ["m"], "unit": "per_million_tokens", "enabled": True,
    "pricing": {"input": 1, "output": 2}, "isOverride": True,
}  # fmt: skip


def rule(expression: str = "name = 'agent_turn'", **over: Any) -> dict[str, Any]:
    spec = {
        "name": "A", "signal": "traces", "aggregations": [{"expression": "count()"}],
        "filter": {"expression": expression},
    }  # fmt: skip
    threshold = {"name": "critical", "op": "above", "matchType": "at_least_once", "target": 1, "channels": ["team"]}
    return {
        "alert": "Slow", "alertType": "TRACES_BASED_ALERT", "ruleType": "threshold_rule", "version": "v5",
        "schemaVersion": "v2alpha1", "evaluation": {"kind": "rolling", "spec": {"evalWindow": "5m", "frequency": "1m"}},
        "condition": {
            "compositeQuery": {"queryType": "builder", "queries": [{"type": "builder_query", "spec": spec}]},
            "thresholds": {"kind": "basic", "spec": [threshold]},
        },
        "notificationSettings": {"renotify": {"enabled": False}}, **over,
    }  # fmt: skip


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return make_lab(tmp_path)


def scripted(*answers: httpx.Response | Exception) -> httpx.MockTransport:
    """Answers one after the other, the last one for ever."""
    left: Iterator[httpx.Response | Exception] = iter(answers)
    last = [answers[-1]]

    def handler(request: httpx.Request) -> httpx.Response:
        answer = last[0] = next(left, last[0])
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content, request=request)

    return httpx.MockTransport(handler)


def refused(status: int, message: str, code: str = "x", *details: str) -> httpx.Response:
    errors_ = [{"message": each} for each in details]
    return httpx.Response(
        status, json={"status": "error", "error": {"code": code, "message": message, "errors": errors_}}
    )


def http(*answers: httpx.Response | Exception, clock: Clock | None = None) -> Http:
    return Http(
        ADDRESS,
        headers={"SIGNOZ-API-KEY": KEY},
        retry_policy=(clock or Clock()).retry_policy(),
        transport=scripted(*answers),
    )


HTML = {"Content-Type": "text/html"}
UNTRUSTED = httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed (_ssl.c:1006)")
FAILED: list[tuple[httpx.Response | Exception, type[errors.ApiError], str]] = [
    (refused(401, "unauthenticated"), errors.Unauthorized, "key"),
    (refused(403, "only admins can access this resource"), errors.Forbidden, "admin"),
    (refused(404, "rule with ID: 1 does not exist"), errors.NotFound, "does not exist"),
    (refused(400, "route not found", "not_found"), errors.NotFound, "route not found"),
    (refused(409, "dashboard already exists"), errors.Conflict, "already exists"),
    (refused(400, "the receiver name has to be unique", "alertmanager_config_conflict"), errors.Conflict, "unique"),
    (refused(400, "alert rule is not valid", "x", "alert: field is required"), errors.Invalid, "field is required"),
    (refused(400, "cannot update a locked dashboard, please unlock it"), errors.Locked, "unlock"),
    (refused(501, "the v1 dashboard API is deprecated"), errors.Unsupported, "deprecated"),
    (refused(500, "database is locked"), errors.ServerError, "database is locked"),
    (httpx.Response(400, json={"errors": [{"code": 400, "msg": "not valid"}]}), errors.Invalid, "not valid"),
    (httpx.Response(503, text="starting"), errors.ServerError, "busy"),
    (httpx.Response(429, text="slow down"), errors.ServerError, "busy"),
    (httpx.Response(502, text=""), errors.ServerError, "busy"),
    (httpx.Response(404, text="404 page not found"), errors.Unsupported, "release"),
    (httpx.Response(200, text="<html>Sign in</html>", headers=HTML), errors.NotSigNoz, "text/html"),
    (httpx.Response(403, text="<html>no</html>", headers=HTML), errors.NotSigNoz, "Is this the address of SigNoz"),
    (httpx.Response(308, headers={"Location": "https://elsewhere/"}), errors.NotSigNoz, "https://elsewhere/"),
    (httpx.Response(400, text="Client sent an HTTP request to an HTTPS server."), errors.Invalid, "HTTPS"),
    (httpx.ConnectError("[Errno 111] Connection refused"), errors.Unreachable, "running"),
    (httpx.ConnectTimeout("timed out"), errors.Unreachable, "reached"),
    (httpx.ReadTimeout("timed out"), errors.LostAnswer, "did not answer"),
    (httpx.RemoteProtocolError("Server disconnected"), errors.LostAnswer, "did not answer"),
    (UNTRUSTED, errors.Unreachable, "root certificate"),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "kind", "words"), FAILED, ids=[f"{each[1].__name__}-{each[2]}" for each in FAILED])
def test_each_failure_is_a_typed_error_of_one_sentence(
    answer: httpx.Response | Exception, kind: type[errors.ApiError], words: str
) -> None:
    """It names the address, says what is wrong in the server's words or what to do, and holds no key."""
    with pytest.raises(errors.ApiError) as raised:
        http(answer).ask("GET", "/api/v2/rules/1")
    assert type(raised.value) is kind
    message = str(raised.value)
    assert ADDRESS in message
    assert words in message
    assert KEY not in message
    assert "\n" not in message
    assert message.endswith((".", "?"))


@pytest.mark.parametrize("address", ["signoz", "http://", "ftp://signoz", "https://signoz:port", "https://[::1"])
def test_what_is_no_address_is_said_so(address: str) -> None:
    with pytest.raises(errors.Unreachable, match="not an address of SigNoz"):
        Http(address, retry_policy=Clock().retry_policy()).ask("GET", "/api/v1/version")


def test_a_root_certificate_that_is_none_is_said_so() -> None:
    with pytest.raises(errors.Unreachable, match="certificate"):
        Http(ADDRESS, root_certificate="not PEM")


@given(st.floats(0, 120))
def test_asking_again_ends_in_time(seconds: float) -> None:
    """However long somebody waits, never longer than they said, with growing waits between."""
    clock = Clock()
    made = Http(ADDRESS, retry_policy=clock.retry_policy(seconds), transport=scripted(httpx.ConnectError("refused")))
    with pytest.raises(errors.Unreachable):
        made.ask("GET", "/")
    assert clock.seconds <= seconds
    assert all(0 < nap <= 8 for nap in clock.naps)


@pytest.mark.parametrize(
    "busy", [httpx.Response(503), httpx.Response(429), httpx.ConnectError("refused"), httpx.ConnectTimeout("slow")]
)
def test_what_was_not_worked_on_is_asked_again(busy: httpx.Response | Exception) -> None:
    """Whatever the method: nothing can have been made."""
    for method in ("GET", "POST", "PUT", "DELETE"):
        clock = Clock()
        answers = (busy, busy, httpx.Response(200, json={"status": "success", "data": {"id": "1"}}))
        assert http(*answers, clock=clock).ask(method, "/x") == {"id": "1"}
        assert len(clock.naps) == 2


def test_a_body_that_the_server_fails_at_is_not_sent_for_ever() -> None:
    """SigNoz answers 500 to some wrong bodies; a few times is enough, and a POST once."""
    for method, times in (("PUT", FAILURES), ("POST", 1)):
        clock = Clock()
        with pytest.raises(errors.ServerError, match="unsupported scheme"):
            http(refused(500, "unsupported scheme"), clock=clock).ask(method, "/api/v1/channels")
        assert len(clock.naps) == times - 1


@pytest.mark.parametrize("status", [502, 504])
def test_a_post_that_a_proxy_cut_off_may_have_been_done(status: int) -> None:
    clock = Clock()
    with pytest.raises(errors.LostAnswer):
        http(httpx.Response(status), clock=clock).ask("POST", "/api/v2/rules")
    assert clock.naps == []


# --- Creating


def lose(lab: Lab, *, done: bool, times: int = 1) -> Callable[[httpx.Request], httpx.Response | None]:
    """The first `times` POSTs get no answer; `done`: the server works on them nevertheless."""
    left = [times]

    def handler(request: httpx.Request) -> httpx.Response | None:
        if request.method != "POST" or "preview" in request.url.path or not left[0]:
            return None
        left[0] -= 1
        if done:
            lab.answer(request)
        raise httpx.ReadTimeout("timed out", request=request)

    return handler


CREATED = [(Kind.CHANNEL, CHANNEL), (Kind.ROUTE_POLICY, POLICY), (Kind.ALERT_RULE, rule()), (Kind.SAVED_VIEW, VIEW)]


@pytest.mark.parametrize("done", [True, False], ids=["done", "not-done"])
@pytest.mark.parametrize(("kind", "body"), CREATED, ids=[each[0] for each in CREATED])
def test_a_lost_answer_makes_one_object(lab: Lab, kind: Kind, body: dict[str, Any], done: bool) -> None:
    """Whether the server had made it or not: there is one afterwards, and its identifier is known."""
    client = lab.client()
    if kind is not Kind.CHANNEL:
        client.create(Kind.CHANNEL, CHANNEL)
    lab.before = lose(lab, done=done)
    object_id = client.create(kind, body)
    assert [each[0] for each in client.list(kind)] == [object_id]


def test_a_create_that_is_still_worked_on_is_found_in_the_end(lab: Lab) -> None:
    """Lost, not there yet, and then in the way of the second try."""
    client = lab.client()
    started: list[httpx.Request] = []

    def slow(request: httpx.Request) -> httpx.Response | None:
        if request.method == "POST":
            if started:
                lab.answer(started[0])
                return None
            started.append(request)
            raise httpx.ReadTimeout("timed out", request=request)
        return None

    lab.before = slow
    assert client.create(Kind.SAVED_VIEW, VIEW) == client.find(Kind.SAVED_VIEW, VIEW)
    assert len(client.list(Kind.SAVED_VIEW)) == 1


def test_a_server_that_stays_silent_is_not_asked_a_third_time(lab: Lab) -> None:
    client = lab.client()
    lab.before = lose(lab, done=False, times=9)
    with pytest.raises(errors.LostAnswer):
        client.create(Kind.CHANNEL, CHANNEL)
    assert lab.count("POST", "/api/v1/channels") == 2


def test_a_taken_name_is_a_conflict(lab: Lab) -> None:
    client = lab.client()
    for kind, body in ((Kind.CHANNEL, CHANNEL), (Kind.SAVED_VIEW, VIEW)):
        client.create(kind, body)
        with pytest.raises(errors.Conflict):
            client.create(kind, body)


@pytest.mark.parametrize("expression", ["name =", "(name = 'x'", "name = 'x"])
def test_a_rule_with_a_wrong_query_is_not_sent(lab: Lab, expression: str) -> None:
    """SigNoz would store it and fail at each evaluation: made or changed, it is refused before."""
    client = lab.client()
    client.create(Kind.CHANNEL, CHANNEL)
    object_id = client.create(Kind.ALERT_RULE, rule())
    lab.asked.clear()
    for send in (
        lambda: client.create(Kind.ALERT_RULE, rule(expression)),
        lambda: client.update(Kind.ALERT_RULE, object_id, rule(expression)),
    ):
        with pytest.raises(errors.Invalid, match="filter expression"):
            send()
    assert not [each for each in lab.asked if each[0] in ("POST", "PUT") and "preview" not in each[1]]


PREVIEWS = [
    ({"error": {"type": "invalid-input", "message": "SQL syntax error"}, "warnings": []}, "query A.*SQL syntax error"),
    ({"error": {"type": "internal", "message": 'failed to parse aggregation expression "foo("'}}, "aggregation"),
    ({"error": None, "warnings": ["invalid promql query: 1:6: parse error: unclosed left parenthesis"]}, "promql"),
    ({"error": {"type": "internal", "message": "failed to get tbl statement"}, "warnings": []}, None),
    ({"error": None, "warnings": ["metric x has never been received"]}, None),
]


@pytest.mark.parametrize(("preview", "words"), PREVIEWS)
def test_only_mistakes_in_a_query_are_held_against_it(lab: Lab, preview: dict[str, Any], words: str | None) -> None:
    """Not a store that is down, nor a metric that was not received yet."""
    client = lab.client()
    client.create(Kind.CHANNEL, CHANNEL)
    answer = httpx.Response(200, json={"status": "success", "data": {"compositeQuery": {"A": preview}}})
    lab.before = lambda request: answer if "preview" in request.url.path else None
    if words is None:
        client.create(Kind.ALERT_RULE, rule())
        return
    with pytest.raises(errors.Invalid, match=words):
        client.create(Kind.ALERT_RULE, rule())
    assert client.list(Kind.ALERT_RULE) == []


def test_a_server_that_cannot_judge_queries_stops_no_rule(lab: Lab) -> None:
    client = lab.client()
    client.create(Kind.CHANNEL, CHANNEL)
    lab.before = lambda request: refused(500, "no store") if "preview" in request.url.path else None
    assert client.create(Kind.ALERT_RULE, rule())


def test_a_policy_to_an_unknown_channel_is_not_sent(lab: Lab) -> None:
    """SigNoz would take it, and tell nobody."""
    client = lab.client()
    with pytest.raises(errors.Invalid, match=r"no channel team; there are: none"):
        client.create(Kind.ROUTE_POLICY, POLICY)
    client.create(Kind.CHANNEL, CHANNEL)
    object_id = client.create(Kind.ROUTE_POLICY, POLICY)
    with pytest.raises(errors.Invalid, match=r"no channel nobody; there are: team"):
        client.update(Kind.ROUTE_POLICY, object_id, {**POLICY, "channels": ["team", "nobody"]})


@pytest.mark.parametrize("version", ["0.75.0", "v0.137.1", "0.129.0-rc.1"])
def test_an_older_release_gets_nothing(lab: Lab, version: str) -> None:
    """Its forms are others: it is not read as if everything were gone, either."""
    client = lab.client()
    lab.before = lambda request: httpx.Response(200, json={"version": version})
    for ask in (
        lambda: client.create(Kind.CHANNEL, CHANNEL),
        lambda: client.read(Kind.DASHBOARD, "1"),
        lambda: client.find(Kind.DASHBOARD, {"name": "x"}),
        lambda: client.update(Kind.SAVED_VIEW, "1", VIEW),
    ):
        with pytest.raises(errors.Unsupported, match=re.escape(version)):
            ask()
    assert {path for _, path in lab.asked} == {"/api/v1/version"}


def test_a_secret_in_the_servers_words_is_hidden(lab: Lab) -> None:
    """Also where the message is cut, or the server quotes it: SigNoz repeats an address that it cannot parse."""
    client = lab.client()
    for address in (f"{HOOK}/%zz", HOOK + "x" * 400 + "%zz", HOOK + ':"%zz'):
        body = {"name": "team", "slack_configs": [{"api_url": address}]}
        with pytest.raises(errors.ServerError) as raised:
            client.create(Kind.CHANNEL, body)
        assert "sEcReT" not in str(raised.value)
        assert "[secret]" in str(raised.value)


# --- Reading, changing, deleting


def test_finding_looks_at_every_page(lab: Lab) -> None:
    """And stops after the last one."""
    client = lab.client()
    empty = {"display": {"name": "x"}, "variables": [], "panels": {}, "layouts": []}
    for number in range(201):
        client.create(Kind.DASHBOARD, {"schemaVersion": "v6", "name": f"d-{number}", "tags": [], "spec": empty})
    for name in ("d-0", "d-200"):
        found = client.find(Kind.DASHBOARD, {"name": name})
        assert found
        assert (client.read(Kind.DASHBOARD, found) or {})["name"] == name
    lab.asked.clear()
    assert client.find(Kind.DASHBOARD, {"name": "none"}) is None
    assert lab.count("GET", "/api/v2/dashboards") == 2


def test_a_rule_is_known_by_its_labels_and_else_by_its_title(lab: Lab) -> None:
    """Titles are not unique and may be changed: of several rules of one title the labelled one is found."""
    client = lab.client()
    client.create(Kind.CHANNEL, CHANNEL)
    theirs = client.create(Kind.ALERT_RULE, rule())
    labels = {"rule": "slow", "stack": "dev"}
    ours = client.create(Kind.ALERT_RULE, rule(labels=labels))
    assert client.find(Kind.ALERT_RULE, rule()) == theirs
    assert client.find(Kind.ALERT_RULE, rule(labels=labels, alert="Renamed")) == ours
    assert client.find(Kind.ALERT_RULE, rule(labels={**labels, "stack": "prod"})) is None


def test_what_is_gone_reads_as_none_and_deletes_twice(lab: Lab) -> None:
    """And cannot be changed; a price is not made again under another identifier."""
    client = lab.client()
    client.create(Kind.CHANNEL, CHANNEL)
    for kind, body in ((Kind.ROUTE_POLICY, POLICY), (Kind.ALERT_RULE, rule()), (Kind.SAVED_VIEW, VIEW),
                       (Kind.LLM_PRICES, PRICE)):  # fmt: skip
        object_id = client.create(kind, body)
        assert client.find(kind, body) == object_id
        for _ in range(2):
            client.delete(kind, object_id)
        assert client.read(kind, object_id) is None
        with pytest.raises(errors.NotFound):
            client.update(kind, object_id, body)
        assert client.find(kind, body) is None


def test_a_view_is_changed_without_its_name(lab: Lab) -> None:
    """Which SigNoz refuses in a change; it stays."""
    client = lab.client()
    object_id = client.create(Kind.SAVED_VIEW, VIEW)
    client.update(Kind.SAVED_VIEW, object_id, {**VIEW, "source": "logs"})
    found = client.read(Kind.SAVED_VIEW, object_id) or {}
    assert (found["name"], found["source"]) == ("slow", "logs")


def test_a_price_is_put_in_its_place(lab: Lab) -> None:
    """SigNoz would add a second one of the same model, which it never uses; others' prices stay."""
    client = lab.client()
    other = client.create(Kind.LLM_PRICES, {**PRICE, "modelName": "other"})
    object_id = client.create(Kind.LLM_PRICES, PRICE)
    assert client.create(Kind.LLM_PRICES, PRICE) == object_id
    client.update(Kind.LLM_PRICES, object_id, {**PRICE, "pricing": {"input": 3, "output": 4}})
    assert {each[0] for each in client.list(Kind.LLM_PRICES)} == {object_id, other}
    assert (client.read(Kind.LLM_PRICES, object_id) or {})["pricing"] == {"input": 3, "output": 4}


def test_a_locked_dashboard_is_left_alone(lab: Lab) -> None:
    """Who locked it did so on purpose: neither changed nor deleted, and said so."""
    client = lab.client(key=(key := lab.key()))
    body = {"schemaVersion": "v6", "name": "d", "spec": {"variables": [], "panels": {}, "layouts": []}}
    object_id = client.create(Kind.DASHBOARD, body)
    locked = httpx.Client(base_url=ADDRESS, headers={"SIGNOZ-API-KEY": key}, transport=lab.transport)
    locked.put(f"/api/v2/dashboards/{object_id}/lock").raise_for_status()
    with pytest.raises(errors.Locked, match="unlock"):
        client.update(Kind.DASHBOARD, object_id, body)
    with pytest.raises(errors.Locked, match="unlock"):
        client.delete(Kind.DASHBOARD, object_id)


# --- Retention


@pytest.mark.parametrize(
    "body",
    [
        {"signal": "traces", "days": 0}, {"signal": "logs", "days": -1}, {"signal": "logs"},
        {"signal": "traces", "days": True}, {"signal": "traces", "days": 1.5}, {"signal": "traces", "days": "15"},
        {"signal": "spans", "days": 15}, {"days": 15},
        {"signal": "traces", "days": 15, "cold_days": 15}, {"signal": "logs", "days": 15, "cold_days": 0},
    ],
)  # fmt: skip
def test_a_retention_that_would_delete_is_refused_before_anything_is_sent(lab: Lab, body: dict[str, Any]) -> None:
    client = lab.client()
    with pytest.raises(errors.Invalid, match="retention"):
        client.create(Kind.RETENTION, body)
    assert {path for _, path in lab.asked} <= {"/api/v1/version"}


class Tables:
    """SigNoz' answers about traces: `actual` hours are those of the tables, which follow after `asked` questions."""

    def __init__(self, hours: int = 360, asked: float = 0, pending_before: int = 0, status: str = "success") -> None:
        self.actual, self.wanted, self.left, self.status = hours, hours, asked, status
        self.pending_before = pending_before
        self.posts = 0

    def __call__(self, request: httpx.Request) -> httpx.Response | None:
        if request.url.path != "/api/v1/settings/ttl":
            return None
        if request.method == "POST":
            if self.pending_before:
                self.pending_before -= 1
                message = {"code": 409, "msg": "TTL is already running"}
                return httpx.Response(409, json={"data": None, "errors": [message]})
            self.posts += 1
            self.wanted = int(request.url.params["duration"].removesuffix("h"))
            return httpx.Response(200, json={"message": "set"})
        status = "pending"
        if self.actual != self.wanted and self.left > 0:
            self.left -= 1
        else:
            self.actual, status = self.wanted, self.status
        return httpx.Response(200, json={"traces_ttl_duration_hrs": self.actual, "status": status})


def test_retention_is_waited_for(lab: Lab) -> None:
    """While another change runs, and until its own is in force."""
    clock = Clock()
    client = lab.client(clock)
    tables = lab.before = Tables(asked=3, pending_before=4)
    assert client.create(Kind.RETENTION, {"signal": "traces", "days": 20}) == "traces"
    assert (tables.actual, tables.posts) == (480, 1)
    client.update(Kind.RETENTION, "traces", {"signal": "traces", "days": 20})
    assert tables.posts == 1, "what is in force already is not set again"


def test_a_retention_that_does_not_come_into_force_is_an_error(lab: Lab) -> None:
    """SigNoz said that it was done (signoz#9553)."""
    clock = Clock()
    client = lab.client(clock)
    lab.before = Tables(asked=float("inf"))
    with pytest.raises(errors.NotApplied, match="20 days for traces, but 15 days is still in effect"):
        client.create(Kind.RETENTION, {"signal": "traces", "days": 20})
    assert clock.seconds < 150


def test_a_failed_retention_is_said_and_tried_again(lab: Lab) -> None:
    """Soon; and it shows as drift even where the stored number is the wanted one: some tables have the old one."""
    clock = Clock()
    client = lab.client(clock)
    tables = lab.before = Tables(status="failed")
    with pytest.raises(errors.NotApplied):
        client.create(Kind.RETENTION, {"signal": "traces", "days": 20})
    assert clock.seconds < 5
    assert client.read(Kind.RETENTION, "traces") == {"signal": "traces", "days": 20, "status": "failed"}
    tables.status = "success"
    client.update(Kind.RETENTION, "traces", {"signal": "traces", "days": 20})
    assert tables.posts == 1


def test_a_failure_of_the_change_before_is_not_taken_for_this_one(lab: Lab) -> None:
    """The server writes a change down a moment after it took it; until then it tells of the one before."""
    client = lab.client()
    tables = Tables(status="failed")

    def stale_once(request: httpx.Request) -> httpx.Response | None:
        answer = tables(request)
        if request.method == "GET" and tables.posts:
            tables.status = "success"
        return answer

    lab.before = stale_once
    assert client.create(Kind.RETENTION, {"signal": "traces", "days": 20}) == "traces"


def test_logs_are_sent_whole(lab: Lab) -> None:
    """What is left out of their body would count as 0, which deletes (signoz#12701)."""
    client = lab.client()
    sent: list[Any] = []

    def watch(request: httpx.Request) -> None:
        if request.method == "POST":
            sent.append(json.loads(request.content))

    lab.before = watch
    client.create(Kind.RETENTION, {"signal": "logs", "days": 20, "cold_days": 7, "cold_volume": "s3"})
    assert sent == [
        {"type": "logs", "defaultTTLDays": 20, "ttlConditions": [], "coldStorageVolume": "s3",
         "coldStorageDurationDays": 7}
    ]  # fmt: skip
    assert client.read(Kind.RETENTION, "logs") == {"signal": "logs", "days": 20, "cold_days": 7}


# --- The key


def make_key(lab: Lab, clock: Clock, name: str = "turnscope", email: str = EMAIL, password: str = PASSWORD) -> Any:
    return bootstrap.make_api_key(
        ADDRESS, None, email, password, name, retry_policy=clock.retry_policy(), transport=lab.transport
    )


def works(lab: Lab, key: str) -> bool:
    return bootstrap.key_works(ADDRESS, None, key, retry_policy=Clock().retry_policy(), transport=lab.transport)


def test_making_the_key_again_replaces_it(lab: Lab) -> None:
    """One service account, one key: the first one's value is lost to whoever asks again, so it stops working."""
    first, second = make_key(lab, Clock()), make_key(lab, Clock())
    assert first[2] == second[2]
    assert (works(lab, first[0]), works(lab, second[0])) == (False, True)
    other = make_key(lab, Clock(), name="other")
    assert other[2] != first[2]
    assert works(lab, second[0])
    assert works(lab, other[0])


def test_a_removed_account_is_made_anew(lab: Lab) -> None:
    """SigNoz lists removed accounts, by the same name; removing twice is fine, and its key is dead."""
    key, _, account = make_key(lab, Clock())
    for _ in range(2):
        bootstrap.remove_service_account(
            ADDRESS, None, EMAIL, PASSWORD, account, retry_policy=Clock().retry_policy(), transport=lab.transport
        )
    assert not works(lab, key)
    again = make_key(lab, Clock())
    assert again[2] != account
    assert works(lab, again[0])


@pytest.mark.parametrize("lost", [1, 2, 3, 4], ids=["session", "account", "role", "key"])
def test_a_lost_answer_on_the_way_to_the_key_is_no_dead_end(lab: Lab, lost: int) -> None:
    """It ends with one account and a key that works; only of a lost key the value is gone, so that one is made anew
    by the next call."""
    count = 0

    def lose_one(request: httpx.Request) -> httpx.Response | None:
        nonlocal count
        if request.method != "POST":
            return None
        count += 1
        if count == lost:
            lab.answer(request)
            raise httpx.ReadTimeout("timed out", request=request)
        return None

    lab.before = lose_one
    if lost == 4:
        with pytest.raises(errors.LostAnswer):
            make_key(lab, Clock())
    assert works(lab, make_key(lab, Clock())[0])


def test_a_wrong_password_is_said_without_it(lab: Lab) -> None:
    with pytest.raises(errors.Unauthorized, match=r"root_user\.password") as raised:
        make_key(lab, Clock(), password="Other-password-9")
    assert "Other-password-9" not in str(raised.value)
    assert EMAIL in str(raised.value)


def test_another_root_user_is_said_after_a_while(lab: Lab) -> None:
    """SigNoz makes its root user a moment after it answers for the first time; not minutes."""
    clock = Clock()
    with pytest.raises(errors.Unauthorized, match=r"root_user\.email"):
        make_key(lab, clock, email="other@example.com")
    assert 60 < clock.seconds < 300


def test_a_key_is_waited_for_while_the_server_starts(lab: Lab) -> None:
    """Refused connections, then an answer without any organisation, then the root user."""
    left = [httpx.ConnectError("refused"), httpx.Response(503), None, None]

    def starting(request: httpx.Request) -> httpx.Response | None:
        answer = left.pop(0) if left else "started"
        if isinstance(answer, Exception):
            raise answer
        if answer is None:
            return httpx.Response(200, json={"status": "success", "data": {"exists": False, "orgs": []}})
        return answer if isinstance(answer, httpx.Response) else None

    lab.before = starting
    clock = Clock()
    assert works(lab, make_key(lab, clock)[0])
    assert len(clock.naps) == 4


def test_a_key_of_too_small_a_role_is_told_which_one_it_needs(lab: Lab) -> None:
    """Not that it is wrong."""
    key, _, account = make_key(lab, Clock())
    store = lab.api._store  # no route takes a role away
    for given_role in store.all("service_account_role"):
        if given_role["serviceAccountId"] == account:
            viewer = next(each["id"] for each in store.all("role") if each["name"] == "signoz-viewer")
            store.replace("service_account_role", given_role, {**given_role, "roleId": viewer})
    client = SigNozClient(ADDRESS, api_key=key, transport=lab.transport, retry_policy=Clock().retry_policy())
    assert client.list(Kind.CHANNEL) == []
    with pytest.raises(errors.Forbidden, match="role admin"):
        client.create(Kind.CHANNEL, CHANNEL)
