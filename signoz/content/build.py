"""From settings, the library and the stack's own folder to everything that its SigNoz is to hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.errors import UserError
from signoz.content import loader
from signoz.content.channels import plan_channels
from signoz.content.compile import compile_dashboard, compile_view
from signoz.content.downtimes import plan_downtimes
from signoz.content.model import ContentObject, ContentPlan, Kind
from signoz.content.policies import plan_policies
from signoz.content.pricing import plan_prices
from signoz.content.retention import plan_retention
from signoz.content.rules import RuleContext, alert_labels, compile_rule
from stacks.settings.model import Settings
from stacks.settings.roles.content import ContentSettings, Thresholds

FOLDER = "stacks/content"


def content_folder(stack: str, settings: Settings, project: Path) -> Path | None:
    """Where the stack's own content is; None where it has none. Raises `UserError` for a folder that is not there."""
    content = settings.signoz.content if settings.signoz else None
    if content is None:
        return None
    if content.folder is None:
        folder = project / FOLDER / stack
        return folder if folder.is_dir() else None
    if not (project / content.folder).is_dir():
        raise UserError(f"signoz.content.folder: {content.folder}: this folder does not exist in the project.")
    return project / content.folder


def plan_content(stack: str, settings: Settings, *, folder: Path | None) -> ContentPlan:
    """What SigNoz is to hold; nothing for a stack without content. Reads the library and `folder`, else pure.

    Raises `UserError` for a file that is wrong, and for names in the settings that nothing has.
    """
    if settings.signoz is None or settings.signoz.content is None:
        return ContentPlan()
    content, alertmanager = settings.signoz.content, settings.signoz.alertmanager
    documents = loader.load(folder, numbers(content.thresholds), exclude=_excluded(content))
    channels = (*plan_channels(alertmanager), *_raw(documents, Kind.CHANNEL))
    context = RuleContext(stack, alertmanager, tuple(each.title for each in channels), settings.runbook_base_url)
    labels = {label for each in documents.rules for label in alert_labels(each.document)}
    rules = (
        *(compile_rule(each.document, each.source, context) for each in documents.rules),
        *_raw(documents, Kind.ALERT_RULE),
    )
    return ContentPlan(
        (
            *channels,
            *plan_policies(alertmanager, labels),
            *_raw(documents, Kind.ROUTE_POLICY),
            *rules,
            *plan_downtimes(content.downtimes, rules),
            *_raw(documents, Kind.DOWNTIME),
            *(compile_dashboard(each.document, each.source) for each in documents.dashboards),
            *_raw(documents, Kind.DASHBOARD),
            *(compile_view(each.document, each.source) for each in documents.views),
            *_raw(documents, Kind.SAVED_VIEW),
            *plan_retention(content.retention),
            *plan_prices(settings.prices.llm),
        )
    )


def numbers(thresholds: Thresholds) -> dict[str, Any]:
    """What templates may use: `thresholds.<name>`, whole numbers as such."""
    values = thresholds.model_dump()
    return {"thresholds": {name: int(value) if value == int(value) else value for name, value in values.items()}}


def _excluded(content: ContentSettings) -> dict[Kind, Sequence[str]]:
    exclude = content.exclude
    return {Kind.DASHBOARD: exclude.dashboards, Kind.ALERT_RULE: exclude.rules, Kind.SAVED_VIEW: exclude.views}


def _raw(documents: loader.Documents, kind: Kind) -> tuple[ContentObject, ...]:
    return tuple(each for each in documents.raw if each.kind == kind)
