"""The reference of AWS' quotas: what stacks of some sizes use of each, from their plans."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

from analytics.plan import quotas as analytics_quotas
from analytics.plan.build import plan_analytics
from analytics.plan.model import AnalyticsPlan
from cloudwatch.plan import quotas as cloudwatch_quotas
from cloudwatch.plan.build import plan_cloudwatch
from cloudwatch.plan.model import CloudWatchPlan
from cloudwatch.plan.parts import LOG_GROUPS_PER_QUERY as STEP
from cloudwatch.plan.quotas import P, Quota
from stacks.settings.analytics import PARTITIONED_AGENTS_MAXIMUM
from stacks.settings.model import Settings

PAGE = Path("docs/reference/quotas.md")
SIZES = (1, 10, 50, 200)
"""Numbers of agents that the page shows."""


def files() -> dict[Path, str]:
    """The page's path in the project and what is in it."""
    return {PAGE: _page()}


def reached(used: Sequence[int], limit: int) -> int | None:
    """The most agents that `limit` allows, from what one step of agents uses and what two do; None where their number
    does not matter."""
    first, second = used
    growth = second - first
    return STEP + STEP * ((limit - first) // growth) if growth else None


@functools.cache
def _plans(agents: int) -> tuple[CloudWatchPlan, AnalyticsPlan]:
    settings = Settings.model_validate(
        {
            "environment": "dev",
            "owner": "voice",
            "runbook_base_url": "https://example.com/runbooks",
            "agents": {f"agent-{number:03}": {} for number in range(1, agents + 1)},
            "analytics": {},
        }
    )
    analytics = plan_analytics("dev", settings)
    assert analytics  # noqa: S101 (the settings have the section)
    return plan_cloudwatch("dev", settings), analytics


def per_agent(cloudwatch: CloudWatchPlan, analytics: AnalyticsPlan) -> dict[str, int]:
    """How many resources there are of each kind that grows with the agents, apart from what a part of 50 has."""
    return {
        "log group": sum(agent.log_group.managed for agent in cloudwatch.agents),
        "metric filter": len(cloudwatch.metric_filters),
        "alarm": len(cloudwatch.alarms),
        "composite alarm": len(cloudwatch.composite_alarms),
        "dashboard": sum(each.key.startswith("agent-") for each in cloudwatch.dashboards),
        "subscription filter": len(analytics.subscriptions),
    }


def _rows(quotas: Sequence[Quota[P]], plans: dict[int, P]) -> list[str]:
    rows = []
    for quota in quotas:
        used = {agents: quota.used(plan) for agents, plan in plans.items()}
        most = reached([used[STEP], used[2 * STEP]], quota.limit)
        cells = [
            f"[{quota.what}]({quota.source})",
            f"{quota.limit:,}",
            *(f"{used[agents]:,}" for agents in SIZES),
            f"{most:,} agents" if most else "",
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def _page() -> str:
    plans = {agents: _plans(agents) for agents in sorted({*SIZES, STEP, 2 * STEP})}
    of_one = per_agent(*plans[1])
    sizes = " | ".join(f"{agents} agent{'s' if agents > 1 else ''}" for agents in SIZES)
    return "\n".join(
        [
            _INTRODUCTION,
            f"| Quota (with AWS' page) | AWS allows | {sizes} | Reached at |",
            f"|{'---|' * (len(SIZES) + 3)}",
            *_rows(cloudwatch_quotas.QUOTAS, {agents: plan for agents, (plan, _) in plans.items()}),
            *_rows(analytics_quotas.QUOTAS, {agents: plan for agents, (_, plan) in plans.items()}),
            _AFTER.format(partitioned=PARTITIONED_AGENTS_MAXIMUM, partitions=500),
            "## Resources of an agent\n",
            "| Kind | Number |\n|---|---|",
            *(f"| {kind} | {number} |" for kind, number in of_one.items()),
            f"| **together** | **{sum(of_one.values())}** |",
            _END,
        ]
    )


_INTRODUCTION = """\
# AWS' quotas
<!-- Generated from cloudwatch/plan/quotas.py and analytics/plan/quotas.py; change it there. -->
What a stack with its default settings and analytics uses of each quota, by its number of agents, and how many agents a
quota allows; no number means that agents do not matter. Quotas "in an account and region" are shared with your other
stacks and with all else in the account. Settings that exceed a quota are rejected before anything is changed
(`turnscope plan`), all at once, each with its number.
"""

_AFTER = """
- **Alarms, custom metrics, dashboards**: AWS' [quotas of
  CloudWatch](https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html) limit the number of
  none of them. They cost: see [monthly cost](../runbooks/monthly-cost.md).
- **Subscription filters**: the analytics use one for each event, [log groups in
  SigNoz](../how-to/livekit-cloud.md#log-groups-in-signoz) another: of the three, a stack can have two. A log group with
  a subscription of another program has one less; CloudWatch rejects the deployment with `LimitExceededException`.
- **Delivery streams**: log groups in SigNoz take one more, however many agents.
- **Prices** make queries and dashboards longer: some 60 models in `prices.llm` are what a saved query can hold.
  `turnscope plan` says how many of yours.
- **Partitions**: with `analytics.partition_by_agent`, a stack has at most {partitioned} agents: Firehose keeps
  [{partitions} partitions](https://docs.aws.amazon.com/firehose/latest/dev/buffering.html) of a stream open, and
  around a full hour two of each agent are.
- **Without growth**: however many agents, a stack has two notification topics, and one Glue database with a table per
  event. It has no resource policy of CloudWatch Logs (AWS allows 10 in a region, of 5,120 characters each), because
  CloudWatch Logs writes to Firehose in a role.
- **More than 50 agents**: saved queries and the overview dashboard are in parts of 50 agents
  ([saved queries](../how-to/saved-queries.md#one-agent)).
"""

_END = """
And for each 50 agents a part of the saved queries and of the overview. An agent with `events: v1` has 18 metric filters
more ([why](../decisions/tool-calls-by-position.md)).
"""
