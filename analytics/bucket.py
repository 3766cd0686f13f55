"""A bucket of the analytics: private, encrypted, over TLS only, with its lifecycle."""

from __future__ import annotations

import json
from typing import Any

import pulumi
import pulumi_aws as aws

from analytics.plan.iam import bucket_policy
from analytics.plan.model import Bucket
from analytics.resolved import InAccount
from core.component import Component

ABANDONED_UPLOAD_DAYS = 7
"""Parts of an upload that never ended are paid for, and shown nowhere."""


class PrivateBucket(Component):
    """An S3 bucket with its ownership controls, public access block, policy, default encryption and, by the plan,
    versioning and lifecycle (days).

    `existing` is the bucket's name where an earlier teardown kept it: the engine then takes it over instead of making
    one. Deletion: refused by the engine where the plan protects the bucket; left in AWS, with everything around it,
    where the plan keeps it; else AWS deletes it, with its objects only where the plan says `empty_on_delete`, and
    refuses otherwise while there are any.
    """

    name: pulumi.Output[str]
    arn: pulumi.Output[str]
    made: list[pulumi.Resource]
    """What else must be there before anything is written into it."""

    def __init__(
        self,
        name: str,
        plan: Bucket,
        *,
        known: InAccount[Any],
        existing: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        # What is kept must stay as closed as it is.
        kept = pulumi.ResourceOptions(retain_on_delete=plan.keep)
        bucket = aws.s3.Bucket(
            f"{name}-bucket",
            bucket=known.account_id.apply(plan.name),
            force_destroy=plan.empty_on_delete,
            opts=self.child(
                pulumi.ResourceOptions.merge(kept, pulumi.ResourceOptions(protect=plan.protect, import_=existing))
            ),
        )
        # One after the other: S3 refuses changes of a bucket's access that overlap.
        ownership = aws.s3.BucketOwnershipControls(
            f"{name}-ownership",
            bucket=bucket.bucket,
            rule={"object_ownership": "BucketOwnerEnforced"},
            opts=self.child(kept),
        )
        private = aws.s3.BucketPublicAccessBlock(
            f"{name}-private",
            bucket=bucket.bucket,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=self.child(pulumi.ResourceOptions.merge(kept, pulumi.ResourceOptions(depends_on=[ownership]))),
        )
        policy = aws.s3.BucketPolicy(
            f"{name}-policy",
            bucket=bucket.bucket,
            policy=known.names.apply(lambda names: json.dumps(bucket_policy(plan, names))),
            opts=self.child(pulumi.ResourceOptions.merge(kept, pulumi.ResourceOptions(depends_on=[private]))),
        )
        encryption = aws.s3.BucketServerSideEncryptionConfiguration(
            f"{name}-encryption",
            bucket=bucket.bucket,
            rules=[_encryption_rule(known.key_arn)],
            opts=self.child(kept),
        )
        self.made = [policy, encryption]
        if plan.versioned:
            versioning = aws.s3.BucketVersioning(
                f"{name}-versioning",
                bucket=bucket.bucket,
                versioning_configuration={"status": "Enabled"},
                opts=self.child(kept),
            )
            self.made.append(versioning)
        if plan.has_lifecycle:
            aws.s3.BucketLifecycleConfiguration(
                f"{name}-lifecycle",
                bucket=bucket.bucket,
                rules=lifecycle_rules(plan),
                # A rule on versions needs versions.
                opts=self.child(pulumi.ResourceOptions.merge(kept, pulumi.ResourceOptions(depends_on=self.made))),
            )
        self.name, self.arn = bucket.bucket, bucket.arn
        self.register_outputs({"name": self.name, "arn": self.arn})


def _encryption_rule(
    key_arn: pulumi.Input[str] | None,
) -> aws.s3.BucketServerSideEncryptionConfigurationRuleArgsDict:
    if key_arn is None:
        return {"apply_server_side_encryption_by_default": {"sse_algorithm": "AES256"}}
    return {
        "apply_server_side_encryption_by_default": {"sse_algorithm": "aws:kms", "kms_master_key_id": key_arn},
        # One call to KMS for many objects.
        "bucket_key_enabled": True,
    }


def lifecycle_rules(plan: Bucket) -> list[aws.s3.BucketLifecycleConfigurationRuleArgsDict]:
    """A rule for everything, and one for each prefix with a shorter life; of two expirations S3 takes the earlier."""
    everything: aws.s3.BucketLifecycleConfigurationRuleArgsDict = {
        "id": "data",
        "status": "Enabled",
        "filter": {"prefix": ""},
        "transitions": [{"days": each.days, "storage_class": each.storage_class} for each in plan.transitions],
        "abort_incomplete_multipart_upload": {"days_after_initiation": ABANDONED_UPLOAD_DAYS},
    }
    if plan.expire_days:
        everything["expiration"] = {"days": plan.expire_days}
    if plan.noncurrent_days:
        everything["noncurrent_version_expiration"] = {"noncurrent_days": plan.noncurrent_days}
    shorter: list[aws.s3.BucketLifecycleConfigurationRuleArgsDict] = [
        {"id": prefix.strip("/"), "status": "Enabled", "filter": {"prefix": prefix}, "expiration": {"days": days}}
        for prefix, days in plan.expire_days_by_prefix
    ]
    return [everything, *shorter]
