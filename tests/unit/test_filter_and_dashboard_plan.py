"""Metric filters and dashboards that a stack gets."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudwatch.plan import dashboard_check
from cloudwatch.plan.dashboard_check import dashboard_problems
from cloudwatch.plan.dashboards import GRID_COLUMNS, Widget, lay_out
from cloudwatch.plan.metric_filters import TOOL_CALLS_COUNTED, plan_metric_filters
from cloudwatch.plan.model import Dashboard
from core import events
from core.errors import UserError
from simulate.metrics import extract
from stacks.settings.model import SavedQueries
from tests.unit.conftest import MakePlan
from turnscope.links import console_links
from turnscope.plans import StackPlan

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
    "duration_seconds": 61.5,
    "close_reason": "user_initiated",
    "tool_calls": [{"tool": "crm", "success": True}, {"tool": "crm", "success": False}],
    "tool_calls_total": 2,
    "tool_failures_total": 1,
    "discovered_signals": {"team_size": 8},
    "metrics_summary": {
        "llm_tokens": 110, "llm_input_tokens": 100, "llm_output_tokens": 10, "llm_model": "gpt-4o",
        "stt_audio_seconds": 5.0, "stt_model": "nova-3",
        "tts_audio_seconds": 12.5, "tts_characters": 199, "tts_model": "sonic-2",
    },
}  # fmt: skip


V1 = {"receptionist": {"events": "v1"}}


def extracted(
    make_plan: MakePlan, *lines: object, **over: object
) -> dict[tuple[str, tuple[tuple[str, str], ...]], list[float]]:
    """Every value that the filters take from `lines`, by metric name and dimensions."""
    found: dict[tuple[str, tuple[tuple[str, str], ...]], list[float]] = {}
    for line in lines:
        text = line if isinstance(line, str) else json.dumps(line)
        for each in make_plan(**over).metric_filters:
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
        ("SessionDuration", ()): [61.5],
        ("Sessions", (("CloseReason", "user_initiated"),)): [1],
        ("QualifiedLeads", ()): [1],
        ("ToolCalls", ()): [2],
        ("ToolFailures", ()): [1],
        ("LlmTokens", ()): [110],
        ("LlmInputTokens", (("Model", "gpt-4o"),)): [100],
        ("LlmOutputTokens", (("Model", "gpt-4o"),)): [10],
        ("SttAudio", (("Model", "nova-3"),)): [5],
        ("TtsCharacters", (("Model", "sonic-2"),)): [199],
    }


def test_an_event_with_only_the_required_fields_is_counted_without_the_others(make_plan: MakePlan) -> None:
    summary = {"llm_tokens": 110, "stt_audio_seconds": 5, "tts_audio_seconds": 12}
    bare = {"_event_type": "session_analytics", "_session_id": "room", "metrics_summary": summary}
    assert set(extracted(make_plan, bare)) == {("LlmTokens", ())}


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_session_without_tool_calls_has_no_success_rate(make_plan: MakePlan, version: str) -> None:
    """0 of 0 calls would be a division by zero."""
    line = {**SESSION, "tool_calls": [], "tool_calls_total": 0, "tool_failures_total": 0}
    found = extracted(make_plan, line, agents={"receptionist": {"events": version}})
    assert not {"ToolCalls", "ToolFailures"} & {name for name, _ in found}


@pytest.mark.parametrize(
    ("signals", "lead"),
    [
        ({"team_size": 5}, True),
        ({"monthly_volume": 100}, True),
        ({"team_size": 1, "monthly_volume": 1000.5}, True),
        ({"team_size": 4, "monthly_volume": 99}, False),
        ({}, False),
        ({"team_size": "many"}, False),
    ],
)
def test_a_qualified_lead_is_what_the_settings_say(make_plan: MakePlan, signals: dict[str, Any], lead: bool) -> None:
    """As in the saved query: either is enough."""
    found = extracted(make_plan, {**SESSION, "discovered_signals": signals})
    assert found.get(("QualifiedLeads", ())) == ([1] if lead else None)


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
def test_without_totals_tool_calls_and_failures_count_up_to_the_same_call(successes: list[bool]) -> None:
    """Past the last counted position neither is counted, so that the ratio stays one of the same calls."""
    line = json.dumps({**SESSION, "tool_calls": [{"tool": "t", "success": each} for each in successes]})
    filters = plan_metric_filters("dev", "agent", "/group", event_version="v1", numbers=SavedQueries())
    points = [extract(each, line, 0) for each in filters]
    names = [point.metric.name for point in points if point]
    counted = successes[:TOOL_CALLS_COUNTED]
    assert names.count("ToolCalls") == len(counted)
    assert names.count("ToolFailures") == counted.count(False)


@pytest.mark.parametrize("over", [{}, {"agents": V1}])
def test_filters_keep_to_cloudwatchs_rules(make_plan: MakePlan, over: dict[str, Any]) -> None:
    """At most 100 filters on a group, three dimensions, a pattern of 1024 characters, unique names per group."""
    filters = make_plan(**over).metric_filters
    assert len(filters) <= 100
    assert len({each.name for each in filters}) == len(filters)
    assert all(len(each.pattern) <= 1024 and len(each.dimensions) <= 3 for each in filters)


def test_filters_name_only_fields_that_events_have(make_plan: MakePlan) -> None:
    known = {field.selector for fields in events.EVENTS.values() for field in fields} | {"$.level"}
    for each in make_plan().metric_filters:
        named = {each.value, *(selector for _, selector in each.dimensions)} - {"1"}
        assert named <= known


def test_every_agent_has_a_dashboard_and_the_stack_has_one(make_plan: MakePlan) -> None:
    """Of the most agents and the longest names that settings allow, too."""
    assert len(make_plan(agents={"a": {}, "b": {}, "c": {}}, prices=PRICES).dashboards) == 4
    agents = {f"{number:03}{'x' * 60}": {} for number in range(200)}
    names = [each.name for each in make_plan(agents=agents).dashboards]
    assert names[200:] == ["turnscope-dev-overview", *(f"turnscope-dev-overview-{part}" for part in range(1, 5))]


def test_an_agent_cannot_take_an_overviews_name(make_plan: MakePlan) -> None:
    """CloudWatch would overwrite one with the other."""
    with pytest.raises(UserError, match="turnscope-dev-overview: 2 dashboards would have this name"):
        make_plan(agents={"overview": {}})


@pytest.mark.parametrize("number", [1, 50, 51, 200])
def test_every_agents_state_is_on_the_overview(make_plan: MakePlan, number: int) -> None:
    """And a line of its own in each graph of the overview that it is on: of its part, where there are more."""
    plan = make_plan(agents={f"agent-{index}": {} for index in range(number)})
    _, *of_parts = overviews = [each for each in plan.dashboards if each.key.startswith("overview")]
    shown = [
        arn.rpartition(":")[2]
        for widget in overviews[0].body["widgets"]
        if widget["type"] == "alarm"
        for arn in widget["properties"]["alarms"]
    ]
    assert shown == [alarm.name for alarm in plan.composite_alarms]
    graphs = [
        widget["properties"]["metrics"]
        for each in of_parts or overviews
        for widget in each.body["widgets"]
        if widget["properties"].get("title") == "Errors"
    ]
    assert [line[0] for lines in graphs for line in lines] == [agent.namespace for agent in plan.agents]
    assert max(map(len, graphs)) <= 50


@pytest.mark.parametrize(("number", "listed"), [(1, 2), (10, 11), (11, 1), (120, 4)])
def test_few_dashboards_are_listed_and_lead_to_all(make_plan: MakePlan, number: int, listed: int) -> None:
    """Hundreds of addresses would push everything else that `up` prints out of sight."""
    plan = make_plan(agents={f"agent-{index}": {} for index in range(number)})
    links = [name for name in console_links(StackPlan(plan, None, None)) if name.startswith("dashboard ")]
    assert len(links) == listed
    assert "dashboard turnscope-dev-overview" in links
    texts = json.dumps([each.body for each in plan.dashboards if each.key.startswith("overview")])
    assert all(f"#dashboards:name={each.name})" in texts for each in plan.dashboards if each.key != "overview")


def test_an_agents_dashboard_shows_how_sessions_end_and_what_came_of_them(make_plan: MakePlan) -> None:
    widgets = {each["properties"].get("title"): each for each in make_plan().dashboards[0].body["widgets"]}
    shown = {
        title: [line[1] for line in widgets[title]["properties"]["metrics"] if len(line) > 1]
        for title in (
            "Session duration",
            "Sessions by close reason",
            "Session success",
            "Qualified leads in this time range",
        )
    }
    assert shown == {
        "Session duration": ["SessionDuration", "SessionDuration"],
        "Sessions by close reason": ["Sessions"] * len(events.CLOSE_REASONS),
        "Session success": ["SessionDuration", *["Sessions"] * len(events.FAILED_CLOSE_REASONS)],
        "Qualified leads in this time range": ["QualifiedLeads", "SessionDuration"],
    }


GRAPH = {"type": "metric", "x": 0, "y": 0, "width": 8, "height": 4}
LATENCY = ["Turnscope/dev/receptionist", "TotalLatency"]


SEARCH = """SUM(SEARCH('{"Turnscope/dev/receptionist",Model} MetricName="LlmTokens"', 'Sum'))"""


def graph(*lines: list[Any], **place: int) -> dict[str, Any]:
    return {**GRAPH, **place, "properties": {"title": "T", "metrics": list(lines)}}


def alarms(*names: str) -> dict[str, Any]:
    return {
        **GRAPH,
        "type": "alarm",
        "properties": {"alarms": [f"arn:aws:cloudwatch:r:1:alarm:{each}" for each in names]},
    }


@pytest.mark.parametrize(
    ("widgets", "problem"),
    [
        ([], "0 widgets; allowed: 1 to 500"),
        ([graph(LATENCY, y=4 * row) for row in range(501)], "501 widgets; allowed: 1 to 500"),
        ([graph(LATENCY, x=20)], "widget 1 (T): exceeds the grid of 24 columns"),
        ([graph(LATENCY, x=-1)], "widget 1 (T): exceeds the grid of 24 columns"),
        ([graph(LATENCY, width=0)], "widget 1 (T): exceeds the grid of 24 columns"),
        ([graph(LATENCY, height=0)], "widget 1 (T): a height of 0; allowed: 1 to 1000"),
        ([graph(LATENCY), graph(LATENCY, x=8), graph(LATENCY, y=3)], "widget 3 (T): overlaps widget 1 (T)"),
        ([graph()], "widget 1 (T): 0 metrics; allowed: 1 to 500"),
        ([graph(*[LATENCY] * 501)], "widget 1 (T): 501 metrics; allowed: 1 to 500"),
        ([graph(*[LATENCY] * 500, y=4 * row) for row in range(6)], "3000 metrics; allowed: at most 2500"),
        ([graph(["Turnscope/dev/other", "TotalLatency"])], "nothing publishes Turnscope/dev/other/TotalLatency"),
        ([graph([*LATENCY, {"id": "Big"}])], "id Big does not start with a lower-case letter"),
        ([graph([*LATENCY, {"id": "m"}], [*LATENCY, {"id": "m"}])], "id m is used 2 times"),
        ([graph(LATENCY, [{"expression": "FILL(m1, 0)"}])], "FILL(m1, 0) uses m1, which is not an id of this widget"),
        (
            [graph(LATENCY, [{"expression": SEARCH.replace("LlmTokens", "Gone")}])],
            "nothing publishes Turnscope/dev/receptionist/Gone",
        ),
        ([graph(LATENCY, [{"expression": "SEARCH('Gone', 'Sum')"}])], "has a search that cannot be checked"),
        ([alarms()], "widget 1 (alarm): 0 alarms; allowed: 1 to 100"),
        ([alarms("gone")], "widget 1 (alarm): alarm gone is not in this stack"),
    ],
)
def test_a_dashboard_that_cloudwatch_refuses_or_does_not_draw_is_an_error(
    make_plan: MakePlan, widgets: list[dict[str, Any]], problem: str
) -> None:
    """With the names of dashboard and widget; a second dashboard's mistakes come with the first's."""
    wrong = Dashboard("d", "turnscope-dev-wrong", {"widgets": widgets})
    named = Dashboard("n", "bad name", {"widgets": [graph(LATENCY)]})
    found = [*dashboard_problems(replace(make_plan(), dashboards=(wrong, named)))]
    assert [each for each in found if each.startswith("dashboard turnscope-dev-wrong: ") and each.endswith(problem)]
    assert found[-1] == "dashboard bad name: its name is not allowed; allowed: 1 to 255 letters, digits, - and _"


def test_planning_refuses_what_cloudwatch_would(make_plan: MakePlan, monkeypatch: pytest.MonkeyPatch) -> None:
    """With exit code 2, before anything is deployed."""
    monkeypatch.setattr(dashboard_check, "MAXIMUM_METRICS_PER_WIDGET", 2)
    expected = r"turnscope-dev-receptionist: widget 3 \(Total latency\): 3 metrics; allowed: 1 to 2\n"
    with pytest.raises(UserError, match=expected) as caught:
        make_plan()
    assert caught.value.exit_code == 2


def test_a_price_with_an_exponent_is_a_number_in_an_expression(make_plan: MakePlan) -> None:
    """Python writes small numbers with one, as 1e-06."""
    plan = make_plan(prices={"stt": {"nova-3": {"usd_per_minute": 0.000001}}})
    assert "1e-06" in json.dumps(plan.dashboards[0].body)


def test_alarm_thresholds_are_drawn_where_they_are_watched(make_plan: MakePlan) -> None:
    plan = make_plan(targets={"total_latency": {"warning_seconds": 1.1, "critical_seconds": 2.2}})
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
