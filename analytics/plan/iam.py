"""Who may do what: the policies of the analytics' roles and key, as data. Pure.

Every statement of a role names its actions and, of each service, the resources of this stack alone. A service that
takes a role may do so for this account only (docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from analytics.plan.model import AnalyticsPlan, Bucket, Role
from cloudwatch.plan.key_policy import administration

Policy = dict[str, Any]


def document(*statements: Policy) -> Policy:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(actions: Sequence[str], resources: str | Sequence[str], condition: Policy | None = None) -> Policy:
    listed = [resources] if isinstance(resources, str) else list(resources)
    statement: Policy = {"Effect": "Allow", "Action": list(actions), "Resource": listed}
    return statement | ({"Condition": condition} if condition else {})


class Regional(Protocol):
    """A plan of what is in one region."""

    @property
    def region(self) -> str: ...


P = TypeVar("P", bound=Regional)


@dataclass(frozen=True)
class Arns(Generic[P]):
    """ARNs in an account and a plan's region. `key_arn` encrypts the plan's buckets; None for S3's own keys."""

    plan: P
    account_id: str
    key_arn: str | None = None

    @property
    def partition(self) -> str:
        region = self.plan.region
        return "aws-cn" if region.startswith("cn-") else "aws-us-gov" if region.startswith("us-gov-") else "aws"

    def arn(self, service: str, rest: str) -> str:
        return f"arn:{self.partition}:{service}:{self.plan.region}:{self.account_id}:{rest}"

    def bucket(self, bucket: Bucket) -> str:
        return f"arn:{self.partition}:s3:::{bucket.name(self.account_id)}"

    def log_streams(self, log_group: str) -> str:
        return self.arn("logs", f"log-group:{log_group}:log-stream:*")


class Names(Arns[AnalyticsPlan]):
    """ARNs of what the analytics' plan names."""

    @property
    def data(self) -> str:
        return self.bucket(self.plan.data_bucket)

    @property
    def streams(self) -> list[str]:
        return [self.arn("firehose", f"deliverystream/{stream.name}") for stream in self.plan.streams]

    @property
    def check(self) -> str:
        """The version of the record validation that Firehose calls."""
        return self.arn("lambda", f"function:{self.plan.validation_function}:$LATEST")

    @property
    def glue(self) -> list[str]:
        """The tables, with what is around them: Glue asks for both."""
        database = self.plan.database
        tables = [f"table/{database}/{table.event}" for table in self.plan.tables]
        return [self.arn("glue", rest) for rest in ("catalog", f"database/{database}", *tables)]


def trust_policy(role: Role, names: Names) -> Policy:
    """Who may take a role."""
    match role.key:
        case "delivery":
            return firehose_trust(names, names.streams)
        case "subscription":
            return logs_trust(names)
        case "validation":
            return _trust("lambda", _of_account(names))
        case "replication":
            return _trust("s3", _of_account(names) | {"ArnEquals": {"aws:SourceArn": names.data}})


def firehose_trust(names: Arns[Any], streams: Sequence[str]) -> Policy:
    """Firehose, for these streams."""
    return _trust("firehose", _of_account(names) | {"ArnEquals": {"aws:SourceArn": list(streams)}})


def logs_trust(names: Arns[Any]) -> Policy:
    """CloudWatch Logs. docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html knows this condition
    alone."""
    return _trust("logs", {"StringLike": {"aws:SourceArn": names.arn("logs", "*")}})


def _of_account(names: Arns[Any]) -> Policy:
    return {"StringEquals": {"aws:SourceAccount": names.account_id}}


def _trust(principal: str, condition: Policy) -> Policy:
    return document(
        {
            "Effect": "Allow",
            "Principal": {"Service": f"{principal}.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": condition,
        }
    )


def role_policy(role: Role, names: Names) -> Policy:
    """What a role may do."""
    return {
        "delivery": _delivery,
        "subscription": _subscription,
        "validation": _validation,
        "replication": _replication,
    }[role.key](names)


def _delivery(names: Names) -> Policy:
    """Firehose: docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#using-iam-s3."""
    plan = names.plan
    return document(
        *firehose_writes(names.data, (path for each in plan.streams for path in (each.prefix, each.error_prefix))),
        allow(["glue:GetTable", "glue:GetTableVersion", "glue:GetTableVersions"], names.glue),
        allow(["lambda:GetFunctionConfiguration", "lambda:InvokeFunction"], names.check),
        allow(["logs:PutLogEvents"], names.log_streams(plan.error_log_group)),
        *_use_key(names, ["kms:Decrypt", "kms:GenerateDataKey"]),
    )


def firehose_writes(bucket_arn: str, prefixes: Iterable[str]) -> tuple[Policy, Policy]:
    """What Firehose needs to write objects into a bucket, below `prefixes` up to its own expressions in them."""
    written = [f"{bucket_arn}/{prefix.partition('!{')[0]}*" for prefix in prefixes]
    return (
        allow(["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"], bucket_arn),
        allow(["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"], written),
    )


def _subscription(names: Names) -> Policy:
    return put_records(names.streams)


def put_records(streams: Sequence[str]) -> Policy:
    """CloudWatch Logs: docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html."""
    return document(allow(["firehose:PutRecord", "firehose:PutRecordBatch"], streams))


def _validation(names: Names) -> Policy:
    """The record validation: write rejected records and its own log."""
    plan = names.plan
    return document(
        allow(["s3:PutObject"], f"{names.data}/{plan.rejected_prefix}*"),
        allow(["logs:CreateLogStream", "logs:PutLogEvents"], names.log_streams(plan.validation_log_group)),
        *_use_key(names, ["kms:GenerateDataKey"]),
    )


def _replication(names: Names) -> Policy:
    """S3: docs.aws.amazon.com/AmazonS3/latest/userguide/setting-repl-config-perm-overview.html."""
    copies = names.plan.data_bucket.replication
    assert copies  # noqa: S101 (there is no such role without)
    encrypt = [allow(["kms:Encrypt"], copies.kms_key_arn)] if copies.kms_key_arn else []
    return document(
        allow(["s3:GetReplicationConfiguration", "s3:ListBucket"], names.data),
        allow(
            ["s3:GetObjectVersionAcl", "s3:GetObjectVersionForReplication", "s3:GetObjectVersionTagging"],
            f"{names.data}/*",
        ),
        allow(["s3:ReplicateDelete", "s3:ReplicateObject", "s3:ReplicateTags"], f"{copies.bucket_arn}/*"),
        *_use_key(names, ["kms:Decrypt"]),
        *encrypt,
    )


def _use_key(names: Names, actions: list[str]) -> list[Policy]:
    if names.key_arn is None:
        return []
    return [allow(actions, names.key_arn, {"StringEquals": {"kms:ViaService": _s3(names)}})]


def _s3(names: Names) -> str:
    return f"s3.{names.plan.region}.amazonaws.com"


def key_policy(names: Names) -> Policy:
    """The stack's key: for whoever in the account may read or write the buckets, through S3 and nothing else."""
    account = names.account_id
    return document(
        administration(account),
        {
            "Sid": "UseThroughS3",
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:{names.partition}:iam::{account}:root"},
            "Action": ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"],
            "Resource": "*",
            "Condition": {"StringEquals": {"kms:CallerAccount": account, "kms:ViaService": _s3(names)}},
        },
    )
