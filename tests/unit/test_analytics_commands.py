"""`turnscope analytics`: times, the comparison of log and bucket, what is sent again, and answers of Athena."""

from __future__ import annotations

import datetime
import gzip
import io
import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterable
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import example, given
from hypothesis import strategies as st
from typer.testing import CliRunner

from analytics.operations import batches, named, replay, retry_policy
from analytics.operations.batches import Record
from analytics.operations.bucket_events import read_rejected
from analytics.operations.comparison import Logged, Rejected, Stored, compare
from analytics.operations.engine import Answer, AthenaEngine
from analytics.operations.log_events import FromLog, read_log_events
from analytics.operations.target import Target
from analytics.operations.times import hour_of, hours_between, milliseconds, own_time, range_of, time_of
from analytics.plan.build import plan_analytics
from analytics.plan.model import AnalyticsPlan
from core.environments import Environment
from core.errors import UserError
from core.events import VOICE_METRICS
from lab import send
from simulate import recording
from stacks.settings.analytics import Analytics
from stacks.settings.model import Agent, Settings
from turnscope.commands.analytics import analytics

NOW = datetime.datetime(2026, 3, 10, 12, 30, tzinfo=datetime.UTC)
MINUTE, HOUR = datetime.timedelta(minutes=1), datetime.timedelta(hours=1)


def settings_of() -> Settings:
    return Settings(
        environment=Environment.DEV,
        owner="team",
        region="eu-central-1",
        runbook_base_url="https://example.com/runbooks",
        agents={"receptionist": Agent()},
        analytics=Analytics(),
    )


@pytest.fixture(scope="module")
def plan() -> AnalyticsPlan:
    found = plan_analytics("dev", settings_of())
    assert found
    return found


# -- times -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-09", datetime.datetime(2026, 3, 9, tzinfo=datetime.UTC)),
        ("2026-03-09T14:30", datetime.datetime(2026, 3, 9, 14, 30, tzinfo=datetime.UTC)),
        ("2026-03-09T14:30:00+02:00", datetime.datetime(2026, 3, 9, 12, 30, tzinfo=datetime.UTC)),
        ("2026-03-09T14:30:00Z", datetime.datetime(2026, 3, 9, 14, 30, tzinfo=datetime.UTC)),
        ("-90m", NOW - 90 * MINUTE),
        ("-24h", NOW - 24 * HOUR),
        ("-7d", NOW - 168 * HOUR),
    ],
)
def test_times_are_read_as_people_write_them(text: str, moment: datetime.datetime) -> None:
    assert time_of(text, NOW, "--from") == moment


@pytest.mark.parametrize("text", ["yesterday", "24h", "-24", "-999999w", "2026-13-01", "", "14:30"])
def test_a_time_that_cant_be_read_is_a_mistake_that_names_the_option_and_what_is_allowed(text: str) -> None:
    with pytest.raises(UserError, match=r"--to .*: allowed: .*ISO 8601.*-24h") as raised:
        time_of(text, NOW, "--to")
    assert raised.value.exit_code == 2


@pytest.mark.parametrize(
    ("first", "last"), [("-1h", "-2h"), ("-1h", "-1h"), ("2027-01-01", None), ("2027-01-01", "2028-01-01")]
)
def test_an_empty_range_is_a_mistake(first: str, last: str | None) -> None:
    """It would otherwise be called complete."""
    with pytest.raises(UserError, match=r"--from .*allowed: before --to"):
        range_of(first, last, NOW)


def test_the_default_range_is_the_last_day_and_never_reaches_into_the_future() -> None:
    assert range_of(None, None, NOW) == (NOW - 24 * HOUR, NOW)
    assert range_of("-1h", "2030-01-01", NOW) == (NOW - HOUR, NOW)


