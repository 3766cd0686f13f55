"""The parts of the local stack's emulator that need no server."""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.logs.metric_filters import MetricFilters

from cloudwatch.plan.model import AlarmState, Comparison, CompositeAlarm, MetricAlarm, MissingData, Severity
from core.errors import UserError
from lab import alarm_message, cloudwatch_worker, deployed, notifications
from lab.additions import metric_filters
from lab.additions.athena_workgroups import updated
from lab.alarm_actions import Actions, Change
from lab.cloudwatch_worker import TickReport
from lab.guard import refuse_outside_local
from lab.log_reader import LogReader
from lab.loopback import on_this_machine
from lab.notifications import Notification
from lab.state_dir import StateDir, read_json

SECOND_MS = 1000

DESCRIPTION: dict[str, Any] = {
    "AlarmName": "slow",
    "AlarmArn": "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:slow",
    "AlarmDescription": "d",
    "StateValue": "OK",
    "ActionsEnabled": True,
    "AlarmActions": ["arn:aws:sns:eu-central-1:123456789012:critical"],
    "OKActions": [],
    "InsufficientDataActions": [],
    "EvaluationPeriods": 3,
    "DatapointsToAlarm": 2,
    "ComparisonOperator": "GreaterThanThreshold",
    "Threshold": 1.5,
    "TreatMissingData": "notBreaching",
    "MetricName": "M",
    "Namespace": "N",
    "ExtendedStatistic": "p95",
    "Period": 60,
    "Dimensions": [{"Name": "kind", "Value": "tts"}],
}


def test_the_emulator_is_refused_outside_local() -> None:
    refuse_outside_local("local")
    for environment in ("dev", "staging", "prod"):
        with pytest.raises(UserError, match=environment):
            refuse_outside_local(environment)


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:8080/hook", True),
        ("http://localhost/hook", True),
        ("http://[::1]:8080/hook", True),
        ("https://events.pagerduty.com/integration/k/enqueue", False),
        ("http://10.0.0.1/hook", False),
        ("http://127.0.0.1.example.com/hook", False),
        ("http://127.0.0.1@example.com/hook", False),
        ("not a url", False),
    ],
)
def test_only_this_machines_own_addresses_count_as_here(url: str, here: bool) -> None:
    """A local experiment must not post to an address that merely looks local."""
    assert on_this_machine(url) is here


def test_a_work_groups_update_leaves_what_it_does_not_name() -> None:
    before = {"A": 1, "B": 2, "ResultConfiguration": {"OutputLocation": "s3://a/", "ExpectedBucketOwner": "1"}}
    updates = {
        "A": 5,
        "RemoveB": True,
        "RemoveC": False,
        "ResultConfigurationUpdates": {"OutputLocation": "s3://b/", "RemoveExpectedBucketOwner": True},
    }
    assert updated(before, updates) == {"A": 5, "ResultConfiguration": {"OutputLocation": "s3://b/"}}
    assert before["B"] == 2


# --- Reading logs ---------------------------------------------------------------------------------------------


class FakeLogs:
    """The `logs` client's part that a reader uses: streams that change at each put, and pages of two events."""

    class exceptions:
        class ResourceNotFoundException(Exception):
            pass

    def __init__(self) -> None:
        self.streams: dict[str, list[dict[str, Any]]] = {}
        self.puts: dict[str, int] = {}
        self.next_id = 0

    def put(self, stream: str, timestamps: list[int]) -> None:
        events = self.streams.setdefault(stream, [])
        self.puts[stream] = self.puts.get(stream, 0) + 1
        for timestamp in timestamps:
            self.next_id += 1
            events.append(
                {"eventId": str(self.next_id), "timestamp": timestamp, "ingestionTime": 7, "message": str(timestamp)}
            )

    def get_paginator(self, operation: str) -> Any:
        method = getattr(self, operation)

        class Paginator:
            def paginate(self, **arguments: Any) -> Iterator[dict[str, Any]]:
                return method(**arguments)

        return Paginator()

    def describe_log_streams(self, logGroupName: str) -> Iterator[dict[str, Any]]:
        if not self.streams:
            raise self.exceptions.ResourceNotFoundException
        yield {
            "logStreams": [
                # The times stand still, as they do for calls within one millisecond.
                {"logStreamName": name, "creationTime": 1, "lastIngestionTime": 7, "uploadSequenceToken": str(puts)}
                for name, puts in self.puts.items()
            ]
        }

    def filter_log_events(self, logGroupName: str, logStreamNames: list[str]) -> Iterator[dict[str, Any]]:
        events = [event for name in logStreamNames for event in self.streams[name]]
        events.sort(key=lambda event: event["timestamp"])
        for start in range(0, len(events), 2):
            yield {"events": events[start : start + 2]}


