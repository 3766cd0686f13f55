"""From settings to what a stack holds in CloudWatch."""

from __future__ import annotations

from typing import Any

from cloudwatch.plan.alarms import ActionStrategy, AlarmFactory, plan_alarms, prefixed_names, runbooks_below
from cloudwatch.plan.dashboard_check import dashboard_problems
from cloudwatch.plan.dashboards import plan_agent_dashboard, plan_overviews
from cloudwatch.plan.metric_filters import Metrics, agent_namespace, plan_metric_filters
from cloudwatch.plan.model import AgentPlan, CloudWatchPlan, LogGroup
from cloudwatch.plan.notifications import existing_topics, plan_budget, plan_topics
from cloudwatch.plan.parts import parts
from cloudwatch.plan.quotas import quota_problems
from cloudwatch.plan.saved_queries import QueryTooLongError, plan_saved_queries, too_many_prices
from core.checked import EVERY_TIME, Checked
from core.errors import UserError
from core.events import FAILED_CLOSE_REASONS
from stacks.settings.cloudwatch import CloudWatchSettings
from stacks.settings.model import Settings


def plan_cloudwatch(stack: str, settings: Settings, checked: Checked = EVERY_TIME) -> CloudWatchPlan:
    """What will exist in CloudWatch for `stack`, which has it. Pure: the same settings give the same plan.

    Raises `UserError` (exit code 2) for settings that make what CloudWatch would refuse or not draw, with everything
    that is wrong.
    """
    agents = tuple(_plan_agent(stack, settings, name) for name in settings.agents)
    period_seconds = settings.alarms.period_seconds
    dashboards = (
        *(
            plan_agent_dashboard(stack, settings.region, agent, settings.prices, period_seconds, part.suffix)
            for part in parts(agents)
            for agent in part.agents
        ),
        *plan_overviews(stack, settings.region, agents, period_seconds),
    )
    problems: list[str] = []
    context = query_context(settings)
    try:
        saved_queries = plan_saved_queries(context, stack, agents, checked)
    except QueryTooLongError:
        problem = too_many_prices(context, agents)
        if problem is None:
            raise
        problems.append(problem)
        saved_queries = ()
    topics = (settings.cloudwatch or CloudWatchSettings()).topics
    plan = CloudWatchPlan(
        stack=stack,
        environment=str(settings.environment),
        region=settings.region,
        topics=plan_topics(stack, settings.notifications, topics),
        existing_topics=existing_topics(topics),
        agents=agents,
        saved_queries=saved_queries,
        dashboards=dashboards,
        budget=plan_budget(
            stack,
            settings.budget,
            analytics=settings.analytics is not None,
            forwarding=settings.log_delivery is not None,
        ),
    )
    problems += [*quota_problems(plan), *dashboard_problems(plan)]
    if problems:
        listed = "\n".join(f"  {problem}" for problem in problems)
        raise UserError(f"The settings of stack {stack} ask for what CloudWatch would reject, or not draw:\n{listed}")
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
    alarms, composites = plan_alarms(factory, agent.targets, metrics, log_group.name)
    return AgentPlan(
        name=name,
        namespace=metrics.namespace,
        log_group=log_group,
        targets=agent.targets,
        metric_filters=plan_metric_filters(
            stack, name, log_group.name, event_version=agent.events, numbers=settings.saved_queries
        ),
        alarms=alarms,
        composite_alarms=composites,
    )


def query_context(settings: Settings) -> dict[str, Any]:
    """What the saved queries' templates may name."""

    def priced(table: dict[str, Any]) -> list[dict[str, Any]]:
        return [{"model": model, **price.model_dump()} for model, price in table.items()]

    return {
        **settings.saved_queries.model_dump(),
        # The stack's: a query over several agents has one number for all.
        "targets": settings.targets.model_dump(),
        "prices": {
            "llm": priced(settings.prices.llm),
            "stt": priced(settings.prices.stt),
            "tts": priced(settings.prices.tts),
        },
        "failed_close_reasons": list(FAILED_CLOSE_REASONS),
        "session_id": "ROOM_NAME",
    }
