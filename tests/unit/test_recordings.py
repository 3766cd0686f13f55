"""The recorded logs of a real agent: their shape, and moving them in time."""

from __future__ import annotations

import datetime
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import events
from core.errors import UserError
from simulate import recording

TOOL_CALL = {"tool": str, "success": bool, "duration_seconds": float}
TYPES: dict[str, type] = {"string": str, "boolean": bool, "array": list, "integer": int}
MODELS = ("gpt-4o-mini", "nova-3", "eleven_turbo_v2_5")
BESIDE_THE_STAGES_SECONDS = 0.05
MAX_BYTES = 60_000

each_recording = pytest.mark.parametrize("name", recording.names())


def documents(name: str, event_type: str | None = None) -> list[dict[str, Any]]:
    found = [json.loads(event.message) for event in recording.recorded(name)]
    return [each for each in found if event_type is None or each.get("_event_type") == event_type]


def session_of(name: str) -> dict[str, Any]:
    (session,) = documents(name, events.SESSION_ANALYTICS)
    return session


def leaves(document: dict[str, Any], above: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in document.items():
        found |= leaves(value, f"{above}{key}.") if isinstance(value, dict) else {f"{above}{key}": value}
    return found


def type_of(field: events.Field) -> type:
    if field.type != "number":
        return TYPES[field.type]
    return float if field.unit == "seconds" else int


@each_recording
@pytest.mark.parametrize("event_type", events.EVENTS)
def test_a_real_agents_events_have_exactly_the_fields_that_filters_and_queries_are_made_from(
    name: str, event_type: str
) -> None:
    known = {field.path: type_of(field) for field in events.EVENTS[event_type]}
    for document in documents(name, event_type):
        found = {path: type(value) for path, value in leaves(document).items()}
        undiscovered = {path for path in known.keys() - found.keys() if path.startswith("discovered_signals.")}
        assert found == {path: kind for path, kind in known.items() if path not in undiscovered}
        for call in document.get("tool_calls", []):
            assert {key: type(value) for key, value in call.items()} == TOOL_CALL


@each_recording
def test_total_latency_is_at_least_the_stages_that_the_caller_waits_for_one_after_the_other(name: str) -> None:
    for turn in documents(name, events.VOICE_METRICS):
        stages = (turn["eou"]["delay"], turn["llm"]["ttft"], turn["tts"]["ttfb"])
        assert min(stages) > 0
        assert turn["total_latency"] >= max(stages)
        assert turn["total_latency"] >= sum(stages) - BESIDE_THE_STAGES_SECONDS


@each_recording
def test_a_session_counts_what_its_turns_logged(name: str) -> None:
    session, turns = session_of(name), documents(name, events.VOICE_METRICS)
    assert session["turns"] == len(turns) == len({turn["speech_id"] for turn in turns}) > 0
    assert session["interruptions"] == sum(turn["interrupted"] for turn in turns)
    assert {turn["_session_id"] for turn in turns} == {session["_session_id"]}
    summary = session["metrics_summary"]
    assert summary["llm_tokens"] == summary["llm_input_tokens"] + summary["llm_output_tokens"]
    assert all(value for value in summary.values())
    assert (summary["llm_model"], summary["stt_model"], summary["tts_model"]) == MODELS
    assert {(turn["llm"]["model"], turn["stt"]["model"], turn["tts"]["model"]) for turn in turns} == {MODELS}


@each_recording
def test_livekits_lines_name_the_call_that_the_agents_events_belong_to(name: str) -> None:
    """Without it nobody finds the session of an ERROR line."""
    lines = [each for each in documents(name) if "_event_type" not in each]
    assert lines
    assert {line["room"] for line in lines} == {session_of(name)["_session_id"]}


@each_recording
def test_a_recording_is_in_the_order_of_its_times_and_ends_with_the_session(name: str) -> None:
    found = documents(name)
    times = [each.get("_timestamp") or each["timestamp"] for each in found]
    written = (recording._FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    assert [event.message for event in recording.recorded(name)] == written
    assert times == sorted(times)
    assert found[-1] == session_of(name)


def test_recordings_are_of_one_agent_and_several_tenants_and_no_event_is_there_twice() -> None:
    """What costs per tenant are shown with, and what the analytics tell a second copy from a second event by."""
    found = [each for name in recording.names() for each in documents(name) if "_event_type" in each]
    assert len({each["_event_id"] for each in found}) == len(found)
    assert {each["agent"] for each in found} == {"receptionist"}
    tenants = [{each["tenant"] for each in documents(name) if "_event_type" in each} for name in recording.names()]
    assert [len(each) for each in tenants] == [1] * len(tenants)
    assert len(set().union(*tenants)) == len(tenants)


@each_recording
def test_a_recording_is_small_and_tells_nothing_of_the_machine_that_made_it(name: str) -> None:
    text = "\n".join(event.message for event in recording.recorded(name))
    assert len(text.encode()) < MAX_BYTES
    assert not re.search(r"(?<![\w.])/[\w.-]+/|[A-Za-z]:\\\\", text), "an absolute path"
    assert {line["pid"] for line in documents(name) if "pid" in line} <= {1}


def test_each_recording_shows_what_it_is_for() -> None:
    assert session_of("healthy")["discovered_signals"] == {"team_size": 8, "monthly_volume": 150}
    assert session_of("healthy")["interruptions"] == 1
    assert all(call["success"] for call in session_of("healthy")["tool_calls"])
    assert not [line for line in documents("healthy") if line.get("level") in ("ERROR", "WARNING")]
    assert max(turn["total_latency"] for turn in documents("healthy", events.VOICE_METRICS)) < 1.5

    assert sum(turn["total_latency"] > 2 for turn in documents("slow-llm", events.VOICE_METRICS)) >= 3

    failed = sum(not call["success"] for call in session_of("failing-tools")["tool_calls"])
    # A job's process sends its lines to the worker with the traceback in the message.
    errors = [line["message"].split("\n")[0] for line in documents("failing-tools") if line.get("level") == "ERROR"]
    assert 1 < failed < len(session_of("failing-tools")["tool_calls"])
    assert errors.count("exception occurred while executing tool") == failed
    assert errors.count("Error in _llm_inference_task") == 1


def test_an_unknown_recording_is_a_mistake_that_names_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"'fast'.*healthy"):
        recording.recorded("fast")


moments = st.datetimes(
    datetime.datetime(2000, 1, 1),
    datetime.datetime(2040, 1, 1),
    timezones=st.sampled_from((datetime.UTC, datetime.timezone(datetime.timedelta(hours=-7)))),
)
lines = st.builds(
    lambda key, moment, said: json.dumps({key: moment.isoformat(), "said": said}, ensure_ascii=False),
    st.sampled_from(recording.TIMESTAMP_KEYS),
    moments,
    st.text(st.characters(exclude_categories=("Cs",))),
)


@given(st.lists(lines, min_size=1, max_size=20), st.integers(10**12, 2 * 10**12))
def test_shifting_keeps_order_and_intervals_and_the_times_inside(written: list[str], end_ms: int) -> None:
    before = recording.load("\n".join(written))
    after = recording.shift(before, end_ms=end_ms)
    assert after[-1].timestamp_ms == end_ms
    assert len({new.timestamp_ms - old.timestamp_ms for old, new in zip(before, after, strict=True)}) == 1
    assert recording.load("\n".join(event.message for event in after)) == after
    assert [json.loads(each.message)["said"] for each in after] == [json.loads(each.message)["said"] for each in before]


def test_nothing_is_shifted_to_nothing() -> None:
    assert recording.shift((), end_ms=0) == ()


def test_a_line_keeps_a_second_time_that_is_not_the_events_own() -> None:
    line = '{"_timestamp": "2026-01-01T00:00:00+00:00", "timestamp": "1999-01-01T00:00:00+00:00"}'
    (moved,) = recording.shift(recording.load(line), end_ms=0)
    assert json.loads(moved.message)["timestamp"] == "1999-01-01T00:00:00+00:00"
    assert json.loads(moved.message)["_timestamp"] == "1970-01-01T00:00:00+00:00"


def test_a_file_is_read_as_its_text_is(tmp_path: Path) -> None:
    text = '{"timestamp": "2026-01-01T00:00:00"}\n\n{"timestamp": "2025-12-31T23:59:59.999Z", "said": "grüß"}\n'
    path = tmp_path / "agent.log"
    path.write_text(text, encoding="utf-8")
    assert [event.timestamp_ms for event in recording.load(path)] == [1767225599999, 1767225600000]
    assert recording.load(path) == recording.load(text)


@pytest.mark.parametrize("line", ["no json", "[]", "{}", '{"_timestamp": 3}', '{"_timestamp": "yesterday"}'])
def test_a_line_that_is_no_event_is_named(line: str) -> None:
    good = '{"timestamp": "2026-01-01T00:00:00+00:00"}'
    with pytest.raises(ValueError, match="line 2"):
        recording.load(f"{good}\n{line}")
