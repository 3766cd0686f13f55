"""Drift: what was made reads back as it was sent, and every edit shows."""

from __future__ import annotations

import copy
import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.secrets.placeholders import secrets_in
from signoz.content.api.client import SigNozClient
from signoz.content.api.normalise import normalise
from signoz.content.build import plan_content
from signoz.content.model import ContentObject, Kind
from signoz.content.placeholders import filled
from tests.content_lab import make_lab
from tests.stack_settings import validate
from tests.unit.conftest import MINIMAL, SECURE
from tests.unit.conftest import SIGNOZ as LEAST_SIGNOZ

SIGNOZ = {
    **LEAST_SIGNOZ,
    "clickhouse": {"password": SECURE, "cold_storage": {"bucket": "voice-cold", "region": "eu-west-1"}},
    "alertmanager": {
        "receivers": {
            "pager": {"pagerduty_routing_key": SECURE},
            "team": {"slack_webhook_url": SECURE, "slack_channel": "#voice"},
            "mail": {"emails": ["a@example.com", "b@example.com"]},
            "hook": {"webhook_url": SECURE, "send_resolved": False},
        },
        "smtp": {"host": "smtp.example.com", "sender": "signoz@example.com"},
        "default_receiver": "team",
        "routes": [{"labels": {"severity": "critical"}, "receiver": "pager"}],
    },
    "content": {
        "downtimes": {
            "release": {"start": "2026-12-01T22:00", "end": "2026-12-02T01:00", "timezone": "Europe/Berlin"},
            "sunday": {
                "start": "2026-12-06T02:00", "repeat": "weekly", "weekdays": ["sunday"], "duration_minutes": 120,
            },
        },
        "retention": {"traces": {"days": 20}, "logs": {"days": 30, "cold_after_days": 7}},
    },
}  # fmt: skip
EMPTY = {"schemaVersion": "v6", "spec": {"variables": [], "panels": {}, "layouts": []}}
EDITS: dict[type, Any] = {str: "an edit", int: 7919, float: 7919.5}


def library() -> tuple[ContentObject, ...]:
    prices = {"llm": {"gpt-x": {"input_usd_per_million_tokens": 1.0, "output_usd_per_million_tokens": 2.5}}}
    raw = {**MINIMAL, "environment": "dev", "signoz": SIGNOZ, "prices": prices}
    return plan_content("dev", validate(raw, source=Path("test")), folder=None).objects


def sent(each: ContentObject) -> dict[str, Any]:
    secrets = {path: f"https://hooks.example.com/{number}" for number, (path, _) in enumerate(secrets_in(each.body))}
    return filled(each.body, secrets, {})


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SigNozClient]:
    """Of one server for the whole module, with a channel that rules and policies may name; retention is set at once."""
    made = make_lab(tmp_path_factory.mktemp("signoz")).client()
    made.create(Kind.CHANNEL, {"name": "on-call", "slack_configs": [{"api_url": "https://example.com"}]})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lab.images.signoz.retention.TAKES_SECONDS", 0)
        yield made


def round_trip(client: SigNozClient, kind: Kind, body: dict[str, Any]) -> dict[str, Any]:
    """What the server has of a new object, which is gone again."""
    object_id = client.create(kind, body)
    found = client.read(kind, object_id)
    client.delete(kind, object_id)
    assert found is not None
    return json.loads(json.dumps(found))


@pytest.fixture(scope="module")
def held(client: SigNozClient) -> list[tuple[ContentObject, dict[str, Any], dict[str, Any]]]:
    """Every object of the library, as sent and as the server has it."""
    found: list[tuple[ContentObject, dict[str, Any], dict[str, Any]]] = []
    for each in library():
        body = sent(each)
        found.append((each, body, client.read(each.kind, client.create(each.kind, body)) or {}))
    return found


Held = list[tuple[ContentObject, dict[str, Any], dict[str, Any]]]


def test_the_library_has_every_kind() -> None:
    """Else the tests below would say less than they seem to."""
    assert {each.kind for each in library()} == set(Kind)


def test_no_shipped_object_drifts(held: Held) -> None:
    """Made by the server and read back, each is as it was sent."""
    for each, body, actual in held:
        assert normalise(each.kind, body, actual) == body, each.name


