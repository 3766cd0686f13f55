"""Notification channels: the receivers of the alertmanager settings, as SigNoz' API takes them. Pure.

A body is a receiver of Alertmanager's own configuration (prometheus.io/docs/alerting/latest/configuration), as JSON;
the mail server is the server's affair (`signoz.roles.alertmanager`).
"""

from __future__ import annotations

from typing import Any

from core.secrets import placeholders
from signoz.content.model import ContentObject, Kind
from signoz.plan.model import Secrets
from signoz.roles.alertmanager import TEXT
from stacks.settings.roles.alertmanager import AlertRouting, Receiver

TITLE = "[{{ .Status | toUpper }}] {{ .CommonLabels.alertname }}{{ with .CommonLabels.severity }} ({{ . }}){{ end }}"
"""SigNoz groups by rule and not by `alertname`, which is therefore no group label."""
# A group may hold alerts of two severities; PagerDuty takes one.
PAGERDUTY_SEVERITY = "{{ with .CommonLabels.severity }}{{ . }}{{ else }}critical{{ end }}"


def plan_channels(settings: AlertRouting, section: str = "signoz") -> tuple[ContentObject, ...]:
    """A channel for each receiver, by name; `section` of the settings is where they are, for messages."""
    receivers = sorted(settings.receivers.items())
    return tuple(_channel(name, receiver, f"{section}.alertmanager.receivers.{name}") for name, receiver in receivers)


def _channel(name: str, receiver: Receiver, source: str) -> ContentObject:
    resolved = {"send_resolved": receiver.send_resolved}
    body: dict[str, Any] = {"name": name}
    if receiver.emails:
        body["email_configs"] = [{**resolved, "to": ",".join(receiver.emails), "headers": {"Subject": TITLE}}]
    if receiver.slack_webhook_url:
        channel = {"channel": receiver.slack_channel} if receiver.slack_channel else {}
        # Without an address of its own a channel fails once it is used (signoz#10582).
        address = {"api_url": placeholders.value_of(receiver.slack_webhook_url)}
        body["slack_configs"] = [{**resolved, **address, **channel, "title": TITLE, "text": TEXT}]
    if receiver.pagerduty_routing_key:
        key = placeholders.value_of(receiver.pagerduty_routing_key)
        body["pagerduty_configs"] = [
            {**resolved, "routing_key": key, "description": TITLE, "severity": PAGERDUTY_SEVERITY}
        ]
    if receiver.webhook_url:
        body["webhook_configs"] = [{**resolved, "url": placeholders.value_of(receiver.webhook_url)}]
    references = (receiver.slack_webhook_url, receiver.pagerduty_routing_key, receiver.webhook_url)
    secrets: Secrets = tuple((each.path, each) for each in references if each)
    return ContentObject(Kind.CHANNEL, name, name, body, source, secrets)
