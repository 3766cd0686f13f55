"""The record validation: what becomes of every line on its way to the bucket."""

from __future__ import annotations

import base64
import datetime
import io
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from analytics.plan.build import plan_analytics
from analytics.plan.record_schema import record_schema, shipped_record_schema
from analytics.record_validation import handler, lines
from analytics.validation_function import variables
from core.environments import Environment
from core.events import AGENT, EVENT_ID, EVENT_TYPE, SESSION_ANALYTICS, VOICE_METRICS
from simulate import patterns
from stacks.settings.analytics import Analytics
from stacks.settings.model import Agent, Settings

PLAN = plan_analytics(
    "dev",
    Settings(
        environment=Environment.DEV,
        owner="team",
        region="eu-central-1",
        runbook_base_url="https://example.com/runbooks",
        agents={"receptionist": Agent(), "sales": Agent()},
        analytics=Analytics(partition_by_agent=True),
    ),
)
assert PLAN
SCHEMA = record_schema(PLAN)
MAXIMUM = PLAN.record_max_bytes
ARN = "arn:aws:firehose:eu-central-1:123456789012:deliverystream/turnscope-dev-"
ARRIVED_MS = 1_773_144_000_000  # 2026-03-10T12:00:00Z
TURN = {
    "_event_type": VOICE_METRICS,
    "_timestamp": "2026-03-10T11:59:58+00:00",
    "_session_id": "room",
    "agent": "sales",
    "llm": {"ttft": 0.4, "model": "m"},
}
CALL = {**TURN, "_event_type": SESSION_ANALYTICS, "turns": 3, "tool_calls": [{"tool": "book", "success": True}]}


class Bucket:
    """S3 as far as the function uses it."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def put_object(self, **request: Any) -> None:
        assert request["Bucket"] == "data"
        self.objects[request["Key"]] = request["Body"]

    @property
    def refused(self) -> list[dict[str, Any]]:
        return [json.loads(line) for body in self.objects.values() for line in io.BytesIO(body)]


class Function:
    """The function with its environment; `bucket` is what it wrote."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        assert PLAN
        for name, value in {"BUCKET": "data", **variables(PLAN)}.items():
            patch.setenv(name, value)
        self.bucket = Bucket()
        patch.setattr(handler, "_schema", lambda: SCHEMA)
        patch.setattr(handler, "_s3", lambda: self.bucket)

    def __call__(self, *records: bytes, event: str = VOICE_METRICS) -> list[dict[str, Any]]:
        asked = [
            {
                "recordId": f"r{number}",
                "approximateArrivalTimestamp": ARRIVED_MS,
                "data": base64.b64encode(data).decode(),
            }
            for number, data in enumerate(records)
        ]
        answers = handler.handler({"deliveryStreamArn": ARN + event, "records": asked}, None)["records"]
        assert [each["recordId"] for each in answers] == [each["recordId"] for each in asked]
        return answers

    def kept(self, *lines: str, event: str = VOICE_METRICS) -> list[dict[str, Any]]:
        (answer,) = self("\n".join(lines).encode(), event=event)
        return [json.loads(line) for line in content(answer).splitlines()]


def content(answer: dict[str, Any]) -> str:
    return base64.b64decode(answer.get("data", "")).decode()


@pytest.fixture(scope="module")
def function() -> Iterator[Function]:
    with pytest.MonkeyPatch.context() as patch:
        yield Function(patch)


@pytest.fixture
def fresh(function: Function) -> Function:
    function.bucket.objects.clear()
    return function


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["agent", "Agent", "ttft", "x"]), inner)
    ),
    max_leaves=8,
)
EVENT = st.fixed_dictionaries(
    {"_event_type": st.sampled_from([VOICE_METRICS, SESSION_ANALYTICS])},
    optional={
        name: st.just(value) | JSON
        for name, value in {**TURN, **CALL, "Agent": "x", "total_latency": 1}.items()
        if name != "_event_type"
    },
)


