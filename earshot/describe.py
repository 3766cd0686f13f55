"""A plan in rows: kind, name and numbers of everything that would exist."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from cloudwatch.plan.model import AgentPlan, CloudWatchPlan, MathExpression, MetricAlarm

Row = dict[str, Any]


def describe(plan: CloudWatchPlan) -> dict[str, Any]:
    """The plan as plain data for JSON: the stack, a count per kind, and a row per resource.

    A secret never is in a plan, so none can be in here.
    """
    rows = list(rows_of(plan))
    return {
        "stack": plan.stack,
        "environment": plan.environment,
        "region": plan.region,
        "counts": dict(Counter(row["kind"] for row in rows)),
        "resources": rows,
    }


def rows_of(plan: CloudWatchPlan) -> Iterator[Row]:
    for topic in plan.topics:
        yield {"kind": "topic", "name": topic.name, "severity": str(topic.severity)}
        for subscription in topic.subscriptions:
            address = subscription.address if isinstance(subscription.address, str) else "[secret]"
            yield {"kind": "subscription", "name": f"{topic.name}/{subscription.kind}", "address": address}
    for agent in plan.agents:
        yield from _agent_rows(agent)
    for dashboard in plan.dashboards:
        yield {"kind": "dashboard", "name": dashboard.name, "widgets": len(dashboard.body["widgets"])}
    if plan.budget:
        yield {
            "kind": "budget",
            "name": plan.budget.name,
            "monthly_limit_usd": plan.budget.monthly_limit_usd,
            "alert_percents": list(plan.budget.alert_percents),
        }


def _agent_rows(agent: AgentPlan) -> Iterator[Row]:
    group = agent.log_group
    yield {
        "kind": "log group" if group.managed else "log group (existing)",
        "name": group.name,
        "agent": agent.name,
        **({"retention_days": group.retention_days} if group.managed else {}),
    }
    for query in agent.saved_queries:
        yield {"kind": "saved query", "name": query.name, "agent": agent.name, "description": query.description}
    for each in agent.metric_filters:
        yield {
            "kind": "metric filter",
            "name": each.name,
            "agent": agent.name,
            "metric": f"{each.namespace}/{each.metric_name}",
            "value": each.value,
            "pattern": each.pattern,
        }
    for alarm in agent.alarms:
        yield {
            "kind": "alarm",
            "name": alarm.name,
            "agent": agent.name,
            "title": alarm.title,
            "severity": str(alarm.severity),
            "watches": watched(alarm),
            "threshold": alarm.threshold,
            "period_seconds": alarm.period_seconds,
            "datapoints_to_alarm": alarm.datapoints_to_alarm,
            "evaluation_periods": alarm.evaluation_periods,
            "missing_data": str(alarm.missing_data),
            "notifies": alarm.notifies,
        }
    for composite in agent.composite_alarms:
        yield {
            "kind": "composite alarm",
            "name": composite.name,
            "agent": agent.name,
            "title": composite.title,
            "severity": str(composite.severity),
            "parts": list(composite.alarm_names),
            "silenced_by": composite.suppressor_name,
            "notifies": composite.notifies,
        }


def watched(alarm: MetricAlarm) -> str:
    """What an alarm compares, in one line."""
    entry = next(entry for entry in alarm.series if entry.id == alarm.watched)
    if isinstance(entry, MathExpression):
        return entry.expression
    return f"{entry.statistic} of {entry.metric.namespace}/{entry.metric.name}"
