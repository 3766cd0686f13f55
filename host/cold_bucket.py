"""Where ClickHouse's old data is in S3, and the role that reaches it."""

from __future__ import annotations

import json

import pulumi
import pulumi_aws as aws

from cloudwatch.private_bucket import ABANDONED_UPLOAD_DAYS, LifecycleRule, close_bucket, lifecycle
from core.component import Component
from host.plan.model import ColdBucket
from host.plan.policies import Names, cold_policy, cold_trust


class ColdStorage(Component):
    """The role that ClickHouse takes for its S3 disk, which the machine alone may hand out, and, where the plan names
    no existing bucket, a private one (`close_bucket`) in which nothing expires but uploads that never ended.

    `key_arn` is the data volume's KMS key, which encrypts the bucket too; None for S3's own keys. `existing` is the
    bucket's name where an earlier tear-down kept it. Deletion: refused by the engine where the plan protects it; where
    the plan keeps it, the bucket is left in AWS, and the next deployment adopts it; else it goes with its objects. The
    role goes in any case.
    """

    made: list[pulumi.Resource]
    """What must be there before ClickHouse starts."""

    def __init__(
        self,
        name: str,
        cold: ColdBucket,
        *,
        names: pulumi.Output[Names],
        machine_role_arn: pulumi.Input[str],
        key_arn: pulumi.Input[str] | None,
        existing: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        role = aws.iam.Role(
            f"{name}-role",
            name=cold.role,
            assume_role_policy=pulumi.Output.from_input(machine_role_arn).apply(
                lambda arn: json.dumps(cold_trust(arn))
            ),
            opts=self.child(),
        )
        key = key_arn if cold.existing is None else None
        allowed = aws.iam.RolePolicy(
            f"{name}-access",
            name="cold-storage",
            role=role.name,
            policy=pulumi.Output.all(names, key).apply(lambda known: json.dumps(cold_policy(known[0], known[1]))),
            opts=self.child(),
        )
        self.made = [allowed]
        if cold.existing is None:
            closed = close_bucket(
                name,
                self.child,
                bucket_name=names.apply(lambda known: cold.name(known.account_id)),
                arn=names.apply(lambda known: known.cold_bucket),
                key_arn=key,
                keep=cold.keep,
                protect=cold.protect,
                empty_on_delete=not cold.keep,
                existing=existing,
            )
            unfinished: LifecycleRule = {
                "id": "unfinished-uploads",
                "status": "Enabled",
                "filter": {"prefix": ""},
                "abort_incomplete_multipart_upload": {"days_after_initiation": ABANDONED_UPLOAD_DAYS},
            }
            self.made += [*closed.made, lifecycle(name, self.child, closed, [unfinished])]
        self.register_outputs({})