@given(
    st.lists(
        st.one_of(st.just(None), st.tuples(st.sampled_from("ab"), st.lists(st.integers(0, 9), min_size=1, max_size=4)))
    )
)
def test_every_event_is_read_once_in_whatever_order_it_came(steps: list[tuple[str, list[int]] | None]) -> None:
    """A missed event is a missing data point, and one read twice a doubled one. None is a look in between."""
    logs, read = FakeLogs(), []
    reader = LogReader(logs)
    for step in [*steps, None, None]:
        if step is not None:
            logs.put(*step)
            continue
        unread = reader.unread("g")
        read += [event.id for event in unread.events]
        reader.mark_read(unread)
    assert sorted(map(int, read)) == list(range(1, logs.next_id + 1))


def test_events_are_given_again_until_they_are_marked_as_read() -> None:
    """A tick that fails half-way must find its events again."""
    logs = FakeLogs()
    logs.put("a", [1, 2])
    reader = LogReader(logs)
    first = reader.unread("g")
    assert reader.unread("g") == first
    reader.mark_read(first)
    assert not reader.unread("g").events


# --- Alarms ---------------------------------------------------------------------------------------------------


def change(name: str, state: AlarmState, at_ms: int) -> Change:
    return Change({**DESCRIPTION, "AlarmName": name}, state, "reason", at_ms)


def composite(**changes: Any) -> dict[str, CompositeAlarm]:
    alarm = CompositeAlarm("key", "any", "", "", Severity.CRITICAL, "", ("slow",), **changes)
    return {alarm.name: alarm}


def test_actions_happen_at_once_without_a_suppressor() -> None:
    changes = [change("any", AlarmState.ALARM, 0), change("slow", AlarmState.ALARM, 0)]
    actions = Actions()
    assert actions.due(changes, composite(), 0) == changes
    assert actions.due([], composite(), 1) == []


def test_actions_wait_for_the_suppressor_and_happen_when_it_does_not_come() -> None:
    suppressed = composite(suppressor_name="no-data", suppressor_wait_seconds=60)
    actions, alarm = Actions(), change("any", AlarmState.ALARM, 0)
    assert actions.due([alarm], suppressed, 0) == []
    assert actions.due([], suppressed, 59 * SECOND_MS) == []
    assert actions.due([], suppressed, 60 * SECOND_MS) == [alarm]
    assert actions.due([], suppressed, 61 * SECOND_MS) == []


def test_actions_are_held_while_the_suppressor_is_in_alarm_and_the_extension_longer() -> None:
    """Also when it was in ALARM before the worker first looked."""
    suppressed = composite(suppressor_name="no-data", suppressor_extension_seconds=30)
    actions, alarm = Actions(), change("any", AlarmState.ALARM, 10 * SECOND_MS)
    actions.note("no-data", 0, AlarmState.ALARM)
    assert actions.due([alarm], suppressed, 10 * SECOND_MS) == []
    over = change("no-data", AlarmState.OK, 20 * SECOND_MS)
    assert actions.due([over], suppressed, 20 * SECOND_MS) == [over]
    assert actions.due([], suppressed, 49 * SECOND_MS) == []
    assert actions.due([], suppressed, 50 * SECOND_MS) == [alarm]


