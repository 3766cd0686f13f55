"""What a stack of many agents holds, against AWS' quotas."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any

import pytest

from analytics.plan import quotas as analytics_quotas
from analytics.plan.build import plan_analytics
from cloudwatch.plan import quotas as cloudwatch_quotas
from cloudwatch.plan.build import plan_cloudwatch
from core.errors import UserError
from tests.unit.conftest import settings_with
from turnscope.plan_table import as_data
from turnscope.plans import StackPlan
from turnscope.quota_reference import per_agent, reached

MOST_RESOURCES_OF_AN_AGENT = 30
OF_AN_AGENT = {
    "log group": 1,
    "metric filter": 16,
    "alarm": 8,
    "composite alarm": 2,
    "dashboard": 1,
    "subscription filter": 2,
}
SIZES = (1, 10, 50, 200)


def agents(number: int, **of_each: Any) -> dict[str, Any]:
    return {f"agent-{index:03}": of_each for index in range(number)}


def planned(number: int, **over: Any) -> StackPlan:
    settings = settings_with(agents=agents(number), analytics={}, **over)
    return StackPlan(plan_cloudwatch("dev", settings), plan_analytics("dev", settings), None)


@pytest.mark.parametrize("number", SIZES)
def test_an_agent_has_few_resources_and_the_next_has_as_many(number: int) -> None:
    """All that grows with agents: an account's quotas, and the time of a deployment, are shared by all of them."""
    plan = planned(number)
    assert plan.cloudwatch
    assert plan.analytics
    assert per_agent(plan.cloudwatch, plan.analytics) == {kind: number * each for kind, each in OF_AN_AGENT.items()}
    assert sum(OF_AN_AGENT.values()) <= MOST_RESOURCES_OF_AN_AGENT


def test_all_else_is_there_once_or_once_for_each_part() -> None:
    counts = {number: Counter(as_data(planned(number), {})["counts"]) for number in SIZES}
    once = counts[1] - Counter(OF_AN_AGENT)
    for number in SIZES:
        grown = Counter({kind: number * each for kind, each in OF_AN_AGENT.items()})
        parts = -(-number // 50)
        of_parts = Counter({"saved query": (parts - 1) * once["saved query"], "dashboard": parts if parts > 1 else 0})
        assert counts[number] == once + grown + of_parts


def test_the_older_events_cost_more_filters_and_nothing_else() -> None:
    plans = [plan_cloudwatch("dev", settings_with(agents=agents(1, events=version))) for version in ("v1", "v2")]
    of_v1, of_v2 = ({each.key for each in plan.metric_filters} for plan in plans)
    assert len(of_v1 - of_v2) == 20
    assert of_v2 - of_v1 == {"tool-calls", "tool-failures"}
    assert plans[0].alarms == plans[1].alarms
    assert plans[0].dashboards == plans[1].dashboards


@pytest.mark.parametrize("number", [1, 200, 500])
def test_every_quota_holds(number: int) -> None:
    plan = planned(number)
    assert plan.cloudwatch
    assert plan.analytics
    used = {quota.what: (quota.used(plan.cloudwatch), quota.limit) for quota in cloudwatch_quotas.QUOTAS}
    used |= {quota.what: (quota.used(plan.analytics), quota.limit) for quota in analytics_quotas.QUOTAS}
    assert {what: numbers for what, numbers in used.items() if not 0 < numbers[0] <= numbers[1]} == {}


def test_beyond_quotas_all_problems_are_named_at_once_with_their_numbers() -> None:
    """Nothing is deployed, and nobody fixes one to find the next."""
    price = {"input_usd_per_million_tokens": 1, "output_usd_per_million_tokens": 2}
    prices = {"llm": {f"model-{number}": price for number in range(300)}}
    with pytest.raises(UserError) as caught:
        planned(501, prices=prices)
    assert caught.value.exit_code == 2
    message = str(caught.value)
    assert "501 anomaly detection models in an account and region: allowed: at most 500 (https://docs.aws" in message
    assert "prices.llm: 300 models: allowed: at most the first" in message
    assert "600 metrics; allowed: 1 to 500" in message
    assert planned(501, alarms={"anomaly_band_standard_deviations": None})


def test_a_quota_that_settings_can_exceed_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the number, AWS' page and what helps."""
    plan = planned(2).cloudwatch
    assert plan
    assert [*cloudwatch_quotas.quota_problems(plan)] == []
    tight = tuple(dataclasses.replace(quota, limit=0) for quota in cloudwatch_quotas.QUOTAS)
    monkeypatch.setattr(cloudwatch_quotas, "QUOTAS", tight)
    found = [*cloudwatch_quotas.quota_problems(plan)]
    assert len(found) == sum(quota.relief is not None for quota in tight) > 3
    assert all("allowed: at most 0 (https://docs.aws.amazon.com/" in each and "Relief: " in each for each in found)


@pytest.mark.parametrize(
    ("used", "limit", "most"),
    [((20, 40), 1000, 2500), ((50, 100), 500, 500), ((50, 100), 499, 450), ((16, 16), 100, None)],
)
def test_where_a_quota_is_reached_is_worked_out_from_two_sizes(
    used: tuple[int, int], limit: int, most: int | None
) -> None:
    assert reached(used, limit) == most
