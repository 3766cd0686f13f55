"""What is made of the settings in SigNoz: channels, routes, rules, downtimes, retention, prices."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from core.errors import UserError
from core.secrets import placeholders
from core.secrets.reference import SecretRef
from signoz.content import loader
from signoz.content.build import content_folder, numbers, plan_content
from signoz.content.channels import plan_channels
from signoz.content.model import ContentObject, ContentPlan, Kind
from signoz.content.placeholders import ids_in
from signoz.content.policies import plan_policies
from signoz.content.rules import RuleContext, compile_rule
from signoz.content.schema import AlertRule
from stacks.settings.loading import load
from stacks.settings.missing import missing_values
from stacks.settings.model import Settings
from stacks.settings.roles.alertmanager import AlertmanagerSettings
from stacks.settings.roles.content import Thresholds
from tests import targets
from tests.role_cases import ALERTMANAGER, alertmanager_settings
from tests.stack_settings import validate
from tests.unit.conftest import MINIMAL, ROOT, SECURE, SIGNOZ

PAGED: dict[str, Any] = {
    "receivers": {"pager": {"pagerduty_routing_key": SECURE}, "team": {"slack_webhook_url": SECURE}},
    "default_receiver": "team",
    "routes": [{"labels": {"severity": "critical"}, "receiver": "pager"}],
}
RULES = loader.load(None, numbers(Thresholds(), targets.ALL)).rules
WITH_A_TARGET = ("eou-delay-high", "model-spend-per-day", "model-spend-per-tenant")
"""Rules that exist only with a target, which the defaults do not have."""
every_rule = pytest.mark.parametrize("written", RULES, ids=[each.document.key for each in RULES])


def settings(environment: str = "dev", **signoz: Any) -> Settings:
    return validate({**MINIMAL, "environment": environment, "signoz": {**SIGNOZ, **signoz}}, source=Path("test"))


def content(folder: Path | None = None, *, alertmanager: Mapping[str, Any] = PAGED, **over: Any) -> ContentPlan:
    return plan_content("dev", settings(alertmanager=alertmanager, content=over), folder=folder)


def of_kind(kind: Kind, plan: ContentPlan) -> tuple[ContentObject, ...]:
    return tuple(each for each in plan.objects if each.kind == kind)


def rule(**over: Any) -> AlertRule:
    least = {
        "key": "mine",
        "title": "Mine",
        "queries": [{"signal": "traces", "aggregate": "count()", "group_by": ["resource.service.name"]}],
        "thresholds": [{"severity": "warning", "above": 1}],
    }
    return AlertRule.model_validate({**least, **over})


def compiled(document: AlertRule, **over: Any) -> dict[str, Any]:
    alertmanager = AlertmanagerSettings.model_validate(over)
    context = RuleContext("dev", alertmanager, tuple(alertmanager.receivers), "https://runbooks.example.com")
    return compile_rule(document, "rules/mine.yaml", context).body


# --- The shipped rules ---


@every_rule
def test_every_shipped_rule_has_a_runbook_page_that_the_index_lists(written: loader.Written[AlertRule]) -> None:
    """Whoever is woken up finds a page like all others, with the thresholds that the rule really has."""
    document = written.document
    assert document.runbook == f"signoz-{document.key}"
    page = (ROOT / "docs" / "runbooks" / f"{document.runbook}.md").read_text()
    headings = re.findall("^#+ (.*)$", page, re.MULTILINE)
    assert headings == [
        f"signoz-{document.key}",
        "What it means",
        "What fires it",
        "First five minutes",
        "Likely causes and what to do",
        "When it is a false alarm",
        "Afterwards",
    ]
    template = (ROOT / written.source).read_text()
    for name in set(re.findall(r"\{\{ ((?:thresholds|targets)\.[\w.]+)", template)):
        assert f"`{name.replace('tool_failure', 'tool_success')}` [" in page.replace("\n  ", " "), name
    severities = {threshold.severity for threshold in document.thresholds}
    assert severities <= set(re.findall("critical|warning", page.split("## What fires it")[1].split("##")[0]))
    index = (ROOT / "docs" / "runbooks" / "README.md").read_text()
    assert f"| [{document.runbook}]({document.runbook}.md) | {', '.join(sorted(severities, reverse=True))} |" in index


def test_every_threshold_is_in_a_shipped_rule() -> None:
    """A setting that changes nothing would be believed to."""
    texts = "".join((ROOT / each.source).read_text() for each in RULES)
    assert set(re.findall(r"thresholds\.(\w+)", texts)) == set(Thresholds.model_fields)


@every_rule
def test_ratios_and_percentiles_need_enough_of_what_they_are_of(written: loader.Written[AlertRule]) -> None:
    """The P95 of two turns is the slower one: nobody is to be woken by it. And what is guarded that way has values of
    unfinished steps, which the guard lets come and go, so the last value alone must not decide."""
    document = written.document
    formula = next((query.formula for query in document.queries if query.formula), None)
    percentile = any(re.match(r"p\d", query.aggregate or "") for query in document.queries)
    if percentile or (formula and not any(query.metric and "otelcol" in query.metric for query in document.queries)):
        assert re.match(r"B >= \d+ \? .* : 0$", formula or "")
        [counted] = [query for query in document.queries if query.name == "B"]
        assert counted.aggregate == "count()" or counted.metric == "turnscope.calls"
        assert document.match == "at_least_once"
    elif document.match == "all_the_times":
        assert (document.minimum_points or 0) >= 2


# --- Rules ---


def test_severity_is_a_label_only_where_there_is_one() -> None:
    """A label would overwrite the severity that SigNoz takes from the threshold that fired; alerts for missing data
    have no threshold, so without it a rule of one severity would be routed as if it had none."""
    one = compiled(rule())
    two = compiled(rule(thresholds=[{"severity": "critical", "above": 2}, {"severity": "warning", "above": 1}]))
    assert one["labels"] == {"rule": "mine", "stack": "dev", "severity": "warning"}
    assert two["labels"] == {"rule": "mine", "stack": "dev"}
    assert [each["name"] for each in two["condition"]["thresholds"]["spec"]] == ["critical", "warning"]


@given(st.integers(1, 60), st.integers(1, 1440))
def test_a_window_holds_a_step_that_is_over(step: int, window: int) -> None:
    """SigNoz judges no value whose step is not over: in a shorter window there would be none, most of the time."""
    document = rule(step_minutes=step, for_minutes=window)
    if step > 1 and window < 2 * step:
        with pytest.raises(UserError, match=r"rules/mine.yaml: for_minutes: .* twice step_minutes"):
            compiled(document)
    else:
        assert compiled(document)["condition"]["compositeQuery"]["queries"][0]["spec"]["stepInterval"] == step * 60


def test_channels_of_a_rule_go_before_the_routes() -> None:
    direct = rule(thresholds=[{"severity": "warning", "above": 1, "channels": ["team"]}])
    receivers = {"receivers": {"team": {"emails": ["a@example.com"]}}, "smtp": {"host": "h", "sender": "a@example.com"}}
    assert compiled(rule(), **receivers)["notificationSettings"]["usePolicy"] is True
    body = compiled(direct, **receivers)
    assert body["notificationSettings"]["usePolicy"] is False
    assert body["condition"]["thresholds"]["spec"][0]["channels"] == ["team"]


REFUSED = {
    "unknown channel": (
        {"thresholds": [{"severity": "warning", "above": 1, "channels": ["tem"]}]},
        "thresholds[0].channels: tem; allowed: signoz.alertmanager.receivers (none, there are no receivers)",
    ),
    "severity": ({"labels": {"severity": "page"}}, "labels.severity: allowed: any but "),
    "label": ({"labels": {"a-b": "c"}}, "labels.a-b: allowed: letters, digits"),
}


@pytest.mark.parametrize(("over", "message"), REFUSED.values(), ids=REFUSED)
def test_mistakes_in_a_rule_are_said_before_anything_is_deployed(over: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as refused:
        compiled(rule(**over))
    assert str(refused.value).startswith(f"rules/mine.yaml: {message}")


def test_groups_and_repeats_come_from_the_alertmanager_settings() -> None:
    """`service_name` is how Alertmanager spells `service.name`; the shortest repeat of the routes that the rule's
    alerts take holds, as SigNoz has one for a rule."""
    routes = [
        {"labels": {"severity": "critical"}, "receiver": "r", "repeat_interval_seconds": 300},
        {"labels": {"rule": "mine"}, "receiver": "r", "repeat_interval_seconds": 600},
    ]
    over = {"receivers": {"r": {"webhook_url": _secret()}}, "routes": routes, "group_by": ["tenant", "service_name"]}
    told = compiled(rule(), **over)["notificationSettings"]
    assert told["groupBy"] == ["service.name"]
    assert told["renotify"]["interval"] == "600s"
    both = rule(thresholds=[{"severity": "critical", "above": 2}, {"severity": "warning", "above": 1}])
    assert compiled(both, **over)["notificationSettings"]["renotify"]["interval"] == "300s"


def test_the_runbook_is_a_page_or_an_address_of_ones_own() -> None:
    page = compiled(rule(runbook="signoz-mine"))["annotations"]["runbook_url"]
    own = compiled(rule(runbook="https://wiki.example.com/x"))["annotations"]["runbook_url"]
    assert (page, own) == ("https://runbooks.example.com/signoz-mine.md", "https://wiki.example.com/x")


# --- Routes ---

NAMES = ("severity", "service_name", "rule")
LABELS = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(("a", 'b"\\ c')), min_size=1)


@given(st.lists(LABELS, max_size=4), st.dictionaries(st.sampled_from(NAMES), st.sampled_from(("a", 'b"\\ c'))))
def test_an_alert_meets_one_policy_that_of_the_first_route(routes: list[dict[str, str]], alert: dict[str, str]) -> None:
    """SigNoz tells every channel whose policy holds: two that hold would tell two, none nobody."""
    receivers = {f"r{number}": {"webhook_url": _secret()} for number in range(len(routes))}
    alertmanager = AlertmanagerSettings.model_validate(
        {
            "receivers": {**receivers, "rest": {"webhook_url": _secret()}},
            "default_receiver": "rest",
            "routes": [{"labels": labels, "receiver": f"r{number}"} for number, labels in enumerate(routes)],
        }
    )
    first = next((f"r{n}" for n, labels in enumerate(routes) if labels.items() <= alert.items()), "rest")
    policies = plan_policies(alertmanager, ("service.name",))
    told = [channel for each in policies if _holds(each.body["expression"], alert) for channel in each.body["channels"]]
    assert told == [first]


def _holds(expression: str, alert: Mapping[str, str]) -> bool:
    """expr-lang's operators in Python's, with labels as SigNoz has them; `a?.b` is nil where there is no a."""
    nested = {"severity": alert.get("severity"), "rule": alert.get("rule"), "service_name_": alert.get("service_name")}
    python = expression.replace("service?.name ", "service_name_ ").replace("&&", " and ")
    python = re.sub(r"!\(", " not (", python).replace("true", "True").strip()
    return bool(eval(python, {"__builtins__": {}}, nested))  # noqa: S307 (what the planner wrote)


def test_a_label_that_an_alert_lacks_does_not_fail_a_policy() -> None:
    """`service.name` of nothing is an error, and an alert whose policies all fail is told to nobody."""
    routes = [{"labels": {"service_name": "x"}, "receiver": "r"}]
    alertmanager = AlertmanagerSettings.model_validate(
        {"receivers": {"r": {"webhook_url": _secret()}}, "routes": routes, "default_receiver": "r"}
    )
    for policy in plan_policies(alertmanager, ("service.name",)):
        assert 'service?.name == "x"' in policy.body["expression"]


# --- Everything together ---


def test_everything_can_be_deployed_in_its_order() -> None:
    """Keys and titles are there once in a kind; what an object refers to, channels by name too, comes before it."""
    for planned in (content(downtimes={"weekend": WEEKEND}), plan_content("local", load("local", ROOT), folder=None)):
        seen: set[str] = set()
        titles: set[tuple[Kind, str]] = set()
        for each in planned.objects:
            assert each.name not in seen
            assert (each.kind, each.title) not in titles
            assert set(ids_in(each.body)) <= seen
            named = each.body.get("channels", ()) if each.kind is Kind.ROUTE_POLICY else ()
            assert {f"channel/{name}" for name in named} <= seen
            seen.add(each.name)
            titles.add((each.kind, each.title))
        assert {Kind.ALERT_RULE, Kind.DASHBOARD, Kind.RETENTION} <= {each.kind for each in planned.objects}


def test_secrets_are_marks_that_name_where_they_stand() -> None:
    for case in ALERTMANAGER:
        for channel in plan_channels(alertmanager_settings(case)):
            assert dict(placeholders.secrets_in(channel.body)) == dict(channel.secrets)
            assert "SecretRef" not in json.dumps(channel.body)


def test_slack_has_its_address_in_the_channel() -> None:
    """Without, SigNoz takes the channel and fails once an alert goes to it (signoz#10582)."""
    slack = [config for each in _channels() for config in each.body.get("slack_configs", ())]
    assert slack
    assert all(config["api_url"].startswith("{secret:") for config in slack)


def _channels() -> list[ContentObject]:
    return [each for case in ALERTMANAGER for each in plan_channels(alertmanager_settings(case))]


def test_what_is_left_out_is_not_there_and_must_exist() -> None:
    keys = {each.key for each in of_kind(Kind.ALERT_RULE, content(exclude={"rules": ["no-data"]}))}
    assert keys == {each.document.key for each in RULES} - {"no-data", *WITH_A_TARGET}
    with pytest.raises(UserError, match="no-dta: no such alert-rule; did you mean no-data"):
        content(exclude={"rules": ["no-dta"]})
    assert content(exclude={"rules": WITH_A_TARGET}).objects  # also where there is none


def test_thresholds_reach_the_rules() -> None:
    [breaker] = [each for each in _rules(circuit_breaker_open_minutes=9) if each.key == "circuit-breaker-open"]
    assert breaker.body["evaluation"]["spec"]["evalWindow"] == "10m"
    assert breaker.body["condition"]["requiredNumPoints"] == 9


def _rules(**thresholds: Any) -> tuple[ContentObject, ...]:
    return of_kind(Kind.ALERT_RULE, content(thresholds=thresholds))


def test_own_rules_reach_the_plan(tmp_path: Path) -> None:
    """One of one's own with a shipped key replaces it; its own channel must be a receiver."""
    folder = tmp_path / "rules"
    folder.mkdir()
    document = rule(key="errors-high", title="Own").model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    document["thresholds"][0]["channels"] = ["pager"]
    (folder / "own.yaml").write_text(json.dumps(document))
    [own] = [each for each in of_kind(Kind.ALERT_RULE, content(tmp_path)) if each.key == "errors-high"]
    assert own.title == "Own"
    with pytest.raises(UserError, match=r"own.yaml: thresholds\[0\].channels: pager; allowed: .*no receivers"):
        content(tmp_path, alertmanager={})


def test_the_examples_in_the_guide_are_right(tmp_path: Path) -> None:
    """Whoever copies the rule, the downtimes or the thresholds of the guide gets what it says."""
    guide = (ROOT / "docs" / "how-to" / "alerting.md").read_text()
    blocks = re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL)
    [own] = [block for block in blocks if block.startswith("key:")]
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "bookings.yaml").write_text(own)
    assert "bookings-fail" in {each.key for each in of_kind(Kind.ALERT_RULE, content(tmp_path))}
    sections = [yaml.safe_load(block)["turnscope:signoz"] for block in blocks if block.startswith("turnscope:signoz")]
    examples: list[dict[str, Any]] = [each["content"] for each in sections if "content" in each]
    assert len(examples) == 2
    for example in examples:
        assert content(**example).objects


