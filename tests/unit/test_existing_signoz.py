"""A stack whose SigNoz is there already: its plan, and what each command makes of it, without engine or network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from rich.console import Console
from typer.testing import CliRunner, Result

import toolchain
from core.errors import UserError
from core.project import Project
from signoz.content.build import plan_content
from signoz.content.model import ContentPlan, Kind
from signoz.roles.collector.config import COST_ATTRIBUTE, DERIVED_METRICS
from signoz.roles.collector.existing import KEY_VARIABLE
from stacks.settings.missing import missing_values
from stacks.settings.model import Settings
from tests.content_lab import Lab, make_lab
from tests.program import OWNERS
from tests.unit.conftest import EXISTING, MINIMAL, SECURE, SIGNOZ, settings_with
from turnscope import agent_gateway
from turnscope.agent_environment import Protocol
from turnscope.app import app
from turnscope.deployment import existing_signoz
from turnscope.deployment.cloudwatch_first import deploy_cloudwatch_first
from turnscope.deployment.deployment import Deployment
from turnscope.deployment.existing_signoz import checked_client, refuse_revoked_key
from turnscope.deployment.questions import Value, questions

URL = EXISTING["url"]
INGEST = {"endpoint": "https://ingest.us.signoz.cloud:443", "key": SECURE}
COLLECTOR = {"endpoint": "http://localhost:4318"}
COLLECTED = {**EXISTING, "ingest": INGEST, "collector": COLLECTOR}
ROUTED = {
    "receivers": {"team": {"slack_webhook_url": SECURE}, "pager": {"webhook_url": SECURE}},
    "default_receiver": "team",
    "routes": [{"labels": {"severity": "critical"}, "receiver": "pager"}],
}
PRICES = {"llm": {"gpt-4o": {"input_usd_per_million_tokens": 2.5, "output_usd_per_million_tokens": 10}}}
DOWNTIMES = {
    "all": {"start": "2026-01-01T02:00", "end": "2026-01-01T03:00"},
    "one": {"start": "2026-01-01T02:00", "end": "2026-01-01T03:00", "rules": ["errors-high"]},
}


def existing(**over: Any) -> Settings:
    return settings_with(existing_signoz={**EXISTING, **over})


def planned(settings: Settings, folder: Path | None = None) -> ContentPlan:
    return plan_content("prod", settings, folder=folder)


def bodies(plan: ContentPlan, kind: Kind) -> dict[str, dict[str, Any]]:
    return {each.key: each.body for each in plan.objects if each.kind is kind}


# --- Settings ---


@pytest.mark.parametrize(
    ("over", "words"),
    [
        ({"url": "https://acme.us.signoz.cloud/"}, "without a final slash"),
        ({"url": "https://key@acme.us.signoz.cloud"}, "a URL such as"),
        ({"url": "acme.us.signoz.cloud"}, "a URL such as"),
        ({"api_key": "plain"}, "pulumi config set --secret"),
        ({"collector": COLLECTOR}, "null without ingest"),
        ({"ingest": {"endpoint": "http://otel.internal:4318", "key": SECURE}}, "would send the key in plain text"),
        ({"content": {"retention": {"traces": {"days": 9, "cold_after_days": 1}}}}, "does not run ClickHouse"),
        ({"alertmanager": {"smtp": {}}}, "smtp"),
        ({"alertmanager": {"default_receiver": "nobody-there"}}, "one of receivers"),
    ],
)
def test_a_setting_that_is_wrong_is_named(over: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        existing(**over)


def test_http_is_for_environment_local() -> None:
    plain = {**EXISTING, "url": "http://localhost:8080"}
    assert settings_with(environment="local", existing_signoz=plain).existing_signoz
    for environment in ("dev", "staging"):
        with pytest.raises(UserError, match="url: allowed: https"):
            settings_with(environment=environment, existing_signoz=plain)


@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_the_key_and_the_receiver_are_the_owners_to_give(environment: str) -> None:
    raw = {**OWNERS, "environment": environment, "protect": environment == "prod"}
    incomplete = missing_values(settings_with(**raw, existing_signoz={"url": URL}))
    assert [each.key for each in incomplete] == [
        "existing_signoz.api_key",
        "existing_signoz.alertmanager.default_receiver",
    ]
    assert "pulumi config set -s STACK --secret --path 'turnscope:existing_signoz.api_key'" in incomplete[0].example
    assert missing_values(settings_with(**raw, existing_signoz={**EXISTING, "alertmanager": ROUTED})) == []


def test_init_asks_for_them_and_keeps_them_secret(tmp_path: Path) -> None:
    raw: dict[str, Any] = {**OWNERS, "environment": "staging", "existing_signoz": {"url": URL}}
    asked = {each.path: each for each in questions(settings_with(**raw), raw)}
    assert list(asked) == ["existing_signoz.api_key", "existing_signoz.alertmanager.default_receiver"]
    assert asked["existing_signoz.api_key"].values("k3y") == [Value("existing_signoz.api_key", "k3y", secret=True)]
    hook, name = asked["existing_signoz.alertmanager.default_receiver"].values("https://hooks.slack.com/services/x")
    assert (hook.path, hook.secret) == ("existing_signoz.alertmanager.receivers.team.slack_webhook_url", True)
    assert name == Value("existing_signoz.alertmanager.default_receiver", "team")


def test_the_key_is_missing_in_dev_too() -> None:
    assert [each.key for each in missing_values(settings_with(existing_signoz={"url": URL}))] == [
        "existing_signoz.api_key"
    ]


# --- Content ---


def test_what_it_holds_is_what_an_own_one_holds() -> None:
    """With a collector that adds the same; apart from retention, and what is for this stack's alerts alone."""
    alike = {Kind.CHANNEL, Kind.ALERT_RULE, Kind.DASHBOARD, Kind.SAVED_VIEW, Kind.LLM_PRICES}
    own = planned(settings_with(signoz={**SIGNOZ, "alertmanager": ROUTED}, prices=PRICES))
    other = planned(settings_with(existing_signoz={**COLLECTED, "alertmanager": ROUTED}, prices=PRICES))

    def held(plan: ContentPlan) -> dict[str, Any]:
        """Without where in the settings a channel's secrets are."""
        text = json.dumps({each.name: each.body for each in plan.objects if each.kind in alike})
        return json.loads(text.replace("{secret:existing_signoz.", "{secret:signoz."))

    assert held(own) == held(other)
    assert other.omitted == ()
    assert {each.key for each in own.objects if each.kind is Kind.RETENTION}
    assert not bodies(other, Kind.RETENTION)