def test_every_edit_of_what_was_sent_shows(held: Held) -> None:
    """One value of each field of each shipped object, changed at the server."""
    for each, body, actual in held:
        fields = {next(step for step in reversed(path) if isinstance(step, str)): path for path in paths(body)}
        fields.pop("cold_volume", None)  # the server does not say it
        for path in fields.values():
            edited = copy.deepcopy(actual)
            place, value = edited, body
            for step in path[:-1]:
                place, value = place[step], value[step]
            value = value[path[-1]]
            place[path[-1]] = not value if isinstance(value, bool) else EDITS[type(value)]
            assert normalise(each.kind, body, edited) != body, (each.name, path)


def paths(body: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where the values of a body are that somebody could change, the empty ones aside that the server leaves out."""
    if isinstance(body, dict | list):
        items = body.items() if isinstance(body, dict) else enumerate(body)
        for key, value in items:
            yield from paths(value, (*above, key))
    elif body not in (None, "", 0, False):
        yield above


@pytest.mark.parametrize("kind", Kind)
def test_an_edit_of_what_was_sent_empty_shows(kind: Kind) -> None:
    """Left out by the server, or written out as another nothing, it is the same."""
    for sent_empty, edit in ((False, True), ("", "x"), ({}, {"a": "b"}), ([], ["x"]), (0, 7), (None, "x")):
        body = {"name": "x", "field": sent_empty}
        assert normalise(kind, body, {"name": "x"}) == body
        assert normalise(kind, body, {"name": "x", "field": None}) == body
        assert normalise(kind, body, {"name": "x", "field": edit}) != body


def test_every_addition_shows(held: Held) -> None:
    """A label, a panel, a receiver, a channel, a condition, a field: whatever somebody adds in the UI."""
    additions = {
        Kind.CHANNEL: lambda body: body.update(
            webhook_configs=[*body.get("webhook_configs", []), {"url": "https://x"}]
        ),
        Kind.ROUTE_POLICY: lambda body: body["channels"].append("more"),
        Kind.ALERT_RULE: lambda body: body.setdefault("labels", {}).update(team="voice"),
        Kind.DOWNTIME: lambda body: body["alertIds"].append("01990000-0000-7000-8000-000000000000"),
        Kind.DASHBOARD: lambda body: body["spec"]["panels"].update(more={"kind": "Panel"}),
        Kind.SAVED_VIEW: lambda body: body["spec"]["selectedFields"].append({"name": "body"}),
        Kind.RETENTION: lambda body: body.update(conditions=[{"ttlDays": 1}]),
        Kind.LLM_PRICES: lambda body: body["pricing"].update(cache={"mode": "additive", "read": 0.1}),
    }
    for each, body, actual in held:
        edited = copy.deepcopy(actual)
        additions[each.kind](edited)
        assert normalise(each.kind, body, edited) != body, each.name


def test_a_text_in_place_of_alertmanagers_shows() -> None:
    """A receiver's texts that were not sent are the server's until somebody writes others."""
    body = {"name": "team", "slack_configs": [{"api_url": "https://example.com"}]}
    server = {"send_resolved": False, "title": '{{ template "slack.default.title" . }}', "timeout": 0}
    actual = {"name": "team", "slack_configs": [{"api_url": "https://example.com", **server}]}
    assert normalise(Kind.CHANNEL, body, actual) == body
    for edit in ({"title": "Ours"}, {"send_resolved": True}, {"channel": "#other"}):
        edited = {"name": "team", "slack_configs": [{**actual["slack_configs"][0], **edit}]}
        assert normalise(Kind.CHANNEL, body, edited) != body


def test_a_tag_is_spelt_as_the_first_dashboard_has_it(client: SigNozClient) -> None:
    """Somebody's `Team: Voice` in the UI is no edit of `team: voice`; another tag is."""
    theirs = client.create(Kind.DASHBOARD, {**EMPTY, "name": "theirs", "tags": [{"key": "Area", "value": "Calls"}]})
    body = {**EMPTY, "name": "ours", "tags": [{"key": "area", "value": "calls"}, {"key": "b", "value": "c"}]}
    actual = round_trip(client, Kind.DASHBOARD, body)
    client.delete(Kind.DASHBOARD, theirs)
    assert actual["tags"][0] == {"key": "Area", "value": "Calls"}
    assert normalise(Kind.DASHBOARD, body, actual) == body
    for tags in (
        [*actual["tags"], {"key": "x", "value": "y"}],
        actual["tags"][:1],
        [{"key": "area", "value": "other"}],
    ):
        assert normalise(Kind.DASHBOARD, body, {**actual, "tags": tags}) != body


def test_a_failed_retention_shows() -> None:
    body = {"signal": "traces", "days": 20, "cold_days": 7, "cold_volume": "s3"}
    actual = {"signal": "traces", "days": 20, "cold_days": 7}
    assert normalise(Kind.RETENTION, body, actual) == body
    assert normalise(Kind.RETENTION, body, {**actual, "status": "failed"}) != body


# --- Bodies of others than the library


TEXT = st.text("abc xyz-{}$'", min_size=1, max_size=12)
NAMES = st.integers(0, 10**12).map(lambda number: f"n-{number}")
PANEL_KINDS = st.sampled_from(["TimeSeries", "BarChart", "Number", "PieChart", "Table", "Histogram", "List"])
SOME = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def some(values: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Any part of a mapping."""
    return st.fixed_dictionaries({}, optional=values)


QUERIES = st.fixed_dictionaries(
    {
        "name": st.just("A"),
        "signal": st.sampled_from(["traces", "logs"]),
        "aggregations": st.just([{"expression": "count()"}]),
    },
    optional={
        "disabled": st.booleans(), "legend": st.sampled_from(["", "{{service.name}}"]), "source": st.just(""),
        "stepInterval": st.sampled_from([0, 60]), "limit": st.integers(1, 50),
        "groupBy": st.sampled_from([[], [{"name": "service.name"}]]), "filter": st.just({"expression": "a = 'b'"}),
    },
)  # fmt: skip


@st.composite
def dashboards(draw: st.DrawFn) -> dict[str, Any]:
    panels = {}
    for number in range(draw(st.integers(0, 3))):
        query = {"kind": "time_series", "spec": {"name": "A", "plugin": {
            "kind": "signoz/BuilderQuery", "spec": draw(QUERIES)}}}  # fmt: skip
        kind = draw(PANEL_KINDS)
        shown = draw(some({"description": TEXT}))
        panels[f"p-{number}"] = {
            "kind": "Panel",
            "spec": {
                "display": {"name": draw(TEXT), **shown},
                "plugin": {"kind": f"signoz/{kind}Panel", "spec": {}},
                "queries": [query],
                **draw(some({"links": st.sampled_from([None, []])})),
            },
        }
    spec = some(
        {"display": some({"name": TEXT | st.just(""), "description": TEXT}), "duration": st.sampled_from(["", "30m"])}
    )
    return {
        "schemaVersion": "v6",
        "name": draw(NAMES),
        **draw(
            some(
                {
                    "tags": st.sampled_from(
                        [[], [{"key": "team", "value": "voice"}], [{"key": "Team", "value": "VOICE"}]]
                    )
                }
            )
        ),
        "spec": {"variables": [], "panels": panels, "layouts": [], **draw(spec)},
    }


@SOME
@given(body=dashboards())
def test_no_dashboard_drifts(client: SigNozClient, body: dict[str, Any]) -> None:
    """Whatever is left out or sent empty."""
    assert normalise(Kind.DASHBOARD, body, round_trip(client, Kind.DASHBOARD, body)) == body


RULES = st.fixed_dictionaries(
    {
        "alert": TEXT,
        "alertType": st.just("TRACES_BASED_ALERT"),
        "schemaVersion": st.just("v2alpha1"),
        "evaluation": st.just({"kind": "rolling", "spec": {"evalWindow": "5m", "frequency": "1m"}}),
        "condition": st.fixed_dictionaries(
            {
                "compositeQuery": QUERIES.map(
                    # Of disabled queries alone no rule is made.
                    lambda query: {
                        "queryType": "builder",
                        "queries": [{"type": "builder_query", "spec": {**query, "disabled": False}}],
                    }
                ),
                "thresholds": st.fixed_dictionaries(
                    {
                        "name": st.just("critical"), "op": st.just("above"), "matchType": st.just("last"),
                        "target": st.one_of(st.integers(0, 99), st.floats(0, 99)), "channels": st.just(["on-call"]),
                    },
                    optional={"targetUnit": st.sampled_from(["", "ms"]), "recoveryTarget": st.none()},
                ).map(lambda threshold: {"kind": "basic", "spec": [threshold]}),
            },
            optional={"alertOnAbsent": st.booleans(), "selectedQueryName": st.just("A")},
        ),
        "notificationSettings": some({
            "usePolicy": st.booleans(), "groupBy": st.sampled_from([[], ["service.name"]]),
            "renotify": st.sampled_from([{"enabled": False}, {"enabled": True, "interval": "4h"}]),
        }),
    },
    optional={
        "version": st.just("v5"), "ruleType": st.just("threshold_rule"), "disabled": st.booleans(),
        "labels": st.sampled_from([{}, {"severity": "critical"}]),
        "annotations": st.sampled_from([{}, {"summary": "x"}]), "description": st.sampled_from(["", "x"]),
    },
)  # fmt: skip


@SOME
@given(body=RULES)
def test_no_rule_drifts(client: SigNozClient, body: dict[str, Any]) -> None:
    assert normalise(Kind.ALERT_RULE, body, round_trip(client, Kind.ALERT_RULE, body)) == body


RECEIVERS = {
    "slack_configs": {"api_url": "https://example.com/a", "title": "{{ .Status }}"},
    "webhook_configs": {"url": "https://example.com/b", "http_config": {"basic_auth": {"username": "u"}}},
    "pagerduty_configs": {"routing_key": "k"},
    "email_configs": {"to": "a@example.com"},
    "opsgenie_configs": {"api_key": "k"},
    "msteamsv2_configs": {"webhook_url": "https://example.com/c"},
    "sns_configs": {"topic_arn": "arn:aws:sns:eu-west-1:1:x"},
}


@SOME
@given(
    name=NAMES,
    kinds=st.sets(st.sampled_from(sorted(RECEIVERS)), min_size=1),
    more=some({"send_resolved": st.booleans()}),
)
def test_no_channel_drifts(client: SigNozClient, name: str, kinds: set[str], more: dict[str, Any]) -> None:
    body = {"name": name, **{kind: [{**RECEIVERS[kind], **more}] for kind in sorted(kinds)}}
    assert normalise(Kind.CHANNEL, body, round_trip(client, Kind.CHANNEL, body)) == body


@SOME
@given(
    start=st.datetimes(datetime.datetime(2026, 1, 1), datetime.datetime(2036, 1, 1)),
    offset=st.sampled_from([-300, 0, 60, 330]),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"]),
    more=some({"description": TEXT, "alertIds": st.sampled_from([[], None]), "scope": st.sampled_from(["", "a == b"])}),
)
def test_no_downtime_drifts(
    client: SigNozClient, start: datetime.datetime, offset: int, zone: str, more: dict[str, Any]
) -> None:
    """In whatever zone its times are written: the server tells them in the downtime's own."""
    moment = start.replace(microsecond=0, tzinfo=datetime.timezone(datetime.timedelta(minutes=offset)))
    end = moment + datetime.timedelta(hours=2)
    schedule = {"timezone": zone, "startTime": moment.isoformat(), "endTime": end.isoformat()}
    body = {"name": "night", "schedule": schedule, **more}
    actual = round_trip(client, Kind.DOWNTIME, body)
    assert normalise(Kind.DOWNTIME, body, actual) == body
    later = {**body, "schedule": {**schedule, "endTime": (end + datetime.timedelta(minutes=1)).isoformat()}}
    assert normalise(Kind.DOWNTIME, body, round_trip(client, Kind.DOWNTIME, later)) != body


VIEWS = st.fixed_dictionaries(
    {
        "displayName": TEXT,
        "panelType": st.just("graph"),
        "requestType": st.just("time_series"),
        "queries": QUERIES.map(lambda query: [{"type": "builder_query", "spec": query}]),
    },
    optional={"selectedFields": st.sampled_from([[], [{"name": "body"}]]), "display": st.just({})},
)


@SOME
@given(name=NAMES, spec=VIEWS)
def test_no_view_drifts(client: SigNozClient, name: str, spec: dict[str, Any]) -> None:
    body = {"name": name, "source": "traces", "schemaVersion": "v2", "spec": spec}
    assert normalise(Kind.SAVED_VIEW, body, round_trip(client, Kind.SAVED_VIEW, body)) == body


@given(st.recursive(st.none() | st.booleans() | st.integers(-9, 9) | TEXT, lambda inner: st.lists(inner) | some(
    {"a": inner, "b": inner, "name": inner}), max_leaves=12), st.sampled_from(sorted(Kind)))  # fmt: skip
def test_what_is_the_same_stays_the_same(value: Any, kind: Kind) -> None:
    """Of any kind and any form: equal to itself, and doing it again changes nothing."""
    body = {"spec": value, "x": value}
    once = normalise(kind, body, copy.deepcopy(body))
    assert once == body
    assert normalise(kind, body, once) == body
