"""The alertmanager role: one source, two shapes; and its container, where it is one. Pure.

Releases up to 0.75 run Alertmanager as a container of its own: `alertmanager.yml` and its secret files. Later ones
have it inside SigNoz: environment variables hold timing and the mail server, and receivers are notification channels
in SigNoz' API, whose bodies are Alertmanager's receivers.

The file is for Prometheus' Alertmanager 0.25 or 0.26, which have the API (v1) that SigNoz 0.75's query service sends
alerts to (github.com/SigNoz/signoz, `pkg/alertmanager/legacyalertmanager`). SigNoz' own image of that time reads no
file: it asks the query service for everything (github.com/SigNoz/alertmanager, `cmd/alertmanager/main.go`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

from core.roles import Role
from core.secrets import placeholders
from core.secrets.reference import SecretRef
from signoz.plan import templating
from signoz.plan.files import rendered_file
from signoz.plan.model import Container, File, HealthCheck
from signoz.roles.context import RoleContext
from signoz.roles.gateway import external_url
from stacks.settings.roles.alertmanager import NOBODY, AlertmanagerSettings, Receiver, Smtp

CONFIG_PATH = "/etc/alertmanager/alertmanager.yml"
SECRETS_PATH = "/etc/alertmanager/secrets"
DATA_PATH = "/alertmanager"
USER = "65534:65534"
PORT = 9093

TITLE = "[{{ .Status | toUpper }}] {{ .GroupLabels.alertname }}{{ with .CommonLabels.severity }} ({{ . }}){{ end }}"
TEXT = (
    "{{ range .Alerts }}*{{ .Annotations.summary }}*\n"
    "{{ with .Annotations.description }}{{ . }}\n{{ end }}"
    "{{ with .Annotations.runbook_url }}<{{ . }}|Runbook>\n{{ end }}"
    "{{ with .GeneratorURL }}<{{ . }}|In SigNoz>\n{{ end }}{{ end }}"
)
"""Slack's text; Alertmanager's template language is Go's."""

Environment = tuple[tuple[str, str], ...]
SecretEnvironment = tuple[tuple[str, SecretRef], ...]


@dataclass(frozen=True)
class _Block:
    """A text that YAML is to hold as a literal block, where nothing is quoted: a secret may consist of anything."""

    text: str


class _Dumper(yaml.SafeDumper):
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


_Dumper.add_representer(
    _Block, lambda dumper, block: dumper.represent_scalar("tag:yaml.org,2002:str", block.text, style="|")
)


def container(context: RoleContext) -> Container:
    """Of releases up to 0.75."""
    settings = context.settings
    return Container(
        role=Role.ALERTMANAGER,
        name=context.name(Role.ALERTMANAGER),
        image=context.image_of(Role.ALERTMANAGER),
        command=(
            f"--config.file={CONFIG_PATH}",
            f"--storage.path={DATA_PATH}",
            f"--web.external-url={external_url(settings.gateway)}/alertmanager",
            "--web.route-prefix=/",
            "--cluster.listen-address=",
        ),
        files=alertmanager_files(settings.alertmanager),
        volumes=(context.data_volume(Role.ALERTMANAGER, DATA_PATH),),
        health=HealthCheck.http_get(f"http://127.0.0.1:{PORT}/-/ready"),
        user=USER,
        read_only_root=True,
        memory_mib=128,
        cpus=0.5,
        open_files=4096,
    )


def render_alertmanager(settings: AlertmanagerSettings) -> str:
    """`alertmanager.yml`."""
    smtp = settings.smtp
    return templating.render(
        "alertmanager.yml.j2",
        settings=settings,
        nobody=NOBODY,
        password_file=_secret_path(smtp.password) if smtp and smtp.password else None,
        inhibit_equal_labels=settings.inhibit_equal_labels,
        receivers=_yaml([_receiver(name, receiver) for name, receiver in sorted(settings.receivers.items())]),
    )


def alertmanager_files(settings: AlertmanagerSettings) -> tuple[File, ...]:
    """`alertmanager.yml` and a file for each secret that Alertmanager 0.25 can read from one."""
    files = [rendered_file(CONFIG_PATH, render_alertmanager(settings), owner=USER)]
    references = [settings.smtp.password] if settings.smtp and settings.smtp.password else []
    for _, receiver in sorted(settings.receivers.items()):
        references += [each for each in (receiver.slack_webhook_url, receiver.pagerduty_routing_key) if each]
    files += [rendered_file(_secret_path(each), placeholders.value_of(each), owner=USER) for each in references]
    return tuple(files)


