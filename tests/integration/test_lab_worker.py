"""CloudWatch's own work against the emulator: a log line becomes a metric, an alarm, and a message in a queue."""

from __future__ import annotations

import json
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from cloudwatch.plan.model import (
    AgentPlan,
    Comparison,
    CompositeAlarm,
    LogGroup,
    Metric,
    MetricAlarm,
    MetricFilter,
    MetricStat,
    MissingData,
    Severity,
)
from lab import emulator, notifications
from lab.cloudwatch_worker import Worker, clients_of
from lab.emulator import Emulator
from lab.plan_source import Watched
from lab.state_dir import StateDir, read_json
from stacks.settings.targets import Targets
from tests.machine import LIMIT_SECONDS, free_port

REGION = "eu-central-1"
MINUTE_MS = 60_000

Client = Callable[[str], Any]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    directory = tmp_path_factory.mktemp("emulator")
    yield emulator.start(directory, free_port())
    emulator.stop(directory)


@pytest.fixture(scope="module")
def client(running: Emulator) -> Client:
    session: Any = boto3.Session("lab", "lab", region_name=REGION)
    return lambda service: session.client(service, endpoint_url=running.url)


def plan(name: str) -> Watched:
    """A slow-turns alarm below a composite alarm; everything is named after `name`."""
    metric = Metric(f"Test/{name}", "TtftSeconds", "Seconds")
    group = LogGroup("log-group", f"/agents/{name}", True, 1, "aws", False)
    metric_filter = MetricFilter(
        "ttft",
        f"{name}-ttft",
        group.name,
        '{ $.event = "turn" && $.ttft = * }',
        metric.namespace,
        metric.name,
        "$.ttft",
        metric.unit,
    )
    alarm = MetricAlarm(
        key="slow",
        name=f"{name}-slow",
        title="Slow turns",
        description="",
        severity=Severity.CRITICAL,
        runbook_url="",
        series=(MetricStat("m", metric, "p95", 60),),
        watched="m",
        comparison=Comparison.ABOVE,
        threshold=1.0,
        period_seconds=60,
        evaluation_periods=3,
        datapoints_to_alarm=1,
        missing_data=MissingData.NOT_BREACHING,
    )
    composite = CompositeAlarm("any", f"{name}-any", "", "", Severity.CRITICAL, "", (alarm.name,))
    agent = AgentPlan(name, metric.namespace, group, Targets(), (metric_filter,), (alarm,), (composite,))
    return Watched(REGION, (agent,), agent.alarms, agent.composite_alarms)


class Stack:
    """A deployed plan, its worker, and a queue behind its topic."""

    def __init__(self, name: str, client: Client, url: str, journal: Path) -> None:
        self.plan, self.client, self.journal = plan(name), client, journal
        self.agent = self.plan.agents[0]
        self.group = self.agent.log_group.name
        self.clients = clients_of(url)
        self.worker = self.another_worker()
        # The last whole minute is the newest that alarms look at.
        self.now_ms = int(time.time() * 1000) // MINUTE_MS * MINUTE_MS
        client("logs").create_log_group(logGroupName=self.group)
        self.topic = client("sns").create_topic(Name=name)["TopicArn"]
        self.queue = client("sqs").create_queue(QueueName=name)["QueueUrl"]
        arn = client("sqs").get_queue_attributes(QueueUrl=self.queue, AttributeNames=["QueueArn"])["Attributes"]
        client("sns").subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=arn["QueueArn"])

    def another_worker(self) -> Worker:
        return Worker(self.clients, lambda: self.plan, self.journal)

    def deploy_filters(self) -> None:
        for each in self.agent.metric_filters:
            self.client("logs").put_metric_filter(
                logGroupName=each.log_group_name,
                filterName=each.name,
                filterPattern=each.pattern,
                metricTransformations=[
                    {
                        "metricName": each.metric_name,
                        "metricNamespace": each.namespace,
                        "metricValue": each.value,
                        "unit": each.unit,
                    }
                ],
            )

    def deploy_alarms(self, threshold: float = 1.0) -> None:
        cloudwatch = self.client("cloudwatch")
        for each in self.agent.alarms:
            cloudwatch.put_metric_alarm(
                AlarmName=each.name,
                Namespace=self.agent.namespace,
                MetricName="TtftSeconds",
                ExtendedStatistic="p95",
                Period=each.period_seconds,
                EvaluationPeriods=each.evaluation_periods,
                DatapointsToAlarm=each.datapoints_to_alarm,
                Threshold=threshold,
                ComparisonOperator=each.comparison.value,
                TreatMissingData=each.missing_data.value,
            )
        for each in self.agent.composite_alarms:
            cloudwatch.put_composite_alarm(
                AlarmName=each.name, AlarmRule=each.rule, AlarmActions=[self.topic], OKActions=[self.topic]
            )

    def put(self, stream: str, *events: tuple[int, object]) -> None:
        """Events as (seconds before now, ttft), in one call; the API wants them in order of time."""
        logs = self.client("logs")
        names = [each["logStreamName"] for each in logs.describe_log_streams(logGroupName=self.group)["logStreams"]]
        if stream not in names:
            logs.create_log_stream(logGroupName=self.group, logStreamName=stream)
        lines = [
            {"timestamp": self.now_ms - 1000 * ago, "message": json.dumps({"event": "turn", "ttft": ttft})}
            for ago, ttft in events
        ]
        logs.put_log_events(logGroupName=self.group, logStreamName=stream, logEvents=lines)

    def statistics(self) -> dict[str, float]:
        """Of the filters' metric over the last ten minutes."""
        (point,) = self.client("cloudwatch").get_metric_statistics(
            Namespace=self.agent.namespace,
            MetricName="TtftSeconds",
            StartTime=(self.now_ms - 10 * MINUTE_MS) / 1000,
            EndTime=self.now_ms / 1000,
            Period=600,
            Statistics=["SampleCount", "Sum"],
        )["Datapoints"]
        return {"SampleCount": point["SampleCount"], "Sum": point["Sum"]}

    def states(self) -> dict[str, str]:
        """By the names' last part."""
        page = self.client("cloudwatch").describe_alarms(AlarmTypes=["MetricAlarm", "CompositeAlarm"])
        found = [*page["MetricAlarms"], *page["CompositeAlarms"]]
        prefix = f"{self.agent.name}-"
        return {
            each["AlarmName"].removeprefix(prefix): each["StateValue"]
            for each in found
            if each["AlarmName"].startswith(prefix)
        }

    def messages(self) -> list[dict[str, Any]]:
        """What came into the queue since the last look, oldest first."""
        got = self.client("sqs").receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages", [])
        for each in got:
            self.client("sqs").delete_message(QueueUrl=self.queue, ReceiptHandle=each["ReceiptHandle"])
        return [json.loads(each["Body"]) for each in got]


