"""The recorded logs of a real agent: their shape, and moving them in time."""

from __future__ import annotations

import datetime
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudwatch.plan import events
from earshot.simulate import recording

NESTED_TOOL_CALL = {"tool": str, "success": bool, "duration_seconds": float}
TYPES: dict[str, tuple[type, ...]] = {"text": (str,), "number": (int, float), "boolean": (bool,), "list": (list,)}


def documents(name: str, event_type: str | None = None) -> list[dict[str, Any]]:
    found = [json.loads(event.message) for event in recording.recorded(name)]
    return [each for each in found if event_type is None or each.get("_event_type") == event_type]


def leaves(document: dict[str, Any], above: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in document.items():
        found |= leaves(value, f"{above}{key}.") if isinstance(value, dict) else {f"{above}{key}": value}
    return found


@pytest.mark.parametrize("name", recording.names())
@pytest.mark.parametrize("event_type", events.EVENTS)
def test_a_real_agents_events_have_the_fields_that_filters_and_queries_are_made_from(
    name: str, event_type: str
) -> None:
    known = {field.path: field for field in events.EVENTS[event_type]}
    optional = {path for path in known if path.startswith("discovered_signals.")}
    for document in documents(name, event_type):
        found = leaves(document)
        assert set(found) <= set(known)
        assert set(known) - optional <= set(found)
        for path, value in found.items():
            assert isinstance(value, TYPES[known[path].type]), path
            assert known[path].type == "boolean" or not isinstance(value, bool), path
        for call in document.get("tool_calls", []):
            assert {key: type(value) for key, value in call.items()} == NESTED_TOOL_CALL


@pytest.mark.parametrize("name", recording.names())
def test_total_latency_is_what_the_caller_waits(name: str) -> None:
    """No stage takes longer than the whole; a turn's stages are within it, with 50 ms for what runs beside."""
    for turn in documents(name, events.VOICE_METRICS):
        stages = (turn["eou"]["delay"], turn["llm"]["ttft"], turn["tts"]["ttfb"])
        assert turn["total_latency"] >= max(stages)
        assert turn["tts"]["model"] == "eleven_turbo_v2_5"
        assert turn["total_latency"] < sum(stages) * 2 + 0.5


@pytest.mark.parametrize("name", recording.names())
def test_a_session_counts_the_turns_that_it_logged(name: str) -> None:
    (session,) = documents(name, events.SESSION_ANALYTICS)
    turns = documents(name, events.VOICE_METRICS)
    assert session["turns"] == len(turns)
    assert session["interruptions"] == sum(turn["interrupted"] for turn in turns)
    summary = session["metrics_summary"]
    assert summary["llm_tokens"] == summary["llm_input_tokens"] + summary["llm_output_tokens"] > 0


@pytest.mark.parametrize("name", recording.names())
def test_a_recording_holds_nothing_of_the_machine_that_made_it(name: str) -> None:
    for event in recording.recorded(name):
        assert not re.search(r"/(?:home|root|usr|opt|tmp|work|Users)/", event.message)
        assert json.loads(event.message).get("pid", 1) == 1


def test_each_recording_shows_what_it_is_for() -> None:
    assert any(turn["interrupted"] for turn in documents("healthy", events.VOICE_METRICS))
    assert documents("healthy", events.SESSION_ANALYTICS)[0]["discovered_signals"] == {
        "team_size": 8,
        "monthly_volume": 150,
    }
    assert sum(turn["total_latency"] > 2 for turn in documents("slow-llm", events.VOICE_METRICS)) >= 2
    calls = documents("failing-tools", events.SESSION_ANALYTICS)[0]["tool_calls"]
    assert sum(not call["success"] for call in calls) >= 3
    assert any(line.get("level") == "ERROR" for line in documents("failing-tools"))


@given(
    st.lists(st.integers(0, 10**7), min_size=1, max_size=20),
    st.integers(10**12, 2 * 10**12),
)
def test_shifting_keeps_order_and_intervals_and_the_times_inside(offsets_ms: list[int], end_ms: int) -> None:
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    lines = [
        json.dumps({"_timestamp": (start + datetime.timedelta(milliseconds=each)).isoformat()}) for each in offsets_ms
    ]
    before = recording.load("\n".join(lines))
    after = recording.shift(before, end_ms=end_ms)
    assert after[-1].timestamp_ms == end_ms
    moved_ms = {new.timestamp_ms - old.timestamp_ms for old, new in zip(before, after, strict=True)}
    assert len(moved_ms) == 1
    assert recording.load("\n".join(event.message for event in after)) == after


@pytest.mark.parametrize("line", ["no json", "[]", "{}", '{"_timestamp": 3}', '{"_timestamp": "yesterday"}'])
def test_a_line_that_is_no_event_is_named(line: str) -> None:
    good = '{"timestamp": "2026-01-01T00:00:00+00:00"}'
    with pytest.raises(ValueError, match="line 2"):
        recording.load(f"{good}\n{line}")
