"""AWS' quotas on what a stack holds in CloudWatch, and how much of each a plan uses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from cloudwatch.insights.language import QUERY_MAXIMUM_CHARACTERS
from cloudwatch.plan import dashboard_check
from cloudwatch.plan.model import CloudWatchPlan, Comparison
from cloudwatch.plan.parts import LOG_GROUPS_PER_QUERY

P = TypeVar("P")

LOGS = "https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html"
LOGS_API = "https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference"
METRICS = "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html"
METRICS_API = "https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference"


@dataclass(frozen=True)
class Quota(Generic[P]):
    """What AWS allows, and how much of it a plan uses."""

    what: str
    limit: int
    source: str
    """AWS' page that says so."""
    used: Callable[[P], int]
    relief: str | None = None
    """What to change in the settings where a plan uses more; None where another check names the place."""


def _most(numbers: Iterator[int]) -> int:
    return max(numbers, default=0)


def _anomaly_models(plan: CloudWatchPlan) -> int:
    return sum(alarm.comparison == Comparison.ABOVE_BAND for alarm in plan.alarms)


QUOTAS: tuple[Quota[CloudWatchPlan], ...] = (
    Quota(
        "saved queries in an account and region",
        1000,
        LOGS,
        lambda plan: len(plan.saved_queries),
        "agents: several stacks, in regions or accounts of their own",
    ),
    Quota(
        "log groups of a saved query",
        LOG_GROUPS_PER_QUERY,
        f"{LOGS_API}/API_StartQuery.html",
        lambda plan: _most(len(query.log_group_names) for query in plan.saved_queries),
    ),
    Quota(
        "characters of a saved query",
        QUERY_MAXIMUM_CHARACTERS,
        f"{LOGS_API}/API_PutQueryDefinition.html",
        lambda plan: _most(len(query.query) for query in plan.saved_queries),
    ),
    Quota(
        "metric filters of a log group",
        100,
        f"{LOGS_API}/API_PutMetricFilter.html",
        lambda plan: _most(iter(Counter(each.log_group_name for each in plan.metric_filters).values())),
        "agents.<name>.events: v2",
    ),
    Quota(
        "dimensions of a metric filter",
        3,
        f"{LOGS_API}/API_MetricTransformation.html",
        lambda plan: _most(len(each.dimensions) for each in plan.metric_filters),
    ),
    Quota(
        "anomaly detection models in an account and region",
        500,
        METRICS,
        _anomaly_models,
        "alarms.anomaly_band_standard_deviations: null, for all agents or some",
    ),
    Quota(
        "metrics in the expression of an alarm",
        10,
        METRICS,
        lambda plan: _most(len(alarm.stats) for alarm in plan.alarms),
    ),
    Quota(
        "alarms in the rule of a composite alarm",
        100,
        f"{METRICS_API}/API_PutCompositeAlarm.html",
        lambda plan: _most(len(alarm.alarm_names) for alarm in plan.composite_alarms),
    ),
    Quota(
        "characters of the rule of a composite alarm",
        10_240,
        f"{METRICS_API}/API_PutCompositeAlarm.html",
        lambda plan: _most(len(alarm.rule) for alarm in plan.composite_alarms),
        "a shorter name of the stack or of the agent",
    ),
    Quota(
        "widgets of a dashboard",
        dashboard_check.MAXIMUM_WIDGETS,
        METRICS,
        lambda plan: _most(len(each.body["widgets"]) for each in plan.dashboards),
    ),
    Quota(
        "metrics of a dashboard",
        dashboard_check.MAXIMUM_METRICS,
        METRICS,
        lambda plan: _most(dashboard_check.metrics_of(each) for each in plan.dashboards),
    ),
    Quota(
        "metrics of a widget",
        dashboard_check.MAXIMUM_METRICS_PER_WIDGET,
        METRICS,
        lambda plan: _most(dashboard_check.most_metrics_of_a_widget(each) for each in plan.dashboards),
    ),
    Quota(
        "alarms of a widget",
        dashboard_check.MAXIMUM_ALARMS_PER_WIDGET,
        f"{METRICS_API}/CloudWatch-Dashboard-Body-Structure.html",
        lambda plan: _most(dashboard_check.most_alarms_of_a_widget(each) for each in plan.dashboards),
    ),
)


def quota_problems(plan: CloudWatchPlan) -> Iterator[str]:
    """A line for each quota that `plan` exceeds, but for those whose check names the place (`relief` is None)."""
    for quota in QUOTAS:
        used = quota.used(plan)
        if quota.relief and used > quota.limit:
            yield f"{used} {quota.what}: allowed: at most {quota.limit} ({quota.source}). Relief: {quota.relief}"
