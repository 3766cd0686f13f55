"""What the machine may do in AWS."""

from __future__ import annotations

import json

import pulumi
import pulumi_aws as aws

from core.component import Component
from host.plan.model import HostPlan
from host.plan.policies import Names, instance_policy, trust


class MachineIdentity(Component):
    """The machine's IAM role, its one policy (`instance_policy`) and its instance profile. Deletion removes all
    three."""

    profile: pulumi.Output[str]
    """Name of the instance profile."""
    role_arn: pulumi.Output[str]
    allowed: pulumi.Resource
    """The policy: who uses the role waits for it."""

    def __init__(
        self,
        name: str,
        plan: HostPlan,
        *,
        names: pulumi.Output[Names],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        role = aws.iam.Role(
            f"{name}-role", name=plan.name, assume_role_policy=json.dumps(trust("ec2")), opts=self.child()
        )
        self.allowed = aws.iam.RolePolicy(
            f"{name}-policy",
            name="host",
            role=role.name,
            policy=names.apply(lambda known: json.dumps(instance_policy(known))),
            opts=self.child(),
        )
        self.role_arn = role.arn
        self.profile = aws.iam.InstanceProfile(
            f"{name}-profile", name=plan.name, role=role.name, opts=self.child()
        ).name
        self.register_outputs({"profile": self.profile})
