"""The alarms that a stack gets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cloudwatch.plan.model import Comparison, MathExpression, MetricAlarm, MissingData, Severity
from simulate import expressions
from tests.unit.conftest import ROOT, MakePlan

PRICES = {"llm": {"gpt-4o": {"input_usd_per_million_tokens": 2.5, "output_usd_per_million_tokens": 10}}}


def alarm(make_plan: MakePlan, key: str, **over: object) -> MetricAlarm:
    plan = make_plan(**over)
    return next(each for each in plan.alarms if each.key == key)


@pytest.mark.parametrize(
    ("key", "severity", "comparison", "threshold"),
    [
        ("total-latency-warning", Severity.WARNING, Comparison.ABOVE, 1.5),
        ("total-latency-critical", Severity.CRITICAL, Comparison.ABOVE, 2.0),
        ("llm-ttft", Severity.WARNING, Comparison.ABOVE, 0.7),
        ("tts-ttfb", Severity.WARNING, Comparison.ABOVE, 0.3),
        ("tool-success", Severity.WARNING, Comparison.BELOW, 95),
        ("no-data", Severity.CRITICAL, Comparison.BELOW, 1),
    ],
)
def test_the_targets_of_the_first_users_are_the_defaults(
    make_plan: MakePlan, key: str, severity: Severity, comparison: Comparison, threshold: float
) -> None:
    found = alarm(make_plan, key)
    assert (found.severity, found.comparison, found.threshold) == (severity, comparison, threshold)


def test_latency_alarms_watch_p95_of_the_metric_that_a_filter_publishes(make_plan: MakePlan) -> None:
    """An alarm must repeat namespace, name and dimensions exactly, or it sees nothing."""
    plan = make_plan()
    published = {(each.namespace, each.metric_name) for each in plan.metric_filters if not each.dimensions}
    for each in plan.alarms:
        for stat in each.stats:
            if stat.metric.namespace != "AWS/Logs":
                assert (stat.metric.namespace, stat.metric.name) in published
                assert stat.metric.dimensions == ()
    latency = next(each for each in plan.alarms if each.key == "total-latency-critical")
    assert latency.stats[0].statistic == "p95"


def test_every_log_group_has_its_own_no_data_alarm_and_silence_breaches(make_plan: MakePlan) -> None:
    plan = make_plan(agents={"one": {}, "two": {"log_group": "/custom"}})
    found = {each.stats[0].metric.dimensions: each for each in plan.alarms if each.key == "no-data"}
    assert set(found) == {(("LogGroupName", "/aws/livekit/one"),), (("LogGroupName", "/custom"),)}
    assert {each.missing_data for each in found.values()} == {MissingData.BREACHING}


def test_no_data_looks_at_as_many_minutes_as_it_says(make_plan: MakePlan) -> None:
    found = alarm(make_plan, "no-data", alarms={"no_data_minutes": 60})
    assert found.period_seconds * found.evaluation_periods == 3600
    assert found.datapoints_to_alarm == found.evaluation_periods


def test_null_leaves_an_alarm_out_and_out_of_its_composite(make_plan: MakePlan) -> None:
    plan = make_plan(alarms={"no_data_minutes": None, "anomaly_band_standard_deviations": None})
    assert {"no-data", "total-latency-anomaly"}.isdisjoint(each.key for each in plan.alarms)
    names = {each.name for each in plan.alarms}
    assert all(set(each.alarm_names) <= names for each in plan.composite_alarms)


def test_every_expression_parses_and_names_only_ids_beside_it(make_plan: MakePlan) -> None:
    for low_samples in ("gate", "evaluate", "ignore"):
        for each in make_plan(alarms={"low_samples": low_samples}).alarms:
            ids = [entry.id for entry in each.series]
            assert len(ids) == len(set(ids))
            for entry in each.series:
                if isinstance(entry, MathExpression):
                    expressions.parse(entry.expression, set(ids) - {entry.id})


@pytest.mark.parametrize(("low_samples", "native"), [("gate", None), ("evaluate", "evaluate"), ("ignore", "ignore")])
def test_only_an_alarm_on_a_bare_percentile_may_use_cloudwatchs_low_sample_rule(
    make_plan: MakePlan, low_samples: str, native: str | None
) -> None:
    """CloudWatch refuses EvaluateLowSampleCountPercentile on metric math and on other statistics."""
    plan = make_plan(alarms={"low_samples": low_samples})
    for each in plan.alarms:
        bare_percentile = len(each.series) == 1 and each.stats[0].statistic.startswith("p")
        assert each.low_samples == (native if bare_percentile else None)


def test_an_agents_own_targets_reach_only_its_alarms(make_plan: MakePlan) -> None:
    plan = make_plan(agents={"slow": {"targets": {"total_latency": {"critical_seconds": 4}}}, "fast": {}})
    thresholds = {
        agent.name: next(each.threshold for each in agent.alarms if each.key == "total-latency-critical")
        for agent in plan.agents
    }
    assert thresholds == {"slow": 4.0, "fast": 2.0}


def test_by_default_one_alarm_per_severity_speaks_and_the_critical_one_silences_the_warning_one(
    make_plan: MakePlan,
) -> None:
    plan = make_plan()
    unhealthy, degraded = plan.composite_alarms
    assert not any(each.notifies for each in plan.alarms)
    assert unhealthy.notifies
    assert degraded.notifies
    assert (unhealthy.severity, degraded.severity) == (Severity.CRITICAL, Severity.WARNING)
    assert degraded.suppressor_name == unhealthy.name
    by_severity = {severity: {each.name for each in plan.alarms if each.severity == severity} for severity in Severity}
    assert set(unhealthy.alarm_names) == by_severity[Severity.CRITICAL]
    assert set(degraded.alarm_names) == by_severity[Severity.WARNING]


def test_notify_per_alarm_turns_it_round(make_plan: MakePlan) -> None:
    plan = make_plan(alarms={"notify_per": "alarm"})
    assert all(each.notifies for each in plan.alarms)
    assert not any(each.notifies for each in plan.composite_alarms)


def test_names_are_unique_across_agents_and_stacks_and_fit_cloudwatch(make_plan: MakePlan) -> None:
    names = [
        each.name
        for stack in ("dev", "staging")
        for plan in [make_plan(stack, agents={"a": {}, "a-b": {}, "x" * 63: {}})]
        for each in (*plan.alarms, *plan.composite_alarms)
    ]
    assert len(names) == len(set(names))
    assert all(len(name) <= 255 and re.fullmatch(r"[\w-]+", name) for name in names)


def test_a_composite_rule_fits_cloudwatch(make_plan: MakePlan) -> None:
    """At most 10240 characters and 100 alarms (PutCompositeAlarm)."""
    for each in make_plan(agents={"x" * 63: {}}).composite_alarms:
        assert len(each.rule) <= 10240
        assert len(each.alarm_names) <= 100


def test_every_alarm_has_a_runbook_page_and_names_it(make_plan: MakePlan) -> None:
    critical = {"critical_seconds": 30}
    both = {"warning_seconds": 1, **critical}
    plan = make_plan(targets={"llm_ttft": critical, "tts_ttfb": critical, "eou_delay": both})
    for each in (*plan.alarms, *plan.composite_alarms):
        page = ROOT / "docs" / "runbooks" / Path(each.runbook_url).name
        assert page.is_file(), f"{each.key} has no runbook: {page}"
        assert each.runbook_url in each.description