def test_retention_is_changed_only_where_it_is_set() -> None:
    """It applies to what others store there."""
    plan = planned(existing(content={"retention": {"logs": {"days": 7}}}))
    assert bodies(plan, Kind.RETENTION)["logs"] == {"signal": "logs", "days": 7}
    assert not bodies(planned(settings_with(signoz={**SIGNOZ, "content": {"retention": None}})), Kind.RETENTION)


def test_policies_and_downtimes_are_for_the_stacks_own_alerts(tmp_path: Path) -> None:
    """On a server that others use too: whose alerts would be routed and silenced else."""
    rule = {
        **bodies(planned(existing()), Kind.ALERT_RULE)["errors-high"],
        "alert": "Theirs in JSON",
        "labels": {"severity": "critical"},
    }
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "json.json").write_text(json.dumps(rule))
    plan = planned(existing(alertmanager=ROUTED, content={"downtimes": DOWNTIMES}), tmp_path)
    ours = '(stack == "prod" || alertname in ["Theirs in JSON", "[No data] Theirs in JSON"])'
    policies, downtimes = bodies(plan, Kind.ROUTE_POLICY), bodies(plan, Kind.DOWNTIME)
    assert {key: body["expression"] for key, body in policies.items()} == {
        "route-1": f'{ours} && severity == "critical"',
        "default": f'{ours} && !(severity == "critical")',
    }
    assert {key: body["scope"] for key, body in downtimes.items()} == {
        "all": ours,
        "one": f'{ours} && (rule == "errors-high")',
    }
    named = [body["name"] for body in (*policies.values(), *downtimes.values())]
    assert all(name.startswith("prod: ") for name in named), "names are what they are found by"
    assert (
        bodies(planned(existing(alertmanager={**ROUTED, "routes": []})), Kind.ROUTE_POLICY)["default"]["expression"]
        == 'stack == "prod"'
    )