@given(st.datetimes(timezones=st.just(datetime.UTC)), st.timedeltas(MINUTE, 50 * HOUR))
def test_every_moment_of_a_range_lies_in_one_of_its_hours(since: datetime.datetime, length: datetime.timedelta) -> None:
    if since.year > 9990:
        return
    hours = list(hours_between(since, since + length))
    assert {hour_of(since), hour_of(since + length - datetime.timedelta.resolution)} <= set(hours)
    assert all(after - before == HOUR for before, after in itertools.pairwise(hours))


@pytest.mark.parametrize("text", [None, 3, "soon", "0001-01-01T00:00:00+14:00"])
def test_an_event_without_a_time_of_its_own_counts_when_it_arrived(text: object) -> None:
    assert own_time(text, NOW) == NOW


# -- log against bucket ------------------------------------------------------------------------------------------------


def logged(key: str, moment: datetime.datetime, message: str = "{}", group: str = "/g", event: str = "a") -> Logged:
    return Logged(event, key, moment, moment, group, 0, message)


def compared(
    lines: Iterable[Logged], rows: Iterable[Stored], refused: Iterable[Rejected] = (), events: tuple[str, ...] = ("a",)
) -> Any:
    return compare(
        lines, rows, refused, events=events, since=NOW - 24 * HOUR, to=NOW, on_the_way_since=NOW - 10 * MINUTE
    )


keys = st.integers(0, 30).map(str)
moments = st.integers(0, 24 * 60 - 1).map(lambda minutes: NOW - (minutes + 1) * MINUTE)


@given(st.dictionaries(keys, moments), st.dictionaries(keys, st.tuples(moments, st.integers(1, 3))))
def test_an_event_of_the_log_is_in_the_bucket_or_missing_or_on_the_way(
    lines: dict[str, datetime.datetime], rows: dict[str, tuple[datetime.datetime, int]]
) -> None:
    found = compared(
        [logged(key, moment) for key, moment in lines.items()],
        [Stored("a", key, lines.get(key, moment), copies) for key, (moment, copies) in rows.items()],
    )
    absent = {key: moment for key, moment in lines.items() if key not in rows}
    old = {key for key, moment in absent.items() if moment < NOW - 10 * MINUTE}
    assert {line.key for line in found.missing} == old
    assert sum(each.missing for each in found.hours) == len(old)
    assert sum(each.on_the_way for each in found.hours) == len(absent) - len(old)
    assert sum(each.in_log for each in found.hours) == len(lines)
    assert sum(each.in_bucket for each in found.hours) == len(rows)
    assert sum(each.duplicates for each in found.hours) == sum(copies - 1 for _, copies in rows.values())
    assert found.complete == (not old)


def test_equal_numbers_of_different_events_are_not_complete() -> None:
    found = compared([logged("x", NOW - 2 * HOUR)], [Stored("a", "y", NOW - 2 * HOUR, 1)])
    assert [line.key for line in found.missing] == ["x"]


def test_a_line_that_is_twice_in_the_log_is_one_event() -> None:
    found = compared([logged("x", NOW - 2 * HOUR, group=group) for group in ("/g", "/h")], [])
    assert (len(found.missing), sum(each.in_log for each in found.hours)) == (1, 1)


def test_the_same_id_in_another_event_is_another_event() -> None:
    found = compared(
        [logged("x", NOW - 2 * HOUR), logged("x", NOW - 2 * HOUR, event="b")],
        [Stored("a", "x", NOW - 2 * HOUR, 1)],
        events=("a", "b"),
    )
    assert [line.event for line in found.missing] == ["b"]


def test_an_old_line_that_was_just_written_is_on_the_way() -> None:
    """A log that was shipped late."""
    line = Logged("a", "x", NOW - 20 * HOUR, NOW - MINUTE, "/g", 0, "{}")
    found = compared([line], [])
    assert found.complete
    assert sum(each.on_the_way for each in found.hours) == 1