def alertmanager_environment(
    settings: AlertmanagerSettings, *, external_url: str
) -> tuple[Environment, SecretEnvironment]:
    """Variables, and those that hold a secret, for the Alertmanager inside SigNoz.

    `external_url` is where SigNoz' pages are reached; alerts link there.
    """
    prefix = "SIGNOZ_ALERTMANAGER_SIGNOZ_"
    variables = [
        ("SIGNOZ_ALERTMANAGER_PROVIDER", "signoz"),
        (f"{prefix}EXTERNAL__URL", external_url),
        (f"{prefix}ROUTE_GROUP__WAIT", f"{settings.group_wait_seconds}s"),
        (f"{prefix}ROUTE_GROUP__INTERVAL", f"{settings.group_interval_seconds}s"),
        (f"{prefix}ROUTE_REPEAT__INTERVAL", f"{settings.repeat_interval_seconds}s"),
    ]
    secrets: list[tuple[str, SecretRef]] = []
    if smtp := settings.smtp:
        variables += [
            (f"{prefix}GLOBAL_SMTP__SMARTHOST", f"{smtp.host}:{smtp.port}"),
            (f"{prefix}GLOBAL_SMTP__FROM", smtp.sender),
            (f"{prefix}GLOBAL_SMTP__HELLO", smtp.hello),
            (f"{prefix}GLOBAL_SMTP__REQUIRE__TLS", str(smtp.require_tls).lower()),
        ]
        if smtp.username and smtp.password:
            variables.append((f"{prefix}GLOBAL_SMTP__AUTH__USERNAME", smtp.username))
            secrets.append((f"{prefix}GLOBAL_SMTP__AUTH__PASSWORD", smtp.password))
    return tuple(variables), tuple(secrets)


def emailing_environment(smtp: Smtp | None) -> tuple[Environment, SecretEnvironment]:
    """Variables for SigNoz' own mails, invitations and password resets: a second block for the same server.

    Both blocks use STARTTLS; `SIGNOZ_EMAILING_SMTP_TLS_ENABLED` would mean TLS from the first byte.
    """
    if smtp is None:
        return (("SIGNOZ_EMAILING_ENABLED", "false"),), ()
    prefix = "SIGNOZ_EMAILING_SMTP_"
    variables = [
        ("SIGNOZ_EMAILING_ENABLED", "true"),
        (f"{prefix}ADDRESS", f"{smtp.host}:{smtp.port}"),
        (f"{prefix}FROM", smtp.sender),
        (f"{prefix}HELLO", smtp.hello),
    ]
    if smtp.username and smtp.password:
        return (*variables, (f"{prefix}AUTH_USERNAME", smtp.username)), ((f"{prefix}AUTH_PASSWORD", smtp.password),)
    return tuple(variables), ()


def _receiver(name: str, receiver: Receiver) -> dict[str, Any]:
    """A receiver in Alertmanager's words."""
    resolved = {"send_resolved": receiver.send_resolved}
    kinds: dict[str, Any] = {"name": name}
    if receiver.emails:
        kinds["email_configs"] = [
            {"to": address, **resolved, "headers": {"Subject": TITLE}} for address in receiver.emails
        ]
    if receiver.slack_webhook_url:
        channel = {"channel": receiver.slack_channel} if receiver.slack_channel else {}
        slack = {"api_url_file": _secret_path(receiver.slack_webhook_url), **channel, **resolved}
        kinds["slack_configs"] = [{**slack, "title": TITLE, "text": _Block(TEXT)}]
    if receiver.pagerduty_routing_key:
        key_file = _secret_path(receiver.pagerduty_routing_key)
        kinds["pagerduty_configs"] = [{"routing_key_file": key_file, **resolved, "description": TITLE}]
    if receiver.webhook_url:
        # `url_file` came with 0.26.
        kinds["webhook_configs"] = [{"url": _Block(placeholders.value_of(receiver.webhook_url)), **resolved}]
    return kinds


def _secret_path(reference: SecretRef) -> str:
    return f"{SECRETS_PATH}/{re.sub(r'[^A-Za-z0-9_-]', '-', reference.path)}"


def _yaml(value: object) -> str:
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000)
