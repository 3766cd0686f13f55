"""A stack's content in rows: what its settings say, and what is deployed of it."""

from __future__ import annotations

from signoz.content.model import Kind
from signoz.content.resource_types import kind_of
from signoz.roles.gateway import external_url
from stacks.settings.model import Settings
from turnscope.deployment.deployment import Deployment

PAGES = {
    Kind.DASHBOARD: "/dashboard/{id}",
    Kind.ALERT_RULE: "/alerts/overview?ruleId={id}",
    Kind.CHANNEL: "/alerts/channels/edit/{id}",
}
"""Pages that show one object (frontend/src/constants/routes.ts of github.com/SigNoz/signoz)."""


def signoz_url(settings: Settings) -> str | None:
    """Of SigNoz' pages; None for a stack without SigNoz."""
    if settings.existing_signoz:
        return settings.existing_signoz.url
    return external_url(settings.signoz.gateway) if settings.signoz else None


def rows(deployment: Deployment) -> list[dict[str, str]]:
    """`kind`, `key`, `title`, `source`, and `deployed`: a page or an identifier, or that it is not."""
    url = signoz_url(deployment.settings)
    deployed = {each.name: each for each in deployment.resources() if kind_of(each.type)}
    found: list[dict[str, str]] = []
    for each in deployment.plan.content.objects:
        resource = deployed.pop(each.name, None)
        page = PAGES.get(each.kind)
        if resource is None:
            where = "not yet"
        elif page and url:
            where = url + page.format(id=resource.id)
        else:
            where = resource.id
        row = {"kind": str(each.kind), "key": each.key, "title": each.title, "source": each.source, "deployed": where}
        found.append(row)
    for name, resource in sorted(deployed.items()):
        kind, _, key = name.partition("/")
        where = f"{resource.id}: the next up deletes it"
        found.append({"kind": kind, "key": key, "title": "", "source": "", "deployed": where})
    return found
