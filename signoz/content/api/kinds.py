"""The API of each kind that has objects with identifiers: paths, what identifies one, what is around a body.

Taken from release 0.138 (github.com/SigNoz/signoz, `docs/api/openapi.yml` and the handlers), and tried on it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from signoz.content.model import AGENT_LABEL, Kind

Body = Mapping[str, Any]
SERVERS_OWN = frozenset(
    {
        "id",
        "orgId",
        "createdAt",
        "updatedAt",
        "createdBy",
        "updatedBy",
        "state",
        "status",
        "source_id",
        "lastObservedAt",
    }
)
"""Fields that the server keeps of every object and nobody sends."""


def _same(body: Body) -> dict[str, Any]:
    return dict(body)


@dataclass(frozen=True)
class Endpoint:
    """`identity` tells one object from another of the kind, wherever it was made; None for a body without."""

    path: str
    identity: Callable[[Body], Any]
    listed: str | None = None
    """Where a listing is in pages, the key of a page's objects."""
    own: frozenset[str] = SERVERS_OWN
    opened: Callable[[Body], dict[str, Any]] = _same
    """The body in what the server answers."""
    changed: Callable[[Body], dict[str, Any]] = field(default=_same)
    """The body as an update wants it."""


def _rule_identity(rule: Body) -> Any:
    """Titles of rules are not unique: a rule of Turnscope's says in its labels which one it is, and of which stack
    and agent."""
    labels = rule.get("labels") or {}
    if labels.get("rule") and labels.get("stack"):
        return ("labels", labels["rule"], labels["stack"], labels.get(AGENT_LABEL))
    return ("title", rule.get("alert"))


def _channel(answer: Body) -> dict[str, Any]:
    """The receiver is a text within the answer."""
    data = answer.get("data")
    return json.loads(data) if isinstance(data, str) else dict(answer)


def _without_name(body: Body) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key != "name"}


def _name(body: Body) -> Any:
    return body.get("name")


ENDPOINTS: Mapping[Kind, Endpoint] = {
    Kind.CHANNEL: Endpoint("/api/v1/channels", _name, opened=_channel, own=frozenset()),
    Kind.ROUTE_POLICY: Endpoint("/api/v1/route_policies", _name),
    Kind.ALERT_RULE: Endpoint("/api/v2/rules", _rule_identity),
    Kind.DOWNTIME: Endpoint("/api/v1/downtime_schedules", _name, own=SERVERS_OWN | {"kind"}),
    Kind.DASHBOARD: Endpoint(
        "/api/v2/dashboards", _name, listed="dashboards", own=SERVERS_OWN | {"locked", "source", "pinned"}
    ),
    Kind.SAVED_VIEW: Endpoint("/api/v2/saved_views", _name, changed=_without_name),
    Kind.LLM_PRICES: Endpoint(
        "/api/v1/llm_pricing_rules",
        lambda price: (price.get("modelName"), price.get("provider")),
        listed="items",
        own=SERVERS_OWN | {"syncedAt", "sourceId"},
    ),
}
