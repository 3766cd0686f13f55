"""Recorded calls: the telemetry of the same calls as the recorded logs, sent again as calls of now."""

from __future__ import annotations

import base64
import datetime
import json
import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from hypothesis import given
from hypothesis import strategies as st

from core import events
from core.errors import UserError
from simulate import recording, telemetry
from simulate.telemetry import INSTANCE_KEY, Call

MAX_BYTES = 300_000
IDS = ("traceId", "spanId", "parentSpanId")
MESSAGES = {"traces": "trace", "metrics": "metrics", "logs": "logs"}
LATENCY = "lk.e2e_latency"
NOW_NS = 1_900_000_000_123_456_789

each_call = pytest.mark.parametrize("name", telemetry.names())


def text_of(name: str) -> str:
    return (telemetry._FOLDER / f"{name}.jsonl").read_text(encoding="utf-8")


def attributes(item: dict[str, Any]) -> dict[str, Any]:
    return {each["key"]: next(iter(each["value"].values()), None) for each in item["attributes"]}


def resources(call: Call) -> Iterator[tuple[str, dict[str, Any]]]:
    for request in call.requests:
        for each in next(iter(request.document.values())):
            yield request.signal, attributes(each["resource"])


def latencies(call: Call) -> list[float]:
    found = (attributes(each) for each in call.spans if each["name"] == "agent_turn")
    return sorted(each[LATENCY] for each in found if LATENCY in each)


def test_every_recorded_log_has_its_telemetry() -> None:
    """So that the name of a recording stands for a call, in both halves of a stack."""
    assert telemetry.names() == recording.names()


@each_call
def test_a_call_is_the_one_of_the_log(name: str) -> None:
    logged = [json.loads(each.message) for each in recording.recorded(name)]
    turns = [each for each in logged if each.get("_event_type") == events.VOICE_METRICS]
    call = telemetry.recorded(name)
    assert len(latencies(call)) == len(turns)
    (session,) = {attributes(each)["session.id"] for each in call.spans}
    assert {each["_session_id"] for each in turns} == {session}
    tenants = {attributes(each).get("tenant") for each in call.spans} - {None}
    assert tenants == {each["tenant"] for each in turns}
    assert {of["service.name"] for _, of in resources(call)} == {each["agent"] for each in turns}
    assert {each["trace_id"] for each in logged} == set(call.trace_ids)
    assert sorted(each["total_latency"] for each in turns) == latencies(call)


@each_call
def test_a_call_is_one_whole_trace(name: str) -> None:
    """What SigNoz counts as a call, and what its spans and log records are found by."""
    call = telemetry.recorded(name)
    (trace,) = call.trace_ids
    assert {each["traceId"] for each in (*call.spans, *call.log_records)} == {trace}
    assert call.log_records
    assert len([each for each in call.spans if each["name"] == "agent_session"]) == 1
    known = {each["spanId"] for each in call.spans} | {""}
    assert {each.get("parentSpanId", "") for each in call.spans} <= known


def test_the_slow_call_is_slow_and_the_healthy_one_is_not() -> None:
    assert latencies(telemetry.recorded("slow-llm"))[-2] > 2
    assert latencies(telemetry.recorded("healthy"))[-1] < 1.5


@each_call
def test_a_line_is_an_otlp_request(name: str) -> None:
    """As the collector reads it: an unknown field, or a number that is none, fails."""
    for request in telemetry.recorded(name).requests:
        word = MESSAGES[request.signal]
        module = import_module(f"opentelemetry.proto.collector.{word}.v1.{word}_service_pb2")
        message = getattr(module, f"Export{word.title()}ServiceRequest")()
        ParseDict(in_protobufs_json(request.document), message)


