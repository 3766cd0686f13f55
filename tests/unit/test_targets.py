"""One set of targets: each moves all that it should and nothing that is another's; no number is written twice."""

from __future__ import annotations

import io
import json
import re
import tokenize
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from cloudwatch.plan.model import AlarmState, MetricAlarm
from core.errors import UserError
from signoz.content.build import numbers, plan_content
from signoz.content.component import checked
from signoz.content.model import ContentObject, Kind
from simulate.alarms import evaluate_all
from simulate.metrics import DataPoint
from stacks.settings.loading import merge
from stacks.settings.model import Settings
from stacks.settings.roles.content import Thresholds
from stacks.settings.targets import PERCENTILES, Targets
from tests import targets
from tests.unit.conftest import ROOT, SIGNOZ, settings_with
from turnscope.plan_table import targets_summary
from turnscope.plans import StackPlan, plan_stack

AGENT = "receptionist"
STAGES = ("total_latency", "llm_ttft", "tts_ttfb", "eou_delay")
PRICES = {"llm": {"gpt-4o": {"input_usd_per_million_tokens": 2.5, "output_usd_per_million_tokens": 10}}}


def leaves(model: type[BaseModel] = Targets) -> Iterator[str]:
    """Every target, by its dotted name."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from (f"{name}.{each}" for each in leaves(kind))
        else:
            yield name


TARGETS = tuple(leaves())
every_target = pytest.mark.parametrize("target", TARGETS)


def at(target: str, of: Targets = targets.ALL) -> Any:
    value: Any = of
    for part in target.split("."):
        value = getattr(value, part)
    return value


def nested(target: str, value: Any) -> dict[str, Any]:
    *above, last = target.split(".")
    found: dict[str, Any] = {last: value}
    for part in reversed(above):
        found = {part: found}
    return found


def another(target: str) -> float:
    """Another value, on the same side of every other target, so that only the number changes and no order."""
    value = at(target)
    if target == "percentile":
        return 90
    return value - 4 if target.endswith("percent") else round(value * 1.04, 4)


# --- What is planned of targets ---


def settings_of(own: Mapping[str, Any], agents: Mapping[str, Any] | None = None) -> Settings:
    return settings_with(
        targets=merge(targets.OPTIONAL, own),
        agents=agents or {AGENT: {}},
        prices=PRICES,
        analytics={},
        signoz={
            **SIGNOZ,
            "collector": {**SIGNOZ["collector"], "tail_sampling": {}},
        },
    )


def stack_of(settings: Settings) -> StackPlan:
    return plan_stack("dev", settings, ROOT / "tests" / "no-project-here")


def consumers(settings: Settings) -> dict[str, Any]:
    """Everything that a stack plans and a target may be in, as plain data."""
    plan = stack_of(settings)
    assert plan.cloudwatch
    assert plan.analytics
    assert plan.signoz
    found: dict[str, Any] = {}
    for agent in plan.cloudwatch.agents:
        found |= {f"alarm {agent.name} {each.key}": asdict(each) for each in agent.alarms}
        found |= {f"composite {agent.name} {each.key}": asdict(each) for each in agent.composite_alarms}
        found |= {f"plan {agent.name}": targets_summary(agent.targets)}
    found |= {f"graphs {each.key}": each.body for each in plan.cloudwatch.dashboards}
    found |= {f"query {each.key}": asdict(each) for each in plan.cloudwatch.saved_queries}
    found |= {f"athena {each.key}": asdict(each) for each in plan.analytics.queries}
    found |= {f"{each.kind} {each.key}": each.body for each in plan.signoz.content.objects}
    for container in plan.signoz.containers:
        found |= {f"file {container.role} {each.path}": each.text for each in container.files}
    return found


def tokens(node: Any, place: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], str]]:
    """Every number and every piece of text between numbers, each with its place. Keys are text too: a panel's holds the
    numbers of its title."""
    if isinstance(node, Mapping):
        for index, (key, value) in enumerate(node.items()):
            yield from tokens(str(key), (*place, index, 0))
            yield from tokens(value, (*place, index, 1))
    elif isinstance(node, list | tuple):
        for index, value in enumerate(node):
            yield from tokens(value, (*place, index))
    else:
        for index, piece in enumerate(re.split(r"(\d+(?:[.-]\d+)?)", str(node))):
            yield (*place, index), piece


@cache
def planned(target: str | None = None) -> dict[str, dict[tuple[int, ...], str]]:
    """The tokens of each consumer; with another value of one target."""
    own = nested(target, another(target)) if target else {}
    return {name: dict(tokens(body)) for name, body in consumers(settings_of(own)).items()}


def moved(target: str) -> dict[str, set[tuple[int, ...]]]:
    """The consumers that a target changes, and where."""
    before, after = planned(), planned(target)
    assert list(before) == list(after), "another value is no other list of things"
    changes = {
        name: {
            place for place in before[name].keys() | after[name] if before[name].get(place) != after[name].get(place)
        }
        for name in before
    }
    return {name: places for name, places in changes.items() if places}


# --- Which target moves what ---

ALARMS = ("total-latency-warning", "total-latency-critical", "total-latency-anomaly")
BY_STAGE = {"llm_ttft": "llm-ttft", "tts_ttfb": "tts-ttfb", "eou_delay": "eou-delay"}
LATENCY_RULES = ("total-latency", "agent-latency", "llm-ttft-high", "tts-ttfb-high", "eou-delay-high")
GRAPHS = {
    "llm_ttft": ("agent-overview", "component-breakdown", "voice-core-latency"),
    "tts_ttfb": ("component-breakdown", "voice-core-latency"),
    "eou_delay": ("call-quality", "component-breakdown"),
}
BOTH = ("graphs agent-receptionist", "graphs overview", "plan receptionist")
OWN = ("graphs agent-receptionist", "plan receptionist")


def alarms(*keys: str) -> set[str]:
    return {f"alarm {AGENT} {key}" for key in keys}


def content(kind: Kind, *keys: str) -> set[str]:
    return {f"{kind} {key}" for key in keys}


def stage(name: str, severity: str) -> set[str]:
    key = BY_STAGE[name]
    return {
        *alarms(key if severity == "warning" else f"{key}-critical"),
        *OWN,
        *content(Kind.ALERT_RULE, f"{key}-high"),
        *content(Kind.DASHBOARD, *GRAPHS[name]),
    }


DASHBOARDS_OF_TOTAL_LATENCY = ("agent-overview", "latency-percentiles", "target-compliance", "voice-core-latency")
CONSUMERS: dict[str, set[str]] = {
    "percentile": {
        *alarms(*ALARMS, *(f"{key}{more}" for key in BY_STAGE.values() for more in ("", "-critical"))),
        *BOTH,
        "query latency-by-agent",
        "query latency-end-of-utterance",
        "query latency-llm-time-to-first-token",
        "query latency-percentiles",
        "query latency-slowest-sessions",
        "query latency-tts-time-to-first-byte",
        "athena latency-by-stage-and-day",
        "athena latency-slowest-calls",
        *content(Kind.ALERT_RULE, *LATENCY_RULES),
        *content(Kind.DASHBOARD, *DASHBOARDS_OF_TOTAL_LATENCY, "call-quality", "component-breakdown", "system-health"),
        *content(Kind.SAVED_VIEW, "latency-by-model"),
    },
    "total_latency.warning_seconds": {
        *alarms("total-latency-warning"),
        *BOTH,
        "query latency-by-agent",
        "query latency-slow-responses",
        "query latency-slowest-sessions",
        "athena latency-slowest-calls",
        *content(Kind.ALERT_RULE, "total-latency"),
        *content(Kind.DASHBOARD, *DASHBOARDS_OF_TOTAL_LATENCY),
        *content(Kind.SAVED_VIEW, "slow-turns"),
        "file collector /etc/turnscope/collector.yaml",
    },
    "total_latency.critical_seconds": {
        *alarms("total-latency-critical"),
        *BOTH,
        *content(Kind.ALERT_RULE, "total-latency", "agent-latency"),
        *content(Kind.DASHBOARD, *DASHBOARDS_OF_TOTAL_LATENCY),
    },
    "total_latency.goal_seconds": {
        "plan receptionist",
        *content(Kind.DASHBOARD, "target-compliance", "latency-percentiles"),
    },
    "total_latency.goal_percent": {"plan receptionist", *content(Kind.DASHBOARD, "target-compliance")},
    "llm_ttft.warning_seconds": {*stage("llm_ttft", "warning"), "query latency-llm-time-to-first-token"},
    "llm_ttft.critical_seconds": stage("llm_ttft", "critical"),
    "tts_ttfb.warning_seconds": {*stage("tts_ttfb", "warning"), "query latency-tts-time-to-first-byte"},
    "tts_ttfb.critical_seconds": stage("tts_ttfb", "critical"),
    "eou_delay.warning_seconds": {*stage("eou_delay", "warning"), "query latency-end-of-utterance"},
    "eou_delay.critical_seconds": stage("eou_delay", "critical"),
    "tool_success_percent": {
        *alarms("tool-success"),
        *OWN,
        *content(Kind.ALERT_RULE, "tool-failures"),
        *content(Kind.DASHBOARD, "agent-overview", "call-quality"),
    },
    "cost_per_call_usd": {
        "plan receptionist",
        "athena cost-most-expensive-calls",
        *content(Kind.ALERT_RULE, "cost-per-call"),
        *content(Kind.DASHBOARD, "cost-tracking"),
    },
    "cost_per_minute_usd": {
        "plan receptionist",
        "athena cost-most-expensive-calls",
        *content(Kind.ALERT_RULE, "cost-per-minute"),
        *content(Kind.DASHBOARD, "cost-tracking"),
    },
    "model_spend_per_day_usd": {"plan receptionist", *content(Kind.ALERT_RULE, "model-spend-per-day")},
    "model_spend_per_tenant_and_day_usd": {"plan receptionist", *content(Kind.ALERT_RULE, "model-spend-per-tenant")},
}
"""Everything that a target is in. A new target has a line here, or fails; so does one that is no longer somewhere."""


def test_every_target_has_consumers() -> None:
    """More than the line that `turnscope plan` prints: a target that decides nothing would be believed to."""
    assert set(CONSUMERS) == set(TARGETS)
    assert all(names - {f"plan {AGENT}"} for names in CONSUMERS.values())


@every_target
def test_a_target_moves_everything_that_it_is_about_and_nothing_else(target: str) -> None:
    assert set(moved(target)) == CONSUMERS[target]


def test_two_targets_never_move_the_same_number() -> None:
    places = {target: {(name, each) for name, found in moved(target).items() for each in found} for target in TARGETS}
    for one in TARGETS:
        for other in TARGETS:
            assert one == other or not places[one] & places[other], (one, other)


def test_what_a_target_moves_takes_the_new_value() -> None:
    """A change to something else (a unit that is converted twice, a value that is rounded) is no agreement."""
    for name in STAGES:
        seconds = another(f"{name}.warning_seconds")
        plan = stack_of(settings_of(nested(f"{name}.warning_seconds", seconds)))
        assert plan.cloudwatch
        assert plan.signoz
        key = BY_STAGE.get(name, "total-latency-warning")
        [alarm] = [each for each in plan.cloudwatch.agents[0].alarms if each.key == key]
        rule = rules(plan)["total-latency" if name == "total_latency" else f"{key}-high"]
        limits = {each["name"]: (each["target"], each["targetUnit"]) for each in limits_of(rule)}
        assert (alarm.threshold, limits["warning"]) == (seconds, (seconds, "s"))


@pytest.mark.parametrize("percentile", PERCENTILES)
def test_every_percentile_is_one_that_each_tool_computes(percentile: int) -> None:
    """Also the median and the 99th, which are shown beside the target's: no panel, column or title is there twice."""
    plan = stack_of(settings_of({"percentile": percentile}))
    assert plan.cloudwatch
    texts = json.dumps([query.query for query in plan.cloudwatch.saved_queries])
    assert {int(each) for each in re.findall(r"pct\([\w.]+, (\d+)\)", texts)} == {50, percentile, 99}
    for query in plan.cloudwatch.saved_queries:
        columns = re.findall(r" as (\w+)", query.query)
        assert len(columns) == len(set(columns)), query.key
    [latency] = [each for each in plan.cloudwatch.agents[0].alarms if each.key == "total-latency-warning"]
    assert latency.stats[0].statistic == f"p{percentile}"


