"""What CloudWatch does by itself and moto does not: log events become metrics, metrics set alarms, alarms notify.

Runs beside the emulator and through the ordinary AWS API, for a stack's plan and only for what of it is deployed.
"""

from __future__ import annotations

import datetime
import json
import logging
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cloudwatch.plan.model import AlarmState, Metric, MetricFilter
from core.errors import UserError
from lab import alarm_message, deployed, notifications, plan_source
from lab.alarm_actions import Actions, Change
from lab.log_reader import LogEvent, LogReader
from lab.notifications import Notification
from lab.plan_source import Watched
from lab.state_dir import StateDir, write_json
from simulate import alarms as simulated_alarms
from simulate import metrics
from simulate.alarms import Evaluation
from simulate.metrics import DataPoint

TICK_SECONDS = 1.0
DATA_PER_CALL = 250
VALUES_PER_DATUM = 150
"""PutMetricData takes at most 1000 metrics, 150 values of each, and 1 MB."""
REASON_CHARACTERS = 1023
"""SetAlarmState takes no longer reason."""

log = logging.getLogger("lab")


@dataclass(frozen=True)
class Clients:
    """boto3 clients of one region."""

    logs: Any
    cloudwatch: Any
    sns: Any


@dataclass(frozen=True)
class TickReport:
    """What the worker has done by now."""

    at_ms: int
    events: dict[str, int]
    """Log events processed since the start, by log group."""
    points: int
    """Metric data points since the start."""
    alarms: dict[str, str]
    """The deployed alarms' states."""
    notifications: tuple[Notification, ...] = ()
    """Sent in this tick."""


class Worker:
    """Does CloudWatch's work, one `tick` after another.

    `journal` is where the ids of processed events are kept: after a restart they count for the alarms, and are
    not put as metric data a second time.
    """

    def __init__(
        self,
        clients: Callable[[str], Clients],
        plan_source: Callable[[], Watched | None],
        journal: Path,
    ) -> None:
        self._clients = clients
        self._plan_source = plan_source
        self._journal = journal
        self._put_before = frozenset(journal.read_text().split()) if journal.exists() else frozenset()
        self._readers: dict[str, LogReader] = {}
        self._points: list[DataPoint] = []
        self._events: Counter[str] = Counter()
        self._actions = Actions()

    def tick(self, now_ms: int) -> TickReport:
        """Process what is new, and evaluate the alarms as of `now_ms`."""
        plan = self._plan_source()
        if plan is None:
            return TickReport(now_ms, dict(self._events), len(self._points), {})
        clients = self._clients(plan.region)
        reader = self._readers.setdefault(plan.region, LogReader(clients.logs))
        for agent in plan.agents:
            self._process(clients, reader, agent.log_group.name)
        states, sent = self._evaluate(clients, plan, now_ms)
        return TickReport(now_ms, dict(self._events), len(self._points), states, sent)

    def _process(self, clients: Clients, reader: LogReader, log_group: str) -> None:
        unread = reader.unread(log_group)
        if unread.events:
            filters = _deployed_filters(clients, log_group)
            new = [event for event in unread.events if event.id not in self._put_before]
            put = [*_points(filters, new), *_incoming(log_group, new)]
            _put_metric_data(clients, put)
            with self._journal.open("a") as journal:
                journal.writelines(f"{event.id}\n" for event in new)
            known = [event for event in unread.events if event.id in self._put_before]
            self._points += [*put, *_points(filters, known), *_incoming(log_group, known)]
            self._events[log_group] += len(unread.events)
        reader.mark_read(unread)

    def _evaluate(
        self, clients: Clients, plan: Watched, now_ms: int
    ) -> tuple[dict[str, str], tuple[Notification, ...]]:
        found = _describe_alarms(clients)
        composites = {
            each.name: deployed.composite_alarm(each, found[each.name])
            for each in plan.composite_alarms
            if {each.name, *each.alarm_names} <= found.keys()
        }
        states = {name: AlarmState(description["StateValue"]) for name, description in found.items()}
        changes = self._changes_by_others(found, now_ms)
        # Others' changes stand for this tick, so that composite alarms see them too.
        by_others = {change.name for change in changes}

        def change(name: str, evaluation: Evaluation) -> None:
            if name in by_others or evaluation.state == states[name]:
                return
            reason = evaluation.reason[:REASON_CHARACTERS]
            clients.cloudwatch.set_alarm_state(
                AlarmName=name,
                StateValue=evaluation.state.value,
                StateReason=reason,
                StateReasonData=_reason_data(found[name], evaluation.recent_values, now_ms),
            )
            log.info("lab: alarm %s is %s: %s", name, evaluation.state, reason)
            states[name] = evaluation.state
            changes.append(Change(found[name], evaluation.state, reason, now_ms))

        alarms = [deployed.metric_alarm(each, found[each.name]) for each in plan.alarms if each.name in found]
        for name, evaluation in simulated_alarms.evaluate_all(alarms, self._points, now_ms, states).items():
            change(name, evaluation)
        for composite in composites.values():
            change(composite.name, simulated_alarms.evaluate_composite(composite, states, states[composite.name]))
        sent: list[Notification] = []
        for due in self._actions.due(changes, composites, now_ms):
            children = composites[due.name].alarm_names if due.name in composites else ()
            triggering = [found[child]["AlarmArn"] for child in children if states[child] is AlarmState.ALARM]
            sent += _notify(clients, due, triggering)
        return {name: state.value for name, state in states.items()}, tuple(sent)

    def _changes_by_others(self, found: Mapping[str, Mapping[str, Any]], now_ms: int) -> list[Change]:
        """Changes of state that this worker did not make.

        SetAlarmState by hand sets off an alarm's actions too, which is how people try their notifications; the
        next evaluation sets the state back.
        """
        changes: list[Change] = []
        for name, description in found.items():
            state = AlarmState(description["StateValue"])
            if not self._actions.knows(name):
                self._actions.note(name, _milliseconds(description["StateUpdatedTimestamp"]), state)
            elif (before := self._actions.last_state(name)) != state:
                old = {**description, "StateValue": before.value}
                changes.append(Change(old, state, description["StateReason"], now_ms))
        return changes


