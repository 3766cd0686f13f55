"""The saved queries: each is one that CloudWatch runs, reads only what is logged, and answers what it says."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudwatch import insights
from cloudwatch.insights import syntax
from cloudwatch.plan import saved_queries
from cloudwatch.plan.model import AgentPlan, LogGroup, SavedQuery
from cloudwatch.plan.parts import LOG_GROUPS_PER_QUERY
from cloudwatch.plan.saved_queries import plan_saved_queries
from core.errors import UserError
from core.events import EVENTS
from stacks.settings.targets import Targets
from tests.unit.conftest import MakePlan

LIVEKIT_KEYS = {
    "message", "level", "name", "timestamp", "exc_info", "pid", "job_id", "room", "room_id", "agent_name",
    "code.file.path", "code.function.name", "code.line.number",
}  # fmt: skip
"""What livekit-agents' JSON log lines hold, with what the worker adds to those of a job."""
TOOL_CALL_KEYS = {"tool", "success", "duration_seconds"}
LOGGED_FIELDS = (
    {field.path for event in EVENTS.values() for field in event}
    | {f"tool_calls.{key}" for key in TOOL_CALL_KEYS}
    | LIVEKIT_KEYS
)

NAMES = {
    "Business/Qualified leads",
    "Conversation/Interruptions",
    "Cost/Most expensive sessions",
    "Cost/Per day by model",
    "Cost/Per tenant",
    "Cost/Usage per day",
    "Errors/Breakdown",
    "Errors/Framework warnings",
    "Errors/Recent with session",
    "Latency/End of utterance",
    "Latency/By agent",
    "Latency/LLM time to first token",
    "Latency/Percentiles",
    "Latency/Slow responses",
    "Latency/Slowest sessions",
    "Latency/TTS time to first byte",
    "Sessions/Close reasons",
    "Sessions/One session's timeline",
    "Sessions/Success",
    "Tools/Failures",
}

CONTEXT: dict[str, Any] = {
    "targets": Targets().model_dump(),
    "row_limit": 20,
    "bin_minutes": 5,
    "lead_team_size_minimum": 5,
    "lead_monthly_volume_minimum": 100,
    "prices": {
        "llm": [
            {"model": "gpt-4o", "input_usd_per_million_tokens": 2.5, "output_usd_per_million_tokens": 10.0},
            {"model": "gpt-4o-mini", "input_usd_per_million_tokens": 0.15, "output_usd_per_million_tokens": 0.6},
        ],
        "stt": [{"model": "nova-3", "usd_per_minute": 0.0043}],
        "tts": [{"model": "eleven_turbo_v2_5", "usd_per_thousand_characters": 0.3}],
    },
    "failed_close_reasons": ["error"],
    "session_id": "ROOM_NAME",
}


def log_group(agent: str) -> LogGroup:
    return LogGroup("log-group", f"/aws/livekit/{agent}", True, 30, "aws", False)


def agents(number: int) -> tuple[AgentPlan, ...]:
    """Agents without anything but a log group each."""
    return tuple(
        AgentPlan(
            name, "", LogGroup("log-group", f"/aws/livekit/{name}", True, 30, "aws", False), Targets(), (), (), ()
        )
        for name in (f"agent-{index}" for index in range(1, number + 1))
    )


def planned(**changes: object) -> dict[str, SavedQuery]:
    queries = plan_saved_queries({**CONTEXT, **changes}, "dev", agents(1))
    return {query.name.removeprefix("dev/"): query for query in queries}


COLUMNS = {
    query.key: [column for column in insights.parse(query.query).columns if "bin(" not in column]
    for query in planned().values()
}

# -- what every template keeps -------------------------------------------------------------------------------------


def test_every_question_of_on_call_has_a_saved_query_that_says_what_it_answers() -> None:
    queries = planned()
    assert set(queries) == NAMES
    assert all("?" in query.description for query in queries.values())
    assert {query.log_group_names for query in queries.values()} == {("/aws/livekit/agent-1",)}
    assert len({query.key for query in queries.values()}) == len(NAMES)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_query_reads_only_fields_that_are_logged(name: str) -> None:
    """A misspelt field, an element of a list by its index or a hyphen that became a minus would stay empty for ever."""
    fields = insights.parse(planned()[name].query).fields
    assert {field for field in fields if not field.startswith("@")} <= LOGGED_FIELDS
    assert {field for field in fields if field.startswith("@")} <= {"@timestamp", "@message", "@log"}


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_query_can_be_narrowed_to_one_agent(name: str) -> None:
    """Whoever is on call deletes one #, and has the same query over one agent: by the field of an event, or by the log
    group, which every line has. A row says which agent it is about, unless it is about all."""
    text = planned()[name].query
    switched_on = re.sub(r"^# (?=\| filter )", "", text, flags=re.MULTILINE)
    before, after = insights.parse(text), insights.parse(switched_on)
    assert len(after.commands) == len(before.commands) + 1
    [added] = [each for each in after.commands if each not in before.commands]
    assert isinstance(added, syntax.Filter)
    assert str(added.condition) in ('agent = "agent-1"', 'log_group = "/aws/livekit/agent-1"')
    assert after.columns == before.columns
    over_all = name == "Cost/Per tenant" or any("bin(5m)" in column for column in before.columns)
    assert over_all or {"agent", "log_group"} & set(before.columns)