def test_a_folder_that_is_named_must_be_there(tmp_path: Path) -> None:
    """The default one need not: most stacks have none."""
    assert content_folder("dev", settings(), tmp_path) is None
    with pytest.raises(UserError, match="this folder does not exist in the project"):
        content_folder("dev", settings(content={"folder": "mine"}), tmp_path)


# --- Retention, downtimes, prices ---

WEEKEND = {
    "start": "2026-01-10T22:00",
    "timezone": "Europe/Berlin",
    "repeat": "weekly",
    "weekdays": ["saturday"],
    "duration_minutes": 60,
    "rules": ["no-data"],
}


def test_retention_is_always_said_in_full() -> None:
    """A body without days deletes data (signoz#12701)."""
    cold: dict[str, Any] = {
        "clickhouse": {"password": SECURE, "cold_storage": {"bucket": "voice-telemetry", "region": "us-west-1"}}
    }
    retention = {"traces": {"days": 30, "cold_after_days": 7}}
    made = plan_content("dev", settings(content={"retention": retention}, **cold), folder=None)
    planned = of_kind(Kind.RETENTION, made)
    assert [each.body for each in planned] == [
        {"signal": "traces", "days": 30, "cold_days": 7, "cold_volume": "s3"},
        {"signal": "metrics", "days": 30},
        {"signal": "logs", "days": 15},
    ]


