"""What `turnscope init` asks of a stack's owner, and what an answer sets. Pure.

Asked is what `stacks.settings.missing` lists, apart from secrets that are generated, and what a machine may have.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stacks.settings.kinds import is_secret, kind_at
from stacks.settings.missing import missing_values
from stacks.settings.model import SEVERITIES, Settings
from stacks.settings.problems import described
from stacks.settings.schema import node_at, resolved

PAGERDUTY, SLACK = "https://events.pagerduty.com/", "https://hooks.slack.com/"
NEWEST_EVENTS = "v2"
TEAM = "team"
SIGNOZ_RECEIVER = ".alertmanager.default_receiver"
"""Below `signoz` or `existing_signoz`."""
_INDEX = re.compile(r"(\.\d+|\[\d+\])$")


@dataclass(frozen=True)
class Value:
    """A setting and its value, as an answer gives it."""

    path: str
    """Below the namespace, as Pulumi writes it: `host.allowed_networks.ui[0]`."""
    value: str
    secret: bool = False


Set = Callable[[str], list[Value]]


@dataclass(frozen=True)
class Question:
    """One line to ask; an empty answer sets nothing."""

    path: str
    text: str
    values: Set
    """From an answer to what it sets. Raises `ValueError`, with what is allowed, for one that cannot be meant."""


def questions(settings: Settings, raw: Mapping[str, Any]) -> list[Question]:
    """In the order of the settings; `raw` is what the stack's files say, without defaults."""
    asked: dict[str, Question] = {}
    for missing in missing_values(settings):
        path = _INDEX.sub("", missing.key).removesuffix(".emails")
        if path not in asked and "turnscope init" not in missing.example:
            text = f"{missing.what} {accepted}" if (accepted := _accepted(path)) else missing.what
            asked[path] = Question(path, text, _values_of(path, listed=path != missing.key))
    return [*asked.values(), *_optional(raw)]


def _optional(raw: Mapping[str, Any]) -> Iterator[Question]:
    host = raw.get("host")
    if not isinstance(host, Mapping):
        return
    if "zone_id" not in host and not host.get("load_balancer"):
        yield Question("host.zone_id", _described("host.zone_id"), _text("host.zone_id"))
    network = host.get("network")
    if not isinstance(network, Mapping) or "vpc_id" not in network:
        text = "An existing VPC and a subnet of it, as vpc-... subnet-...; none for a new one."
        yield Question("host.network.vpc_id", text, _vpc)


def _described(path: str) -> str:
    return described(resolved(node_at(tuple(path.split("."))) or {}))


def _accepted(path: str) -> str:
    """What an answer may be, where the setting has another form."""
    if path == "agents":
        return "Names, separated by commas."
    if path.startswith("notifications."):
        return f"{PAGERDUTY}..., {SLACK}..., or e-mail addresses."
    if path.endswith(SIGNOZ_RECEIVER):
        return f"{SLACK}..., or a PagerDuty integration key."
    return ""


def _values_of(path: str, *, listed: bool) -> Set:
    match path.split("."):
        case ["agents"]:
            return _agents
        case ["notifications", severity] if severity in SEVERITIES:
            return _receivers(path)
        case [section, "alertmanager", "default_receiver"]:
            return _signoz_receiver(section)
        case _:
            return _list(path) if listed else _text(path)


def _text(path: str) -> Set:
    secret = is_secret(kind_at(tuple(path.split("."))))
    return lambda answer: [Value(path, answer, secret)]


def _list(path: str) -> Set:
    return lambda answer: [Value(f"{path}[{index}]", each) for index, each in enumerate(_split(answer))]


def _agents(answer: str) -> list[Value]:
    # Pulumi's command line sets leaves alone.
    return [Value(f"agents.{name}.events", NEWEST_EVENTS) for name in _split(answer)]


def _receivers(path: str) -> Set:
    def values(answer: str) -> list[Value]:
        if answer.startswith(PAGERDUTY):
            return [Value(f"{path}.pagerduty_integration_url", answer, secret=True)]
        if answer.startswith(SLACK):
            return [Value(f"{path}.slack_webhook_url", answer, secret=True)]
        if "://" in answer:
            raise ValueError(f"allowed: {PAGERDUTY}..., {SLACK}..., or e-mail addresses")
        return _list(f"{path}.emails")(answer)

    return values


def _signoz_receiver(section: str) -> Set:
    where = f"{section}.alertmanager.receivers.{TEAM}"
    name = Value(f"{section}{SIGNOZ_RECEIVER}", TEAM)

    def values(answer: str) -> list[Value]:
        if answer.startswith(SLACK):
            return [Value(f"{where}.slack_webhook_url", answer, secret=True), name]
        if re.fullmatch("[0-9a-zA-Z]{32}", answer):
            return [Value(f"{where}.pagerduty_routing_key", answer, secret=True), name]
        raise ValueError(f"allowed: {SLACK}..., or a PagerDuty integration key (32 letters and digits)")

    return values


def _vpc(answer: str) -> list[Value]:
    found = _split(answer)
    if [each.partition("-")[0] for each in found] != ["vpc", "subnet"]:
        raise ValueError("allowed: vpc-... subnet-...")
    return [Value("host.network.vpc_id", found[0]), Value("host.network.subnet_id", found[1])]


def _split(answer: str) -> list[str]:
    return [each for each in re.split(r"[,\s]+", answer) if each]
