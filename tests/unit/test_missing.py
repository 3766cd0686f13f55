"""What a fresh staging or prod stack lacks: said where it is planned, refused where it would be deployed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

import toolchain
from core.errors import UserError
from core.secrets.generated import GENERATED
from stacks.settings.loading import load, stack_file
from stacks.settings.missing import Missing, missing_text, missing_values
from stacks.settings.model import Settings
from tests.program import OWNERS
from tests.stack_settings import validate
from tests.unit.conftest import SECURE, SIGNOZ
from turnscope.app import app

ROOT = Path(__file__).parents[2]
SECRET = SECURE
TOPIC = "arn:aws:sns:us-west-1:123456789012:pager"
REAL_SIGNOZ: dict[str, Any] = {
    **SIGNOZ,
    "root_user": {"email": "ops@acme-voice.com", "password": SECURE},
    "gateway": {"hostname": "signoz.acme-voice.com"},
    "alertmanager": {"receivers": {"team": {"slack_webhook_url": SECURE}}, "default_receiver": "team"},
}


def complete(environment: str = "prod", **over: Any) -> Settings:
    protect = environment == "prod"
    raw = {"environment": environment, "protect": protect, **OWNERS, "signoz": REAL_SIGNOZ, **over}
    return validate(raw, source=Path("test"))


def keys(settings: Settings) -> list[str]:
    return [each.key for each in missing_values(settings)]


@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_a_stack_of_which_its_owner_said_everything_lacks_nothing(environment: str) -> None:
    assert keys(complete(environment)) == []


@pytest.mark.parametrize(
    ("over", "expected"),
    [
        ({"runbook_base_url": "https://runbooks.example.com"}, ["runbook_base_url"]),
        ({"notifications": {}}, ["notifications.critical", "notifications.warning"]),
        (
            {"notifications": {**OWNERS["notifications"], "critical": {"emails": ["oncall@example.org"]}}},
            ["notifications.critical.emails.0", "notifications.critical"],
        ),
        ({"notifications": {**OWNERS["notifications"], "critical": {"pagerduty_integration_url": SECRET}}}, []),
        ({"notifications": {**OWNERS["notifications"], "critical": {"slack_webhook_url": SECRET}}}, []),
        ({"notifications": {}, "cloudwatch": {"topics": {"critical": TOPIC}}}, ["notifications.warning"]),
        ({"notifications": {}, "cloudwatch": None}, []),
        ({"budget": {"monthly_limit_usd": 5, "emails": ["a@acme-voice.com", "b@EXAMPLE.net"]}}, ["budget.emails.1"]),
        ({"signoz": {**REAL_SIGNOZ, "gateway": {}}}, ["signoz.gateway.hostname"]),
        ({"signoz": {**REAL_SIGNOZ, "gateway": {"hostname": "signoz.test"}}}, ["signoz.gateway.hostname"]),
        ({"signoz": {**REAL_SIGNOZ, "gateway": {"hostname": "testing.acme-voice.com"}}}, []),
        (
            {"signoz": {**REAL_SIGNOZ, "root_user": {"email": "a@b.example", "password": SECRET}}},
            ["signoz.root_user.email"],
        ),
        ({"signoz": {**REAL_SIGNOZ, "docker_host": "ssh://me@docker.invalid"}}, ["signoz.docker_host"]),
        ({"signoz": {**REAL_SIGNOZ, "alertmanager": {}}}, ["signoz.alertmanager.default_receiver"]),
        ({"signoz": {**REAL_SIGNOZ, "alertmanager": {}, "content": None}}, []),
    ],
)
def test_what_is_absent_or_an_example_is_missing(over: dict[str, Any], expected: list[str]) -> None:
    """Each has a description and an example that is no example domain itself."""
    found = missing_values(complete(**over))
    assert [each.key for each in found] == expected
    for each in found:
        assert each.what.endswith(".")
        assert "example" not in each.example
        assert "turnscope:" in each.example


@pytest.mark.parametrize("environment", ["local", "dev"])
def test_elsewhere_examples_are_fine(environment: str) -> None:
    assert keys(complete(environment, runbook_base_url="https://example.com/x", notifications={})) == []


REAL_HOST: dict[str, Any] = {
    "domain": "signoz.acme-voice.com",
    "acme_email": "ops@acme-voice.com",
    "allowed_networks": {"ui": ["198.18.0.0/15", "2a00::/12"], "otlp": ["0.0.0.0/0", "::/0"]},
}


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
@pytest.mark.parametrize(
    ("over", "expected"),
    [
        ({}, []),
        ({"domain": "signoz.example.com"}, ["host.domain"]),
        ({"acme_email": "a@b.invalid"}, ["host.acme_email"]),
        ({"allowed_networks": {"ui": ["10.0.0.0/8", "203.0.113.7"], "otlp": ["::/0"]}}, ["host.allowed_networks.ui.1"]),
        ({"allowed_networks": {"ui": ["::/0"], "otlp": ["2001:db8:1::/48"]}}, ["host.allowed_networks.otlp.0"]),
    ],
)
def test_a_machine_needs_a_domain_and_networks_of_somebodys(
    environment: str, over: dict[str, Any], expected: list[str]
) -> None:
    """Said once, not again for the gateway, which has both from there."""
    signoz = {**REAL_SIGNOZ, "gateway": {}}
    given = {"expires_on": "2099-12-31"} if environment == "dev" else {}
    found = missing_values(complete(environment, host={**REAL_HOST, **over}, signoz=signoz, **given))
    assert [each.key for each in found] == expected
    assert not [each for each in found if "example" in each.example or "203.0.113" in each.example]


def test_a_machine_of_dev_expires() -> None:
    signoz = {**REAL_SIGNOZ, "gateway": {}}
    assert keys(complete("dev", host=REAL_HOST, signoz=signoz)) == ["expires_on"]
    assert keys(complete("staging", host=REAL_HOST, signoz=signoz)) == []


def test_the_pager_is_named_for_prod_alone() -> None:
    def critical(environment: str) -> Missing:
        return missing_values(complete(environment, notifications={}))[0]

    assert "pagerduty_integration_url" in critical("prod").example
    assert critical("prod").what.startswith("The pager")
    assert "pager" not in critical("staging").example


# --- Fresh files ---

OWN = ["owner", "runbook_base_url", "agents", "notifications.critical", "notifications.warning"]
OF_SIGNOZ = [
    f"signoz.{key}"
    for key in (
        "root_user.email",
        "root_user.password",
        "jwt_secret",
        "clickhouse.password",
        "collector.tokens.default",
    )
]
OF_THE_MACHINE = ["host.allowed_networks.ui.0", "host.domain", "host.acme_email"]
RECEIVER = "signoz.alertmanager.default_receiver"
FRESH = {
    "dev": ["expires_on", *OF_SIGNOZ, *OF_THE_MACHINE],
    "staging": [*OWN, *OF_SIGNOZ, RECEIVER, *OF_THE_MACHINE],
    "prod": [*OWN, *OF_SIGNOZ, RECEIVER, *OF_THE_MACHINE],
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The shipped files, and a toolchain that must not be asked for."""
    (tmp_path / "stacks").mkdir()
    for path in (ROOT / "Pulumi.yaml", *(ROOT / "stacks").glob("*.yaml")):
        shutil.copy(path, tmp_path / path.relative_to(ROOT))
    monkeypatch.setenv("TURNSCOPE_PROJECT", str(tmp_path))
    monkeypatch.setattr(toolchain, "ensure", lambda *_, **__: pytest.fail("the engine was asked for"))
    return tmp_path


