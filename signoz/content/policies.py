"""Route policies: which channels are notified of which alerts, from the routes of the alertmanager settings. Pure.

SigNoz tells every channel whose policy an alert meets; the settings have the first route take it. So each policy also
says that no route before it does. Expressions are of github.com/expr-lang/expr over the alert's labels, in which SigNoz
turns a label with dots into nested maps (github.com/SigNoz/signoz, `pkg/types/alertmanagertypes/expression.go`).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping

from signoz.content.model import ContentObject, Kind
from signoz.content.scope import Only
from stacks.settings.existing_signoz import ExistingAlertRouting
from stacks.settings.roles.alertmanager import AlertmanagerSettings, AlertRouting

TAG = "turnscope"


def plan_policies(
    settings: AlertRouting, labels: Collection[str], *, section: str = "signoz", only: Only | None = None
) -> tuple[ContentObject, ...]:
    """A policy for each route, in their order, and one for the default receiver.

    `labels` are the names that alerts of the stack's rules have, with their dots (`alert_label`). `only`: whose alerts
    they are for, on a server that others use too. `section` of the settings is where they are, for messages.
    """
    policies: list[ContentObject] = []
    taken: list[str] = []
    source = f"{section}.alertmanager"
    scope = [only.alerts] if only else []

    def add(key: str, title: str, conditions: list[str], receiver: str, place: str) -> None:
        expression = " && ".join([*scope, *conditions]) or "true"
        policies.append(_policy(key, only.title(title) if only else title, expression, receiver, f"{source}.{place}"))

    for number, route in enumerate(settings.routes, 1):
        condition = _condition(route.labels, labels)
        words = " and ".join(f"{name} is {value}" for name, value in sorted(route.labels.items()))
        others = [f"!({each})" for each in taken]
        title, place = f"{number}. {words}", f"routes[{number - 1}]"
        add(f"route-{number}", title, [condition, *others], route.receiver, place)
        taken.append(condition)
    if settings.default_receiver:
        title = "Everything else" if taken else "Everything"
        add("default", title, [f"!({each})" for each in taken], settings.default_receiver, "default_receiver")
    return tuple(policies)


def alert_label(name: str, labels: Collection[str]) -> str:
    """The label of SigNoz' alerts that settings call `name`: Alertmanager's own names have `_` where SigNoz keeps the
    dots of attributes (`service.name`)."""
    return next((each for each in sorted(labels) if each.replace(".", "_") == name), name)


def repeat_seconds(settings: AlertmanagerSettings | ExistingAlertRouting, alerts: Collection[Mapping[str, str]]) -> int:
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
