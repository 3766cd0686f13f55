"""A plan in rows: kind, name and numbers of everything that would exist."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from cloudwatch.plan.model import AgentPlan, CloudWatchPlan, MathExpression, MetricAlarm
from core.secrets.placeholders import HIDDEN
from signoz.content.model import ContentPlan, Kind, Omitted
from signoz.content.placeholders import ids_in
from signoz.plan.model import SigNozPlan
from signoz.plan.volumes import volumes
from stacks.settings.model import Agent
from stacks.settings.targets import EouDelay, LlmTtft, Targets, TotalLatency, TtsTtfb
from turnscope.plan_table_analytics import analytics_rows, analytics_summary
from turnscope.plan_table_forwarding import forwarding_rows, forwarding_summary
from turnscope.plan_table_host import host_rows, host_summary
from turnscope.plans import ExistingPlan, StackPlan

Row = dict[str, Any]


def as_data(plan: StackPlan, agents: Mapping[str, Agent]) -> dict[str, Any]:
    """The plan as plain data for JSON: the stack, each agent's targets, a count per kind, and a row per resource.

    No plan holds a secret, so none can be in here.
    """
    rows = [
        *(cloudwatch_rows(plan.cloudwatch) if plan.cloudwatch else ()),
        *(analytics_rows(plan.analytics) if plan.analytics else ()),
        *map(alarm_row, plan.analytics.alarms if plan.analytics else ()),
        *(forwarding_rows(plan.forwarding) if plan.forwarding else ()),
        *map(alarm_row, plan.forwarding.alarms if plan.forwarding else ()),
        *(host_rows(plan.host) if plan.host else ()),
        *map(alarm_row, plan.host.alarms if plan.host else ()),
        *(signoz_rows(plan.signoz) if plan.signoz else ()),
        *(existing_rows(plan.existing) if plan.existing else ()),
    ]
    return {
        "stack": plan.stack,
        "environment": plan.environment,
        "region": plan.region,
        "targets": {name: agent.targets.model_dump() for name, agent in agents.items()},
        "counts": dict(Counter(row["kind"] for row in rows)),
        "resources": rows,
        "omitted": [{**asdict(each), "kind": str(each.kind)} for each in plan.content.omitted],
    }


def targets_summary(targets: Targets) -> str:
    """`P95 of total latency 1.5 s (critical 2 s, goal 0.6 s), ...; tools 95 %; USD 0.2 a call, ...`, in one line."""
    stages: list[tuple[str, TotalLatency | LlmTtft | TtsTtfb | EouDelay]] = [
        ("total latency", targets.total_latency),
        ("LLM", targets.llm_ttft),
        ("TTS", targets.tts_ttfb),
        ("end of utterance", targets.eou_delay),
    ]
    parts = [text for name, stage in stages if (text := _stage_summary(name, stage))]
    money = [
        f"{value:g} {of}"
        for value, of in (
            (targets.cost_per_call_usd, "a call"),
            (targets.cost_per_minute_usd, "a minute"),
            (targets.model_spend_per_day_usd, "a day"),
            (targets.model_spend_per_tenant_and_day_usd, "a tenant and day"),
        )
        if value is not None
    ]
    latency = f"P{targets.percentile} of {', '.join(parts)}"
    return f"{latency}; tools {targets.tool_success_percent:g} %; USD {', '.join(money)}"


def _stage_summary(name: str, stage: TotalLatency | LlmTtft | TtsTtfb | EouDelay) -> str:
    """`LLM 0.7 s (critical 2 s)`; empty for a stage without a target."""
    more = [f"critical {stage.critical_seconds:g} s"] if stage.critical_seconds is not None else []
    if isinstance(stage, TotalLatency):
        more.append(f"goal {stage.goal_seconds:g} s for {stage.goal_percent:g} %")
    warning = f" {stage.warning_seconds:g} s" if stage.warning_seconds is not None else ""
    listed = f" ({', '.join(more)})" if more else ""
    return f"{name}{warning}{listed}" if warning or listed else ""


def cloudwatch_rows(plan: CloudWatchPlan) -> Iterator[Row]:
    for topic in plan.topics:
        yield {"kind": "topic", "name": topic.name, "severity": str(topic.severity)}
        for subscription in topic.subscriptions:
            address = subscription.address if isinstance(subscription.address, str) else HIDDEN
            yield {"kind": "subscription", "name": f"{topic.name}/{subscription.kind}", "address": address}
    for severity, arn in plan.existing_topics:
        yield {"kind": "topic (existing)", "name": arn, "severity": str(severity)}
    for agent in plan.agents:
        yield from _agent_rows(agent)
    for query in plan.saved_queries:
        yield {
            "kind": "saved query",
            "name": query.name,
            "description": query.description,
            "log_groups": list(query.log_group_names),
        }
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
        yield alarm_row(alarm, agent=agent.name)
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


def alarm_row(alarm: MetricAlarm, **of: str) -> Row:
    return {
        "kind": "alarm",
        "name": alarm.name,
        **of,
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


def counted(counts: Mapping[str, int]) -> str:
    """`1 log group, 15 saved queries`."""
    return ", ".join(f"{number} {kind if number == 1 else _plural(kind)}" for kind, number in counts.items())


def _plural(kind: str) -> str:
    return f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"


def watched(alarm: MetricAlarm) -> str:
    """What an alarm compares, in one line."""
    entry = next(entry for entry in alarm.series if entry.id == alarm.watched)
    if isinstance(entry, MathExpression):
        return entry.expression
    return f"{entry.statistic} of {entry.metric.namespace}/{entry.metric.name}"


def signoz_rows(plan: SigNozPlan) -> Iterator[Row]:
    yield {"kind": "network", "name": plan.network, "release": plan.release}
    for server in plan.servers:
        yield {"kind": server.kind, "name": server.name, "user": server.user, "tls": server.tls}
    for volume in volumes(plan.containers):
        yield {"kind": "volume", "name": volume.name, "kept_at_teardown": volume.keep}
    for container in plan.containers:
        yield {
            "kind": "container",
            "name": container.name,
            "role": str(container.role),
            "image": container.image.reference,
            "memory_mib": container.memory_mib,
            "cpus": container.cpus,
            "published_ports": [f"{port.address}:{port.external}" for port in container.ports],
            "starts_after": [str(role) for role in container.after],
        }
    yield from content_rows(plan.content)


def existing_rows(plan: ExistingPlan) -> Iterator[Row]:
    yield {"kind": "SigNoz (existing)", "name": plan.url}
    yield from content_rows(plan.content)


def omitted_text(omitted: Sequence[Omitted]) -> str:
    """What is omitted for lack of a collector; empty for nothing."""
    if not omitted:
        return ""
    lines: list[str] = []
    for kind in dict.fromkeys(each.kind for each in omitted):
        if keys := [each.key for each in omitted if each.kind is kind and not each.panels]:
            lines.append(f"  {counted({content_name(kind): len(keys)})}: {', '.join(keys)}")
    for each in omitted:
        if each.panels:
            lines.append(f"  {counted({'panel': len(each.panels)})} of dashboard {each.key}: {', '.join(each.panels)}")
    return "\n".join(
        [
            "Omitted, because they query what only a collector with the configuration of Turnscope adds, and there is "
            "none (turnscope:existing_signoz.collector):",
            *lines,
        ]
    )


_NAMES = {Kind.LLM_PRICES: "LLM price", Kind.RETENTION: "retention period"}


def content_rows(plan: ContentPlan) -> Iterator[Row]:
    for each in plan.objects:
        yield {
            "kind": f"SigNoz {content_name(each.kind)}",
            "name": each.key,
            "title": each.title,
            "source": each.source,
            "refers_to": list(ids_in(each.body)),
        }


def content_counts(plan: ContentPlan) -> str:
    """`4 dashboards, 12 alert rules`."""
    return counted(Counter(content_name(each.kind) for each in plan.objects))


def content_name(kind: Kind) -> str:
    return _NAMES.get(kind, kind.replace("-", " "))


def summary(row: Row) -> str:
    """What is worth knowing of a row besides its kind and name, in one line."""
    for known in (forwarding_summary, analytics_summary, host_summary):
        if (text := known(row)) is not None:
            return text
    match row["kind"]:
        case "topic" | "topic (existing)":
            return f"{row['severity']} alarms"
        case "subscription":
            return row["address"]
        case "log group":
            return f"kept for {row['retention_days']} days"
        case "saved query":
            return row["description"]
        case "metric filter":
            return f"{row['value']} of {row['pattern']} -> {row['metric'].rpartition('/')[2]}"
        case "alarm":
            window = f"{row['datapoints_to_alarm']} of {row['evaluation_periods']} x {row['period_seconds']} s"
            return f"{row['severity']}: {row['title']}; {window}, missing data {row['missing_data']}"
        case "composite alarm":
            silenced = f", suppressed by {row['silenced_by']}" if row["silenced_by"] else ""
            return f"{row['severity']}: any of {len(row['parts'])} alarms{silenced}"
        case "dashboard":
            return f"{row['widgets']} widgets"
        case "network":
            return f"SigNoz {row['release']}"
        case "volume":
            return "kept at tear-down" if row["kept_at_teardown"] else ""
        case "container":
            ports = f", published on {', '.join(row['published_ports'])}" if row["published_ports"] else ""
            return f"{row['image']}, {row['memory_mib']} MiB, {row['cpus']:g} CPU{ports}"
        case "budget":
            alerts = ", ".join(f"{percent} %" for percent in row["alert_percents"])
            return f"{row['monthly_limit_usd']:g} US dollars per month, alerts at {alerts}"
        case "SigNoz (existing)":
            return "not changed, apart from its content"
        case server if server.endswith("(existing)") and "tls" in row:
            return f"as user {row['user']}, TLS: {row['tls']}"
        case content if content.startswith("SigNoz "):
            return f"{row['title']}; {row['source']}"
        case _:
            return ""
