"""A bucket that an earlier teardown kept: found, so that the stack takes it up again instead of failing over it."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from analytics.plan.model import Bucket


def kept_bucket(plan: Bucket, provider: pulumi.ProviderResource | None) -> str | None:
    """The bucket's name where it exists already; None for one that is still to be made, or is not kept.

    One that is in the engine's state is found too; naming it then changes nothing.
    """
    if not plan.keep:
        return None
    options = pulumi.InvokeOptions(provider=provider)
    name = plan.name(aws.get_caller_identity(opts=options).account_id)
    try:
        aws.s3.get_bucket(bucket=name, opts=options)
    except Exception:
        return None
    return name