def test_a_downtime_is_in_its_own_time_zone_and_of_rules_that_exist() -> None:
    night = {"start": "2026-07-01T22:00", "end": "2026-07-02T02:00", "timezone": "Europe/Berlin"}
    [once] = of_kind(Kind.DOWNTIME, content(downtimes={"once": night}))
    assert once.body["schedule"]["startTime"] == "2026-07-01T22:00:00+02:00"
    assert (once.body["alertIds"], once.body["scope"]) == ([], "")
    [weekly] = of_kind(Kind.DOWNTIME, content(downtimes={"weekend": WEEKEND}))
    assert datetime.datetime.fromisoformat(weekly.body["schedule"]["startTime"]).utcoffset() == datetime.timedelta(
        hours=1
    )
    assert weekly.body["schedule"]["recurrence"] == {
        "repeatType": "weekly",
        "duration": "60m",
        "repeatOn": ["saturday"],
    }
    assert (weekly.body["alertIds"], weekly.body["scope"]) == ([], 'rule == "no-data"')
    with pytest.raises(UserError, match=r"downtimes.weekend.rules: gone; allowed: agent-latency, circuit-"):
        content(downtimes={"weekend": {**WEEKEND, "rules": ["gone"]}})


def test_a_downtime_silences_rules_that_came_as_json(tmp_path: Path) -> None:
    """They have no label with their key."""
    folder = tmp_path / "rules"
    folder.mkdir()
    raw = compiled(rule(title="By hand"))
    (folder / "by-hand.json").write_text(json.dumps({**raw, "labels": {}}))
    planned = content(tmp_path, downtimes={"weekend": {**WEEKEND, "rules": ["no-data", "by-hand"]}})
    [downtime] = of_kind(Kind.DOWNTIME, planned)
    assert downtime.body["scope"] == 'rule == "no-data" || alertname in ["By hand", "[No data] By hand"]'