@pytest.mark.parametrize(("number", "sizes"), [(1, [1]), (50, [50]), (51, [50, 1]), (120, [50, 50, 20])])
def test_a_query_reads_as_many_log_groups_as_cloudwatch_runs(number: int, sizes: list[int]) -> None:
    """Every agent is in one part, in the order of the settings, and the names say which part of how many."""
    queries = plan_saved_queries(CONTEXT, "dev", agents(number))
    assert len(queries) == len(NAMES) * len(sizes)
    assert len({query.key for query in queries}) == len({query.name for query in queries}) == len(queries)
    of_one = [query for query in queries if query.name.startswith("dev/Latency/Percentiles")]
    assert [len(query.log_group_names) for query in of_one] == sizes
    assert [group for query in of_one for group in query.log_group_names] == [
        agent.log_group.name for agent in agents(number)
    ]
    count = len(sizes)
    numbered = [f"dev/Latency/Percentiles ({part} of {count})" for part in range(1, count + 1)]
    assert [query.name for query in of_one] == (numbered if count > 1 else ["dev/Latency/Percentiles"])
    for part, query in enumerate(of_one):
        assert f'filter agent = "agent-{part * LOG_GROUPS_PER_QUERY + 1}"' in query.query


def test_one_more_part_changes_no_key_of_the_others() -> None:
    """A key is the resource's identity: another one would delete and create the query."""
    before, after = (
        {query.key: query.log_group_names for query in plan_saved_queries(CONTEXT, "dev", agents(number))}
        for number in (50, 51)
    )
    assert before.items() <= after.items()


def test_the_header_stays_in_what_is_deployed() -> None:
    """On call reads in the console what a query answers."""
    query = planned()["Tools/Failures"]
    assert query.query.startswith(f"# name: Tools/Failures\n# description: {query.description}\n")


models = st.text(st.characters(codec="ascii", exclude_characters='"\\', exclude_categories=("C",)), min_size=1)
amounts = st.floats(0, 1e6, allow_nan=False) | st.sampled_from([1e-7, 5e-324, 0.1 + 0.2])


