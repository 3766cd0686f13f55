"""From an alert rule's document to what SigNoz' API takes (schema v2alpha1). Pure.

What the server makes of it is in github.com/SigNoz/signoz, `pkg/types/ruletypes` and `pkg/query-service/rules`:

- A threshold's name becomes its alerts' label `severity`, unless the rule has a label of that name. An alert for
  missing data has the rule's labels alone. So a rule with one threshold has the label, one with several has not.
- A group is a rule (always) and the labels of `groupBy`; it notifies at most once in the group interval that the server
  is started with (`signoz.roles.alertmanager`), and again after `renotify.interval`.
- A rule either names channels at its thresholds, or leaves it to the route policies.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from core.errors import UserError
from signoz.content.compile import compile_queries, field_key
from signoz.content.model import AGENT_LABEL, ContentObject, Kind
from signoz.content.policies import alert_label, repeat_seconds
from signoz.content.schema import AlertRule
from stacks.settings.existing_signoz import ExistingAlertRouting
from stacks.settings.roles.alertmanager import AlertmanagerSettings, AlertRouting

OWN_LABELS = (
    *("alertname", "ruleId", "ruleSource", "severity", "threshold.name", "nodata", "lastSeen"),
    *("rule", "stack", AGENT_LABEL),
)
"""Labels that SigNoz sets, or `compile_rule`."""


@dataclass(frozen=True)
class RuleContext:
    """What a rule takes from its stack."""

    stack: str
    alertmanager: AlertmanagerSettings | ExistingAlertRouting
    channels: tuple[str, ...]
    """Names of the channels that there are."""
    runbook_base_url: str
    section: str = "signoz"
    """Where in the settings its receivers are, for messages."""


def compile_rule(
    rule: AlertRule, source: str, context: RuleContext, *, of_agent: tuple[str, str] | None = None
) -> ContentObject:
    """The rule as the API takes it.

    `of_agent` is, for a rule of one agent alone, the key of the stack's rule and the agent. Both rules have the stack's
    key as label `rule`, which routes and downtimes match.

    Raises `UserError` for a rule that the server would refuse, or take and never fire.
    """
    _check(rule, source, context)
    labels = alert_labels(rule)
    key, agent = of_agent or (rule.key, None)
    own = {"rule": key, "stack": context.stack, **({AGENT_LABEL: agent} if agent else {}), **rule.labels}
    alerts = [{**own, "severity": threshold.severity} for threshold in rule.thresholds]
    names_channels = bool(rule.thresholds[0].channels)
    body = {
        "schemaVersion": "v2alpha1",
        "version": "v5",
        "alert": rule.title,
        "alertType": _alert_type(rule),
        "ruleType": "promql_rule" if _query_type(rule) == "promql" else "threshold_rule",
        "description": rule.description,
        "disabled": not rule.enabled,
        "condition": {
            "compositeQuery": {
                "queryType": _query_type(rule),
                "panelType": "graph",
                **({"unit": rule.unit} if rule.unit else {}),
                "queries": [_with_step(each, rule.step_minutes * 60) for each in compile_queries(rule.queries)],
            },
            "selectedQueryName": rule.watched,
            "thresholds": {"kind": "basic", "spec": _thresholds(rule)},
            **({"alertOnAbsent": True, "absentFor": rule.absent_minutes} if rule.absent_minutes else {}),
            **({"requireMinPoints": True, "requiredNumPoints": rule.minimum_points} if rule.minimum_points else {}),
        },
        "evaluation": {
            "kind": "rolling",
            "spec": {"evalWindow": f"{rule.for_minutes}m", "frequency": f"{rule.every_minutes}m"},
        },
        "notificationSettings": {
            "groupBy": [name for name in _group_by(context.alertmanager, labels) if name in labels],
            "usePolicy": not names_channels,
            "renotify": {
                "enabled": True,
                "interval": f"{repeat_seconds(context.alertmanager, alerts)}s",
                "alertStates": ["firing", "nodata"],
            },
        },
        "labels": own | ({"severity": rule.thresholds[0].severity} if len(rule.thresholds) == 1 else {}),
        "annotations": _annotations(rule, labels, context.runbook_base_url),
    }
    return ContentObject(Kind.ALERT_RULE, rule.key, rule.title, body, source)


def alert_labels(rule: AlertRule) -> tuple[str, ...]:
    """Names of the labels that a rule's alerts have beside SigNoz' own: what it groups by, and its own labels."""
    keys = (field_key(key)["name"] for query in rule.queries for key in query.group_by)
    return tuple(dict.fromkeys((*keys, *rule.labels)))


def _group_by(settings: AlertRouting, labels: Collection[str]) -> Iterable[str]:
    return (alert_label(name, labels) for name in settings.group_by)


def _with_step(envelope: dict[str, Any], seconds: int) -> dict[str, Any]:
    """The server's own step would be 5 seconds in short windows: a percentile over a turn or two."""
    match envelope["type"]:
        case "builder_query":
            return {**envelope, "spec": {**envelope["spec"], "stepInterval": seconds}}
        case "promql":
            return {**envelope, "spec": {**envelope["spec"], "step": seconds}}
        case _:
            return envelope