def test_prices_are_those_of_the_price_table() -> None:
    prices = {"llm": {"gpt-4o": {"input_usd_per_million_tokens": 2.5, "output_usd_per_million_tokens": 10}}}
    made = validate({**MINIMAL, "prices": prices, "signoz": SIGNOZ}, source=Path("test"))
    [price] = of_kind(Kind.LLM_PRICES, plan_content("dev", made, folder=None))
    assert (price.body["modelPattern"], price.body["pricing"]) == (["gpt-4o"], {"input": 2.5, "output": 10})


# --- Settings ---

MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "old release": (
        {"release": "0.75.0", "root_user": None},
        "signoz.content: .*allowed: null, with release 0.75.0: content requires the API of 0.138.0",
    ),
    "no days": ({"content": {"retention": {"logs": {"days": 0}}}}, r"retention.logs.days: 0: allowed: 1 to 3650"),
    "days left out": ({"content": {"retention": {"logs": {}}}}, "retention.logs.days: missing"),
    "cold after the end": (
        {"content": {"retention": {"traces": {"days": 7, "cold_after_days": 7}}}},
        r"cold_after_days: 7: allowed: fewer than days \(7\), or null",
    ),
    "no cold storage": (
        {"content": {"retention": {"traces": {"days": 7, "cold_after_days": 3}}}},
        "retention.traces.cold_after_days: null, without clickhouse.cold_storage",
    ),
    "typo": ({"content": {"thresholds": {"minimum_tunrs": 3}}}, "did you mean minimum_turns"),
    "zone": ({"content": {"downtimes": {"n": {**WEEKEND, "timezone": "Berlin"}}}}, "IANA time zone database"),
    "no such day": (
        {"content": {"downtimes": {"n": {**WEEKEND, "start": "2026-02-30T10:00"}}}},
        "that exists in the calendar",
    ),
    "no time": ({"content": {"downtimes": {"n": {**WEEKEND, "start": "2026-02-01"}}}}, "such as 2026-02-01T22:00"),
    "ends before": (
        {"content": {"downtimes": {"n": {"start": "2026-02-02T10:00", "end": "2026-02-01T10:00"}}}},
        "an end after start",
    ),
    "never ends": ({"content": {"downtimes": {"n": {"start": "2026-02-02T10:00"}}}}, "because there is no end"),
    "weekly on no day": ({"content": {"downtimes": {"n": {**WEEKEND, "weekdays": []}}}}, "with repeat: weekly"),
    "days of daily": (
        {"content": {"downtimes": {"n": {**WEEKEND, "repeat": "daily"}}}},
        "none, without repeat: weekly",
    ),
    "for how long": (
        {"content": {"downtimes": {"n": {key: WEEKEND[key] for key in WEEKEND if key != "duration_minutes"}}}},
        "minutes, with repeat: weekly",
    ),
}


@pytest.mark.parametrize(("over", "message"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_in_settings(over: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        settings(**over)


@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_where_it_matters_an_alert_reaches_somebody(environment: str) -> None:
    """A receiver of critical alerts alone leaves warnings with nobody."""
    base = {
        **MINIMAL,
        "environment": environment,
        "protect": True,
        "notifications": {"critical": {"emails": ["a@b.cc"]}},
    }

    def made(**signoz: Any) -> Settings:
        return validate({**base, "signoz": {**SIGNOZ, **signoz}}, source=Path("test"))

    def missing(settings: Settings) -> bool:
        return "signoz.alertmanager.default_receiver" in [each.key for each in missing_values(settings)]

    for alertmanager in ({}, {key: PAGED[key] for key in ("receivers", "routes")}):
        assert missing(made(alertmanager=alertmanager))
        assert not missing(made(alertmanager=alertmanager, content=None))
    assert not missing(made(alertmanager=PAGED))


def test_a_stack_without_content_holds_nothing() -> None:
    assert plan_content("dev", settings(content=None), folder=None) == ContentPlan()


def _secret() -> SecretRef:
    return SecretRef("x")