def test_a_held_alarm_that_ends_is_never_told() -> None:
    suppressed = composite(suppressor_name="no-data")
    actions = Actions()
    actions.note("no-data", 0, AlarmState.ALARM)
    assert actions.due([change("any", AlarmState.ALARM, 1)], suppressed, 1) == []
    over, end = change("no-data", AlarmState.OK, 2), change("any", AlarmState.OK, 2)
    assert actions.due([over, end], suppressed, 2) == [over, end]


def test_each_state_has_its_own_actions_and_disabled_ones_none() -> None:
    alarm = change("slow", AlarmState.ALARM, 0)
    assert alarm.actions == tuple(DESCRIPTION["AlarmActions"])
    assert change("slow", AlarmState.OK, 0).actions == ()
    assert Change({**DESCRIPTION, "ActionsEnabled": False}, AlarmState.ALARM, "", 0).actions == ()


def test_a_message_has_the_fields_that_receivers_read() -> None:
    """Chat formatters and paging services know CloudWatch's names, down to lower-case dimensions."""
    body = json.loads(alarm_message.message(DESCRIPTION, "ALARM", "because", 1_500_000_000_042))
    assert body["Region"] == "eu-central-1"
    assert body["AWSAccountId"] == "123456789012"
    assert (body["OldStateValue"], body["NewStateValue"], body["NewStateReason"]) == ("OK", "ALARM", "because")
    assert body["StateChangeTime"] == "2017-07-14T02:40:00.042+0000"
    trigger = body["Trigger"]
    assert (trigger["StatisticType"], trigger["ExtendedStatistic"]) == ("ExtendedStatistic", "p95")
    assert trigger["Dimensions"] == [{"name": "kind", "value": "tts"}]
    assert (trigger["Threshold"], trigger["Period"], trigger["DatapointsToAlarm"]) == (1.5, 60, 2)


def test_a_message_of_metric_math_has_its_queries() -> None:
    single = {"MetricName", "Namespace", "ExtendedStatistic", "Period", "Dimensions", "Threshold"}
    stat = {"Metric": {"Namespace": "N", "MetricName": "M"}, "Period": 60, "Stat": "p95", "Unit": "Seconds"}
    description = {
        **{name: value for name, value in DESCRIPTION.items() if name not in single},
        "ThresholdMetricId": "band",
        "Metrics": [
            {"Id": "m", "MetricStat": stat, "ReturnData": True},
            {"Id": "band", "Expression": "ANOMALY_DETECTION_BAND(m, 2)", "Label": "expected", "ReturnData": True},
        ],
    }
    trigger = json.loads(alarm_message.message(description, "ALARM", "", 0))["Trigger"]
    assert trigger["ThresholdMetricId"] == "band"
    assert trigger["Metrics"][0]["MetricStat"]["Stat"] == "p95"
    assert trigger["Metrics"][1]["Expression"] == "ANOMALY_DETECTION_BAND(m, 2)"
    assert "Threshold" not in trigger


def test_a_subject_is_never_longer_than_sns_takes() -> None:
    """An alarm's name may have 255 characters; SNS refuses a subject of more than 100."""
    assert alarm_message.subject("slow", "ALARM", "us-west-1") == 'ALARM: "slow" in us-west-1'
    assert len(alarm_message.subject("x" * 255, "INSUFFICIENT_DATA", "us-west-1")) <= 100


def test_an_alarm_goes_by_what_is_deployed() -> None:
    planned = MetricAlarm(
        key="k",
        name="slow",
        title="",
        description="",
        severity=Severity.WARNING,
        runbook_url="",
        series=(),
        watched="m",
        comparison=Comparison.BELOW,
        threshold=99.0,
        period_seconds=60,
        evaluation_periods=9,
        datapoints_to_alarm=9,
        missing_data=MissingData.BREACHING,
    )
    alarm = deployed.metric_alarm(planned, DESCRIPTION)
    assert (alarm.threshold, alarm.comparison) == (1.5, Comparison.ABOVE)
    assert (alarm.evaluation_periods, alarm.datapoints_to_alarm) == (3, 2)
    assert alarm.missing_data is MissingData.NOT_BREACHING
    every_period = {name: value for name, value in DESCRIPTION.items() if name != "DatapointsToAlarm"}
    assert deployed.metric_alarm(planned, every_period).datapoints_to_alarm == 3