@pytest.fixture
def stack(request: pytest.FixtureRequest, client: Client, running: Emulator, tmp_path: Path) -> Stack:
    """A stack of the test's own, with filters and alarms deployed."""
    name = request.node.name.removeprefix("test_").replace("_", "-")[:50]
    stack = Stack(name, client, running.url, tmp_path / "journal")
    stack.deploy_filters()
    stack.deploy_alarms()
    return stack


def test_a_slow_turn_in_the_log_becomes_a_message_in_the_queue(stack: Stack) -> None:
    """The whole way: log event, metric, alarm, composite alarm, topic, subscriber."""
    stack.put("s", (90, 0.5), (30, 4.0))
    report = stack.worker.tick(stack.now_ms)
    assert stack.statistics() == {"SampleCount": 2.0, "Sum": 4.5}
    assert stack.states() == {"slow": "ALARM", "any": "ALARM"}
    (message,) = stack.messages()
    assert message["Subject"] == f'ALARM: "{stack.agent.name}-any" in {REGION}'
    body = json.loads(message["Message"])
    assert (body["OldStateValue"], body["NewStateValue"]) == ("INSUFFICIENT_DATA", "ALARM")
    assert [each["Arn"].rsplit(":", 1)[-1] for each in body["TriggeringChildren"]] == [f"{stack.agent.name}-slow"]
    (sent,) = report.notifications
    assert (sent.alarm, sent.state, sent.topic) == (f"{stack.agent.name}-any", "ALARM", stack.agent.name)
    assert report.events == {stack.group: 2}


def test_an_alarm_that_ends_says_so_once(stack: Stack) -> None:
    stack.put("s", (30, 4.0))
    stack.worker.tick(stack.now_ms)
    stack.messages()
    for minutes in (10, 11):
        stack.worker.tick(stack.now_ms + minutes * MINUTE_MS)
    (message,) = stack.messages()
    assert message["Subject"].startswith("OK: ")
    assert stack.states() == {"slow": "OK", "any": "OK"}


def test_further_ticks_and_another_worker_change_nothing(stack: Stack) -> None:
    """Neither a second look nor a restart may count an event twice or notify again."""
    stack.put("s", (30, 4.0))
    stack.worker.tick(stack.now_ms)
    stack.messages()
    before = stack.statistics(), stack.states()
    for worker in (stack.worker, stack.another_worker()):
        report = worker.tick(stack.now_ms)
        assert (stack.statistics(), stack.states()) == before
        assert report.events == {stack.group: 1}
        assert not report.notifications
    assert not stack.messages()


