"""From settings to what a stack holds in CloudWatch."""

from __future__ import annotations

from typing import Any

from cloudwatch.plan.alarms import ActionStrategy, AlarmFactory, plan_alarms, prefixed_names, runbooks_below
from cloudwatch.plan.dashboard_check import check_dashboards
from cloudwatch.plan.dashboards import plan_agent_dashboard, plan_overview
from cloudwatch.plan.metric_filters import Metrics, agent_namespace, plan_metric_filters
from cloudwatch.plan.model import AgentPlan, CloudWatchPlan, LogGroup
from cloudwatch.plan.notifications import plan_budget, plan_topics
from cloudwatch.plan.saved_queries import plan_saved_queries
from stacks.settings.model import Settings


def plan_cloudwatch(stack: str, settings: Settings) -> CloudWatchPlan:
    """What will exist in CloudWatch for `stack`. Pure: the same settings give the same plan.

    Raises `UserError` (exit code 2) for dashboards that CloudWatch would refuse or not draw.
    """
    agents = tuple(_plan_agent(stack, settings, name) for name in settings.agents)
    period_seconds = settings.alarms.period_seconds
    dashboards = (
        *(plan_agent_dashboard(stack, settings.region, agent, settings.prices, period_seconds) for agent in agents),
        plan_overview(stack, settings.region, agents, period_seconds),
    )
    plan = CloudWatchPlan(
        stack=stack,
        environment=str(settings.environment),
        region=settings.region,
        topics=plan_topics(stack, settings.notifications),
        agents=agents,
        dashboards=dashboards,
        budget=plan_budget(stack, settings.budget, analytics=settings.analytics is not None),
    )
    check_dashboards(plan)
    return plan


def _plan_agent(stack: str, settings: Settings, name: str) -> AgentPlan:
    agent = settings.agents[name]
    log_group = LogGroup(
        key="log-group",
        name=settings.log_group_name(name),
        managed=not agent.log_group_exists,
        retention_days=settings.log_groups.retention_days,
        encrypt=settings.log_groups.encryption,
        protect=settings.protect,
    )
    metrics = Metrics(agent_namespace(stack, name))
    factory = AlarmFactory(
        agent=name,
        name=prefixed_names(stack, name),
        runbook=runbooks_below(settings.runbook_base_url),
        actions=ActionStrategy(per_alarm=agent.alarms.notify_per == "alarm"),
        settings=agent.alarms,
    )
    alarms, composites = plan_alarms(factory, metrics, log_group.name)
    return AgentPlan(
        name=name,
        namespace=metrics.namespace,
        log_group=log_group,
        saved_queries=plan_saved_queries(
            _query_context(settings, name, log_group.name), f"{stack}/{name}", (log_group.name,)
        ),
        metric_filters=plan_metric_filters(stack, name, log_group.name),
        alarms=alarms,
        composite_alarms=composites,
    )


def _query_context(settings: Settings, agent: str, log_group_name: str) -> dict[str, Any]:
    """What the saved queries' templates may name."""
    numbers, alarms = settings.saved_queries, settings.agents[agent].alarms

    def priced(table: dict[str, Any]) -> list[dict[str, Any]]:
        return [{"model": model, **price.model_dump()} for model, price in table.items()]

    return {
        "agent": agent,
        "log_groups": [log_group_name],
        **numbers.model_dump(),
        "ttft_seconds": alarms.llm_ttft_seconds,
        "ttfb_seconds": alarms.tts_ttfb_seconds,
        "prices": {
            "llm": priced(settings.prices.llm),
            "stt": priced(settings.prices.stt),
            "tts": priced(settings.prices.tts),
        },
        "session_id": "ROOM_NAME",
    }