def _deployed_filters(clients: Clients, log_group: str) -> list[MetricFilter]:
    pages = clients.logs.get_paginator("describe_metric_filters").paginate(logGroupName=log_group)
    return [deployed.metric_filter(each) for page in pages for each in page["metricFilters"]]


def _describe_alarms(clients: Clients) -> dict[str, dict[str, Any]]:
    pages = clients.cloudwatch.get_paginator("describe_alarms").paginate(AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    return {each["AlarmName"]: each for page in pages for each in (*page["MetricAlarms"], *page["CompositeAlarms"])}


def _points(filters: Sequence[MetricFilter], events: Iterable[LogEvent]) -> Iterator[DataPoint]:
    working = list(filters)
    # Event by event: a message is parsed once for all filters.
    for event in events:
        for each in tuple(working):
            try:
                point = metrics.extract(each, event.message, event.timestamp_ms)
            except ValueError as error:
                # Deployed by other hands than the plan's, say; the other filters are none the worse.
                log.warning("lab: metric filter %s extracts no values: %s", each.name, error)
                working.remove(each)
                continue
            if point is not None:
                yield point


def _incoming(log_group: str, events: Iterable[LogEvent]) -> Iterator[DataPoint]:
    """CloudWatch's own count of a group's events, at the time they came in."""
    metric = Metric("AWS/Logs", "IncomingLogEvents", "None", (("LogGroupName", log_group),))
    for ingestion_ms, count in sorted(Counter(event.ingestion_ms for event in events).items()):
        yield DataPoint(metric, ingestion_ms, float(count))


def _put_metric_data(clients: Clients, points: Iterable[DataPoint]) -> None:
    together: dict[tuple[Metric, int], Counter[float]] = defaultdict(Counter)
    for point in points:
        together[point.metric, point.timestamp_ms][point.value] += 1
    by_namespace: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for (metric, timestamp_ms), counts in together.items():
        values = list(counts)
        for start in range(0, len(values), VALUES_PER_DATUM):
            part = values[start : start + VALUES_PER_DATUM]
            by_namespace[metric.namespace].append(
                {
                    "MetricName": metric.name,
                    "Dimensions": [{"Name": name, "Value": value} for name, value in metric.dimensions],
                    "Timestamp": datetime.datetime.fromtimestamp(timestamp_ms / 1000, datetime.UTC),
                    "Values": part,
                    "Counts": [counts[value] for value in part],
                    "Unit": metric.unit,
                }
            )
    for namespace, data in by_namespace.items():
        for start in range(0, len(data), DATA_PER_CALL):
            clients.cloudwatch.put_metric_data(Namespace=namespace, MetricData=data[start : start + DATA_PER_CALL])


def _reason_data(description: Mapping[str, Any], recent_values: Sequence[float | None], now_ms: int) -> str:
    data = {
        "version": "1.0",
        "queryDate": datetime.datetime.fromtimestamp(now_ms / 1000, datetime.UTC).isoformat(),
        "period": description.get("Period"),
        "recentDatapoints": [value for value in recent_values if value is not None],
        "threshold": description.get("Threshold"),
    }
    return json.dumps({name: value for name, value in data.items() if value is not None})


def _milliseconds(time: datetime.datetime) -> int:
    return int(time.timestamp() * 1000)


def _notify(clients: Clients, change: Change, triggering: Sequence[str]) -> Iterator[Notification]:
    description = change.description
    region = description["AlarmArn"].split(":")[3]
    subject = alarm_message.subject(change.name, change.state, region)
    message = alarm_message.message(description, change.state, change.reason, change.at_ms, triggering)
    for topic_arn in change.actions:
        try:
            clients.sns.publish(TopicArn=topic_arn, Subject=subject, Message=message)
            pages = clients.sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn)
            receivers = tuple(notifications.receiver(each) for page in pages for each in page["Subscriptions"])
        except clients.sns.exceptions.ClientError as error:
            # As on AWS, an action that fails leaves the alarm's state as it is.
            log.warning("lab: alarm %s could not notify %s: %s", change.name, topic_arn, error)
            continue
        yield Notification(
            time=datetime.datetime.fromtimestamp(change.at_ms / 1000, datetime.UTC).isoformat(),
            topic=topic_arn.rsplit(":", 1)[-1],
            subject=subject,
            alarm=change.name,
            state=change.state,
            reason=change.reason,
            receivers=receivers,
        )