def turnscope(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def with_signoz(project: Path, stack: str, **settings: Any) -> None:
    path = stack_file(stack, project)
    document = yaml.safe_load(path.read_text())
    document["config"]["turnscope:signoz"] = settings
    del document["config"]["turnscope:host"]
    path.write_text(yaml.safe_dump(document))


@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_a_fresh_stack_can_be_planned_and_says_what_is_missing(project: Path, stack: str) -> None:
    text = missing_text(stack, missing_values(load(stack, project)))
    assert [each.key for each in missing_values(load(stack, project))] == FRESH[stack]
    planned = turnscope("plan", stack)
    assert planned.exit_code == 0, planned.output
    assert planned.stdout.endswith(f"\n{text}\n")
    data = json.loads(turnscope("plan", stack, "--json").stdout)
    assert [each["key"] for each in data["missing"]] == FRESH[stack]
    rendered = turnscope("render", stack)
    assert rendered.exit_code == 0
    assert rendered.stderr == f"{text}\n"
    assert text not in rendered.stdout


@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
@pytest.mark.parametrize("command", ["preview", "up"])
def test_a_fresh_stack_is_not_deployed(project: Path, stack: str, command: str) -> None:
    """Refused with the same list, before the engine is even looked for."""
    refused = turnscope(command, stack, "--yes")
    assert isinstance(refused.exception, UserError)
    assert refused.exception.exit_code == 2
    assert str(refused.exception) == missing_text(stack, missing_values(load(stack, project)))


def test_signoz_in_a_fresh_stack_lacks_its_domain_and_its_secrets(project: Path) -> None:
    with_signoz(project, "prod")
    found = {each.key: each.example for each in missing_values(load("prod", project))}
    assert set(found) == {*OWN, *OF_SIGNOZ, RECEIVER, "signoz.gateway.hostname"}
    assert {found[path] for path in GENERATED if path in found} == {"turnscope init STACK"}
    planned = turnscope("plan", "prod")
    assert planned.exit_code == 0, planned.output
    assert "turnscope init prod" in planned.stdout


def test_a_release_without_an_administrator_lacks_none(project: Path) -> None:
    with_signoz(project, "prod", release="0.75.0", content=None)
    assert not [each.key for each in missing_values(load("prod", project)) if "root_user" in each.key]


def test_mistakes_come_before_what_is_missing(project: Path) -> None:
    """As one message about what is there: placeholders hide nothing of it."""
    with_signoz(project, "prod", gateway={"ui_port": 0}, root_user=[])
    with pytest.raises(UserError, match=r"(?s)2 problems.*signoz.gateway.ui_port: 0.*signoz.root_user: "):
        load("prod", project)