def test_refused_records_are_counted_by_hour_and_reason_within_the_range() -> None:
    refused = [
        Rejected("a", NOW - hours * HOUR, about, f"{about}!")
        for hours, about in ((1, "r"), (1, "r"), (2, "s"), (30, "r"))
    ]
    found = compared([], [], refused)
    assert found.rejected == {"r": (2, "r!"), "s": (1, "s!")}
    assert {each.hour: each.rejected for each in found.hours if each.rejected} == {
        hour_of(NOW - HOUR): 2,
        hour_of(NOW - 2 * HOUR): 1,
    }


# -- reading both -----------------------------------------------------------------------------------------------------


class Logs:
    """A log group of `lines` (time, message), two to a page, that now and then is asked too fast."""

    exceptions = SimpleNamespace(ResourceNotFoundException=type("ResourceNotFoundException", (ClientError,), {}))

    def __init__(self, lines: list[tuple[datetime.datetime, str]], retention_days: int | None = None) -> None:
        self.lines, self.retention_days, self.calls = lines, retention_days, 0

    def filter_log_events(
        self, *, logGroupName: str, filterPattern: str, startTime: int, endTime: int, nextToken: str = "0"
    ) -> dict[str, Any]:
        self.calls += 1
        if self.calls % 2:
            raise refusal("ThrottlingException")
        if logGroupName != "/aws/livekit/receptionist":
            raise self.exceptions.ResourceNotFoundException({"Error": {"Code": "ResourceNotFoundException"}}, "Call")
        found = [(milliseconds(moment), message) for moment, message in self.lines]
        chosen = [each for each in found if startTime <= each[0] <= endTime and filterPattern in each[1]]
        page = chosen[int(nextToken) : int(nextToken) + 2]
        answer: dict[str, Any] = {
            "events": [{"timestamp": at, "ingestionTime": at + 1, "message": message} for at, message in page]
        }
        return answer | ({"nextToken": str(int(nextToken) + 2)} if int(nextToken) + 2 < len(chosen) else {})

    def get_paginator(self, operation: str) -> Any:
        group = {"logGroupName": "/aws/livekit/receptionist"}
        group |= {"retentionInDays": self.retention_days} if self.retention_days else {}
        return SimpleNamespace(paginate=lambda **_: [{"logGroups": [group]}])


def target_of(plan: AnalyticsPlan, **services: Any) -> Target:
    return Target(settings_of(), plan, services.__getitem__, "123456789012")


def turn(moment: datetime.datetime, **fields: Any) -> str:
    return json.dumps({"_event_type": VOICE_METRICS, "_session_id": "room", "_timestamp": moment.isoformat(), **fields})


def read(plan: AnalyticsPlan, logs: Logs, since: datetime.datetime, to: datetime.datetime) -> FromLog:
    groups = ("/aws/livekit/receptionist",)
    return read_log_events(target_of(plan, logs=logs), groups, (VOICE_METRICS,), since, to, lambda _: None)


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry_policy, "FIRST_WAIT_SECONDS", 0.0)


@pytest.mark.usefixtures("unhurried")
def test_the_log_is_read_to_its_last_page_by_the_times_that_events_state(plan: AnalyticsPlan) -> None:
    """A line's time in the log is when its shipper took it."""
    moments = [NOW - minutes * MINUTE for minutes in (61, 60, 45, 31, 30)]
    lines = [(moment + 20 * MINUTE, turn(moment, _event_id=str(index))) for index, moment in enumerate(moments)]
    found = read(plan, Logs(lines), NOW - HOUR, NOW - 30 * MINUTE)
    assert [(line.key, line.moment) for line in found.events] == [(str(i), moments[i]) for i in (1, 2, 3)]
    assert [line.message for line in found.events] == [message for _, message in lines[1:4]]
    assert found.events[0].arrived == moments[1] + 20 * MINUTE + datetime.timedelta(milliseconds=1)


@pytest.mark.usefixtures("unhurried")
def test_lines_that_are_no_events_are_not_expected_in_the_bucket(plan: AnalyticsPlan) -> None:
    lines = [
        turn(NOW - MINUTE, _event_id="good"),
        turn(NOW - MINUTE, _event_id="bad", total_latency="fast"),
        turn(NOW - MINUTE, _event_id="cut")[:-5],
        '{"message": "voice_metrics are sent"}',
    ]
    found = read(plan, Logs([(NOW - MINUTE, line) for line in lines]), NOW - HOUR, NOW)
    assert [line.key for line in found.events] == ["good"]
    assert found.rejected == 2