def test_messages_and_sources_name_the_section() -> None:
    plan = planned(existing(alertmanager=ROUTED, content={"downtimes": DOWNTIMES, "retention": {}}))
    sources = {each.source for each in plan.objects if not each.source.endswith(".yaml")}
    assert sources
    assert all(source.startswith("existing_signoz.") for source in sources)
    with pytest.raises(UserError, match=r"existing_signoz\.content\.exclude: nonsense"):
        planned(existing(content={"exclude": {"views": ["nonsense"]}}))
    with pytest.raises(UserError, match=r"existing_signoz\.content\.downtimes\.x\.rules"):
        planned(existing(content={"downtimes": {"x": {**DOWNTIMES["one"], "rules": ["nonsense"]}}}))


ADDED = [COST_ATTRIBUTE, *(metric.name for metric in DERIVED_METRICS), "otelcol_", "lk_agents_", "voice_agent_"]


def queries_of(node: Any) -> str:
    """The text of all that is asked; titles and descriptions are for people."""
    if isinstance(node, dict):
        texts = ("display", "description", "annotations", "alert")
        return " ".join(queries_of(value) for key, value in node.items() if key not in texts)
    return " ".join(map(queries_of, node)) if isinstance(node, list) else str(node)


def test_without_a_collector_nothing_asks_for_what_only_one_adds() -> None:
    """A rule would never fire, a panel stay empty. Whatever does not ask for it is as with a collector."""
    without, with_one = planned(existing()), planned(settings_with(existing_signoz=COLLECTED))
    for each in without.objects:
        assert not [name for name in ADDED if name in queries_of(each.body)], each.name
    assert {name for name in ADDED if any(name in queries_of(each.body) for each in with_one.objects)} >= {
        COST_ATTRIBUTE, "turnscope.cost", "turnscope.calls", "otelcol_", "lk_agents_", "voice_agent_",
    }  # fmt: skip
    gone = {f"{each.kind}/{each.key}" for each in without.omitted if not each.panels}
    reduced = {f"{each.kind}/{each.key}": each.panels for each in without.omitted if each.panels}
    assert {"alert-rule/cost-per-call", "dashboard/prometheus-workers", "saved-view/most-expensive-calls"} <= gone
    assert {each.name for each in with_one.objects} - {each.name for each in without.objects} == gone
    known = {each.name: each.body for each in with_one.objects}
    for each in without.objects:
        if each.name in reduced:
            shown = {panel["spec"]["display"]["name"] for panel in each.body["spec"]["panels"].values()}
            before = {panel["spec"]["display"]["name"] for panel in known[each.name]["spec"]["panels"].values()}
            assert before - shown == {*reduced[each.name]}, each.name
        else:
            assert each.body == known[each.name]


def test_metrics_of_the_agents_own_library_are_kept() -> None:
    """They have the same beginning as the collector's, and come without one."""
    rules = bodies(planned(existing()), Kind.ALERT_RULE)
    assert {"provider-down", "circuit-breaker-open", "worker-memory"} <= rules.keys()


def test_own_files_are_never_omitted(tmp_path: Path) -> None:
    (tmp_path / "views").mkdir()
    query = {"signal": "traces", "where": f"{COST_ATTRIBUTE} EXISTS"}
    view = {"key": "mine", "title": "Mine", "signal": "traces", "queries": [query], "columns": ["span.name"]}
    (tmp_path / "views" / "mine.yaml").write_text(yaml.safe_dump(view))
    assert "mine" in bodies(planned(existing(), tmp_path), Kind.SAVED_VIEW)


# --- Commands ---


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "stacks").mkdir()
    (tmp_path / "Pulumi.yaml").touch()
    monkeypatch.setenv("TURNSCOPE_PROJECT", str(tmp_path))
    write(tmp_path, **EXISTING)
    return tmp_path


def write(project: Path, **section: Any) -> None:
    settings = {**MINIMAL, "cloudwatch": None, "existing_signoz": section}
    config = {f"turnscope:{key}": value for key, value in settings.items()}
    (project / "stacks" / "Pulumi.there.yaml").write_text(yaml.safe_dump({"config": config}))


