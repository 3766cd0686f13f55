"""From settings, the library and the stack's own folder to everything that its SigNoz is to hold."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from core.errors import UserError
from signoz.content import loader
from signoz.content.channels import plan_channels
from signoz.content.compile import compile_dashboard, compile_view
from signoz.content.downtimes import plan_downtimes
from signoz.content.model import ContentObject, ContentPlan, Kind, Omitted
from signoz.content.overrides import with_overrides
from signoz.content.policies import plan_policies
from signoz.content.pricing import plan_prices
from signoz.content.retention import plan_retention
from signoz.content.rules import RuleContext, alert_labels, compile_rule
from signoz.content.schema import AlertRule
from signoz.content.scope import only_of
from signoz.content.uncollected import without_collector
from stacks.settings.model import Settings
from stacks.settings.roles.content import ContentSettings, Thresholds
from stacks.settings.targets import Targets

FOLDER = "stacks/content"


def content_folder(stack: str, settings: Settings, project: Path) -> Path | None:
    """Where the stack's own content is; None where it has none. Raises `UserError` for a folder that is not there."""
    target = settings.content_target
    if target is None:
        return None
    own = target.content.folder
    if own is None:
        folder = project / FOLDER / stack
        return folder if folder.is_dir() else None
    if not (project / own).is_dir():
        raise UserError(f"{target.section}.content.folder: {own}: this folder does not exist in the project.")
    return project / own


def plan_content(stack: str, settings: Settings, *, folder: Path | None) -> ContentPlan:
    """What SigNoz is to hold; nothing for a stack without content. Reads the library and `folder`, else pure.

    Raises `UserError` for a file that is wrong, and for names in the settings that nothing has.
    """
    target = settings.content_target
    if target is None:
        return ContentPlan()
    section, content, alertmanager = target.section, target.content, target.alertmanager
    files = _Files(folder, content, section, collected=_is_collected(settings))
    documents, omitted = files.load(settings.targets)
    channels = (*plan_channels(alertmanager, section), *_raw(documents, Kind.CHANNEL))
    context = RuleContext(
        stack, alertmanager, tuple(each.title for each in channels), settings.runbook_base_url, section
    )
    written = with_overrides(documents.rules, _rules_of_agents(settings, files))
    labels = {label for each in written for label in alert_labels(each.document)}
    rules = (
        *(compile_rule(each.document, each.source, context, of_agent=each.of_agent) for each in written),
        *_raw(documents, Kind.ALERT_RULE),
    )
    only = only_of(stack, rules) if settings.existing_signoz else None
    objects = (
        *channels,
        *plan_policies(alertmanager, labels, section=section, only=only),
        *_raw(documents, Kind.ROUTE_POLICY),
        *rules,
        *plan_downtimes(content.downtimes, rules, section=section, only=only),
        *_raw(documents, Kind.DOWNTIME),
        *(compile_dashboard(each.document, each.source) for each in documents.dashboards),
        *_raw(documents, Kind.DASHBOARD),
        *(compile_view(each.document, each.source) for each in documents.views),
        *_raw(documents, Kind.SAVED_VIEW),
        *plan_retention(content.retention, section),
        *plan_prices(settings.prices.llm),
    )
    return ContentPlan(objects, omitted)


@dataclass(frozen=True)
class _Files:
    """The library and a stack's own folder, as its settings have them."""

    folder: Path | None
    content: ContentSettings
    section: str
    collected: bool
    """Whether a collector adds what Turnscope's does."""

    def load(
        self, targets: Targets, kinds: Collection[Kind] = tuple(loader.FOLDERS.values())
    ) -> tuple[loader.Documents, tuple[Omitted, ...]]:
        """With these targets; and what is omitted of them."""
        excluded, values = _excluded(self.content), numbers(self.content.thresholds, targets)
        found = loader.load(self.folder, values, exclude=excluded, kinds=kinds, section=self.section)
        return (found, ()) if self.collected else without_collector(found)


def _is_collected(settings: Settings) -> bool:
    existing = settings.existing_signoz
    return existing is None or existing.collector is not None


def numbers(thresholds: Thresholds, targets: Targets) -> dict[str, Any]:
    """What templates may use: `thresholds.<name>` and `targets.<name>`, whole numbers as such; null is none.

    Units are those of the settings, which SigNoz' queries share: seconds, percent, US dollars. Rules count failed tool
    calls, not successful ones: `targets.tool_failure_percent` is the rest to 100.
    """
    # In decimals: 100 - 99.9 is 0.1.
    failures = float(100 - Decimal(str(targets.tool_success_percent)))
    return {
        "thresholds": _whole(thresholds.model_dump()),
        "targets": _whole({**targets.model_dump(), "tool_failure_percent": failures}),
    }


def _whole(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _whole(each) for name, each in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _rules_of_agents(settings: Settings, files: _Files) -> dict[str, tuple[loader.Written[AlertRule], ...]]:
    """The rules with the targets of each agent whose targets are not the stack's."""
    found: dict[Targets, tuple[loader.Written[AlertRule], ...]] = {}
    by_agent = {name: agent.targets for name, agent in settings.agents.items() if agent.targets != settings.targets}
    for targets in by_agent.values():
        if targets not in found:
            found[targets] = files.load(targets, (Kind.ALERT_RULE,))[0].rules
    return {name: found[targets] for name, targets in by_agent.items()}


def _excluded(content: ContentSettings) -> dict[Kind, Sequence[str]]:
    exclude = content.exclude
    return {Kind.DASHBOARD: exclude.dashboards, Kind.ALERT_RULE: exclude.rules, Kind.SAVED_VIEW: exclude.views}


def _raw(documents: loader.Documents, kind: Kind) -> tuple[ContentObject, ...]:
    return tuple(each for each in documents.raw if each.kind == kind)