@examples(max_examples=40)
@given(st.lists(st.binary() | st.lists(EVENT).map(lambda found: "\n".join(map(json.dumps, found)).encode())))
@example(
    [b'{"_event_type":' * 100_000, b"\xff\xfe", b"[" * 200_000, b'{"_event_type": 1e999, "a": ' + b"9" * 5000 + b"}"]
)
@example([b'{"_event_type": "voice_metrics", "x": ' + b"[" * 900 + b"]" * 900 + b"}"])
def test_whatever_comes_is_answered_once_and_what_is_kept_fits(function: Function, records: list[bytes]) -> None:
    """Nothing makes the function fail, for that would hold up a whole batch; and a kept line has every field of the
    right type, or is without it, for else the conversion to Parquet would fail."""
    for answer in function(*records):
        assert answer["result"] in ("Ok", "Dropped")
        for line in content(answer).splitlines():
            document = json.loads(line)
            assert document["_event_type"] == VOICE_METRICS
            assert line == json.dumps(document, ensure_ascii=False, separators=(",", ":"))
            for path, field in SCHEMA[VOICE_METRICS]["fields"].items():
                value: Any = document
                for name in path.split("."):
                    value = {} if value is None else value
                    value = value.get(name)
                assert value is not None or not field["required"]
                types = {"string": str, "number": (int, float), "integer": int, "boolean": bool}[field["type"]]
                assert value is None or isinstance(value, types)
            keys = [key.lower() for key in document]
            assert len(set(keys)) == len(keys)


@examples(max_examples=40)
@given(st.lists(EVENT.map(json.dumps) | st.sampled_from(["{", "voice_metrics", '"_event_type" voice_metrics'])))
@example(
    [
        json.dumps(TURN)[:-9],
        json.dumps(TURN) + json.dumps({**TURN, "tenant": 7}) + json.dumps(TURN),
        json.dumps(TURN)[:-9] + VOICE_METRICS + SESSION_ANALYTICS,
        '{"_event_type": "another',
        json.dumps(CALL).replace("_analytics", "\\u005fanalytics"),
        "voice_metrics and session_analytics",
    ]
)
def test_what_is_said_of_a_line_without_a_stack_is_what_the_function_does(function: Function, log: list[str]) -> None:
    """`turnscope events check` in one go: filter of the log group, and function."""
    assert PLAN
    function.bucket.objects.clear()
    checked = lines.check([f"{line}\n".encode() for line in log], SCHEMA)
    rejected = []
    others = set(range(len(log)))
    for stream in PLAN.streams:
        (pattern,) = {each.pattern for each in PLAN.subscriptions if each.stream_key == stream.key}
        accepted = 0
        for number, line in enumerate(log):
            function.bucket.objects.clear()
            if patterns.parse(pattern).matches(line):
                kept = function.kept(line, event=stream.event)
                accepted += len(kept)
                refused = [(each["field"], each["reason"]) for each in function.bucket.refused]
                rejected += [(number + 1, stream.event, *each) for each in refused]
                others -= {number} if kept or refused else set()
        assert checked.accepted[stream.event] == accepted
    assert Counter((each.number, each.event, each.field, each.reason) for each in checked.rejected) == Counter(rejected)
    assert checked.other == len(others)


@pytest.mark.parametrize(
    ("line", "reason", "field"),
    [
        (json.dumps(TURN)[:-9], "not JSON: ", None),
        ("INFO " + json.dumps(TURN), "not JSON: an event begins with {, this line with 'I'", None),
        (json.dumps(TURN) + " and more", "not JSON: more text after the object, at character ", None),
        (json.dumps({**TURN, "total_latency": float("nan")}), "not JSON: NaN is not a JSON number", None),
        (json.dumps({**TURN, "_session_id": None}), "_session_id is missing", "_session_id"),
        (
            json.dumps({**TURN, "total_latency": "abc"}),
            "total_latency: expected a number, got string 'abc'",
            "total_latency",
        ),
        (
            json.dumps({**TURN, "total_latency": True}),
            "expected a number, got boolean true",
            "total_latency",
        ),
        (json.dumps({**TURN, "llm": {"ttft": [1]}}), "llm.ttft: expected a number, got array [1]", "llm.ttft"),
        (json.dumps({**TURN, "llm": 4}), "llm: expected an object, got number 4", "llm"),
        (json.dumps({**TURN, "Tenant": 4}), "tenant: expected a string, got number 4", "tenant"),
        (json.dumps({**TURN, "interrupted": 0}), "interrupted: expected a boolean, got number 0", "interrupted"),
        (
            json.dumps({**TURN, "_timestamp": "today"}),
            "expected an ISO 8601 time, got string 'today'",
            "_timestamp",
        ),
        (json.dumps({**TURN, "_timestamp": "2026-02-30T00:00:00Z"}), "_timestamp: ", "_timestamp"),
        (json.dumps({**TURN, "x": "y" * MAXIMUM}), f" bytes; at most {MAXIMUM}", None),
    ],
)
def test_what_does_not_fit_is_kept_aside_with_a_reason(
    fresh: Function, line: str, reason: str, field: str | None
) -> None:
    """The others of its record go on."""
    assert len(fresh.kept(json.dumps(TURN), line, json.dumps(TURN))) == 2
    (record,) = fresh.bucket.refused
    assert reason in record["reason"]
    assert record["field"] == field
    assert record["raw"] == line[: 64 * 1024]
    assert (record["event"], record["stream"]) == (VOICE_METRICS, f"turnscope-dev-{VOICE_METRICS}")
    (key,) = fresh.bucket.objects
    assert key.startswith(f"errors/rejected/{VOICE_METRICS}/2026/03/10/12/")
    assert record["arrived_at"] == "2026-03-10T12:00:00Z"


