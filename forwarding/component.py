"""Log groups to SigNoz: a Firehose stream with what is around it, and the subscription filters that feed it."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
import pulumi_aws as aws

from analytics.bucket import PrivateBucket
from analytics.plan.iam import firehose_trust, logs_trust
from analytics.resolved import InAccount
from analytics.role import ServiceRole
from cloudwatch.alarms import Alarms
from cloudwatch.plan.model import Severity
from cloudwatch.private_bucket import kept_bucket
from core.component import Component, ReadSecret
from forwarding.plan.iam import ForwardingNames, delivery_policy, subscription_policy
from forwarding.plan.model import ForwardingPlan

BACKUP_BUFFER_MIB = 5
BACKUP_BUFFER_SECONDS = 300
"""AWS' defaults (docs.aws.amazon.com/firehose/latest/APIReference/API_BufferingHints.html)."""


class LogForwarding(Component):
    """A Firehose stream that sends log events to SigNoz' gateway, its log group of errors, a private bucket for what
    SigNoz does not accept within the plan's retries, two roles, a subscription filter on each agent's log group, and
    alarms.

    `log_groups` maps a log group's planned name to the one that exists, `topics` a severity to its SNS topic's ARN;
    `read_secret` gives the access key, a secret in the engine's state. Raises `KeyError` for a log group or topic that
    is missing. Deletion may lose what the stream has buffered; the bucket may be kept or protected (`PrivateBucket`).
    """

    bucket: pulumi.Output[str]
    """The backup bucket's name."""

    def __init__(
        self,
        name: str,
        plan: ForwardingPlan,
        *,
        account_id: pulumi.Input[str],
        topics: Mapping[Severity, pulumi.Input[str]],
        log_groups: Mapping[str, pulumi.Input[str]],
        read_secret: ReadSecret,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        inside, account = self.child(), pulumi.Output.from_input(account_id)
        names = account.apply(lambda known: ForwardingNames(plan, known))
        bucket = PrivateBucket(
            f"{name}-backup",
            plan.bucket,
            known=InAccount(account, None, names),
            existing=kept_bucket(plan.bucket.name, keep=plan.bucket.keep, provider=opts.provider if opts else None),
            opts=inside,
        )
        delivery = ServiceRole(
            f"{name}-delivery",
            role_name=plan.delivery_role,
            policy_name="delivery",
            trust=names.apply(lambda known: firehose_trust(known, [known.stream])),
            policy=names.apply(delivery_policy),
            opts=inside,
        )
        subscription = ServiceRole(
            f"{name}-subscription",
            role_name=plan.subscription_role,
            policy_name="subscription",
            trust=names.apply(logs_trust),
            policy=names.apply(subscription_policy),
            opts=inside,
        )
        stream = self._stream(name, plan, bucket, delivery, read_secret)
        for each in plan.subscriptions:
            aws.cloudwatch.LogSubscriptionFilter(
                f"{name}-{each.key}",
                name=each.name,
                log_group=log_groups[each.log_group_name],
                filter_pattern=each.pattern,
                destination_arn=stream.arn,
                role_arn=subscription.arn,
                # CloudWatch Logs tries the role at once.
                opts=self.child(pulumi.ResourceOptions(depends_on=[subscription.allowed])),
            )
        Alarms(f"{name}-alarm", plan.alarms, (), topics=topics, opts=inside)
        self.bucket = bucket.name
        self.register_outputs({"bucket": self.bucket})

    def _stream(
        self, name: str, plan: ForwardingPlan, bucket: PrivateBucket, role: ServiceRole, read_secret: ReadSecret
    ) -> aws.kinesis.FirehoseDeliveryStream:
        errors = aws.cloudwatch.LogGroup(
            f"{name}-errors",
            name=plan.error_log_group,
            retention_in_days=plan.error_log_retention_days,
            opts=self.child(),
        )

        def log_stream(key: str) -> pulumi.Output[str]:
            return aws.cloudwatch.LogStream(
                f"{name}-{key}-errors", name=key, log_group_name=errors.name, opts=self.child()
            ).name

        stream = plan.stream
        return aws.kinesis.FirehoseDeliveryStream(
            f"{name}-{stream.key}",
            name=stream.name,
            destination="http_endpoint",
            server_side_encryption={"enabled": True, "key_type": "AWS_OWNED_CMK"},
            http_endpoint_configuration={
                "url": stream.url,
                "name": "SigNoz",
                "access_key": read_secret(stream.access_key),
                "role_arn": role.arn,
                "buffering_interval": stream.buffer_seconds,
                "buffering_size": stream.buffer_mib,
                "retry_duration": stream.retry_seconds,
                "s3_backup_mode": "FailedDataOnly",
                # Records are compressed already.
                "request_configuration": {"content_encoding": "NONE"},
                "cloudwatch_logging_options": {
                    "enabled": True,
                    "log_group_name": errors.name,
                    "log_stream_name": log_stream("delivery"),
                },
                "s3_configuration": {
                    "role_arn": role.arn,
                    "bucket_arn": bucket.arn,
                    "prefix": stream.prefix,
                    "error_output_prefix": stream.error_prefix,
                    "buffering_interval": BACKUP_BUFFER_SECONDS,
                    "buffering_size": BACKUP_BUFFER_MIB,
                    "compression_format": "UNCOMPRESSED",
                    "cloudwatch_logging_options": {
                        "enabled": True,
                        "log_group_name": errors.name,
                        "log_stream_name": log_stream("backup"),
                    },
                },
            },
            # Its name is taken until it is gone.
            opts=self.child(
                pulumi.ResourceOptions(depends_on=[role.allowed, *bucket.made], delete_before_replace=True)
            ),
        )


def make_forwarding(
    plan: ForwardingPlan | None,
    account_id: pulumi.Input[str],
    topics: Mapping[Severity, pulumi.Input[str]],
    log_groups: Mapping[str, pulumi.Input[str]],
    read_secret: ReadSecret,
    *,
    opts: pulumi.ResourceOptions,
) -> Mapping[str, pulumi.Output[str]]:
    """What delivers the log groups of a plan; its exports, none without a plan."""
    if plan is None:
        return {}
    made = LogForwarding(
        "forwarding",
        plan,
        account_id=account_id,
        topics=topics,
        log_groups=log_groups,
        read_secret=read_secret,
        opts=opts,
    )
    return {"log_backup_bucket": made.bucket}