def test_thresholds_of_no_stage_without_a_target() -> None:
    """By default there is neither alarm nor rule nor line for what has no target."""
    plan = stack_of(settings_with(signoz=SIGNOZ))
    assert plan.cloudwatch
    assert plan.signoz
    keys = {each.key for each in plan.cloudwatch.alarms}
    assert {"eou-delay", *(f"{key}-critical" for key in BY_STAGE.values())}.isdisjoint(keys)
    assert {"eou-delay-high", "model-spend-per-day", "model-spend-per-tenant"}.isdisjoint(rules(plan))
    severities = {key: [each["name"] for each in limits_of(rule)] for key, rule in rules(plan).items()}
    assert severities["llm-ttft-high"] == severities["tts-ttfb-high"] == ["warning"]
    assert "slow" not in next(
        each.query for each in plan.cloudwatch.saved_queries if each.key == "latency-end-of-utterance"
    )


def test_failures_are_what_success_leaves() -> None:
    """Without the error of binary fractions, which would be in titles and rules."""
    for success, failures in ((95, 5), (99.9, 0.1), (100, 0), (97.3, 2.7)):
        placeholders = numbers(Thresholds(), Targets(tool_success_percent=success))
        assert placeholders["targets"]["tool_failure_percent"] == failures


# --- Targets of one agent ---