def _thresholds(rule: AlertRule) -> list[dict[str, Any]]:
    return [
        {
            "name": each.severity,
            "op": "below" if each.above is None else "above",
            "matchType": rule.match,
            "target": each.below if each.above is None else each.above,
            "targetUnit": rule.unit,
            "channels": list(each.channels),
        }
        for each in rule.thresholds
    ]


def _annotations(rule: AlertRule, labels: Iterable[str], runbook_base_url: str) -> dict[str, str]:
    """`$value` and labels are filled by the server; in a group of several alerts each has its own."""
    grouped = [name for name in labels if name not in rule.labels]
    of = ", ".join(f'{name} {{{{index $labels "{name}"}}}}' for name in grouped)
    texts = {"summary": f"{rule.title}: {{{{$value}}}}" + (f" ({of})" if of else "")}
    if rule.description:
        texts["description"] = rule.description
    if rule.runbook:
        own = rule.runbook.startswith(("http://", "https://"))
        texts["runbook_url"] = rule.runbook if own else f"{runbook_base_url}/{rule.runbook}.md"
    return texts


def _query_type(rule: AlertRule) -> str:
    if any(query.promql for query in rule.queries):
        return "promql"
    return "clickhouse_sql" if any(query.sql for query in rule.queries) else "builder"


def _alert_type(rule: AlertRule) -> str:
    """Where the alert's links lead."""
    signals = {query.signal for query in rule.queries if query.signal}
    sql = " ".join(query.sql or "" for query in rule.queries)
    for signal in ("logs", "traces"):
        if signal in signals or f"signoz_{signal}" in sql:
            return f"{signal.upper()}_BASED_ALERT"
    return "METRIC_BASED_ALERT"


def _check(rule: AlertRule, source: str, context: RuleContext) -> None:
    def refuse(where: str, problem: str) -> None:
        raise UserError(f"{source}: {where}: {problem}")

    if rule.step_minutes > 1 and rule.for_minutes < 2 * rule.step_minutes:
        refuse("for_minutes", f"{rule.for_minutes}; allowed: twice step_minutes ({rule.step_minutes}) or more")
    for number, threshold in enumerate(rule.thresholds):
        for channel in threshold.channels:
            if channel not in context.channels:
                known = ", ".join(sorted(context.channels)) or "none, there are no receivers"
                receivers = f"{context.section}.alertmanager.receivers ({known})"
                refuse(f"thresholds[{number}].channels", f"{channel}; allowed: {receivers}")
    if len({bool(threshold.channels) for threshold in rule.thresholds}) > 1:
        refuse("thresholds", "allowed: channels at all thresholds, or at none (then the routes apply)")
    for name in rule.labels:
        if name in OWN_LABELS:
            refuse(f"labels.{name}", f"allowed: any but {', '.join(OWN_LABELS)}")
        if not re.fullmatch(r"[A-Za-z_.][A-Za-z0-9_.]*", name):
            refuse(f"labels.{name}", "allowed: letters, digits, _ and ., not starting with a digit")