@pytest.mark.usefixtures("unhurried")
def test_a_line_without_an_id_has_one_made_from_its_text_the_same_each_time(plan: AnalyticsPlan) -> None:
    lines = [(NOW - MINUTE, turn(NOW - MINUTE, total_latency=number)) for number in (1.0, 2.0)]
    first, second = (read(plan, Logs(lines), NOW - HOUR, NOW).events for _ in range(2))
    assert [line.key for line in first] == [line.key for line in second]
    assert len({line.key for line in first}) == 2


@pytest.mark.usefixtures("unhurried")
def test_a_range_beyond_the_retention_is_warned_of_and_a_group_that_is_gone_is_named(plan: AnalyticsPlan) -> None:
    now = datetime.datetime.now(datetime.UTC)
    assert read(plan, Logs([], 7), now - 8 * 24 * HOUR, now).warnings
    assert not read(plan, Logs([], 1), now - 24 * HOUR, now).warnings, "the default range of a laptop's stack"
    assert not read(plan, Logs([]), now - 8 * 24 * HOUR, now).warnings
    with pytest.raises(UserError, match="Log group /gone does not exist"):
        read_log_events(target_of(plan, logs=Logs([])), ("/gone",), (VOICE_METRICS,), NOW, NOW, lambda _: None)


class S3:
    def __init__(self, objects: dict[str, str]) -> None:
        self.objects = objects

    def list_objects_v2(self, *, Bucket: str, Prefix: str, ContinuationToken: str = "") -> dict[str, Any]:
        keys = sorted(key for key in self.objects if key.startswith(Prefix) and key > ContinuationToken)
        more = {"IsTruncated": True, "NextContinuationToken": keys[0]} if len(keys) > 1 else {}
        return {"Contents": [{"Key": key} for key in keys[:1]], **more}

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        return {"Body": io.BytesIO(self.objects[Key].encode())}


def test_refused_records_are_read_from_all_files_with_when_they_happened(plan: AnalyticsPlan) -> None:
    now = datetime.datetime.now(datetime.UTC)

    def record(raw: str, reason: str = "f: expected a string, got number 7", field: str | None = "f") -> str:
        return json.dumps({"reason": reason, "field": field, "arrived_at": now.isoformat(), "raw": raw})

    folder = f"{plan.rejected_prefix}{VOICE_METRICS}/{now:%Y/%m/%d/%H}"
    files = {
        f"{folder}/a.json": "\n".join([record(turn(NOW, agent="receptionist")), record(turn(NOW, agent="other")), ""]),
        f"{folder}/b.json": record("{", "not JSON: no end at character 1234", None),
    }
    target = target_of(plan, s3=S3(files))
    found = read_rejected(target, (VOICE_METRICS,), None, now - HOUR, lambda _: None)
    assert [(each.moment, each.about) for each in found] == [(NOW, "f")] * 2 + [(now, "not JSON")]
    assert len(read_rejected(target, (VOICE_METRICS,), "receptionist", now - HOUR, lambda _: None)) == 2


# -- sending again -----------------------------------------------------------------------------------------------------


def envelopes(records: Iterable[Record]) -> list[dict[str, Any]]:
    return [json.loads(gzip.decompress(record.data)) for record in records]


BYTES_PER_RECORD = 1000 * 1024
"""Of Firehose: docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html"""

messages = st.text(st.characters(exclude_categories=("Cs",)), max_size=30) | st.integers(1, 400_000).map("x".__mul__)
line_lists = st.lists(st.tuples(messages, st.sampled_from(["/g", "/h"])), max_size=12).map(
    lambda found: [logged(str(index), NOW, message, group) for index, (message, group) in enumerate(found)]
)