@pytest.mark.parametrize(
    ("over", "reason"),
    [
        ({"turns": 2.5}, "turns: expected a 64-bit integer, got number 2.5"),
        ({"turns": 2**63}, "turns: expected a 64-bit integer"),
        ({"tool_calls": {"tool": "x"}}, "tool_calls: expected an array, got object"),
        ({"tool_calls": [{}, None, 3]}, "tool_calls[2]: expected an object, got number 3"),
        ({"tool_calls": [{"success": "yes"}]}, "tool_calls[0].success: expected a boolean, got string 'yes'"),
    ],
)
def test_counts_and_lists_are_checked(fresh: Function, over: dict[str, Any], reason: str) -> None:
    assert not fresh.kept(json.dumps({**CALL, **over}), event=SESSION_ANALYTICS)
    assert reason in fresh.bucket.refused[0]["reason"]


@pytest.mark.parametrize(
    "line",
    [
        json.dumps(CALL),
        json.dumps({"message": "voice_metrics was sent"}),
        "voice_metrics was sent",
        "the _event_type of voice_metrics",
        json.dumps([1, 2]),
        "",
        "   \n\n",
    ],
)
def test_what_is_no_event_of_the_stream_is_no_mistake(fresh: Function, line: str) -> None:
    """The log group's filter is a plain word, which other lines hold too."""
    assert fresh(line.encode())[0]["result"] == "Dropped"
    assert not fresh.bucket.objects


def test_a_record_may_hold_events_in_any_layout(fresh: Function) -> None:
    """How Firehose joins the messages of a batch is not documented."""
    text = json.dumps(TURN) + json.dumps(TURN) + "\n\r\n" + json.dumps(TURN, indent=2) + "   " + json.dumps(TURN)
    assert len(fresh.kept(text)) == 4
    assert not fresh.bucket.objects


def test_what_fits_almost_is_made_to_fit(fresh: Function) -> None:
    given_call = {**CALL, "turns": 3.0, "close_reason": None, "metrics_summary": None, "extra": {"kept": [1]}}
    (kept,) = fresh.kept(json.dumps({**given_call, "TENANT": "acme"}), event=SESSION_ANALYTICS)
    assert kept.pop("_event_id")
    assert kept == {**CALL, "turns": 3, "extra": {"kept": [1]}, "tenant": "acme"}
    assert type(kept["turns"]) is int


def test_text_that_is_no_utf8_is_made_so(fresh: Function) -> None:
    """Half a surrogate pair is JSON, and Parquet has only UTF-8."""
    (kept,) = fresh.kept(json.dumps({**TURN, "tenant": "a\ud800b"}))
    assert kept["tenant"] == "a?b"


def test_however_deep_a_line_is_it_is_kept_or_refused(fresh: Function) -> None:
    lines = [json.dumps(TURN)[:-1] + f', "x": {"[" * depth}{"]" * depth}}}' for depth in range(20, 3000, 20)]
    assert len(fresh.kept(*lines)) + len(fresh.bucket.refused) == len(lines)
    assert any("deeply" in each["reason"] for each in fresh.bucket.refused)


def test_the_same_line_is_the_same_event(fresh: Function) -> None:
    """Whoever sends a line twice, or asks whether it arrived, gets the same id; and its own where it has one. An empty
    one is none: queries read one row of an id."""
    nameless = [{**TURN, "_session_id": session, "_event_id": ""} for session in ("a", "b")]
    assert len({event["_event_id"] for event in fresh.kept(*map(json.dumps, nameless))} - {""}) == 2
    line = json.dumps(TURN)
    first, second = fresh.kept(f"  {line} ", line)
    assert first["_event_id"] == second["_event_id"] == handler.event_id(line)
    (kept,), refused = handler.examine(line, VOICE_METRICS, SCHEMA)
    assert kept.event == first
    assert not refused
    assert fresh.kept(json.dumps({**TURN, "_event_id": "own"}))[0]["_event_id"] == "own"
    assert handler.event_id(line) != handler.event_id(line.replace("room", "hall"))


