"""Route policies: which channels are notified of which alerts, from the routes of the alertmanager settings. Pure.

SigNoz tells every channel whose policy an alert meets; the settings have the first route take it. So each policy also
says that no route before it does. Expressions are of github.com/expr-lang/expr over the alert's labels, in which SigNoz
turns a label with dots into nested maps (github.com/SigNoz/signoz, `pkg/types/alertmanagertypes/expression.go`).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping

from signoz.content.model import ContentObject, Kind
from stacks.settings.roles.alertmanager import AlertmanagerSettings

SOURCE = "signoz.alertmanager"
TAG = "turnscope"


def plan_policies(settings: AlertmanagerSettings, labels: Collection[str]) -> tuple[ContentObject, ...]:
    """A policy for each route, in their order, and one for the default receiver.

    `labels` are the names that alerts of the stack's rules have, with their dots (`alert_label`).
    """
    policies: list[ContentObject] = []
    taken: list[str] = []
    for number, route in enumerate(settings.routes, 1):
        condition = _condition(route.labels, labels)
        words = " and ".join(f"{name} is {value}" for name, value in sorted(route.labels.items()))
        expression = " && ".join([condition, *(f"!({each})" for each in taken)])
        title = f"{number}. {words}"
        policies.append(_policy(f"route-{number}", title, expression, route.receiver, f"{SOURCE}.routes[{number - 1}]"))
        taken.append(condition)
    if settings.default_receiver:
        expression = " && ".join(f"!({each})" for each in taken) or "true"
        title = "Everything else" if taken else "Everything"
        source = f"{SOURCE}.default_receiver"
        policies.append(_policy("default", title, expression, settings.default_receiver, source))
    return tuple(policies)


def alert_label(name: str, labels: Collection[str]) -> str:
    """The label of SigNoz' alerts that settings call `name`: Alertmanager's own names have `_` where SigNoz keeps the
    dots of attributes (`service.name`)."""
    return next((each for each in sorted(labels) if each.replace(".", "_") == name), name)


def repeat_seconds(settings: AlertmanagerSettings, alerts: Collection[Mapping[str, str]]) -> int:
    """Seconds after which a rule tells its alerts again: a rule has one such time, so it is the shortest of the
    routes that its alerts take, as far as their labels are known beforehand."""
    found: list[int] = []
    for alert in alerts:
        route = next((each for each in settings.routes if each.labels.items() <= alert.items()), None)
        own = route.repeat_interval_seconds if route else None
        found.append(settings.repeat_interval_seconds if own is None else own)
    return min(found)


def _condition(wanted: Mapping[str, str], labels: Collection[str]) -> str:
    # `?.` because a label that an alert lacks would fail the whole policy, and nobody would be notified.
    return " && ".join(
        f"{alert_label(name, labels).replace('.', '?.')} == {json.dumps(value, ensure_ascii=False)}"
        for name, value in sorted(wanted.items())
    )


def _policy(key: str, title: str, expression: str, receiver: str, source: str) -> ContentObject:
    body = {
        "name": title,
        "kind": "policy",
        "expression": expression,
        "channels": [receiver],
        "description": f"Tells {receiver}. From {source}.",
        "tags": [TAG],
    }
    return ContentObject(Kind.ROUTE_POLICY, key, title, body, source)