@example([logged(str(index), NOW, "x" * 400_000) for index in range(8)])
@given(line_lists)
def test_every_line_is_sent_once_as_it_stands_in_envelopes_of_its_log_group(lines: list[Logged]) -> None:
    records = list(batches.records(lines, account_id="1", subscription_filter="f"))
    found = envelopes(records)
    sent = [(event["message"], each["logGroup"]) for each in found for event in each["logEvents"]]
    assert Counter(sent) == Counter((line.message, line.log_group) for line in lines)
    assert [record.events for record in records] == [len(each["logEvents"]) for each in found]
    assert {each["messageType"] for each in found} <= {"DATA_MESSAGE"}
    assert all(len(record.data) <= BYTES_PER_RECORD for record in records)
    assert all(len(gzip.decompress(record.data)) <= batches.ENVELOPE_BYTES for record in records)


def test_a_line_longer_than_an_envelope_stops_nothing() -> None:
    lines = [logged("1", NOW, "x" * batches.ENVELOPE_BYTES), logged("2", NOW, "ok")]
    (record,) = batches.records(lines, account_id="1", subscription_filter="f")
    assert record.events == 1


@example([BYTES_PER_RECORD] * 10, 0)
@given(st.lists(st.integers(1, BYTES_PER_RECORD), max_size=40), st.integers(0, 1200))
def test_a_call_is_as_large_as_firehose_takes(large: list[int], small: int) -> None:
    records = [Record(bytes(1) * size, 1) for size in (*large, *([1] * small))]
    found = list(batches.calls(records))
    assert [record for batch in found for record in batch] == records
    for batch in found:
        assert 0 < len(batch) <= batches.RECORDS_PER_CALL
        assert sum(len(record.data) for record in batch) <= batches.BYTES_PER_CALL


class Firehose:
    """Takes what `takes(call, index)` says."""

    def __init__(self, takes: Callable[[int, int], bool]) -> None:
        self.takes, self.calls, self.taken = takes, 0, list[bytes]()

    def put_record_batch(self, *, DeliveryStreamName: str, Records: list[dict[str, bytes]]) -> dict[str, Any]:
        self.calls += 1
        outcomes = [self.takes(self.calls, index) for index in range(len(Records))]
        self.taken += [record["Data"] for record, good in zip(Records, outcomes, strict=True) if good]
        answers = [{"RecordId": "1"} if good else {"ErrorCode": "ServiceUnavailableException"} for good in outcomes]
        return {"FailedPutCount": outcomes.count(False), "RequestResponses": answers}


RECORDS = tuple(Record(f"{number}".encode(), 10) for number in range(3))
PLANNED = replay.Replay({"stream": RECORDS})


def test_records_that_firehose_did_not_take_are_sent_again_and_no_others() -> None:
    """A call with failed records succeeds."""
    firehose = Firehose(lambda call, index: call > 3 or (call == 1 and index == 1))
    assert replay.send(firehose, PLANNED, print, sleep=lambda _: None) == 30
    assert sorted(firehose.taken) == [record.data for record in RECORDS]


def test_a_firehose_that_takes_nothing_is_given_up_with_how_far_it_came() -> None:
    with pytest.raises(
        UserError, match=r"(?s)ServiceUnavailable.*at least 0 of 30 events.*safe to run this again"
    ) as e:
        replay.send(Firehose(lambda call, index: False), PLANNED, print, sleep=lambda _: None)
    assert e.value.exit_code == 1


def test_an_interrupted_replay_says_how_far_it_came() -> None:
    def interrupted(call: int, index: int) -> bool:
        if call == 2:
            raise KeyboardInterrupt
        return True

    many = replay.Replay({"stream": tuple(Record(b"x", 1) for _ in range(batches.RECORDS_PER_CALL + 1))})
    with pytest.raises(UserError, match="at least 500 of 501 events were sent") as raised:
        replay.send(Firehose(interrupted), many, print)
    assert raised.value.exit_code == 130


