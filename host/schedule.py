"""Stopping the machine, and starting it again."""

from __future__ import annotations

import json

import pulumi
import pulumi_aws as aws

from core.component import Component
from host.plan.model import HostPlan
from host.plan.policies import Names, schedule_policy, trust


class MachineSchedule(Component):
    """A schedule of EventBridge for each action of the plan, and the role that starts and stops the one instance.
    Deletion removes them, and leaves the instance as it is."""

    def __init__(
        self,
        name: str,
        plan: HostPlan,
        *,
        names: pulumi.Output[Names],
        instance_id: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        role = aws.iam.Role(
            f"{name}-role",
            name=f"{plan.name}-schedule",
            assume_role_policy=names.apply(lambda known: json.dumps(trust("scheduler", known.account_id))),
            opts=self.child(),
        )
        allowed = aws.iam.RolePolicy(
            f"{name}-policy",
            name="schedule",
            role=role.name,
            policy=pulumi.Output.all(names, instance_id).apply(
                lambda known: json.dumps(schedule_policy(known[0], known[1]))
            ),
            opts=self.child(),
        )
        for each in plan.schedule:
            # docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html
            target = names.apply(
                lambda known, action=each.action: f"arn:{known.partition}:scheduler:::aws-sdk:ec2:{action}Instances"
            )
            aws.scheduler.Schedule(
                f"{name}-{each.action}",
                name=each.name,
                schedule_expression=each.cron,
                schedule_expression_timezone=each.timezone,
                flexible_time_window={"mode": "OFF"},
                target={
                    "arn": target,
                    "role_arn": role.arn,
                    "input": pulumi.Output.json_dumps({"InstanceIds": [instance_id]}),
                },
                opts=self.child(pulumi.ResourceOptions(depends_on=[allowed])),
            )
        self.register_outputs({})
