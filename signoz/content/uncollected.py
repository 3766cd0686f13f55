"""Shipped content for a SigNoz whose collector adds nothing: without what queries names that only Turnscope's collector
configuration adds. Pure.

SigNoz accepts a query for a name that never arrives: a panel stays empty, a rule never fires.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypeVar

from signoz.content.loader import Documents, Written
from signoz.content.model import Kind, Omitted
from signoz.content.schema import AlertRule, Dashboard, Query, SavedView, follows
from signoz.roles.collector.config import COST_ATTRIBUTE, DERIVED_METRICS

SCRAPED = ("otelcol_", "lk_agents_", "voice_agent_")
"""Beginnings of metrics that a collector scrapes: its own, LiveKit's workers' and applications'."""
_NAMES = [re.escape(name) for name in (COST_ATTRIBUTE, *(metric.name for metric in DERIVED_METRICS))]
_ADDED = re.compile(rf"(?<![\w.])(?:(?:{'|'.join(_NAMES)})(?![\w.]*\w)|(?:{'|'.join(SCRAPED)})\w+)")

RuleOrView = TypeVar("RuleOrView", AlertRule, SavedView)


def without_collector(documents: Documents) -> tuple[Documents, tuple[Omitted, ...]]:
    """What works without such a collector, and what of the shipped content does not. Own files stay as they are."""
    omitted: list[Omitted] = []

    def kept(kind: Kind, written: Iterable[Written[RuleOrView]]) -> Iterable[Written[RuleOrView]]:
        for each in written:
            if each.shipped and any(map(needs_collector, each.document.queries)):
                omitted.append(Omitted(kind, each.document.key))
            else:
                yield each

    def dashboards() -> Iterable[Written[Dashboard]]:
        for each in documents.dashboards:
            rest, panels = _reduced(each.document) if each.shipped else (each.document, ())
            if panels:
                omitted.append(Omitted(Kind.DASHBOARD, each.document.key, panels if rest else ()))
            if rest:
                yield Written(rest, each.source, each.shipped)

    found = Documents(
        dashboards=tuple(dashboards()),
        rules=tuple(kept(Kind.ALERT_RULE, documents.rules)),
        views=tuple(kept(Kind.SAVED_VIEW, documents.views)),
        raw=documents.raw,
    )
    return found, tuple(omitted)


def needs_collector(query: Query) -> bool:
    """Whether it asks for a name that only Turnscope's collector configuration adds."""
    texts = (query.metric, query.aggregate, query.where, query.promql, query.sql, query.having, *query.group_by)
    return any(_ADDED.search(text) for text in texts if text)


def _reduced(dashboard: Dashboard) -> tuple[Dashboard | None, tuple[str, ...]]:
    """The dashboard with the panels that work (None for none), and the titles of the others."""
    gone = {
        panel.title
        for section in dashboard.sections
        for panel in section.panels
        if any(map(needs_collector, panel.queries))
    }
    sections = [
        section.model_copy(update={"panels": panels})
        for section in dashboard.sections
        if (panels := tuple(panel for panel in section.panels if panel.title not in gone))
    ]
    panels = [panel for section in sections for panel in section.panels]
    variables = tuple(
        each
        for each in dashboard.variables
        if any(follows(query, panel, each) for panel in panels for query in panel.queries)
    )
    rest = dashboard.model_copy(update={"sections": tuple(sections), "variables": variables}) if sections else None
    return rest, tuple(sorted(gone))