def table(*columns: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    row: dict[str, st.SearchStrategy[Any]] = {"model": models, **dict.fromkeys(columns, amounts)}
    return st.lists(st.fixed_dictionaries(row), max_size=4)


contexts = st.fixed_dictionaries(
    {
        "targets": st.fixed_dictionaries(
            {
                "percentile": st.just(95),
                **{
                    stage: st.fixed_dictionaries({"warning_seconds": st.floats(1e-9, 60)})
                    for stage in ("total_latency", "llm_ttft", "tts_ttfb")
                },
                "eou_delay": st.just({"warning_seconds": None}),
            }
        ),
        "row_limit": st.integers(1, 10_000),
        "bin_minutes": st.integers(1, 60) | st.integers(1, 24).map(lambda hours: 60 * hours),
        "lead_team_size_minimum": st.integers(1, 10**6),
        "lead_monthly_volume_minimum": st.integers(1, 10**9),
        "prices": st.fixed_dictionaries(
            {
                "llm": table("input_usd_per_million_tokens", "output_usd_per_million_tokens"),
                "stt": table("usd_per_minute"),
                "tts": table("usd_per_thousand_characters"),
            }
        ),
        "failed_close_reasons": st.just(["error"]),
        "session_id": models,
    }
)


@settings(max_examples=25)
@given(contexts)
def test_every_query_stays_a_query_for_any_settings(context: dict[str, object]) -> None:
    """Odd model names, tiny prices (no exponents), empty tables: planning parses each, and none changes shape."""
    for query in plan_saved_queries(context, "dev", agents(1)):
        columns = insights.parse(query.query).columns
        assert [column for column in columns if "bin(" not in column] == COLUMNS[query.key]


# -- what single templates answer ------------------------------------------------------------------------------------


def command(query: SavedQuery, kind: type[Any], index: int = 0) -> Any:
    return [each for each in insights.parse(query.query).commands if isinstance(each, kind)][index]


def lookup(event: Mapping[str, Any], path: str) -> Any:
    for part in path.split("."):
        event = event.get(part) if isinstance(event, Mapping) else None  # type: ignore[assignment]
    return event


def value(expression: syntax.Expression, event: Mapping[str, Any]) -> Any:
    """What an expression gives for one event, as documented; for the operators that the templates use."""
    match expression:
        case syntax.Number():
            return float(expression.digits)
        case syntax.Text():
            return expression.value
        case syntax.Field():
            return lookup(event, expression.name)
        case syntax.Membership():
            return value(expression.subject, event) in [value(option, event) for option in expression.options]
        case syntax.Unary(operator="not"):
            return not value(expression.operand, event)
        case syntax.Call(name="ispresent", arguments=(of,)):
            return value(of, event) is not None
        case syntax.Call(name="if", arguments=(condition, then, otherwise)):
            return value(then if value(condition, event) else otherwise, event)
        case syntax.Binary(operator=operator, left=left, right=right):
            a, b = value(left, event), value(right, event)
            operations = {
                "and": lambda: a and b,
                "or": lambda: a or b,
                "=": lambda: a == b,
                ">": lambda: a > b,
                "+": lambda: a + b,
                "*": lambda: a * b,
                "/": lambda: a / b,
            }
            return operations[operator]()
    raise AssertionError(f"the templates did not use this: {expression}")


def session(llm: str = "gpt-4o", stt: str = "nova-3", tts: str | None = "eleven_turbo_v2_5") -> dict[str, Any]:
    summary = {
        "llm_input_tokens": 2_000_000, "llm_output_tokens": 100_000, "stt_audio_seconds": 600, "tts_characters": 5_000,
        "llm_model": llm, "stt_model": stt, "tts_model": tts,
    }  # fmt: skip
    return {"metrics_summary": summary}


@pytest.mark.parametrize("name", ["Cost/Per day by model", "Cost/Per tenant", "Cost/Most expensive sessions"])
@pytest.mark.parametrize(
    ("event", "costs"),
    [
        (session(), (2 * 2.5 + 0.1 * 10, 10 * 0.0043, 5 * 0.3, 0)),
        (session(llm="gpt-4o-mini"), (2 * 0.15 + 0.1 * 0.6, 0.043, 1.5, 0)),
        (session(llm="gpt-4o-2024-08-06"), (0, 0.043, 1.5, 1)),
        (session(stt="nova-2"), (6, 0, 1.5, 1)),
        (session(tts="sonic-2"), (6, 0.043, 0, 1)),
        (session(tts=None), (6, 0.043, 0, 0)),
    ],
)
def test_a_session_costs_what_the_price_table_says_and_an_unknown_model_is_counted(
    name: str, event: dict[str, Any], costs: tuple[float, ...]
) -> None:
    """Prices are per million tokens, minute and thousand characters; a longer model name is another model."""
    fields = command(planned()[name], syntax.Fields)
    assert [value(item.expression, event) for item in fields.items] == pytest.approx(costs)


def test_without_price_tables_every_session_is_unpriced_and_costs_nothing() -> None:
    query = planned(prices={"llm": [], "stt": [], "tts": []})["Cost/Per day by model"]
    fields = command(query, syntax.Fields)
    assert [value(item.expression, session()) for item in fields.items] == [0, 0, 0, 1]


@pytest.mark.parametrize("written", [False, 0, "false"])
def test_a_failed_tool_call_counts_however_its_success_reads(written: object) -> None:
    """JSON's false reads as 0; only that call's own tool is charged with it."""
    query = planned()["Tools/Failures"]
    failed, _ = command(query, syntax.Fields, index=1).items
    assert value(failed.expression, {"call": {"success": written}}) == 1
    assert value(failed.expression, {"call": {"success": 1}}) == 0
    assert [item.column for item in command(query, syntax.Stats).by] == ["agent", "tool"]
    assert command(query, syntax.Stats).by[1].expression == syntax.Field("call.tool")


@pytest.mark.parametrize(
    "name",
    [
        "Business/Qualified leads",
        "Cost/Most expensive sessions",
        "Errors/Recent with session",
        "Latency/Slow responses",
        "Latency/Slowest sessions",
        "Sessions/One session's timeline",
        "Sessions/Success",
        "Tools/Failures",
    ],
)
def test_what_leads_to_a_call_leads_to_its_trace(name: str) -> None:
    assert {"trace_id", "example_session_and_trace"} & set(insights.parse(planned()[name].query).columns)


@pytest.mark.parametrize(("reason", "failed"), [("error", 1), ("participant_disconnected", 0), (None, 0)])
def test_a_session_fails_where_livekit_gave_up(reason: str | None, failed: int) -> None:
    first, _ = command(planned()["Sessions/Success"], syntax.Fields).items
    assert value(first.expression, {"close_reason": reason}) == failed


def test_latency_over_time_shows_percentiles_per_bin() -> None:
    for name, field in {
        "Latency/Percentiles": "total_latency",
        "Latency/LLM time to first token": "llm.ttft",
        "Latency/TTS time to first byte": "tts.ttfb",
        "Latency/End of utterance": "eou.delay",
    }.items():
        stats = command(planned(bin_minutes=15)[name], syntax.Stats)
        shown = {item.column: str(item.expression) for item in stats.items}
        assert shown.items() >= {f"p{each}_seconds": f"pct({field}, {each})" for each in (50, 95, 99)}.items()
        assert [str(item) for item in stats.by] == ["bin(15m)"]


# -- what goes wrong loudly --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("minutes", "written"), [(1, "1m"), (60, "60m"), (120, "2h"), (1440, "24h")])
def test_minutes_become_a_period_that_cloudwatch_does_not_cap(minutes: int, written: str) -> None:
    assert saved_queries.period(minutes) == written


@pytest.mark.parametrize("minutes", [0, 90, 1500])
def test_minutes_that_no_period_can_hold_are_refused(minutes: int) -> None:
    with pytest.raises(
        ValueError, match=rf"{minutes} minutes are not a valid period; allowed: 1 to 60, or whole hours"
    ):
        planned(bin_minutes=minutes)


@pytest.mark.parametrize("session_id", ["both ' and \"", "a\\", "a\n| limit 1"])
def test_a_text_that_could_end_its_own_quotes_is_refused(session_id: str) -> None:
    with pytest.raises(ValueError, match=r"sessions-timeline\.insights\.j2, line \d+: .*can't be written in a query"):
        planned(session_id=session_id)


def test_a_missing_setting_is_named_with_its_template() -> None:
    targets = {key: each for key, each in CONTEXT["targets"].items() if key != "llm_ttft"}
    context = {**CONTEXT, "targets": targets}
    with pytest.raises(ValueError, match=r"latency-llm-time-to-first-token.*, line \d+: .* no attribute 'llm_ttft'"):
        plan_saved_queries(context, "dev", agents(1))


HEADER = "# name: A/B\n# description: What?\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER + "fields a\n| stats percentile(a, 95)\n", "bad.insights.j2, as rendered, line 4, column 9: .*use pct"),
        (HEADER + "fields {{ a\n", "bad.insights.j2.*"),
        ("fields a\n", "bad.insights.j2: must start with"),
        (HEADER.replace("A/B", "A" * 255) + "fields a\n", "bad.insights.j2: a name has at most 255"),
        (HEADER + "fields " + "a, " * 5000 + "a", "at most 10000 characters"),
    ],
)
def test_a_bad_template_stops_the_plan_and_is_named(
    text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bad.insights.j2").write_text(text)
    monkeypatch.setattr(saved_queries, "TEMPLATES", replace(saved_queries.TEMPLATES, folder=tmp_path))
    with pytest.raises(ValueError, match=message):
        plan_saved_queries({}, "dev", agents(1))


def priced(llm: int = 0, stt: int = 0) -> dict[str, Any]:
    return {
        "llm": {
            f"provider/model-{index}": {"input_usd_per_million_tokens": 2.5, "output_usd_per_million_tokens": 10}
            for index in range(llm)
        },
        "stt": {f"model-{index}": {"usd_per_minute": 0.0043} for index in range(stt)},
    }


@pytest.mark.parametrize(("models", "longest"), [({"llm": 80}, "llm"), ({"stt": 300, "llm": 3}, "stt")])
def test_prices_that_make_a_query_too_long_are_a_mistake_in_the_settings(
    make_plan: MakePlan, models: dict[str, int], longest: str
) -> None:
    """It names the setting and how many models fit, and so many do."""
    with pytest.raises(UserError) as caught:
        make_plan(prices=priced(**models))
    assert caught.value.exit_code == 2
    expected = rf"prices\.{longest}: {models[longest]} models: allowed: at most the first (\d+);"
    found = re.search(expected, str(caught.value))
    assert found
    fitting = int(found[1])
    assert make_plan(prices=priced(**{**models, longest: fitting}))
    with pytest.raises(UserError, match=rf"{fitting + 1} models"):
        make_plan(prices=priced(**{**models, longest: fitting + 1}))


def test_the_example_of_the_howto_is_one_that_the_check_takes() -> None:
    """The page shows a query to copy."""
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "saved-queries.md").read_text()
    blocks = page.split("```")[1::2]
    template = next(block.partition("\n")[2] for block in blocks if block.startswith("jinja"))
    insights.parse(template.replace("{{ row_limit }}", json.dumps(CONTEXT["row_limit"])))
