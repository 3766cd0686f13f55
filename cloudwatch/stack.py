"""The CloudWatch half of a stack, from its plan."""

from __future__ import annotations

from typing import Any

import pulumi

from analytics.component import Analytics
from cloudwatch.agent import AgentObservability
from cloudwatch.budget import CostBudget
from cloudwatch.dashboards import Dashboards
from cloudwatch.log_groups import LogEncryptionKey
from cloudwatch.notifications import NotificationTopic
from cloudwatch.plan.model import CloudWatchPlan, Severity
from core.component import ReadSecret


def make_cloudwatch(
    plan: CloudWatchPlan,
    *,
    account_id: pulumi.Input[str],
    read_secret: ReadSecret,
    opts: pulumi.ResourceOptions,
) -> dict[str, Any]:
    """Make everything of `plan`; the stack's exports."""
    topics = {
        topic.severity: NotificationTopic(
            f"notify-{topic.key}", topic, account_id=account_id, read_secret=read_secret, opts=opts
        ).arn
        for topic in plan.topics
    }
    key_arn = None
    if any(agent.log_group.managed and agent.log_group.encrypt == "stack-key" for agent in plan.agents):
        name = f"turnscope-{plan.stack}-logs"
        key_arn = LogEncryptionKey(name, region=plan.region, account_id=account_id, opts=opts).arn
    log_groups = {
        agent.log_group.name: AgentObservability(
            agent.name, agent, topics=topics, stack_key_arn=key_arn, opts=opts
        ).log_group_name
        for agent in plan.agents
    }
    Dashboards("dashboard", plan.dashboards, account_id=account_id, opts=opts)
    if plan.budget:
        CostBudget("budget", plan.budget, topic_arn=topics[Severity.WARNING], opts=opts)
    exports: dict[str, Any] = {
        "log_groups": {agent.name: agent.log_group.name for agent in plan.agents},
        "topics": {str(severity): arn for severity, arn in topics.items()},
        "dashboards": [dashboard.name for dashboard in plan.dashboards],
    }
    if plan.analytics:
        analytics = Analytics(
            "analytics", plan.analytics, account_id=account_id, topics=topics, log_groups=log_groups, opts=opts
        )
        exports |= {"analytics_buckets": analytics.buckets, "athena_workgroup": analytics.workgroup}
    return exports