TWO = {AGENT: {}, "returns": {"targets": {"total_latency": {"warning_seconds": 2.5, "critical_seconds": 4}}}}
"""One agent with the stack's targets, and one with its own."""


def rules(plan: StackPlan) -> dict[str, ContentObject]:
    assert plan.signoz
    return {each.key: each for each in plan.signoz.content.objects if each.kind is Kind.ALERT_RULE}


def limits_of(rule: ContentObject) -> list[dict[str, Any]]:
    return rule.body["condition"]["thresholds"]["spec"]


def filters(rule: ContentObject) -> list[str]:
    queries = rule.body["condition"]["compositeQuery"]["queries"]
    return [each["spec"]["filter"]["expression"] for each in queries if "filter" in each["spec"]]


@every_target
def test_an_agents_own_target_moves_its_alarms_and_not_another_agents(target: str) -> None:
    agents = {AGENT: {"targets": nested(target, another(target))}, "other": {}}
    before, after = (consumers(settings_of({}, each)) for each in ({AGENT: {}, "other": {}}, agents))
    changed = {name for name in before if before[name] != after.get(name)}
    own = {name for name in CONSUMERS[target] if name.startswith((f"alarm {AGENT}", f"plan {AGENT}"))}
    assert own <= changed
    assert not [name for name in changed if re.match(r"(alarm|composite|plan) other", name)]
    assert "graphs agent-other" not in changed
    queries = ("query ", "athena ", f"{Kind.DASHBOARD} ", f"{Kind.SAVED_VIEW} ")
    assert not [name for name in changed if name.startswith(queries)], "of several agents: the stack's targets"
    mine = {name.removeprefix(f"{Kind.ALERT_RULE} ") for name in CONSUMERS[target] if Kind.ALERT_RULE in name}
    assert {name for name in after if name not in before} == content(
        Kind.ALERT_RULE, *(f"{key}-{AGENT}" for key in mine)
    )


