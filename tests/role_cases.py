"""Settings of gateway, Alertmanager and ClickHouse that golden files and the offline validation both go through."""

from __future__ import annotations

from typing import Any

from core.releases import CLASSIC, CURRENT
from core.secrets import placeholders
from core.secrets.reference import SecretRef
from signoz.plan.model import ColdAccess, HostFolder
from signoz.roles.alertmanager import alertmanager_environment
from signoz.roles.clickhouse import render_clickhouse
from signoz.roles.keeper import keeper_files
from stacks.settings.roles.alertmanager import AlertmanagerSettings
from stacks.settings.roles.clickhouse import ClickHouseSettings
from stacks.settings.roles.collector import Firehose
from stacks.settings.roles.gateway import GatewaySettings

RELEASES = {"current": CURRENT, "classic": CLASSIC}

ACME = {"email": "ops@example.com"}
PUBLIC = {"hostname": "signoz.example.com", "certificates": "acme", "acme": ACME, "plain_http_port": 80}
CERTIFICATE_PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
GATEWAY: dict[str, dict[str, Any]] = {
    "local": {"listen_address": "127.0.0.1", "extra_hostnames": ["gateway"]},
    "dev": PUBLIC,
    "staging": PUBLIC,
    "prod": PUBLIC,
    "dns-challenge": {
        **PUBLIC,
        "acme": {
            **ACME,
            "challenge": "dns",
            "dns_provider": "cloudflare",
            "dns_token": SecretRef("signoz.gateway.acme.dns_token"),
        },
        "image": "registry.example.com/caddy-cloudflare:2.11.9",
        "plain_http_port": None,
    },
    "own-certificate": {
        "hostname": "signoz.example.com",
        "certificates": "own",
        "own_certificate": {
            "certificate_pem": CERTIFICATE_PEM,
            "private_key_pem": SecretRef("signoz.gateway.own_certificate.private_key_pem"),
        },
    },
    "networks": {"ui_networks": ["10.0.0.0/8"], "ingest_networks": ["203.0.113.0/24", "2001:db8::/32"]},
    "numbers": {
        "ui_port": 8443,
        "plain_http_port": 8080,
        "ui_body_mib": 20,
        "ingest_body_mib": 4,
        "ingest_concurrent_requests": 32,
        "access_log": False,
    },
    "no-hsts": {**PUBLIC, "hsts_days": 0},
}
FIREHOSE = {
    "networks": Firehose(access_key=SecretRef("signoz.collector.firehose.access_key"), metrics="json"),
}

EXTERNAL_URL = "https://signoz.example.com"
SLACK = SecretRef("signoz.alertmanager.receivers.team.slack_webhook_url")
PAGER = SecretRef("signoz.alertmanager.receivers.pager.pagerduty_routing_key")
WEBHOOK = SecretRef("signoz.alertmanager.receivers.hook.webhook_url")
SMTP_PASSWORD = SecretRef("signoz.alertmanager.smtp.password")
SMTP = {"host": "smtp.example.com", "sender": "alerts@example.com", "username": "turnscope", "password": SMTP_PASSWORD}
PAGED: dict[str, Any] = {
    "receivers": {
        "team": {"slack_webhook_url": SLACK, "slack_channel": "#voice-alerts"},
        "pager": {"pagerduty_routing_key": PAGER},
    },
    "default_receiver": "team",
    "routes": [{"labels": {"severity": "critical"}, "receiver": "pager", "repeat_interval_seconds": 3600}],
}
ALERTMANAGER: dict[str, dict[str, Any]] = {
    "local": {},
    "dev": {"receivers": {"team": {"slack_webhook_url": SLACK}}, "default_receiver": "team"},
    "staging": {"receivers": {"team": {"slack_webhook_url": SLACK}}, "default_receiver": "team"},
    "prod": PAGED,
    "everything": {
        "receivers": {
            **PAGED["receivers"],
            "mail": {"emails": ["oncall@example.com", "voice@example.com"], "send_resolved": False},
            "hook": {"webhook_url": WEBHOOK},
        },
        "default_receiver": "mail",
        "routes": [
            *PAGED["routes"],
            {"labels": {"severity": "warning", "agent": 'a "quoted" \\ name'}, "receiver": "hook"},
        ],
        "group_by": ["alertname", "agent"],
        "group_wait_seconds": 10,
        "group_interval_seconds": 600,
        "repeat_interval_seconds": 7200,
        "inhibit_equal_labels": ["agent"],
        "smtp": SMTP,
    },
    "mail-without-login": {
        "receivers": {"mail": {"emails": ["oncall@example.com"]}},
        "smtp": {"host": "mail.internal", "port": 25, "sender": "alerts@example.com", "require_tls": False},
        "inhibit_equal_labels": [],
    },
}

CLICKHOUSE_PASSWORD = SecretRef("signoz.clickhouse.password")
COLD = {"bucket": "voice-telemetry", "region": "us-west-1"}
COLD_ACCESS = ColdAccess(
    bucket=f"turnscope-prod-clickhouse-{placeholders.ACCOUNT_ID_PLACEHOLDER}",
    region="us-west-1",
    credentials=HostFolder("/run/turnscope/s3", "/etc/turnscope/s3"),
    file="credentials",
)
CLICKHOUSE: dict[str, dict[str, Any]] = {
    "local": {},
    "dev": {},
    "staging": {"memory_mib": 8192},
    "prod": {"memory_mib": 16_384},
    "cold-storage": {"cold_storage": COLD},
    "cold-storage-role": {"cold_storage": {}},
    "cold-storage-keys": {
        "cold_storage": {
            **COLD,
            "endpoint_url": "http://minio.internal:9000",
            "access_key_id": SecretRef("signoz.clickhouse.cold_storage.access_key_id"),
            "secret_access_key": SecretRef("signoz.clickhouse.cold_storage.secret_access_key"),
        }
    },
    "numbers": {
        "server_memory_percent": 70,
        "query_memory_percent": 30,
        "system_log_retention_days": 7,
        "simdjson": False,
        "replica": "example01-01-1",
        "log_level": "information",
    },
}


def gateway_settings(case: str) -> GatewaySettings:
    return GatewaySettings.model_validate(GATEWAY[case])


def alertmanager_settings(case: str) -> AlertmanagerSettings:
    return AlertmanagerSettings.model_validate(ALERTMANAGER[case])


def alertmanager_variables(case: str) -> str:
    """The variables of SigNoz' own Alertmanager, a line each, secrets as placeholders."""
    variables, secrets = alertmanager_environment(alertmanager_settings(case), external_url=EXTERNAL_URL)
    secret_variables = ((name, placeholders.value_of(reference)) for name, reference in secrets)
    return "".join(f"{name}={value}\n" for name, value in (*variables, *secret_variables))


def clickhouse_settings(case: str) -> ClickHouseSettings:
    return ClickHouseSettings.model_validate({"password": CLICKHOUSE_PASSWORD, **CLICKHOUSE[case]})


def clickhouse_texts(case: str, release: str) -> dict[str, str]:
    """Path -> text of the configuration of ClickHouse and, unless ZooKeeper does its work, of Keeper."""
    settings, used = clickhouse_settings(case), RELEASES[release]
    access = COLD_ACCESS if case == "cold-storage-role" else None
    return render_clickhouse(settings, used, access) | {file.path: file.text for file in keeper_files(settings, used)}
