"""A bucket of the analytics: private, encrypted, over TLS only, with its lifecycle."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_aws as aws

from analytics.plan.model import Bucket
from analytics.resolved import InAccount
from cloudwatch.private_bucket import ABANDONED_UPLOAD_DAYS, LifecycleRule, close_bucket, lifecycle
from core.component import Component


class PrivateBucket(Component):
    """An S3 bucket with its ownership controls, public access block, policy, default encryption and, by the plan,
    versioning and lifecycle (days).

    `existing` is the bucket's name where an earlier teardown kept it: the engine then takes it over instead of making
    one. Deletion: as the plan says (`close_bucket`).
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
        closed = close_bucket(
            name,
            self.child,
            bucket_name=known.account_id.apply(plan.name),
            arn=known.names.apply(lambda names: names.bucket(plan)),
            key_arn=known.key_arn,
            keep=plan.keep,
            protect=plan.protect,
            empty_on_delete=plan.empty_on_delete,
            existing=existing,
        )
        bucket = closed.bucket
        self.made = list(closed.made)
        if plan.versioned:
            versioning = aws.s3.BucketVersioning(
                f"{name}-versioning",
                bucket=bucket.bucket,
                versioning_configuration={"status": "Enabled"},
                opts=self.child(closed.kept),
            )
            self.made.append(versioning)
        if plan.has_lifecycle:
            # A rule on versions needs versions.
            lifecycle(name, self.child, closed, lifecycle_rules(plan), after=self.made[len(closed.made) :])
        self.name, self.arn = bucket.bucket, bucket.arn
        self.register_outputs({"name": self.name, "arn": self.arn})


def lifecycle_rules(plan: Bucket) -> list[LifecycleRule]:
    """A rule for everything, and one for each prefix with a shorter life; of two expirations S3 takes the earlier."""
    everything: LifecycleRule = {
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
    shorter: list[LifecycleRule] = [
        {"id": prefix.strip("/"), "status": "Enabled", "filter": {"prefix": prefix}, "expiration": {"days": days}}
        for prefix, days in plan.expire_days_by_prefix
    ]
    return [everything, *shorter]
