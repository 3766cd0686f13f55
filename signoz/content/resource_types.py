"""How content's resources are called in a stack's state."""

from __future__ import annotations

from signoz.content.model import Kind

TYPES = {
    Kind.CHANNEL: "NotificationChannel",
    Kind.ROUTE_POLICY: "RoutePolicy",
    Kind.ALERT_RULE: "AlertRule",
    Kind.DOWNTIME: "PlannedDowntime",
    Kind.DASHBOARD: "Dashboard",
    Kind.SAVED_VIEW: "SavedView",
    Kind.RETENTION: "Retention",
    Kind.LLM_PRICES: "LlmPricing",
}
"""The last part of a resource's type token."""
API_KEY_TYPE = "ApiKey"
EXISTING_SERVER_TYPE = "ExistingServer"
MODULE = "signoz"
TYPE_PREFIX = f"pulumi-python:dynamic/{MODULE}:"


def kind_of(token: str) -> Kind | None:
    """The kind of content that a resource's type token means; None for any other resource."""
    names = {name: kind for kind, name in TYPES.items()}
    return names.get(token.removeprefix(TYPE_PREFIX)) if token.startswith(TYPE_PREFIX) else None
