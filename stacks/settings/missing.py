"""What only a stack's owner knows, and has not said yet: nothing is deployed without it, except on a laptop.

In staging and prod that is everything that a placeholder could stand for, in dev what SigNoz and its machine take.

Loading puts placeholders in the place of what no file has, so that such a stack can be planned and rendered.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

from pydantic import BaseModel

from core.environments import Environment
from core.errors import UserError
from core.names import NAMESPACE
from core.releases import CURRENT, VERSIONS, find_release
from core.secrets import generated
from core.secrets.reference import SecretRef
from core.secrets.values import set_command
from stacks.settings.documents import Location, dotted
from stacks.settings.model import SEVERITIES, Receivers, Settings
from stacks.settings.problems import described
from stacks.settings.schema import node_at, resolved

COMPLETE_IN = (Environment.STAGING, Environment.PROD)
"""Where a placeholder would be deployed in earnest."""
ASKED_IN = (Environment.DEV, *COMPLETE_IN)
"""Where SigNoz and its machine lack something without their owner."""
OF_SIGNOZ = ("host", "signoz", "existing_signoz")
"""Sections of which that is so in dev too."""
TEAM, AGENT = "your-team", "your-agent"
"""Placeholders that are valid names."""
EMAIL, RUNBOOKS, SIGNOZ = "you@example.com", "https://example.com/runbooks", "signoz.example.com"
API_KEY = "existing_signoz.api_key"
OFFICE, EVERYONE = "203.0.113.0/24", "0.0.0.0/0"
DOMAIN, NETWORK, STACK = "YOUR-DOMAIN", "YOUR-NETWORK", "STACK"
"""In examples, for the reader to replace; the stack's name is filled in."""

_RESERVED = re.compile(r"(?:.*\.)?(?:example\.(?:com|net|org)|example|test|invalid)\.?", re.IGNORECASE)
"""Domains that nobody can own (https://www.rfc-editor.org/rfc/rfc2606, https://www.rfc-editor.org/rfc/rfc6761)."""

_DOCUMENTATION = tuple(
    ipaddress.ip_network(each)
    for each in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20")
)
"""Networks of nobody (https://www.rfc-editor.org/rfc/rfc5737, https://www.rfc-editor.org/rfc/rfc9637)."""


@dataclass(frozen=True)
class Missing:
    """A setting that its owner has to give: what it is, and the YAML or the command that sets it."""

    key: str
    what: str
    example: str


