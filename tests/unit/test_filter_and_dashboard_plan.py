"""Metric filters and dashboards that a stack gets."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudwatch.plan.dashboard_check import problems
from cloudwatch.plan.dashboards import GRID_COLUMNS, Widget, lay_out
from cloudwatch.plan.metric_filters import TOOL_CALLS_COUNTED
from cloudwatch.plan.model import Dashboard
from core import events
from simulate.metrics import extract
from tests.unit.conftest import MakePlan

PRICES = {
    "llm": {"gpt-4o": {"input_usd_per_million_tokens": 2.5, "output_usd_per_million_tokens": 10}},
    "stt": {"nova-3": {"usd_per_minute": 0.0043}},
    "tts": {"sonic-2": {"usd_per_thousand_characters": 0.3}},
}
TURN = {
    "_event_type": "voice_metrics",
    "_timestamp": "2026-01-01T00:00:00+00:00",
    "_session_id": "room",
    "total_latency": 1.25,
    "eou": {"delay": 0.5},
    "llm": {"ttft": 0.4},
    "tts": {"ttfb": 0.2},
    "interrupted": False,
}
SESSION = {
    "_event_type": "session_analytics",
    "_session_id": "room",
    "tool_calls": [{"tool": "crm", "success": True}, {"tool": "crm", "success": False}],
    "metrics_summary": {
        "llm_tokens": 110, "llm_input_tokens": 100, "llm_output_tokens": 10, "llm_model": "gpt-4o",
        "stt_audio_seconds": 5.0, "stt_model": "nova-3",
        "tts_audio_seconds": 12.5, "tts_characters": 199, "tts_model": "sonic-2",
    },
}  # fmt: skip


def extracted(make_plan: MakePlan, *lines: object) -> dict[tuple[str, tuple[tuple[str, str], ...]], list[float]]:
    """Every value that the filters take from `lines`, by metric name and dimensions."""
    found: dict[tuple[str, tuple[tuple[str, str], ...]], list[float]] = {}
    for line in lines:
        text = line if isinstance(line, str) else json.dumps(line)
        for each in make_plan().metric_filters:
            point = extract(each, text, 0)
            if point:
                found.setdefault((point.metric.name, point.metric.dimensions), []).append(point.value)
    return found


def test_a_turn_gives_its_four_latencies_and_nothing_else(make_plan: MakePlan) -> None:
    assert extracted(make_plan, TURN) == {
        ("TotalLatency", ()): [1.25],
        ("EndOfUtteranceDelay", ()): [0.5],
        ("LlmTimeToFirstToken", ()): [0.4],
        ("TtsTimeToFirstByte", ()): [0.2],
    }


def test_a_session_gives_its_usage_its_tool_calls_and_usage_per_model(make_plan: MakePlan) -> None:
    assert extracted(make_plan, SESSION) == {
        ("Sessions", ()): [1],
        ("ToolCalls", ()): [1, 1],
        ("ToolFailures", ()): [1],
        ("LlmTokens", ()): [110],
        ("SttAudio", ()): [5],
        ("TtsAudio", ()): [12.5],
        ("LlmInputTokens", (("Model", "gpt-4o"),)): [100],
        ("LlmOutputTokens", (("Model", "gpt-4o"),)): [10],
        ("SttAudio", (("Model", "nova-3"),)): [5],
        ("TtsCharacters", (("Model", "sonic-2"),)): [199],
    }


def test_an_event_in_the_bare_shape_of_seed_002_is_counted_without_the_fields_added_since(make_plan: MakePlan) -> None:
    summary = {"llm_tokens": 110, "stt_audio_seconds": 5, "tts_audio_seconds": 12}
    bare = {"_event_type": "session_analytics", "_session_id": "room", "metrics_summary": summary}
    assert set(extracted(make_plan, bare)) == {(name, ()) for name in ("Sessions", "LlmTokens", "SttAudio", "TtsAudio")}


@pytest.mark.parametrize("level", ["ERROR", "CRITICAL"])
def test_livekits_own_error_lines_count_as_errors(make_plan: MakePlan, level: str) -> None:
    line = {"message": "failed to generate LLM completion", "level": level, "name": "livekit.agents"}
    assert extracted(make_plan, line, {**line, "level": "INFO"}) == {("Errors", ()): [1]}


@pytest.mark.parametrize("line", ["", "not json", "[]", '{"_event_type": "other", "total_latency": 3}', "{}"])
def test_other_lines_give_nothing(make_plan: MakePlan, line: str) -> None:
    assert extracted(make_plan, line) == {}


def test_a_missing_first_token_is_no_latency(make_plan: MakePlan) -> None:
    """LiveKit reports a time to first token of -1 when there was none; it must not pull a percentile down."""
    assert ("LlmTimeToFirstToken", ()) not in extracted(make_plan, {**TURN, "llm": {"ttft": -1}})


@given(st.lists(st.booleans(), max_size=TOOL_CALLS_COUNTED + 3))
def test_tool_calls_and_failures_count_up_to_the_same_call(successes: list[bool]) -> None:
    """Past the last counted position neither is counted, so that the ratio stays one of the same calls."""
    from cloudwatch.plan.metric_filters import plan_metric_filters

    line = json.dumps({**SESSION, "tool_calls": [{"tool": "t", "success": each} for each in successes]})
    points = [extract(each, line, 0) for each in plan_metric_filters("dev", "agent", "/group")]
    names = [point.metric.name for point in points if point]
    counted = successes[:TOOL_CALLS_COUNTED]
    assert names.count("ToolCalls") == len(counted)
    assert names.count("ToolFailures") == counted.count(False)


def test_filters_keep_to_cloudwatchs_rules(make_plan: MakePlan) -> None:
    """At most 100 filters on a group, three dimensions, a pattern of 1024 characters, unique names per group."""
    filters = make_plan().metric_filters
    assert len(filters) <= 100
    assert len({each.name for each in filters}) == len(filters)
    assert all(len(each.pattern) <= 1024 and len(each.dimensions) <= 3 for each in filters)


def test_filters_name_only_fields_that_events_have(make_plan: MakePlan) -> None:
    known = {field.selector for fields in events.EVENTS.values() for field in fields} | {"$.level"}
    for each in make_plan().metric_filters:
        named = {each.value, *(selector for _, selector in each.dimensions)} - {"1"}
        assert named <= known


def test_dashboards_have_no_problem(make_plan: MakePlan) -> None:
    plan = make_plan(agents={"a": {}, "b": {}, "c": {}}, prices=PRICES)
    assert len(plan.dashboards) == 4
    assert [problem for dashboard in plan.dashboards for problem in problems(dashboard, plan)] == []


def test_the_check_of_dashboards_finds_what_it_is_for(make_plan: MakePlan) -> None:
    graph = {"title": "T", "metrics": [["Turnscope/dev/other", "TotalLatency", {"id": "Big"}], [{"expression": "m1"}]]}
    body: dict[str, Any] = {
        "widgets": [
            {"type": "metric", "x": 20, "y": 0, "width": 8, "height": 4, "properties": graph},
            {"type": "alarm", "x": 20, "y": 1, "width": 4, "height": 4, "properties": {"alarms": ["arn:alarm:gone"]}},
        ]
    }
    found = "\n".join(problems(Dashboard("d", "bad name", body), make_plan()))
    for expected in ("a name has", "leaves the grid", "lies over", "nothing publishes", "no id here", "small letter"):
        assert expected in found
    assert "alarm gone is not in this stack" in found


def test_alarm_thresholds_are_drawn_where_they_are_watched(make_plan: MakePlan) -> None:
    plan = make_plan(alarms={"total_latency_warning_seconds": 1.1, "total_latency_critical_seconds": 2.2})
    graphs = {
        widget["properties"]["title"]: widget["properties"].get("annotations", {}).get("horizontal", [])
        for widget in plan.dashboards[0].body["widgets"]
        if widget["type"] == "metric"
    }
    assert [line["value"] for line in graphs["Total latency"]] == [1.1, 2.2]
    assert [line["value"] for line in graphs["LLM time to first token"]] == [0.7]
    assert [line["value"] for line in graphs["Tool success"]] == [95]


def test_cost_is_drawn_for_every_priced_model_and_not_at_all_without_prices(make_plan: MakePlan) -> None:
    def labels(**over: object) -> list[str]:
        widgets = make_plan(**over).dashboards[0].body["widgets"]
        return [
            line[0]["label"]
            for widget in widgets
            if widget["properties"].get("title", "").startswith("Cost")
            for line in widget["properties"]["metrics"]
            if isinstance(line[0], dict)
        ]

    assert labels(prices=PRICES) == ["gpt-4o (LLM)", "nova-3 (STT)", "sonic-2 (TTS)"]
    assert labels() == []


@given(st.lists(st.lists(st.tuples(st.integers(1, 8), st.integers(1, 9)), min_size=1, max_size=3), max_size=6))
def test_rows_of_widgets_never_overlap(rows: list[list[tuple[int, int]]]) -> None:
    placed = lay_out([[Widget("text", width, height, {}) for width, height in row] for row in rows])
    cells = [
        (x, y)
        for each in placed
        for x in range(each["x"], each["x"] + each["width"])
        for y in range(each["y"], each["y"] + each["height"])
    ]
    assert len(cells) == len(set(cells))
    assert all(x < GRID_COLUMNS for x, _ in cells)


def test_a_row_wider_than_the_grid_is_refused() -> None:
    with pytest.raises(ValueError, match="25 columns"):
        lay_out([[Widget("text", 25, 1, {})]])
