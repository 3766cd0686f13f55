"""Settings of the alertmanager role: the receivers of SigNoz' alerts, grouping and timing.

Terms are Alertmanager's (prometheus.io/docs/alerting/latest/configuration).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from stacks.settings.fields import NUMBER, Email, Flag, Matching, Model, Secret, problem

NOBODY = "nobody"
"""The receiver without a destination; Alertmanager needs one at the root of its routes when there is no default."""

ReceiverName = Annotated[
    str,
    Matching(
        f"(?!{NOBODY}$)[A-Za-z0-9][A-Za-z0-9_-]{{0,62}}",
        f"1 to 63 letters, digits, - and _, starting with a letter or digit, other than {NOBODY}",
    ),
]
LabelName = Annotated[
    str, Matching("[A-Za-z_][A-Za-z0-9_]{0,99}", "1 to 100 letters, digits and _, not starting with a digit")
]
GroupLabels = Annotated[tuple[LabelName, ...], Field(min_length=1, max_length=20)]
Seconds = Annotated[int, Field(ge=1, le=604_800), NUMBER]


class Receiver(Model):
    """Destinations of notifications; every alert routed to the receiver is sent to all of them."""

    emails: Annotated[tuple[Email, ...], Field(max_length=50)] = ()
    """E-mail addresses; SigNoz needs a mail server for them (`signoz.alertmanager.smtp`)."""
    slack_webhook_url: Secret | None = None
    """URL of a Slack incoming webhook (secret)."""
    slack_channel: Annotated[str, Matching(r"[#@][^\s\"'#@]{1,80}", "a channel such as #voice-alerts")] | None = None
    """The Slack channel; null for the channel of the webhook."""
    pagerduty_routing_key: Secret | None = None
    """Integration key of the Events API v2 integration of a PagerDuty service (secret)."""
    webhook_url: Secret | None = None
    """URL that receives Alertmanager's JSON by POST (secret, because it often contains a key)."""
    send_resolved: Flag = True
    """Also notify when an alert is resolved."""

    @field_validator("slack_channel")
    @classmethod
    def _channel_of_a_webhook(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value and info.data.get("slack_webhook_url", "") is None:
            raise problem("allowed: null without slack_webhook_url")
        return value

    @field_validator("send_resolved")
    @classmethod
    def _reaches_someone(cls, value: bool, info: ValidationInfo) -> bool:
        places = ("emails", "slack_webhook_url", "pagerduty_routing_key", "webhook_url")
        if all(name in info.data and not info.data[name] for name in places):
            raise problem(f"allowed: a receiver with at least one of {', '.join(places)}")
        return value


class Route(Model):
    """A route for alerts to a receiver other than the default receiver."""

    labels: Annotated[
        dict[LabelName, Annotated[str, Field(min_length=1, max_length=200)]], Field(min_length=1, max_length=20)
    ]
    """Labels that an alert must have (all of them), such as severity: critical."""
    receiver: ReceiverName
    """Receiver of these alerts."""
    repeat_interval_seconds: Seconds | None = None
    """Seconds after which the notification for a firing alert is repeated; null for the stack's value."""


class Smtp(Model):
    """The mail server, for alerts and for SigNoz' invitations and password resets."""

    host: Annotated[str, Matching(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", "a host name", format="hostname")]
    """Host name of the mail server."""
    port: Annotated[int, Field(ge=1, le=65_535), NUMBER] = 587
    """Port of the mail server."""
    sender: Email
    """Sender address of the e-mails."""
    username: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    """User name; null for a server without authentication."""
    password: Secret | None = None
    """Password (secret); required with username."""
    require_tls: Flag = True
    """Reject a server without STARTTLS."""
    hello: Annotated[str, Matching("[A-Za-z0-9.-]{1,253}", "a host name")] = "localhost"
    """Host name in HELO."""

    @field_validator("password")
    @classmethod
    def _with_username(cls, value: object, info: ValidationInfo) -> object:
        if "username" in info.data and (value is None) != (info.data["username"] is None):
            raise problem("allowed: username and password together, or neither")
        return value


class AlertRouting(Model):
    """Who is notified of which SigNoz alerts."""

    receivers: dict[ReceiverName, Receiver] = Field(default={}, max_length=50)
    """Receivers of notifications, by name."""
    default_receiver: ReceiverName | None = None
    """Receiver of alerts that match no route; null for none: these alerts are then only visible in SigNoz."""
    routes: Annotated[tuple[Route, ...], Field(max_length=100)] = ()
    """Routes; the first route whose labels match an alert applies."""
    group_by: GroupLabels = ("alertname", "service_name")
    """Alerts with equal values of these labels form a group; the group notifies."""

    @field_validator("default_receiver")
    @classmethod
    def _default_is_there(cls, value: str | None, info: ValidationInfo) -> str | None:
        receivers = info.data.get("receivers")
        if value is not None and receivers is not None and value not in receivers:
            raise problem(f"allowed: one of receivers ({', '.join(receivers) or 'there are none'}), or null")
        return value

    @field_validator("routes")
    @classmethod
    def _receivers_are_there(cls, value: tuple[Route, ...], info: ValidationInfo) -> tuple[Route, ...]:
        receivers = info.data.get("receivers")
        for number, route in enumerate(value):
            if receivers is not None and route.receiver not in receivers:
                known = ", ".join(receivers) or "there are none"
                raise problem(f"allowed in [{number}].receiver: one of receivers ({known}), not {route.receiver}")
        return value


class AlertmanagerSettings(AlertRouting):
    """Notifications of SigNoz alerts."""

    group_wait_seconds: Seconds = 30
    """Seconds that a new group waits for further alerts before its first notification."""
    group_interval_seconds: Seconds = 300
    """Deduplication window: a group notifies at most once in this time, however often its alerts fire and resolve."""
    repeat_interval_seconds: Seconds = 14_400
    """Seconds after which the notification for firing alerts is repeated; a multiple of group_interval_seconds."""
    inhibit_equal_labels: Annotated[tuple[LabelName, ...], Field(max_length=20)] = ("alertname", "service_name")
    """A firing critical alert suppresses warnings with equal values of these labels; empty to suppress none."""
    smtp: Smtp | None = None
    """The mail server."""

    @field_validator("repeat_interval_seconds")
    @classmethod
    def _repeats_when_groups_speak(cls, value: int, info: ValidationInfo) -> int:
        # Alertmanager evaluates a group only every group interval: any other repeat would silently be late.
        window = info.data.get("group_interval_seconds")
        if window is None:
            return value
        for seconds in (value, *(route.repeat_interval_seconds for route in info.data.get("routes", ()))):
            if seconds is not None and seconds % window:
                raise problem(f"allowed, in routes too: multiples of group_interval_seconds ({window}), not {seconds}")
        return value

    @field_validator("smtp")
    @classmethod
    def _mail_needs_a_server(cls, value: Smtp | None, info: ValidationInfo) -> Smtp | None:
        mailed = [name for name, receiver in info.data.get("receivers", {}).items() if receiver.emails]
        if value is None and mailed:
            raise problem(f"allowed: a mail server, because receivers with emails require one ({', '.join(mailed)})")
        return value