def test_nobody_there_to_answer_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: False))
    with pytest.raises(UserError, match="--yes"):
        replay.ask(PLANNED, assume_yes=False)


# -- AWS ---------------------------------------------------------------------------------------------------------------


def refusal(code: str, message: str = "") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "Call")


def test_calls_that_come_too_fast_are_made_again_and_others_are_not() -> None:
    waits: list[float] = []
    answers = iter([refusal("ThrottlingException"), refusal("ThrottlingException"), None])

    def call() -> str:
        if error := next(answers):
            raise error
        return "done"

    assert retry_policy.patiently(call, waits.append) == "done"
    assert waits == sorted(waits)
    assert len(waits) == 2
    for code, calls in (("AccessDeniedException", 1), ("ThrottlingException", retry_policy.ATTEMPTS)):
        made: list[str] = []

        def refused(code: str = code, made: list[str] = made) -> None:
            made.append(code)
            raise refusal(code)

        with pytest.raises(ClientError, match=code):
            retry_policy.patiently(refused, lambda _: None)
        assert len(made) == calls


class Athena:
    """Answers as Athena does: every cell is text, the first row of a SELECT its columns' names."""

    def __init__(self, *states: str | BaseException, reason: str = "") -> None:
        self.states, self.reason, self.stopped, self.asked = list(states), reason, False, dict[str, Any]()

    def start_query_execution(self, **asked: Any) -> dict[str, str]:
        self.asked = asked
        return {"QueryExecutionId": "q"}

    def get_query_execution(self, QueryExecutionId: str) -> dict[str, Any]:
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if isinstance(state, BaseException):
            raise state
        status = {"State": state, "StateChangeReason": self.reason}
        return {"QueryExecution": {"Status": status, "Statistics": {"DataScannedInBytes": 5}}}

    def stop_query_execution(self, QueryExecutionId: str) -> None:
        self.stopped = True

    def get_query_results(self, QueryExecutionId: str, MaxResults: int, NextToken: str = "") -> dict[str, Any]:
        types = {"tenant": "varchar", "calls": "bigint", "seconds": "double", "good": "boolean", "usd": "decimal"}
        rows = (
            [["globex", "2", "0.5", "true", "1.10"]]
            if NextToken
            else [list(types), ["acme", None, "1.0E-4", "false", None]]
        )
        data = [{"Data": [{"VarCharValue": cell} if cell else {} for cell in row]} for row in rows]
        columns = [{"Name": name, "Type": kind} for name, kind in types.items()]
        result = {"ResultSet": {"Rows": data, "ResultSetMetadata": {"ColumnInfo": columns}}}
        return result if NextToken else result | {"NextToken": "2"}


def engine(plan: AnalyticsPlan, athena: Any) -> AthenaEngine:
    return AthenaEngine(lambda service: athena, plan, sleep=lambda _: None)


def test_athenas_cells_become_values_of_their_types_over_all_pages(plan: AnalyticsPlan) -> None:
    athena = Athena("QUEUED", "RUNNING", "SUCCEEDED")
    answer = engine(plan, athena).run("select 1")
    assert answer == Answer(
        ("tenant", "calls", "seconds", "good", "usd"),
        (("acme", None, 0.0001, False, None), ("globex", 2, 0.5, True, Decimal("1.10"))),
        5,
    )
    assert athena.asked["WorkGroup"] == plan.workgroup.name, "the scan limit is the workgroup's"
    assert athena.asked["QueryExecutionContext"] == {"Database": plan.database}


def test_an_interrupted_query_is_stopped(plan: AnalyticsPlan) -> None:
    """It would go on, and be charged."""
    athena = Athena("RUNNING", KeyboardInterrupt())
    with pytest.raises(UserError, match="stopped") as raised:
        engine(plan, athena).run("select 1")
    assert athena.stopped
    assert raised.value.exit_code == 130