def test_a_suppressor_named_by_its_arn_is_found_by_its_name() -> None:
    (planned,) = composite(suppressor_name="planned").values()
    arn = "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:no-data"
    alarm = deployed.composite_alarm(planned, {"ActionsSuppressor": arn, "ActionsSuppressorWaitPeriod": 60})
    assert (alarm.suppressor_name, alarm.suppressor_wait_seconds) == ("no-data", 60)
    assert deployed.composite_alarm(planned, {}).suppressor_name is None


# --- What others see ------------------------------------------------------------------------------------------


def sent(**changes: Any) -> Notification:
    fields = {"time": "t", "topic": "critical", "subject": "s", "alarm": "a", "state": "OK", "reason": "r"}
    return Notification(**{**fields, "receivers": ("email: a@example.com",), **changes})


def test_a_receivers_secret_is_masked() -> None:
    """Who knows a web hook's address can post to it; the file of notifications is shown on screens."""
    shown = notifications.receiver(
        {"Protocol": "https", "Endpoint": "https://user:pw@events.pagerduty.com/integration/0123/enqueue?key=1"}
    )
    assert shown == "https: https://events.pagerduty.com/***"
    function = "arn:aws:lambda:eu-central-1:123456789012:function:slack"
    assert notifications.receiver({"Protocol": "lambda", "Endpoint": function}) == "lambda: slack"
    assert notifications.receiver({"Protocol": "email", "Endpoint": "a@example.com"}) == "email: a@example.com"


def test_notifications_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "notifications.jsonl"
    assert list(notifications.read(path)) == []
    written = [sent(reason="one\ntwo"), sent(state="ALARM")]
    for each in written:
        notifications.append(path, [each])
    assert list(notifications.read(path)) == written
    assert [json.loads(line)["reason"] for line in path.read_text().splitlines()] == ["one\ntwo", "r"]
    assert asdict(written[1])["state"] == "ALARM"


def test_the_worker_goes_on_after_an_error_and_says_each_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Settings are saved half-edited all day; the log must not fill up, and the worker must not end."""
    monkeypatch.setattr(cloudwatch_worker, "TICK_SECONDS", 0)
    stopping = threading.Event()
    outcomes: list[TickReport | Exception] = [
        UserError("turnscope:region is missing"),
        UserError("turnscope:region is missing"),
        RuntimeError("connection refused"),
        TickReport(5, {"g": 2}, 3, {"slow": "OK"}, (sent(),)),
    ]

    class Worker:
        def tick(self, now_ms: int) -> TickReport:
            outcome = outcomes.pop(0)
            if not outcomes:
                stopping.set()
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

    state = StateDir(tmp_path)
    with caplog.at_level(logging.INFO):
        cloudwatch_worker.run(Worker(), state, stopping)  # pyright: ignore[reportArgumentType]
    assert caplog.text.count("turnscope:region is missing") == 1
    assert "Traceback" in caplog.text.split("connection refused", 1)[1]
    assert "Traceback" not in caplog.text.split("connection refused", 1)[0]
    assert read_json(state.progress) == {"at_ms": 5, "events": {"g": 2}, "points": 3, "alarms": {"slow": "OK"}}
    assert list(notifications.read(state.notifications)) == [sent()]


def test_a_servers_lock_ends_with_its_holder(tmp_path: Path) -> None:
    """A process id in a file can be another program's by now; a lock cannot."""
    state = StateDir(tmp_path / "aws")
    assert not state.server_runs()
    state.create()
    lock = state.hold_server_lock()
    assert lock is not None
    assert state.server_runs()
    assert state.hold_server_lock() is None
    lock.close()
    assert not state.server_runs()


def test_filters_that_are_put_side_by_side_are_all_kept() -> None:
    """The provider puts those of many agents at once, and reads each one back."""
    filters = MetricFilters()

    def put(group: str) -> None:
        for number in range(100):
            metric_filters.add_filter(filters, f"filter-{number}", "", group, "")

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=put, args=(f"group-{number}",)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert len(filters.metric_filters) == 800