def in_protobufs_json(value: Any) -> Any:
    if isinstance(value, list):
        return [in_protobufs_json(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        key: base64.b64encode(bytes.fromhex(each)).decode() if key in IDS else in_protobufs_json(each)
        for key, each in value.items()
    }


@each_call
def test_a_recording_is_small_and_tells_nothing_of_the_machine_that_made_it(name: str) -> None:
    text = text_of(name)
    assert len(text.encode()) < MAX_BYTES
    assert not re.search(r"(?<![\w.<*])/[\w.-]+/|[A-Za-z]:\\\\", text), "an absolute path"
    assert set(re.findall(r'"host\.name","value":\{"stringValue":"([^"]*)"', text)) <= {"agent-host"}
    assert "event_loop" not in text


@each_call
def test_sent_again_a_call_is_another_one_that_ends_now(name: str) -> None:
    call = telemetry.recorded(name)
    first, second = (
        call.sent_again(end_ns=NOW_NS, resource={}, trace_ids=telemetry.fresh_trace_ids([name])) for _ in range(2)
    )
    assert first.end_ns == second.end_ns == NOW_NS
    assert len({*call.trace_ids, *first.trace_ids, *second.trace_ids}) == 3 * len(call.trace_ids)
    texts = ["\n".join(json.dumps(each.document) for each in made.requests) for made in (call, first, second)]
    for trace in call.trace_ids:  # also in an attribute of a log record
        assert [trace in text for text in texts] == [True, False, False]
    instances = [{of[INSTANCE_KEY] for _, of in resources(made) if INSTANCE_KEY in of} for made in (first, second)]
    assert [len(each) for each in instances] == [1, 1]
    assert not instances[0] & instances[1]


@each_call
def test_sent_again_a_call_is_otherwise_the_same(name: str) -> None:
    """Every interval in it, the order of its requests and what was measured."""
    call = telemetry.recorded(name)
    before = json.dumps([each.document for each in call.requests])
    again = call.sent_again(end_ns=NOW_NS, resource={}, trace_ids={})
    moved = NOW_NS - call.end_ns
    assert [each.signal for each in again.requests] == [each.signal for each in call.requests]
    for old, new in zip(call.spans, again.spans, strict=True):
        assert int(new["startTimeUnixNano"]) - int(old["startTimeUnixNano"]) == moved
        assert int(new["endTimeUnixNano"]) - int(old["endTimeUnixNano"]) == moved
        assert (new["name"], new["spanId"]) == (old["name"], old["spanId"])
        for was, is_now in zip(old.get("events", []), new.get("events", []), strict=True):
            assert int(is_now["timeUnixNano"]) - int(was["timeUnixNano"]) == moved
    assert latencies(again) == latencies(call)
    assert [each.metric for each in again.points] == [each.metric for each in call.points]
    assert json.dumps([each.document for each in call.requests]) == before


def test_a_resource_attribute_is_replaced_where_it_is_and_not_added() -> None:
    """Metrics do not name their process: with it every call would be a new series."""
    given = {"service.name": "x", "new": "y"}
    again = telemetry.recorded("healthy").sent_again(end_ns=NOW_NS, resource=given, trace_ids={})
    assert {signal for signal, of in resources(again) if INSTANCE_KEY in of} == {"traces", "logs"}
    assert {of["service.name"] for _, of in resources(again)} == {"x"}
    assert not any("new" in of for _, of in resources(again))


TIMES = st.integers(10**18, 2 * 10**18)


@given(TIMES, TIMES, st.integers(0, 1))
def test_times_move_together_and_an_unknown_one_stays(start: int, end_ns: int, unknown: int) -> None:
    span = {
        "traceId": "ab" * 16,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + 5),
        "attributes": [
            {"key": "langfuse.observation.completion_start_time", "value": {"stringValue": written(start)}},
            {"key": "said", "value": {"stringValue": str(start)}},
        ],
        "events": [{"timeUnixNano": "0" if unknown else str(start + 2)}],
    }
    document = {"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [{"spans": [span]}]}]}
    again = telemetry.load(json.dumps(document)).sent_again(
        end_ns=end_ns, resource={}, trace_ids={"ab" * 16: "cd" * 16}
    )
    (moved,) = again.spans
    assert (moved["startTimeUnixNano"], moved["endTimeUnixNano"]) == (str(end_ns - 5), str(end_ns))
    assert moved["events"] == [{"timeUnixNano": "0" if unknown else str(end_ns - 3)}]
    assert moved["traceId"] == "cd" * 16
    shown, said = attributes(moved).values()
    assert abs(moment(shown) - moment(written(end_ns - 5))) <= datetime.timedelta(microseconds=2)
    assert said == str(start)


def written(time_ns: int) -> str:
    moment = datetime.datetime.fromtimestamp(0, datetime.UTC) + datetime.timedelta(microseconds=time_ns // 1000)
    return json.dumps(moment.isoformat())


def moment(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(json.loads(text))


@pytest.mark.parametrize(
    "line",
    ["no json", "[]", "{}", '{"spans": []}', '{"resourceSpans": {}}', '{"resourceSpans": [], "resourceLogs": []}'],
)
def test_a_line_that_is_no_request_is_named(line: str) -> None:
    with pytest.raises(ValueError, match="line 2"):
        telemetry.load(f'{{"resourceSpans": []}}\n{line}')


def test_an_unknown_call_is_a_mistake_that_names_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"'fast'.*healthy"):
        telemetry.recorded("fast")
