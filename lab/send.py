"""Sends an agent's log through the local stack's CloudWatch and reports what that would have made of it.

The log goes in by PutLogEvents and everything reported is read back through the API: what the deployed filters
extracted, what state the deployed alarms are in, who was told.
"""

from __future__ import annotations

import datetime
import json
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.table import Table

from cloudwatch.clients import ClientFactory, client_factory
from cloudwatch.plan.build import plan_cloudwatch
from cloudwatch.plan.model import AgentPlan, CompositeAlarm, Metric, MetricAlarm
from cloudwatch.provider import emulator_url
from core.errors import UserError
from core.project import Project
from lab import emulator, firehose, notifications
from lab.state_dir import StateDir, read_json
from simulate import recording
from simulate.recording import LogEvent
from stacks.settings.model import Settings

MINUTE_MS = 60_000
EVENTS_PER_PUT = 1000
WAIT_SECONDS = 30.0
DELIVERY_SECONDS = 60.0
"""For the analytics, whose first batch also starts the function's process."""
LAST_EVENT_BEFORE_MINUTE_MS = 1
RUNBOOKS = Path("docs/runbooks")
STATE_STYLES = {"ALARM": "bold red", "OK": "green", "INSUFFICIENT_DATA": "dim"}


def send(
    project: Project,
    stack: str,
    settings: Settings,
    log: str | None,
    agent_name: str | None,
    trace_ids: Mapping[str, str],
) -> dict[str, Any]:
    """Put a log (all recordings by default) and return the report as plain data. `trace_ids`: those of the log -> what
    the calls have in SigNoz.

    The log's times are moved so that its last event lies at the end of the last whole minute: alarms look at whole
    periods only. Waits until the alarms are evaluated and the analytics have the events. Raises `UserError` where the
    stack is not up, or the agent, recording or file does not exist.
    """
    plan = plan_cloudwatch(stack, settings)
    agent = _agent(plan.agents, agent_name)
    logs = _logs(log)
    directory = project.stack_directory(stack)
    if emulator.status(directory) is None:
        raise UserError(f"Stack {stack} is not up: run `turnscope up {stack}` first.")
    client = client_factory(settings)
    end_ms = int(time.time() * 1000) // MINUTE_MS * MINUTE_MS - LAST_EVENT_BEFORE_MINUTE_MS
    shifted = {
        name: _sent_by(agent.name, recording.shift(events, end_ms=end_ms), trace_ids) for name, events in logs.items()
    }
    first_ms = min(events[0].timestamp_ms for events in shifted.values())
    seen = ((read_json(StateDir(directory).progress) or {}).get("events", {})).get(agent.log_group.name, 0)
    told = len(list(notifications.read(StateDir(directory).notifications)))
    started = time.monotonic()
    try:
        for name, events in shifted.items():
            _put(client, agent.log_group.name, f"{name}-{uuid.uuid4().hex[:8]}", events)
    except client("logs").exceptions.ResourceNotFoundException:
        raise UserError(f"Log group {agent.log_group.name} does not exist: run `turnscope up {stack}` first.") from None
    except (BotoCoreError, ClientError) as error:
        raise UserError(f"The AWS emulator did not accept the log: {error}", exit_code=1) from None
    number = sum(map(len, shifted.values()))
    emulator.wait_processed(directory, agent.log_group.name, seen + number, WAIT_SECONDS)
    if settings.analytics or settings.log_delivery:
        firehose.wait_delivered(directory, DELIVERY_SECONDS)
    return {
        "agent": agent.name,
        "percentile": agent.targets.percentile,
        "log_group": agent.log_group.name,
        "recordings": {name: len(events) for name, events in shifted.items()},
        "events": number,
        "seconds": round(time.monotonic() - started, 1),
        "metrics": _metrics(client, agent, first_ms // MINUTE_MS * MINUTE_MS, end_ms + LAST_EVENT_BEFORE_MINUTE_MS),
        "alarms": _alarms(client, agent, project.root),
        "notifications": [asdict(each) for each in list(notifications.read(StateDir(directory).notifications))[told:]],
        "next": _next(stack, agent, settings),
    }


def _agent(agents: Sequence[AgentPlan], name: str | None) -> AgentPlan:
    if name is None:
        return agents[0]
    for agent in agents:
        if agent.name == name:
            return agent
    raise UserError(f"There is no agent {name!r} in this stack; allowed: {', '.join(each.name for each in agents)}.")


def _logs(log: str | None) -> dict[str, tuple[LogEvent, ...]]:
    names = recording.names()
    if log is None:
        return {name: recording.recorded(name) for name in names}
    if log in names:
        return {log: recording.recorded(log)}
    path = Path(log)
    if not path.is_file():
        raise UserError(f"There is no recording or file {log!r}; recordings: {', '.join(names)}.")
    try:
        events = recording.load(path)
    except ValueError as error:
        raise UserError(f"{path}: {error}") from None
    if not events:
        raise UserError(f"{path}: the file contains no log events.")
    return {path.stem: events}


def _sent_by(agent: str, events: Sequence[LogEvent], trace_ids: Mapping[str, str]) -> tuple[LogEvent, ...]:
    """As if `agent` had written them just now: a log that is sent again is another call to the analytics, not the same
    one a second time."""
    sent = []
    for event in events:
        document = json.loads(event.message)
        if "_event_type" in document:
            document |= {"_event_id": uuid.uuid4().hex, "agent": agent}
        if isinstance(trace := document.get("trace_id"), str):
            document["trace_id"] = trace_ids.get(trace, trace)
        sent.append(LogEvent(event.timestamp_ms, json.dumps(document, ensure_ascii=False)))
    return tuple(sent)


def _put(client: ClientFactory, log_group: str, stream: str, events: Sequence[LogEvent]) -> None:
    logs = client("logs")
    logs.create_log_stream(logGroupName=log_group, logStreamName=stream)
    for start in range(0, len(events), EVENTS_PER_PUT):
        logs.put_log_events(
            logGroupName=log_group,
            logStreamName=stream,
            logEvents=[
                {"timestamp": event.timestamp_ms, "message": event.message}
                for event in events[start : start + EVENTS_PER_PUT]
            ],
        )


def _metrics(client: ClientFactory, agent: AgentPlan, start_ms: int, end_ms: int) -> list[dict[str, Any]]:
    """One row per metric that the agent's filters extracted in the log's time."""
    cloudwatch = client("cloudwatch")
    units = {each.metric_name: each.unit for each in agent.metric_filters}
    found = {
        Metric(
            each["Namespace"],
            each["MetricName"],
            units.get(each["MetricName"], "None"),
            tuple(sorted((dimension["Name"], dimension["Value"]) for dimension in each["Dimensions"])),
        )
        for page in cloudwatch.get_paginator("list_metrics").paginate(Namespace=agent.namespace)
        for each in page["Metrics"]
    }
    rows, percentile = [], f"p{agent.targets.percentile}"
    for metric in sorted(found, key=lambda each: (each.name, each.dimensions)):
        # One period over the whole log: a multiple of a minute, as the API asks.
        period_seconds = max(60, (end_ms - start_ms) // 1000)
        points = cloudwatch.get_metric_statistics(
            Namespace=metric.namespace,
            MetricName=metric.name,
            Dimensions=[{"Name": name, "Value": value} for name, value in metric.dimensions],
            StartTime=datetime.datetime.fromtimestamp(start_ms / 1000, datetime.UTC),
            EndTime=datetime.datetime.fromtimestamp(end_ms / 1000, datetime.UTC),
            Period=period_seconds,
            Statistics=["SampleCount", "Sum", "Average", "Maximum"],
            ExtendedStatistics=[percentile],
        )["Datapoints"]
        if points:
            point = points[0]
            rows.append(
                {
                    "metric": metric.name,
                    "dimensions": dict(metric.dimensions),
                    "unit": metric.unit,
                    "samples": int(point["SampleCount"]),
                    "sum": point["Sum"],
                    "average": point["Average"],
                    percentile: point["ExtendedStatistics"][percentile],
                    "maximum": point["Maximum"],
                }
            )
    return rows


def _alarms(client: ClientFactory, agent: AgentPlan, checkout: Path) -> list[dict[str, Any]]:
    planned: list[MetricAlarm | CompositeAlarm] = [*agent.composite_alarms, *agent.alarms]
    answer = client("cloudwatch").describe_alarms(
        AlarmNames=[each.name for each in planned], AlarmTypes=["MetricAlarm", "CompositeAlarm"]
    )
    described = {each["AlarmName"]: each for each in (*answer["CompositeAlarms"], *answer["MetricAlarms"])}
    return [
        {
            "alarm": each.key,
            "title": each.title,
            "severity": str(each.severity),
            "state": described[each.name]["StateValue"],
            # Every name begins with stack and agent, which the reader knows.
            "reason": described[each.name].get("StateReason", "").replace(each.name.removesuffix(each.key), ""),
            "runbook": each.runbook_url,
            "runbook_file": _in_checkout(each.runbook_url, checkout),
        }
        for each in planned
        if each.name in described
    ]


def _in_checkout(runbook_url: str, checkout: Path) -> str | None:
    """The runbook's path in the checkout; None for a runbook that is elsewhere."""
    path = RUNBOOKS / runbook_url.rpartition("/")[2]
    return str(path) if (checkout / path).is_file() else None


def _next(stack: str, agent: AgentPlan, settings: Settings) -> dict[str, str]:
    analytics = {"the analytics of these calls": f"turnscope analytics query {stack}"}
    return {
        **(analytics if settings.analytics else {}),
        "alarms and their runbooks": "docs/runbooks/README.md",
        "saved queries of this agent": f"turnscope plan {stack}",
        "send your own agent's log": f"turnscope lab send FILE --stack {stack} --agent {agent.name}",
        "the emulated AWS account": f"{emulator_url(settings)}/moto-api/",
        "change a target": f"stacks/Pulumi.{stack}.yaml, then `make up` again (docs/how-to/targets.md)",
        "tear down": "make down",
    }


def print_report(report: dict[str, Any], console: Console) -> None:
    """What CloudWatch made of the log."""
    recordings = ", ".join(f"{name} ({number})" for name, number in report["recordings"].items())
    console.print(
        f"\nlab: sent {report['events']} log events of a real agent to {report['log_group']} "
        f"in {report['seconds']} s: {recordings}\n"
    )
    percentile = f"p{report['percentile']}"
    heads = ("metric", "samples", "sum", "average", percentile.upper(), "maximum", "unit")
    metrics = Table(*heads, box=None, pad_edge=False)
    for column in metrics.columns[1:6]:
        column.justify = "right"
    for row in report["metrics"]:
        of = "".join(f" [{value}]" for value in row["dimensions"].values())
        figures = (f"{row[key]:,.2f}" for key in ("sum", "average", percentile, "maximum"))
        metrics.add_row(f"{row['metric']}{of}".replace("[", "\\["), str(row["samples"]), *figures, row["unit"])
    console.print(metrics)
    alarms = Table("alarm", "state", "severity", "why", box=None, pad_edge=False)
    alarms.columns[3].overflow = "fold"
    for row in report["alarms"]:
        style = STATE_STYLES[row["state"]]
        alarms.add_row(row["alarm"], f"[{style}]{row['state']}[/{style}]", row["severity"], row["reason"])
    console.print()
    console.print(alarms)
    console.print()
    for each in report["notifications"]:
        receivers = ", ".join(each["receivers"]) or "no subscribers"
        console.print(f"notified: {each['subject']} -> {receivers}", markup=False)
    if not report["notifications"]:
        console.print("notified: nobody (no alarm with actions changed its state)")


def print_next(report: dict[str, Any], console: Console) -> None:
    """The alarms that are red, with their runbooks, and where to look next."""
    red = [row for row in report["alarms"] if row["state"] == "ALARM"]
    if red:
        console.print("\nCloudWatch alarms in state ALARM, and their runbooks:")
    for row in red:
        console.print(f"  {row['alarm']}: {row['runbook_file'] or row['runbook']}", markup=False)
    console.print("\nNext:")
    for what, where in report["next"].items():
        console.print(f"  {what}: {where}", markup=False)