def test_each_agent_is_in_one_rule_of_a_kind() -> None:
    """In none it would never alert; in two it would page at a target that is not its own."""
    found = rules(stack_of(settings_of({}, TWO)))
    shared, own = found["total-latency"], found["total-latency-returns"]
    assert all("resource.service.name NOT IN ('returns')" in each for each in filters(shared))
    assert all("resource.service.name = 'returns'" in each for each in filters(own))
    assert [each["target"] for each in limits_of(shared)] == [2, 1.5]
    assert [each["target"] for each in limits_of(own)] == [4, 2.5]
    assert own.title == "Callers wait too long (returns)"
    assert "4 s (critical)" in own.body["description"]
    assert own.body["annotations"]["runbook_url"] == shared.body["annotations"]["runbook_url"]
    assert filters(found["llm-ttft-high"]) == filters(rules(stack_of(settings_of({})))["llm-ttft-high"])
    assert "llm-ttft-high-returns" not in found


def test_agents_with_the_same_targets_have_a_rule_each_and_one_filter_excludes_them() -> None:
    own = {"targets": {"cost_per_call_usd": 0.9}}
    found = rules(stack_of(settings_of({}, {AGENT: {}, "a": own, "b": own})))
    assert all("service.name NOT IN ('a', 'b')" in each for each in filters(found["cost-per-call"]))
    assert {"cost-per-call-a", "cost-per-call-b"} <= set(found)


