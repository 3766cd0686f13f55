"""One source of routes and receivers, as `alertmanager.yml` and as SigNoz' environment variables."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from core.secrets import placeholders
from core.secrets.reference import SecretRef
from signoz.roles.alertmanager import (
    CONFIG_PATH,
    alertmanager_environment,
    alertmanager_files,
    emailing_environment,
    render_alertmanager,
)
from stacks.settings.roles.alertmanager import AlertmanagerSettings, Smtp
from tests.role_cases import (
    ALERTMANAGER,
    EXTERNAL_URL,
    PAGER,
    SLACK,
    SMTP,
    SMTP_PASSWORD,
    WEBHOOK,
    alertmanager_settings,
    alertmanager_variables,
)


@pytest.mark.parametrize("case", ALERTMANAGER)
def test_both_shapes_say_the_same(case: str) -> None:
    """Timing and mail server are the same in the file and in the variables."""
    file = yaml.safe_load(render_alertmanager(alertmanager_settings(case)))
    variables = dict(alertmanager_environment(alertmanager_settings(case), external_url=EXTERNAL_URL)[0])
    prefix = "SIGNOZ_ALERTMANAGER_SIGNOZ_"
    for name in ("group_wait", "group_interval", "repeat_interval"):
        assert variables[f"{prefix}ROUTE_{name.upper().replace('_', '__')}"] == file["route"][name]
    for name in ("smtp_smarthost", "smtp_from", "smtp_hello", "smtp_auth_username"):
        variable = f"{prefix}GLOBAL_{name.upper().replace('_', '__')}"
        assert variables.get(variable) == file.get("global", {}).get(name)


@pytest.mark.parametrize("case", ALERTMANAGER)
def test_routes_and_receivers_fit(case: str) -> None:
    """Every route ends at a receiver that is there, and every name is there once."""
    file = yaml.safe_load(render_alertmanager(alertmanager_settings(case)))
    names = [receiver["name"] for receiver in file["receivers"]]
    assert len(set(names)) == len(names)
    assert {file["route"]["receiver"], *(route["receiver"] for route in file["route"].get("routes", ()))} <= set(names)


def test_secrets_stand_in_files_of_their_own() -> None:
    """Each secret is in exactly one file, alone and without a line's end, which programs would take for part of it;
    only a webhook's address has to stand in the configuration itself."""
    files = alertmanager_files(alertmanager_settings("everything"))
    holders = {reference: file for file in files for _, reference in file.secrets}
    assert set(holders) == {SLACK, PAGER, WEBHOOK, SMTP_PASSWORD}
    assert holders[WEBHOOK].path == CONFIG_PATH
    config = next(file.text for file in files if file.path == CONFIG_PATH)
    for reference in (SLACK, PAGER, SMTP_PASSWORD):
        assert holders[reference].text == placeholders.value_of(reference)
        assert holders[reference].path in config
    assert {file.mode for file in files} == {"0400"}


@given(st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=60))
def test_any_webhook_address_survives_deployment(address: str) -> None:
    """Quotes, colons, hashes and braces in a secret neither break the file nor change the value."""
    text = placeholders.fill(render_alertmanager(alertmanager_settings("everything")), {WEBHOOK.path: address})
    receivers = {each["name"]: each for each in yaml.safe_load(text)["receivers"]}
    assert receivers["hook"]["webhook_configs"][0]["url"] == address


def test_one_mail_server_for_alerts_and_for_signoz_own_mail() -> None:
    """SigNoz has two blocks for mail; both come from `smtp`, so they cannot differ."""
    smtp = Smtp.model_validate(SMTP)
    settings = AlertmanagerSettings(smtp=smtp)
    alerts, alert_secrets = alertmanager_environment(settings, external_url=EXTERNAL_URL)
    own, own_secrets = emailing_environment(smtp)
    assert dict(alerts)["SIGNOZ_ALERTMANAGER_SIGNOZ_GLOBAL_SMTP__SMARTHOST"] == "smtp.example.com:587"
    assert dict(own)["SIGNOZ_EMAILING_SMTP_ADDRESS"] == "smtp.example.com:587"
    assert [reference for _, reference in (*alert_secrets, *own_secrets)] == [SMTP_PASSWORD] * 2
    assert emailing_environment(None) == ((("SIGNOZ_EMAILING_ENABLED", "false"),), ())


def test_variables_escape_underscores_as_signoz_reads_them() -> None:
    """In SigNoz' variables one underscore is a level, two are an underscore: `group_wait` is `GROUP__WAIT`."""
    names = re.findall(r"^([A-Z_]+)=", alertmanager_variables("everything"), re.M)
    assert {"SIGNOZ_ALERTMANAGER_SIGNOZ_ROUTE_GROUP__WAIT", "SIGNOZ_ALERTMANAGER_SIGNOZ_EXTERNAL__URL"} <= set(names)
    assert "SIGNOZ_ALERTMANAGER_SIGNOZ_GLOBAL_SMTP__AUTH__PASSWORD" in names


@pytest.mark.parametrize(
    ("mistake", "field", "words"),
    [
        ({"receivers": {"team": {}}}, "receivers.team.send_resolved", "at least one of emails"),
        ({"receivers": {"nobody": {"webhook_url": WEBHOOK}}}, "receivers.nobody.[key]", "other than nobody"),
        (
            {"receivers": {"t": {"webhook_url": WEBHOOK, "slack_channel": "#a"}}},
            "receivers.t.slack_channel",
            "null without",
        ),
        ({"default_receiver": "team"}, "default_receiver", "there are none"),
        ({"routes": [{"labels": {"a": "b"}, "receiver": "x"}]}, "routes", "[0].receiver"),
        (
            {"routes": [{"labels": {"service.name": "b"}, "receiver": "x"}]},
            "routes.0.labels.service.name.[key]",
            "letters",
        ),
        ({"repeat_interval_seconds": 400}, "repeat_interval_seconds", "multiples of group_interval_seconds (300)"),
        (
            {
                "receivers": {"t": {"webhook_url": WEBHOOK}},
                "routes": [{"labels": {"a": "b"}, "receiver": "t", "repeat_interval_seconds": 90}],
            },
            "repeat_interval_seconds",
            "not 90",
        ),
        ({"receivers": {"mail": {"emails": ["a@example.com"]}}}, "smtp", "a mail server"),
        ({"smtp": {**SMTP, "username": None}}, "smtp.password", "together"),
        ({"smtp": {**SMTP, "password": "plain"}}, "smtp.password", "plain text"),
        ({"group_intervall_seconds": 3}, "group_intervall_seconds", "Extra inputs"),
    ],
)
def test_a_mistake_is_told_where_it_is(mistake: dict[str, Any], field: str, words: str) -> None:
    """What would make an alert reach nobody, or reach them late, is refused with the key and what is allowed."""
    with pytest.raises(ValidationError) as caught:
        AlertmanagerSettings.model_validate(mistake)
    told = {".".join(map(str, error["loc"])): error["msg"] for error in caught.value.errors()}
    assert words in told[field]


def test_secret_marks_become_values_and_nothing_else_changes() -> None:
    """Filling replaces every placeholder, by what its kind asks for, and refuses to leave one."""
    password = SecretRef("signoz.clickhouse.password")
    text = f"a {placeholders.value_of(password)} {{env:X}} {placeholders.sha256_of(password)}"
    assert placeholders.fill(text, {password.path: "abc"}) == (
        "a abc {env:X} ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
    with pytest.raises(KeyError):
        placeholders.fill(text, {})
