"""A role of the analytics, with its one policy."""

from __future__ import annotations

import json

import pulumi
import pulumi_aws as aws

from analytics.plan.iam import role_policy, trust_policy
from analytics.plan.model import Role
from analytics.resolved import Known
from core.component import Component


class AnalyticsRole(Component):
    """An IAM role with its one inline policy; both are in `analytics.plan.iam`, by the role's key.

    Deletion removes them.
    """

    arn: pulumi.Output[str]
    allowed: aws.iam.RolePolicy
    """Its policy: whoever uses the role waits for it."""

    def __init__(self, name: str, plan: Role, *, known: Known, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        role = aws.iam.Role(
            f"{name}-role",
            name=plan.name,
            assume_role_policy=known.names.apply(lambda names: json.dumps(trust_policy(plan, names))),
            opts=self.child(),
        )
        self.arn = role.arn
        self.allowed = aws.iam.RolePolicy(
            f"{name}-policy",
            name=plan.key,
            role=role.name,
            policy=known.names.apply(lambda names: json.dumps(role_policy(plan, names))),
            opts=self.child(),
        )
        self.register_outputs({"arn": self.arn})