def test_a_target_that_only_one_agent_has_makes_only_its_rule() -> None:
    agents = {AGENT: {}, "returns": {"targets": {"model_spend_per_day_usd": 80}}}
    found = rules(stack_of(settings_with(signoz=SIGNOZ, agents=agents)))
    assert "model-spend-per-day" not in found
    assert limits_of(found["model-spend-per-day-returns"])[0]["target"] == 80
    agents = {AGENT: {}, "returns": {"targets": {"model_spend_per_day_usd": None}}}
    found = rules(stack_of(settings_with(signoz=SIGNOZ, agents=agents, targets={"model_spend_per_day_usd": 80})))
    assert filters(found["model-spend-per-day"]) == ["resource.service.name NOT IN ('returns')"]
    assert "model-spend-per-day-returns" not in found


def test_routes_and_downtimes_of_a_rule_are_about_its_agents_rules_too() -> None:
    """Whoever silences total-latency for a load test expects silence."""
    downtime = {"start": "2026-01-01T02:00", "end": "2026-01-01T03:00", "rules": ["total-latency"]}
    settings = settings_with(signoz={**SIGNOZ, "content": {"downtimes": {"test": downtime}}}, agents=TWO)
    objects = {each.name: each for each in plan_content("dev", settings, folder=None).objects}
    assert objects["planned-downtime/test"].body["scope"] == 'rule == "total-latency"'
    labels = [objects[f"alert-rule/{key}"].body["labels"] for key in ("total-latency", "total-latency-returns")]
    assert [each["rule"] for each in labels] == ["total-latency"] * 2
    assert [each.get("targets_of") for each in labels] == [None, "returns"]


def test_a_downtime_can_name_a_rule_that_only_agents_have() -> None:
    downtime = {"start": "2026-01-01T02:00", "end": "2026-01-01T03:00", "rules": ["model-spend-per-day"]}
    agents = {"returns": {"targets": {"model_spend_per_day_usd": 80}}}
    settings = settings_with(signoz={**SIGNOZ, "content": {"downtimes": {"test": downtime}}}, agents=agents)
    objects = {each.name: each for each in plan_content("dev", settings, folder=None).objects}
    assert objects["planned-downtime/test"].body["scope"] == 'rule == "model-spend-per-day"'


@pytest.mark.parametrize(
    "names", [("Front_Desk", "front-desk"), ("a" * 63, "a" * 62 + "b"), ("Returns", "returns"), ("A_", "a-"), ("x",)]
)
def test_keys_of_agents_rules_are_keys_and_differ(names: tuple[str, ...]) -> None:
    own = {"targets": {"percentile": 90}}
    plan = stack_of(settings_of({}, dict.fromkeys(names, own)))
    assert plan.signoz
    found = rules(plan)
    # Two rules that SigNoz could not tell apart would be one after the next deployment.
    assert checked(plan.signoz.content)
    mine = [key for key in found if key.startswith("total-latency-")]
    assert len(mine) == len(names)
    assert all(re.fullmatch("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", key) for key in mine)


def test_ones_own_rules_have_an_agents_targets_too_except_in_promql(tmp_path: Path) -> None:
    """What Turnscope cannot restrict to an agent stays one rule, with the stack's number."""
    folder = tmp_path / "rules"
    folder.mkdir()
    limit = "thresholds: [{severity: warning, above: {{ targets.total_latency.critical_seconds }}}]\n"
    either = "where: \"name = 'a' OR name = 'b'\""
    (folder / "spans.yaml").write_text(
        f"key: spans\ntitle: Spans\nqueries: [{{signal: traces, aggregate: avg(lk.e2e_latency), {either}}}]\n{limit}"
    )
    (folder / "prom.yaml").write_text(f"key: prom\ntitle: Prom\nqueries: [{{promql: max(up)}}]\n{limit}")
    settings = settings_with(signoz=SIGNOZ, agents=TWO)
    found = {each.key: each for each in plan_content("dev", settings, folder=tmp_path).objects}
    assert filters(found["spans-returns"]) == ["(name = 'a' OR name = 'b') AND resource.service.name = 'returns'"]
    assert limits_of(found["spans-returns"])[0]["target"] == 4
    assert limits_of(found["prom"])[0]["target"] == 2
    assert "prom-returns" not in found


