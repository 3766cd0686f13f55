"""Everything of one agent: its log group, and what is made from it."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi

from cloudwatch.alarms import Alarms
from cloudwatch.log_groups import AgentLogGroup
from cloudwatch.metric_filters import MetricFilters
from cloudwatch.plan.model import AgentPlan, Severity
from core.component import Component


class AgentObservability(Component):
    """One agent's log group (`AgentLogGroup`), and on it `MetricFilters` and `Alarms`.

    `topics` maps each severity to the ARN of its SNS topic; `stack_key_arn` is the KMS key for a log group with
    `encrypt: stack-key`, None where the stack has no such group. Raises `KeyError` for an alarm whose severity has no
    topic. Deletion removes everything; of the log group only what `AgentLogGroup` says.
    """

    log_group_name: pulumi.Output[str]
    """Known once the group exists, so what reads it waits for the group."""

    def __init__(
        self,
        name: str,
        plan: AgentPlan,
        *,
        topics: Mapping[Severity, pulumi.Input[str]],
        stack_key_arn: pulumi.Input[str] | None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        group = AgentLogGroup(f"{name}-log-group", plan.log_group, stack_key_arn=stack_key_arn, opts=self.child())
        self.log_group_name = group.log_group_name
        MetricFilters(f"{name}-filter", plan.metric_filters, log_group_name=self.log_group_name, opts=self.child())
        Alarms(f"{name}-alarm", plan.alarms, plan.composite_alarms, topics=topics, opts=self.child())
        self.register_outputs({"log_group_name": self.log_group_name})