def clients_of(url: str) -> Callable[[str], Clients]:
    """Clients of the emulator at `url`, made once for each region."""

    @cache
    def clients(region: str) -> Clients:
        # Imported here: the server answers before boto3 is loaded.
        import boto3
        from botocore.config import Config

        session = boto3.Session("lab", "lab", region_name=region)
        config = Config(connect_timeout=5, read_timeout=60, retries={"total_max_attempts": 3}, proxies={})
        logs, cloudwatch, sns = (
            session.client(name, endpoint_url=url, config=config) for name in ("logs", "cloudwatch", "sns")
        )
        return Clients(logs, cloudwatch, sns)

    return clients


def run(worker: Worker, state: StateDir, stopping: threading.Event) -> None:
    """Tick until `stopping`, leaving a report in `state` after each tick; an error is logged once and tried again."""
    last_error = ""
    while not stopping.is_set():
        try:
            report = worker.tick(int(time.time() * 1000))
        except Exception as error:  # whatever is wrong with the plan or a request, it may be put right
            if str(error) != last_error:
                # A UserError says all there is to say; anything else is a fault of this program.
                trace = not isinstance(error, UserError)
                log.error("lab: the CloudWatch worker retries every second: %s", error, exc_info=trace)
            last_error = str(error)
        else:
            last_error = ""
            notifications.append(state.notifications, report.notifications)
            write_json(
                state.progress,
                {"at_ms": report.at_ms, "events": report.events, "points": report.points, "alarms": report.alarms},
            )
        stopping.wait(TICK_SECONDS)


def start(url: str, state: StateDir, loader: str, project: Path, stack: str, stopping: threading.Event) -> None:
    """Run a worker for `stack` in a thread of this process; `loader` names the plan's loader."""

    def plan() -> Watched | None:
        return plan_source.by_name(loader)(project, stack)

    worker = Worker(clients_of(url), plan, state.journal)
    threading.Thread(target=run, args=(worker, state, stopping), name="cloudwatch", daemon=True).start()