def turnscope(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def test_its_plan_is_content_alone_and_says_what_is_omitted(project: Path) -> None:
    run = turnscope("plan", "there", "--json")
    assert run.exit_code == 0, run.output
    data = json.loads(run.stdout)
    assert (data["stack"], data["environment"], data["region"]) == ("there", "dev", None)
    assert all(kind.startswith("SigNoz ") for kind in data["counts"])
    assert {"kind": "SigNoz (existing)", "name": URL} in data["resources"]
    assert {"kind": "alert-rule", "key": "collector-queue", "panels": []} in data["omitted"]
    text = turnscope("plan", "there").stdout
    assert "Omitted, because they query what only a collector" in text
    assert "collector-queue" in text
    write(project, **COLLECTED)
    assert json.loads(turnscope("plan", "there", "--json").stdout)["omitted"] == []
    assert "Omitted" not in turnscope("plan", "there").stdout


@pytest.mark.parametrize("what", ["clickhouse", "gateway", "alertmanager"])
def test_what_it_does_not_run_has_no_files(project: Path, what: str) -> None:
    refused = turnscope("render", "there", what).exception
    assert isinstance(refused, UserError)
    assert f"does not run its SigNoz ({URL}), so it has no {what}" in str(refused)


def test_its_files_are_content_and_the_collectors_configuration(project: Path) -> None:
    folders = {
        line.split()[1].split("/")[0] for line in turnscope("render", "there").stdout.splitlines() if "==> " in line
    }
    assert folders == {"content"}
    refused = turnscope("render", "there", "collector").exception
    assert isinstance(refused, UserError)
    assert "existing_signoz.collector.endpoint" in str(refused)
    write(project, **COLLECTED)
    _, _, text = turnscope("render", "there", "collector").stdout.partition("<==\n")
    config = yaml.safe_load(text)
    exporter = config["exporters"]["otlphttp/signoz"]
    assert exporter == {
        "endpoint": INGEST["endpoint"],
        "headers": {"signoz-ingestion-key": f"${{env:{KEY_VARIABLE}}}"},
    }
    used = {part for each in config["service"]["pipelines"].values() for place in each.values() for part in place}
    defined = {name for group in ("receivers", "processors", "connectors", "exporters") for name in config[group]}
    assert used == defined


@pytest.fixture
def deployment(project: Path, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    """On a machine on which no part of the toolchain is built; secrets' values are their paths."""
    monkeypatch.setattr(toolchain, "to_build", lambda parts: list(parts))
    monkeypatch.setattr(agent_gateway, "values", lambda _, references: {each.path: each.path for each in references})
    return made(project, EXISTING)


def made(project: Path, section: dict[str, Any], **over: Any) -> Deployment:
    settings = settings_with(cloudwatch=None, existing_signoz=section, **over)
    return Deployment(Project(project), "there", settings, Console(quiet=True))


def test_it_takes_no_part_of_docker(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not [part for part in deployment.parts if "docker" in part]
    monkeypatch.setattr(toolchain, "supply", lambda *_, **__: pytest.fail("something was prepared"))
    deploy_cloudwatch_first(deployment, lambda *_: pytest.fail("something was deployed"))
    with pytest.raises(UserError, match="no SigNoz"):
        _ = deployment.docker_host


@pytest.mark.parametrize("command", ["login", "lock"])
def test_commands_for_ones_own_refuse_in_a_sentence(project: Path, command: str) -> None:
    refused = turnscope(command, "there").exception
    assert isinstance(refused, UserError)
    assert refused.exit_code == 2
    assert str(refused).count("\n") == 0


def environment(project: Path, section: dict[str, Any], protocol: Protocol = Protocol.HTTP) -> dict[str, str]:
    return agent_gateway.environment_of(made(project, section), None, protocol)


def test_agents_send_to_its_ingestion_endpoint(deployment: Deployment, project: Path) -> None:
    for protocol in Protocol:
        found = environment(project, {**EXISTING, "ingest": INGEST}, protocol)
        assert found["OTEL_EXPORTER_OTLP_ENDPOINT"] == INGEST["endpoint"]
        assert found["OTEL_EXPORTER_OTLP_PROTOCOL"] == protocol
        assert found["OTEL_EXPORTER_OTLP_HEADERS"] == "signoz-ingestion-key=existing_signoz.ingest.key"
        assert "OTEL_EXPORTER_OTLP_CERTIFICATE" not in found
    both = {"endpoint": "https://otel.acme.com:4318", "grpc_endpoint": "https://otel.acme.com:4317"}
    found = environment(project, {**EXISTING, "ingest": both}, Protocol.GRPC)
    assert found["OTEL_EXPORTER_OTLP_ENDPOINT"] == "https://otel.acme.com:4317"
    assert "OTEL_EXPORTER_OTLP_HEADERS" not in found


def test_agents_send_to_the_collector_where_there_is_one(deployment: Deployment, project: Path) -> None:
    """Without the key, which only the collector needs."""
    found = environment(project, {**COLLECTED, "collector": {**COLLECTOR, "redact_content": True}})
    assert found["OTEL_EXPORTER_OTLP_ENDPOINT"] == COLLECTOR["endpoint"]
    assert "OTEL_EXPORTER_OTLP_HEADERS" not in found
    assert found["LIVEKIT_TELEMETRY_ALLOW_PII"] == "0"


def test_without_an_endpoint_env_says_what_to_set(deployment: Deployment) -> None:
    with pytest.raises(UserError, match=r"existing_signoz\.ingest\.endpoint.*existing_signoz\.ingest\.key"):
        agent_gateway.environment_of(deployment, None, Protocol.HTTP)
    with pytest.raises(UserError, match="has no tokens"):
        agent_gateway.environment_of(deployment, None, Protocol.HTTP, token="x")


# --- The key ---


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """The server that checks of the key reach."""
    lab = make_lab(tmp_path)
    real = httpx.Client

    def client(**options: Any) -> httpx.Client:
        return real(**{**options, "transport": lab.transport})

    monkeypatch.setattr(httpx, "Client", client)
    return lab


def section(settings: Settings) -> Any:
    assert settings.existing_signoz
    return settings.existing_signoz


def test_a_key_of_an_administrator_is_taken(lab: Lab) -> None:
    key = lab.key()
    lab.asked.clear()
    assert checked_client("prod", section(existing()), key).list(Kind.CHANNEL) == []
    assert all(method == "GET" for method, _ in lab.asked)


def test_a_wrong_key_is_one_sentence_and_shown_nowhere(lab: Lab) -> None:
    with pytest.raises(UserError) as refused:
        checked_client("prod", section(existing()), "wr0ng-key")
    assert refused.value.exit_code == 2
    assert "rejected the key" in str(refused.value)
    assert "pulumi config set -s prod --secret --path 'turnscope:existing_signoz.api_key'" in str(refused.value)
    assert "wr0ng-key" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_key_of_another_role_is_refused(lab: Lab) -> None:
    """Channels and policies would fail after everything else was made."""
    key = lab.key()
    store = lab.api._store
    viewer = next(role for role in store.all("role") if role["name"] == "signoz-editor")
    for each in store.all("service_account_role"):
        store.replace("service_account_role", each, {**each, "roleId": viewer["id"]})
    with pytest.raises(UserError, match="needs the role admin"):
        checked_client("prod", section(existing()), key)


def state(key: str) -> list[dict[str, Any]]:
    known = {"address": URL, "root_certificate": None, "api_key": key}
    return [{"type": "pulumi-python:dynamic/signoz:ExistingServer", "outputs": known}, {"type": "aws:sns/topic:Topic"}]


def test_nothing_is_deleted_with_a_revoked_key(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_revoked_key("prod", state(lab.key()))
    with pytest.raises(UserError, match=r"no resource was deleted.*turnscope up prod") as refused:
        refuse_revoked_key("prod", state("old"))
    assert refused.value.exit_code == 2
    monkeypatch.setattr(existing_signoz, "ANSWERS_WITHIN_SECONDS", 0.0)
    lab.before = lambda _: httpx.Response(503)
    with pytest.raises(UserError, match="No resource was deleted"):
        refuse_revoked_key("prod", state("any"))
    refuse_revoked_key("prod", [])