@pytest.mark.parametrize(
    ("line", "expected"),
    [(json.dumps(CALL), 0), ("{}", 0), (json.dumps(TURN)[:-3], 1), ((json.dumps(TURN)[:-3] + "\n") * 2, 2)],
)
def test_examining_says_what_is_rejected(line: str, expected: int) -> None:
    kept, rejected = handler.examine(line, VOICE_METRICS, SCHEMA)
    assert not kept
    assert [each.raw for each in rejected] == [json.dumps(TURN)[:-3]] * expected


@pytest.mark.parametrize(
    ("agents", "partition"),
    [(["sales"] * 2, "sales"), (["sales", "receptionist"], "other"), (["unknown"], "other"), ([None], "other")],
)
def test_a_record_has_the_partition_of_its_agent(fresh: Function, agents: list[str], partition: str) -> None:
    (answer,) = fresh("\n".join(json.dumps({**TURN, "agent": agent}) for agent in agents).encode())
    assert answer["metadata"] == {"partitionKeys": {"agent_name": partition}}


def test_a_batch_sent_again_overwrites_what_it_refused(fresh: Function) -> None:
    """Firehose repeats a batch whose answer it did not get."""
    for _ in range(2):
        fresh(b'{"_event_type": "voice_metrics"', json.dumps({**TURN, "llm": 1}).encode())
    assert len(fresh.bucket.objects) == 1
    assert len(fresh.bucket.refused) == 2


def test_names_of_fields_are_those_of_the_schema() -> None:
    """The function cannot import them where it runs."""
    fields = (handler.EVENT_TYPE, handler.EVENT_ID, handler.AGENT)
    assert fields == (EVENT_TYPE.path, EVENT_ID.path, AGENT.path)
    assert all(set(fields) <= set(SCHEMA[event]["fields"]) for event in SCHEMA)


def test_the_deployed_files_alone_are_enough(tmp_path: Path) -> None:
    """In Lambda there is nothing but the module and `schema.json` beside it."""
    (tmp_path / "handler.py").write_text(Path(handler.__file__).read_text())
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    data = base64.b64encode(json.dumps(TURN).encode()).decode()
    event = {"deliveryStreamArn": ARN + VOICE_METRICS, "records": [{"recordId": "1", "data": data}]}
    script = f"import handler; print(handler.handler({event!r}, None)['records'][0]['result'])"
    assert PLAN
    run = subprocess.run(
        [sys.executable, "-S", "-c", script],
        cwd=tmp_path,
        env={"BUCKET": "data", **variables(PLAN)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout == "Ok\n", run.stderr


@given(st.datetimes(timezones=st.none() | st.just(datetime.UTC)))
def test_times_as_agents_write_them_are_taken(moment: datetime.datetime) -> None:
    for text in (
        moment.isoformat(),
        moment.isoformat(timespec="milliseconds"),
        f"{moment:%Y-%m-%dT%H:%M:%S}Z".zfill(20),
    ):
        _, refused = handler.examine(json.dumps({**TURN, "_timestamp": text}), VOICE_METRICS, SCHEMA)
        assert not refused, text


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-10T11:59:58+14:30",
        "2026-03-10T11:59:58.1234567890Z",
        "2026-03-10T11:59:58.Z",
        "2026-03-10T11:59:58,5Z",
        "2026-03-10T24:00:00Z",
        "2026-03-10T11:59:60Z",
        "2026-03-10 11:59:58Z",
        "2026-03-10",
        "20260310T115958Z",
        "2026-02-29T11:59:58Z",
        "2026-03-10T11:59:58Z\n",
        "\u0662\u0660\u0662\u0666-03-10T11:59:58Z",
    ],
)
def test_times_that_athena_would_not_read_are_rejected(text: str) -> None:
    """Some of them Python reads: one such row makes a query that calls from_iso8601_timestamp fail."""
    kept, (rejected,) = handler.examine(json.dumps({**TURN, "_timestamp": text}), VOICE_METRICS, SCHEMA)
    assert not kept
    assert (rejected.field, "expected an ISO 8601 time" in rejected.reason) == ("_timestamp", True)


def test_the_shipped_schema_is_that_of_a_stack_that_changes_nothing() -> None:
    assert shipped_record_schema() == SCHEMA