def test_sampling_keeps_what_is_slow_for_the_strictest_agent() -> None:
    agents = {AGENT: {}, "strict": {"targets": {"total_latency": {"warning_seconds": 0.9}}}}
    assert settings_of({}, agents).slow_turn_seconds == 0.9
    assert settings_of({}, TWO).slow_turn_seconds == 1.5


# --- What is refused ---


@pytest.mark.parametrize(
    ("own", "words"),
    [
        *(
            (
                {name: {"warning_seconds": 3, "critical_seconds": 2, **more}},
                f"targets.{name}.critical_seconds: 2: allowed: above warning_seconds (3.0)",
            )
            for name in STAGES
            for more in [{"goal_seconds": 1} if name == "total_latency" else {}]
        ),
        (
            {"total_latency": {"goal_seconds": 1.6}},
            "targets.total_latency.goal_seconds: 1.6: allowed: at most warning_seconds (1.5)",
        ),
        ({"percentile": 94}, "targets.percentile: 94: allowed: 50, 75, 90, 95, 99"),
        ({"cost_per_call_usd": 0}, "targets.cost_per_call_usd: 0: allowed: above 0, at most 10000"),
    ],
)
def test_targets_that_contradict_each_other_are_refused(own: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError) as raised:
        settings_with(targets=own)
    assert words in str(raised.value)
    assert "1 problem in" in str(raised.value), "reported once, not again for each agent"


def test_an_unknown_placeholder_is_reported_with_its_file_and_what_is_allowed(tmp_path: Path) -> None:
    folder = tmp_path / "views"
    folder.mkdir()
    (folder / "mine.yaml").write_text(
        "key: mine\ntitle: Mine\nsignal: traces\n"
        "queries: [{signal: traces, where: lk.e2e_latency > {{ targets.total_latency.slow }}}]\n"
    )
    with pytest.raises(UserError, match=r"mine.yaml:4: .*slow.*allowed: .*targets.total_latency.warning_seconds"):
        plan_content("dev", settings_with(signoz=SIGNOZ), folder=tmp_path)


# --- The simulator ---


def _state(alarm: MetricAlarm, value: float) -> AlarmState:
    now_ms = 1_800_000_000_000
    points = [
        DataPoint(stat.metric, now_ms - (index + 1) * 1000 * alarm.period_seconds, value)
        for stat in alarm.stats
        for index in range(alarm.evaluation_periods)
        for _ in range(20)
    ]
    return evaluate_all([alarm], points, now_ms, {})[alarm.name].state


@pytest.mark.parametrize("name", STAGES)
def test_the_simulator_judges_by_the_targets(name: str) -> None:
    """`lab send` shows the state of the planned alarms, so a target decides it too."""
    key = BY_STAGE.get(name, "total-latency-warning")
    between = (at(f"{name}.warning_seconds") + another(f"{name}.warning_seconds")) / 2
    for own, state in (
        ({}, AlarmState.ALARM),
        (
            nested(f"{name}.warning_seconds", another(f"{name}.warning_seconds")),
            AlarmState.OK,
        ),
    ):
        cloudwatch = stack_of(settings_of(own)).cloudwatch
        assert cloudwatch
        [alarm] = [each for each in cloudwatch.alarms if each.key == key]
        assert _state(alarm, between) is state


# --- Pages ---

PAGES = sorted((ROOT / "docs").rglob("*.md"))
NAMED = re.compile(r"`((?:targets|alarms|thresholds)\.[a-z_.]+)`\s+\[([^\]]+)\]")


def _default(name: str) -> Any:
    section, _, rest = name.partition(".")
    settings = settings_with()
    value: Any = {"targets": settings.targets, "alarms": settings.alarms, "thresholds": Thresholds()}[section]
    for part in rest.split("."):
        value = getattr(value, part)
    return value


def test_the_numbers_in_pages_are_the_defaults() -> None:
    """`targets.percentile` [95]: whoever is paged reads what the stack does unless it says otherwise."""
    shown = 0
    for page in PAGES:
        for name, written in NAMED.findall(page.read_text()):
            default = _default(name)
            expected = {"null"} if default is None else {str(default), *_written(default)}
            assert written in expected, f"{page.name}: {name} [{written}]"
            shown += 1
    assert shown > 50


