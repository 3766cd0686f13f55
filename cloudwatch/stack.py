"""What a stack holds in CloudWatch, from its plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from cloudwatch.agent import AgentObservability
from cloudwatch.budget import CostBudget
from cloudwatch.dashboards import Dashboards
from cloudwatch.log_groups import LogEncryptionKey
from cloudwatch.notifications import NotificationTopic
from cloudwatch.plan.model import CloudWatchPlan, Severity
from cloudwatch.saved_queries import SavedQueries
from core.component import ReadSecret


@dataclass(frozen=True)
class CloudWatch:
    """What others build on: a topic's ARN by severity, each log group's name once it exists, and the exports."""

    topics: Mapping[Severity, pulumi.Output[str]]
    log_groups: Mapping[str, pulumi.Output[str]]
    exports: Mapping[str, Any]


def make_cloudwatch(
    plan: CloudWatchPlan,
    *,
    account_id: pulumi.Input[str],
    read_secret: ReadSecret,
    opts: pulumi.ResourceOptions,
) -> CloudWatch:
    """Make everything of `plan`: topics where it names no existing ones, one `AgentObservability` for each agent, saved
    queries, dashboards, budget.

    A KMS key for log groups is made where a managed one asks for the stack's own. `read_secret` gives the addresses
    and keys that notifications need.
    """
    topics = {severity: pulumi.Output.from_input(arn) for severity, arn in plan.existing_topics} | {
        topic.severity: NotificationTopic(
            f"notify-{topic.key}", topic, account_id=account_id, read_secret=read_secret, opts=opts
        ).arn
        for topic in plan.topics
    }
    key_arn = None
    groups = [agent.log_group for agent in plan.agents]
    encrypted = [group for group in groups if group.managed and group.encrypt == "stack-key"]
    if encrypted:
        key_arn = LogEncryptionKey(
            f"turnscope-{plan.stack}-logs",
            region=plan.region,
            account_id=account_id,
            protect=any(group.protect for group in encrypted),
            opts=opts,
        ).arn
    log_groups = {
        agent.log_group.name: AgentObservability(
            agent.name, agent, topics=topics, stack_key_arn=key_arn, opts=opts
        ).log_group_name
        for agent in plan.agents
    }
    SavedQueries("query", plan.saved_queries, log_groups=log_groups, opts=opts)
    Dashboards("dashboard", plan.dashboards, account_id=account_id, opts=opts)
    if plan.budget:
        CostBudget("budget", plan.budget, topic_arn=topics[Severity.WARNING], opts=opts)
    exports = {
        "log_groups": {agent.name: agent.log_group.name for agent in plan.agents},
        "topics": {str(severity): arn for severity, arn in topics.items()},
        "dashboards": [dashboard.name for dashboard in plan.dashboards],
    }
    return CloudWatch(topics, log_groups, exports)
