"""What SigNoz' gateway takes from the machine that the stack makes: its name, and where its certificate is from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.environments import Environment
from stacks.settings.host import HostSettings
from stacks.settings.log_delivery import log_delivery_of
from stacks.settings.roles.signoz import SigNozSettings

ACME_HTTP_PORT = 80
"""The port of ACME's HTTP challenge (https://letsencrypt.org/docs/challenge-types/)."""


def with_host_defaults(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Raw settings in which `signoz.gateway` has, where it does not say otherwise itself, the machine's domain, with
    `host.acme_email` a certificate by ACME, and where Firehose sends to it the networks of the pages."""
    filled = dict(raw)
    host, signoz = filled.get("host"), filled.get("signoz")
    if not isinstance(host, Mapping) or not isinstance(signoz, Mapping):
        return filled
    gateway = signoz.get("gateway") or {}
    if not isinstance(gateway, Mapping):
        return filled
    defaults: dict[str, Any] = {}
    if host.get("domain") is not None:
        defaults["hostname"] = host["domain"]
    networks = host.get("allowed_networks")
    opened = filled.get("environment") != Environment.LOCAL and _delivers_logs(signoz)
    if isinstance(networks, Mapping) and networks.get("ui") and opened:
        # The port is open to everyone then, for Firehose.
        defaults["ui_networks"] = networks["ui"]
    if host.get("acme_email") is not None and "certificates" not in gateway:
        defaults |= {
            "certificates": "acme",
            "acme": {"email": host["acme_email"]},
            "plain_http_port": ACME_HTTP_PORT,
        }
    return filled | {"signoz": {**signoz, "gateway": {**defaults, **gateway}}}


def _delivers_logs(signoz: Mapping[str, Any]) -> bool:
    """Whether Firehose sends log groups to the gateway itself, in raw settings."""
    section: Any = signoz
    for key in ("collector", "firehose", "log_groups"):
        section = section.get(key) if isinstance(section, Mapping) else None
    return isinstance(section, Mapping) and section.get("url") is None


def gateway_problem(host: HostSettings, signoz: SigNozSettings, environment: Environment) -> str | None:
    """What of SigNoz' settings does not fit the machine, as what is allowed; None for nothing."""
    gateway = signoz.gateway
    if "docker_host" in signoz.model_fields_set:
        return (
            "allowed: either host or signoz.docker_host, not both: with host, the stack makes the machine and knows "
            "its address"
        )
    if gateway.hostname != host.domain:
        return f"domain: allowed: {gateway.hostname}, as in signoz.gateway.hostname, or remove that setting"
    if host.acme_email and gateway.acme and gateway.acme.email != host.acme_email:
        return "acme_email: allowed: null with signoz.gateway.certificates, which decides"
    if host.acme_email and gateway.certificates != "acme":
        return "acme_email: allowed: null with signoz.gateway.certificates, which decides"
    delivery = log_delivery_of(signoz)
    opened = delivery and delivery.url is None and environment != Environment.LOCAL
    if opened and host.load_balancer:
        return (
            "load_balancer: allowed with signoz.collector.firehose.log_groups.url, the load balancer's URL that "
            "forwards to the gateway's /firehose/logs"
        )
    if opened and not gateway.ui_networks:
        return (
            "allowed_networks: allowed with signoz.gateway.ui_networks, because port 443 is open to everyone for "
            "Firehose: remove that setting, or name the networks of the pages in it"
        )
    chosen = "certificates" in gateway.model_fields_set or host.load_balancer or environment == Environment.LOCAL
    if not host.acme_email and not chosen:
        return (
            "acme_email: missing: an e-mail address, for a certificate from Let's Encrypt; or set "
            "signoz.gateway.certificates"
        )
    return None