def test_late_events_of_any_stream_count_once_each(stack: Stack) -> None:
    """An agent's clock and a forwarder's retries put events into the log out of the order of their times."""
    stack.put("a", (30, 1.0))
    stack.worker.tick(stack.now_ms)
    stack.put("a", (300, 2.0), (30, 1.0))  # earlier than what was read, and the same line again
    stack.put("b", (200, 4.0))
    stack.worker.tick(stack.now_ms)
    assert stack.statistics() == {"SampleCount": 4.0, "Sum": 8.0}


def test_what_is_not_deployed_does_nothing(client: Client, running: Emulator, tmp_path: Path) -> None:
    """A plan alone makes no metric and no alarm, and a filter counts from when it is deployed, as on AWS."""
    stack = Stack("not-deployed", client, running.url, tmp_path / "journal")
    stack.put("s", (30, 4.0))
    assert stack.worker.tick(stack.now_ms).alarms.keys().isdisjoint({"not-deployed-slow", "not-deployed-any"})
    stack.deploy_filters()
    stack.put("s", (20, 5.0))
    stack.worker.tick(stack.now_ms)
    assert stack.statistics() == {"SampleCount": 1.0, "Sum": 5.0}


def test_the_deployed_threshold_counts_and_not_the_planned(stack: Stack) -> None:
    """Settings that were changed and not yet deployed change no alarm."""
    stack.deploy_alarms(threshold=10.0)
    stack.put("s", (30, 4.0))
    stack.worker.tick(stack.now_ms)
    assert stack.states() == {"slow": "OK", "any": "OK"}


def test_a_group_that_does_not_exist_is_no_error(client: Client, running: Emulator, tmp_path: Path) -> None:
    """Before the first deployment there is none; the worker runs all the same."""
    worker = Worker(clients_of(running.url), lambda: plan("absent"), tmp_path / "journal")
    assert worker.tick(int(time.time() * 1000)).events == {}


def test_incoming_events_are_counted_for_the_group(stack: Stack, client: Client) -> None:
    """The no-data alarm watches CloudWatch's own count, which goes by when events came in."""
    stack.put("s", (3000, 1.0), (2000, 1.0))
    stack.worker.tick(stack.now_ms)
    points = client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Logs",
        MetricName="IncomingLogEvents",
        Dimensions=[{"Name": "LogGroupName", "Value": stack.group}],
        StartTime=stack.now_ms / 1000 - 60,
        EndTime=stack.now_ms / 1000 + 600,
        Period=60,
        Statistics=["Sum"],
    )["Datapoints"]
    assert sum(each["Sum"] for each in points) == 2.0


def test_an_alarm_set_by_hand_notifies_and_is_set_back(stack: Stack, client: Client) -> None:
    """SetAlarmState is how people try their notifications, on the alarm that speaks or on one below it."""
    stack.worker.tick(stack.now_ms)
    stack.messages()
    client("cloudwatch").set_alarm_state(
        AlarmName=f"{stack.agent.name}-slow", StateValue="ALARM", StateReason="tried by hand"
    )
    subjects: list[str] = []
    for _ in range(3):
        stack.worker.tick(stack.now_ms)
        subjects += [each["Subject"].split(":")[0] for each in stack.messages()]
    assert subjects == ["ALARM", "OK"]
    assert stack.states() == {"slow": "OK", "any": "OK"}


def test_the_emulators_own_worker_leaves_its_progress_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`up` waits for what it has put; a plan that cannot be loaded is said once and tried again."""
    (tmp_path / "lab_plan.py").write_text(
        textwrap.dedent(
            """
            from core.errors import UserError
            from test_lab_worker import plan

            def load(project, stack):
                if not (project / "ready").exists():
                    raise UserError("turnscope:region is missing")
                return plan(stack)
            """
        )
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(__file__).parent}")
    directory = tmp_path / "aws"
    running = emulator.start(directory, free_port(), project=tmp_path, stack="own", plan_source="lab_plan:load")
    try:
        session: Any = boto3.Session("lab", "lab", region_name=REGION)
        stack = Stack("own", lambda name: session.client(name, endpoint_url=running.url), running.url, tmp_path / "j")
        stack.deploy_filters()
        stack.deploy_alarms()
        stack.put("s", (90, 4.0), (30, 4.0))
        (tmp_path / "ready").touch()
        emulator.wait_processed(directory, stack.group, 2, LIMIT_SECONDS)
        state = StateDir(directory)
        assert (read_json(state.progress) or {})["alarms"] == {"own-slow": "ALARM", "own-any": "ALARM"}
        assert [each.state for each in notifications.read(state.notifications)] == ["ALARM"]
        assert running.log_path.read_text().count("turnscope:region is missing") <= 1
    finally:
        emulator.stop(directory)
