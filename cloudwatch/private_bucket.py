"""A private S3 bucket: what every bucket of a stack has around it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from cloudwatch.plan.bucket_policy import tls_only_policy

ABANDONED_UPLOAD_DAYS = 7
"""Parts of an upload that never ended are paid for, and shown nowhere."""

Child = Callable[[pulumi.ResourceOptions | None], pulumi.ResourceOptions]
LifecycleRule = aws.s3.BucketLifecycleConfigurationRuleArgsDict


@dataclass(frozen=True)
class Closed:
    """A bucket with its ownership controls, public access block, policy and default encryption."""

    bucket: aws.s3.Bucket
    kept: pulumi.ResourceOptions
    """For what else belongs to the bucket: what is kept must stay as it is."""
    made: list[pulumi.Resource]
    """What must be there before anything is written into it."""


def close_bucket(
    name: str,
    child: Child,
    *,
    bucket_name: pulumi.Input[str],
    arn: pulumi.Input[str],
    key_arn: pulumi.Input[str] | None,
    keep: bool,
    protect: bool,
    empty_on_delete: bool,
    existing: str | None = None,
) -> Closed:
    """Make a bucket that is private, encrypted (by the KMS key `key_arn`, or by S3's own keys) and reached over TLS
    alone. `child` makes the options of a component's child; resources are called `{name}-bucket` and so on.

    `existing` is the bucket's name where an earlier tear-down kept it: the engine then takes it over instead of making
    one. Deletion: refused by the engine with `protect`; left in AWS, with everything around it, with `keep`; else AWS
    deletes it, with its objects only with `empty_on_delete`, and refuses otherwise while there are any.
    """
    kept = pulumi.ResourceOptions(retain_on_delete=keep)
    bucket = aws.s3.Bucket(
        f"{name}-bucket",
        bucket=bucket_name,
        force_destroy=empty_on_delete,
        opts=child(pulumi.ResourceOptions.merge(kept, pulumi.ResourceOptions(protect=protect, import_=existing))),
    )
    # One after the other: S3 refuses changes of a bucket's access that overlap.
    ownership = aws.s3.BucketOwnershipControls(
        f"{name}-ownership",
        bucket=bucket.bucket,
        rule={"object_ownership": "BucketOwnerEnforced"},
        opts=child(kept),
    )
    private = aws.s3.BucketPublicAccessBlock(
        f"{name}-private",
        bucket=bucket.bucket,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
        opts=child(pulumi.ResourceOptions.merge(kept, pulumi.ResourceOptions(depends_on=[ownership]))),
    )
    policy = aws.s3.BucketPolicy(
        f"{name}-policy",
        bucket=bucket.bucket,
        policy=pulumi.Output.from_input(arn).apply(lambda known: json.dumps(tls_only_policy(known))),
        opts=child(pulumi.ResourceOptions.merge(kept, pulumi.ResourceOptions(depends_on=[private]))),
    )
    encryption = aws.s3.BucketServerSideEncryptionConfiguration(
        f"{name}-encryption",
        bucket=bucket.bucket,
        rules=[_encryption_rule(key_arn)],
        opts=child(kept),
    )
    return Closed(bucket, kept, [policy, encryption])


def lifecycle(
    name: str, child: Child, closed: Closed, rules: Sequence[LifecycleRule], after: Sequence[pulumi.Resource] = ()
) -> aws.s3.BucketLifecycleConfiguration:
    """The bucket's lifecycle rules, made after its policy and `after`."""
    depends = pulumi.ResourceOptions(depends_on=[*closed.made, *after])
    return aws.s3.BucketLifecycleConfiguration(
        f"{name}-lifecycle",
        bucket=closed.bucket.bucket,
        rules=list(rules),
        opts=child(pulumi.ResourceOptions.merge(closed.kept, depends)),
    )


def kept_bucket(name: Callable[[str], str], *, keep: bool, provider: pulumi.ProviderResource | None) -> str | None:
    """The name of a bucket that an earlier tear-down kept, so that the stack takes it up again instead of failing over
    it; None for one that is still to be made, or is not kept. `name` makes it of the account's ID.

    One that is in the engine's state is found too; naming it then changes nothing.
    """
    if not keep:
        return None
    options = pulumi.InvokeOptions(provider=provider)
    found = name(aws.get_caller_identity(opts=options).account_id)
    try:
        aws.s3.get_bucket(bucket=found, opts=options)
    except Exception:
        return None
    return found


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
