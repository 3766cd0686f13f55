"""The stack's own key for the analytics' buckets."""

from __future__ import annotations

import json

import pulumi
import pulumi_aws as aws

from analytics.plan.iam import Names, key_policy
from analytics.plan.model import AnalyticsPlan
from cloudwatch.log_groups import KEY_DELETION_DAYS
from core.component import Component


class AnalyticsKey(Component):
    """A KMS key for both buckets, with the alias `alias/turnscope-<stack>-analytics`; AWS rotates it every year.

    Deletion is the data bucket's: refused where that is protected, left in AWS where it is kept (without its key nobody
    reads it), else scheduled in `KEY_DELETION_DAYS` days.
    """

    arn: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        plan: AnalyticsPlan,
        *,
        account_id: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        policy = pulumi.Output.from_input(account_id).apply(
            lambda account: json.dumps(key_policy(Names(plan, account)))
        )
        bucket = plan.data_bucket
        key = aws.kms.Key(
            f"{name}-key",
            description=f"Analytics of Turnscope, stack {plan.stack}",
            enable_key_rotation=True,
            deletion_window_in_days=KEY_DELETION_DAYS,
            policy=policy,
            # Without its key nobody reads a bucket that is kept.
            opts=self.child(pulumi.ResourceOptions(protect=bucket.protect, retain_on_delete=bucket.keep)),
        )
        aws.kms.Alias(
            f"{name}-alias",
            name=f"alias/turnscope-{plan.stack}-analytics",
            target_key_id=key.key_id,
            opts=self.child(),
        )
        self.arn = key.arn
        self.register_outputs({"arn": self.arn})