def _written(default: Any) -> set[str]:
    if not isinstance(default, float | int):
        return set()
    return {f"{default:g}", f"{default:.1f}", f"{default:.2f}"}


@every_target
def test_a_page_for_who_is_paged_names_each_target(target: str) -> None:
    """The goal, which pages nobody, is in the guide alone."""
    pages = [page for page in PAGES if page.parent.name == "runbooks" and f"`targets.{target}`" in page.read_text()]
    assert pages or "goal" in target


def test_the_guide_has_a_row_for_every_target_with_its_default() -> None:
    guide = (ROOT / "docs" / "how-to" / "targets.md").read_text()
    rows = dict(re.findall(r"^\| `([a-z_.]+)`(?:, `\w+`)? \| ([^|]+) \|", guide, re.MULTILINE))
    goal = rows.pop("total_latency.goal_seconds").split(", ")
    rows |= dict(zip(("total_latency.goal_seconds", "total_latency.goal_percent"), goal, strict=True))
    assert {name: None if default == "null" else float(default) for name, default in rows.items()} == {
        target: at(target, Targets()) for target in TARGETS
    }


# --- No number twice ---

SCANNED = (
    *sorted((ROOT / "templates" / "insights").glob("*.j2")),
    *sorted((ROOT / "templates" / "athena").glob("*.j2")),
    *sorted((ROOT / "signoz" / "content" / "library").rglob("*.yaml")),
    *(
        path
        for room in ("cloudwatch/plan", "analytics/plan", "simulate")
        for path in sorted((ROOT / room).rglob("*.py"))
    ),
)
IN_SECONDS = [
    seconds for target in TARGETS if target.endswith("seconds") and (seconds := at(target, Targets())) is not None
]
WRITTEN = {
    f"{number:g}"
    for number in (
        # 1, 2 and 1000 are too common to be searched for.
        *(each for each in IN_SECONDS if each != int(each)),
        *(1000 * each for each in IN_SECONDS if each != 1),
        *(at(name, Targets()) for name in ("percentile", "tool_success_percent", "cost_per_call_usd")),
    )
}
ELSEWHERE: dict[str, set[str]] = {
    # The lengths of calls, and the share of calls without an error: no target is about them.
    "templates/athena/conversation-length-per-day.sql.j2": {"95"},
    "cloudwatch/plan/dashboards.py": {"95"},
    "signoz/content/library/dashboards/call-quality.yaml": {"95"},
    # The whole distribution.
    "signoz/content/library/dashboards/latency-percentiles.yaml": {"95"},
    # LiveKit's own limit.
    "signoz/content/library/rules/worker-load.yaml": {"0.7"},
    # Periods in seconds.
    "cloudwatch/plan/alarms.py": {"300"},
    "analytics/plan/alarms.py": {"300"},
    # An example of a statistic's name.
    "simulate/metrics.py": {"95"},
}
"""Numbers that happen to be a target's: file, and what it writes."""


def _numbers_in(path: Path) -> Iterator[str]:
    text = path.read_text()
    if path.suffix == ".py":
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.NUMBER:
                yield token.string.replace("_", "")
            elif token.type == tokenize.STRING and not token.string.startswith(('"""', 'r"""')):
                yield from re.findall(r"(?<![\w.])[pP]?(\d+(?:\.\d+)?)(?![\w.])", token.string)
        return
    for pattern in (r"\{#.*?#\}", r"\{\{.*?\}\}", r"\{%.*?%\}"):
        text = re.sub(pattern, "", text, flags=re.DOTALL)
    for line in text.splitlines():
        if not line.lstrip().startswith(("# ", "-- ")):
            yield from re.findall(r"(?<![\w.])[pP]?(\d+(?:\.\d+)?)(?![\d.])", line)


@pytest.mark.parametrize("path", SCANNED, ids=[str(path.relative_to(ROOT)) for path in SCANNED])
def test_no_target_is_written_a_second_time(path: Path) -> None:
    """A literal where a target belongs is right until somebody sets the target."""
    name = str(path.relative_to(ROOT))
    assert {each for each in _numbers_in(path) if f"{float(each):g}" in WRITTEN} == ELSEWHERE.get(name, set())
