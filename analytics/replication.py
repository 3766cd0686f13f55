"""A copy of every object in another bucket."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

from analytics.plan.model import Replication
from analytics.role import AnalyticsRole
from core.component import Component


class BucketCopy(Component):
    """S3 replication of a bucket into the plan's bucket, which exists already, also in another region or account.

    What is written from now on is copied; deletions are not, so that a copy outlives a mistake. The bucket must be
    versioned; `role` is what S3 works as, `encrypted_with_kms` whether the source has a KMS key. Deletion ends the
    copying; copies stay.
    """

    def __init__(
        self,
        name: str,
        plan: Replication,
        *,
        bucket_name: pulumi.Input[str],
        role: AnalyticsRole,
        encrypted_with_kms: bool,
        ready: Sequence[pulumi.Resource],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        destination: aws.s3.BucketReplicationConfigRuleDestinationArgsDict = {
            "bucket": plan.bucket_arn,
            "storage_class": plan.storage_class,
        }
        if plan.kms_key_arn:
            destination["encryption_configuration"] = {"replica_kms_key_id": plan.kms_key_arn}
        rule: aws.s3.BucketReplicationConfigRuleArgsDict = {
            "id": "all",
            "priority": 0,
            "status": "Enabled",
            "filter": {"prefix": ""},
            "delete_marker_replication": {"status": "Disabled"},
            "destination": destination,
        }
        if encrypted_with_kms:
            rule["source_selection_criteria"] = {"sse_kms_encrypted_objects": {"status": "Enabled"}}
        aws.s3.BucketReplicationConfig(
            f"{name}-configuration",
            bucket=bucket_name,
            role=role.arn,
            rules=[rule],
            # S3 wants versions first.
            opts=self.child(pulumi.ResourceOptions(depends_on=[role.allowed, *ready])),
        )
        self.register_outputs({})
