"""Who may do what: the policies of the roles, as data. Pure."""

from __future__ import annotations

from analytics.plan.iam import Arns, Policy, allow, document, firehose_writes, put_records
from forwarding.plan.model import ForwardingPlan


class ForwardingNames(Arns[ForwardingPlan]):
    """ARNs of what the plan names."""

    @property
    def stream(self) -> str:
        return self.arn("firehose", f"deliverystream/{self.plan.stream.name}")


def delivery_policy(names: ForwardingNames) -> Policy:
    """Firehose: docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#using-iam-http."""
    plan = names.plan
    return document(
        *firehose_writes(names.bucket(plan.bucket), [plan.stream.prefix]),
        allow(["logs:PutLogEvents"], names.log_streams(plan.error_log_group)),
    )


def subscription_policy(names: ForwardingNames) -> Policy:
    """CloudWatch Logs."""
    return put_records([names.stream])