@pytest.mark.parametrize(
    ("state", "reason", "said"),
    [
        ("CANCELLED", "Bytes scanned limit was exceeded", r"scan_limit_mib"),
        ("FAILED", "TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.x.y' does not exist", "run `turnscope up dev`"),
        ("FAILED", "Insufficient permissions to execute the query", "You do not have permission"),
        ("FAILED", "HIVE_BAD_DATA: ...", "HIVE_BAD_DATA"),
    ],
)
def test_a_failed_query_says_what_to_do_about_it(plan: AnalyticsPlan, state: str, reason: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as raised:
        engine(plan, Athena(state, reason=reason)).run("select 1")
    assert raised.value.exit_code == 1
    assert reason in str(raised.value)


def test_a_refused_query_is_no_traceback(plan: AnalyticsPlan) -> None:
    athena = Athena(refusal("AccessDeniedException", "not authorized to perform: athena:GetQueryExecution"))
    with pytest.raises(UserError, match="You do not have permission"):
        engine(plan, athena).run("select 1")


# -- named queries -----------------------------------------------------------------------------------------------------

QUERIES = [
    named.Named("Cost/Per month", "What?", "select 1"),
    named.Named("Cost/Anomalies", "What?", "select 1"),
    named.Named("Latency/Per month", "What?", "select 1"),
    named.Named("Export/Calls", "What?", "unload (select 1) to 's3://STAGE_BUCKET/'"),
]


@pytest.mark.parametrize("name", ["Cost/Anomalies", "anomalies", "cost/anomalies"])
def test_a_query_is_found_by_its_name_with_or_without_its_folder(name: str) -> None:
    assert named.find(QUERIES, name) == QUERIES[1]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Per month", "Cost/Per month, Latency/Per month"),
        ("Cost/Anomaly", "Cost/Anomalies"),
        ("zzz", "Cost/Per month, Cost/Anomalies"),
        ("Export/Calls", "writes to your own bucket"),
    ],
)
def test_another_name_is_a_mistake_that_names_the_nearest(name: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        named.find(QUERIES, name)


def test_answers_are_csv_and_json_that_programs_read() -> None:
    answer = Answer(
        ("tenant", "usd", "day"), (('O"Hara, Inc', Decimal("0.25"), datetime.date(2026, 3, 1)), (None,) * 3)
    )
    assert named.as_csv(answer) == 'tenant,usd,day\n"O""Hara, Inc",0.25,2026-03-01\n,,\n'
    assert json.loads(named.as_json(answer)) == [
        {"tenant": 'O"Hara, Inc', "usd": 0.25, "day": "2026-03-01"},
        {"tenant": None, "usd": None, "day": None},
    ]


def test_a_recording_that_is_sent_again_is_other_calls_of_the_chosen_agent() -> None:
    """`turnscope lab send` twice: queries read each id once, and would show the second call never."""
    recorded = recording.recorded("healthy")
    first, second = ([json.loads(each.message) for each in send._sent_by("frontdesk", recorded, {})] for _ in range(2))
    events = [each for each in (*first, *second) if "_event_type" in each]
    assert len({each["_event_id"] for each in events}) == len(events) > 0
    assert {each["agent"] for each in events} == {"frontdesk"}
    changed = {"_event_id", "agent"}
    for before, after in zip((json.loads(each.message) for each in recorded), first, strict=True):
        assert {key: after[key] for key in after.keys() - changed} == {
            key: before[key] for key in before.keys() - changed
        }


# -- the command line --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["check", "local", "--from", "yesterday"], "--from yesterday: allowed"),
        (["replay", "local", "--from", "-24h", "--to", "soon"], "--to soon: allowed"),
        (["query", "local", "--json", "--csv"], "allowed: one of them"),
    ],
)
def test_a_mistake_in_what_is_asked_touches_nothing(
    arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def touched(stack: str) -> None:
        raise AssertionError(stack)

    monkeypatch.setattr("analytics.operations.target.target", touched)
    result = CliRunner().invoke(analytics, arguments)
    assert isinstance(result.exception, UserError)
    assert said in str(result.exception)
    assert result.exception.exit_code == 2
