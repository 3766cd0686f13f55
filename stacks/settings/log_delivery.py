"""What the delivery of log groups to SigNoz asks of the other settings.

Firehose sends to HTTPS on port 443 alone
(https://docs.aws.amazon.com/firehose/latest/dev/httpdeliveryrequestresponse.html), and only to a server with a
certificate of a public CA (https://docs.aws.amazon.com/firehose/latest/dev/http_troubleshooting.html).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from core.environments import Environment
from stacks.settings.analytics import Analytics
from stacks.settings.cloudwatch import CloudWatchSettings
from stacks.settings.roles.collector import LogGroupDelivery
from stacks.settings.roles.gateway import GatewaySettings
from stacks.settings.roles.signoz import SigNozSettings

HTTPS_PORT = 443
SUBSCRIPTION_FILTERS = 2
"""Of a log group (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html)."""

SECTION = ("collector", "firehose", "log_groups")
URL = ".".join(("signoz", *SECTION, "url"))

Found = tuple[tuple[str, ...], object, str]
"""Where a problem is below `signoz`, the value there, and what is allowed."""


def log_delivery_of(signoz: SigNozSettings | None) -> LogGroupDelivery | None:
    """The section of a stack's settings; None for a stack without."""
    return signoz.collector.firehose.log_groups if signoz and signoz.collector.firehose else None


def log_delivery_problems(
    signoz: SigNozSettings,
    environment: Environment,
    *,
    cloudwatch: CloudWatchSettings | None,
    analytics: Analytics | None,
) -> Iterator[Found]:
    """Everything of the settings that does not fit it."""
    delivery = log_delivery_of(signoz)
    if delivery is None:
        return
    yield from _of_the_stack(delivery, environment, cloudwatch, analytics)
    if delivery.url is None and environment != Environment.LOCAL:
        yield from _of_the_gateway(signoz.gateway)


def _of_the_stack(
    delivery: LogGroupDelivery,
    environment: Environment,
    cloudwatch: CloudWatchSettings | None,
    analytics: Analytics | None,
) -> Iterator[Found]:
    section = delivery.model_dump()
    if cloudwatch is None:
        yield SECTION, section, "allowed: null, because cloudwatch is null, which has the log groups"
    if analytics and len(analytics.events) >= SUBSCRIPTION_FILTERS:
        message = (
            f"allowed: null, or one event in analytics.events: a log group has at most {SUBSCRIPTION_FILTERS} "
            "subscription filters, and analytics uses one for each of its events (docs/how-to/livekit-cloud.md)"
        )
        yield SECTION, section, message
    if environment == Environment.PROD and not delivery.keeps_backup(environment):
        yield (*SECTION, "keep_backup"), delivery.keep_backup, "allowed: true or null, in environment prod"


def _of_the_gateway(gateway: GatewaySettings) -> Iterator[Found]:
    otherwise = f"or {URL}, where a proxy in front of the gateway has it"
    if gateway.certificates == "internal":
        message = f"allowed: acme or own, because Firehose accepts only certificates of a public CA; {otherwise}"
        yield ("gateway", "certificates"), gateway.certificates, message
    if gateway.ui_port != HTTPS_PORT:
        message = f"allowed: {HTTPS_PORT}, the only port that Firehose sends to; {otherwise}"
        yield ("gateway", "ui_port"), gateway.ui_port, message
    if not _is_public(gateway.hostname):
        message = f"allowed: a public DNS name, to which Firehose sends, such as signoz.example.com; {otherwise}"
        yield ("gateway", "hostname"), gateway.hostname, message


def _is_public(name: str) -> bool:
    """Whether it may be a name in the public DNS."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return "." in name and not name.lower().endswith((".localhost", ".local", ".internal", ".lan", ".home.arpa"))
    return False