def with_placeholders(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Raw settings with placeholders where no file says anything; a local stack's as they are."""
    if raw.get("environment") not in ASKED_IN:
        return dict(raw)
    filled = dict(raw)
    if raw.get("environment") in COMPLETE_IN:
        filled = {"owner": TEAM, "runbook_base_url": RUNBOOKS, **filled}
        if filled.get("agents", {}) == {}:
            filled["agents"] = {AGENT: {}}
    if isinstance(host := filled.get("host"), Mapping):
        filled["host"] = _with_its_place(cast(Mapping[str, Any], host), filled.get("signoz"))
    if isinstance(signoz := filled.get("signoz"), Mapping):
        filled["signoz"] = _with_administrator(cast(Mapping[str, Any], signoz))
        for reference in generated.missing(filled):
            filled = generated.put(filled, SecretRef(reference.path, given=False))
    existing = filled.get("existing_signoz")
    if isinstance(existing, Mapping) and cast(Mapping[str, Any], existing).get("api_key") is None:
        filled = generated.put(filled, SecretRef(API_KEY, given=False))
    return filled


def _with_administrator(signoz: Mapping[str, Any]) -> dict[str, Any]:
    release, root_user = signoz.get("release", CURRENT.version), signoz.get("root_user", {})
    wanted = release in VERSIONS and find_release(str(release)).root_user and isinstance(root_user, Mapping)
    return {**signoz, "root_user": {"email": EMAIL, **root_user}} if wanted else dict(signoz)


def _with_its_place(host: Mapping[str, Any], signoz: Any) -> dict[str, Any]:
    """The machine's domain, who reaches it, and who is told of its certificate."""
    filled = {"domain": SIGNOZ, **host}
    if host.get("load_balancer") is not None:
        return filled
    networks = host.get("allowed_networks", {})
    if isinstance(networks, Mapping):
        filled["allowed_networks"] = {"ui": [OFFICE], "otlp": [EVERYONE], **cast(Mapping[str, Any], networks)}
    gateway = signoz.get("gateway") if isinstance(signoz, Mapping) else None
    chosen = isinstance(gateway, Mapping) and "certificates" in gateway
    return filled if chosen else {"acme_email": EMAIL, **filled}


def missing_values(settings: Settings) -> list[Missing]:
    """What a stack must have before it is deployed and has not, in the order of the settings: what is absent, and what
    still has an example's domain or network. Pure."""
    if settings.environment not in ASKED_IN:
        return []
    complete = settings.environment in COMPLETE_IN
    leaves = [(at, value) for at, value in _leaves(settings, ()) if complete or at[0] in OF_SIGNOZ]
    if settings.host:
        # What the gateway has from there.
        leaves = [(at, value) for at, value in leaves if at[:2] != ("signoz", "gateway")]
    found = [each for at, value in leaves if (each := _missing_leaf(at, value, complete))]
    if AGENT in settings.agents:
        found.append(_entry(("agents",), f"{NAMESPACE}:agents: {{front-desk: {{}}}}"))
    if complete:
        found += _missing_receivers(settings)
    elif settings.host and settings.expires_on is None:
        found.append(_entry(("expires_on",), f'{NAMESPACE}:expires_on: "YYYY-MM-DD"'))
    order = list(Settings.model_fields)
    return sorted(found, key=lambda each: order.index(re.split(r"[.\[]", each.key)[0]))


def _leaves(value: Any, location: Location) -> Iterator[tuple[Location, Any]]:
    match value:
        case BaseModel():
            for name in type(value).model_fields:
                yield from _leaves(getattr(value, name), (*location, name))
        case Mapping():
            for name, entry in cast(Mapping[str, Any], value).items():
                yield from _leaves(entry, (*location, name))
        case tuple():
            for index, entry in enumerate(cast(Sequence[Any], value)):
                yield from _leaves(entry, (*location, index))
        case _:
            yield location, value


def _missing_leaf(location: Location, value: Any, complete: bool) -> Missing | None:
    if isinstance(value, SecretRef) and not value.given:
        made = value.path in generated.GENERATED
        return _entry(location, f"turnscope init {STACK}" if made else set_command(value.path, STACK))
    if not isinstance(value, str):
        return None
    if location == ("owner",) and value == TEAM:
        return _entry(location, _yaml(location, "voice-platform"))
    if location == ("signoz", "gateway", "hostname") and value == "localhost" and complete:
        return _entry(location, _yaml(location, f"signoz.{DOMAIN}"))
    if _is_documentation(value):
        return _entry(location, _yaml(location, NETWORK))
    host = _host(location, value)
    if host is None or not _RESERVED.fullmatch(host):
        return None
    return _entry(location, _yaml(location, value.replace(host, DOMAIN)))


def _is_documentation(value: str) -> bool:
    try:
        network = ipaddress.ip_network(value)
    except ValueError:
        return False
    return any(network.version == each.version and network.subnet_of(each) for each in _DOCUMENTATION)  # pyright: ignore[reportArgumentType]


def _host(location: Location, value: str) -> str | None:
    """The host in an address, a URL or a host name; None in any other text."""
    if "://" in value:
        return urlsplit(value).hostname
    if "@" in value:
        return value.rpartition("@")[2]
    # The schema takes time to make, and few texts look like this.
    if _RESERVED.fullmatch(value) and (node := node_at(location)):
        return value if resolved(node).get("format") == "hostname" else None
    return None


def _missing_receivers(settings: Settings) -> Iterator[Missing]:
    cloudwatch = settings.cloudwatch
    for severity in SEVERITIES if cloudwatch else ():
        receivers: Receivers = getattr(settings.notifications, severity)
        if not (cloudwatch and cloudwatch.topics.of(severity)) and not _reaches_someone(receivers):
            key = f"notifications.{severity}"
            pager = severity == "critical" and settings.environment == Environment.PROD
            name = "pagerduty_integration_url" if pager else "slack_webhook_url"
            command = set_command(f"{key}.{name}", STACK)
            email = f"{NAMESPACE}:notifications: {{{severity}: {{emails: [oncall@{DOMAIN}]}}}}"
            what = f"{'The pager: the' if pager else 'The'} receivers of {severity} alarms: PagerDuty, Slack or e-mail."
            yield Missing(key, what, f"{command}   or   {email}")
    target = settings.content_target
    if target and not target.alertmanager.default_receiver:
        location = (target.section, "alertmanager", "default_receiver")
        command = set_command(f"{target.section}.alertmanager.receivers.team.slack_webhook_url", STACK)
        yield _entry(location, f"{command}   and   {_yaml(location, 'team')}")


def _reaches_someone(receivers: Receivers) -> bool:
    real = [each for each in receivers.emails if not _RESERVED.fullmatch(each.rpartition("@")[2])]
    return bool(real or receivers.slack_webhook_url or receivers.pagerduty_integration_url)


def _entry(location: Location, example: str) -> Missing:
    named = location[: next((at for at, part in enumerate(location) if isinstance(part, int)), len(location))]
    return Missing(dotted(location), described(resolved(node_at(named) or {})), example)


def _yaml(location: Location, value: str) -> str:
    """The line of a stack's file that gives a setting this value."""
    text = value
    for part in reversed(location[1:]):
        text = f"[{text}]" if isinstance(part, int) else f"{{{part}: {text}}}"
    return f"{NAMESPACE}:{location[0]}: {text}"


def missing_text(stack: str, missing: Sequence[Missing]) -> str:
    """The list for a reader; empty where nothing is missing."""
    if not missing:
        return ""
    count = f"{len(missing)} setting{'s' if len(missing) > 1 else ''}"
    lines = [f"  {each.key}: {each.what}\n      {each.example.replace(STACK, stack)}" for each in missing]
    return "\n".join(
        [
            f"Missing in stack {stack}: {count}, without which preview and up refuse. Set them under config in "
            f"stacks/Pulumi.{stack}.yaml, or by the command:",
            *lines,
        ]
    )


def refuse_missing(stack: str, settings: Settings) -> None:
    """Raises `UserError` with what is missing in a stack that is to be deployed."""
    if text := missing_text(stack, missing_values(settings)):
        raise UserError(text)
