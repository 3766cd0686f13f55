"""A role with its one policy."""

from __future__ import annotations

import json

import pulumi
import pulumi_aws as aws

from analytics.plan.iam import Policy, role_policy, trust_policy
from analytics.plan.model import Role
from analytics.resolved import Known
from core.component import Component


class ServiceRole(Component):
    """An IAM role that a service takes, with one inline policy. Deletion removes both."""

    arn: pulumi.Output[str]
    allowed: aws.iam.RolePolicy
    """Its policy: whoever uses the role waits for it."""

    def __init__(
        self,
        name: str,
        *,
        role_name: str,
        policy_name: str,
        trust: pulumi.Output[Policy],
        policy: pulumi.Output[Policy],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        role = aws.iam.Role(
            f"{name}-role", name=role_name, assume_role_policy=trust.apply(json.dumps), opts=self.child()
        )
        self.arn = role.arn
        self.allowed = aws.iam.RolePolicy(
            f"{name}-policy", name=policy_name, role=role.name, policy=policy.apply(json.dumps), opts=self.child()
        )
        self.register_outputs({"arn": self.arn})


class AnalyticsRole(ServiceRole):
    """A role of the analytics; both its policies are in `analytics.plan.iam`, by the role's key."""

    def __init__(self, name: str, plan: Role, *, known: Known, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(
            name,
            role_name=plan.name,
            policy_name=plan.key,
            trust=known.names.apply(lambda names: trust_policy(plan, names)),
            policy=known.names.apply(lambda names: role_policy(plan, names)),
            opts=opts,
        )
