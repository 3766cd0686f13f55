"""Who may do what around the machine: policies of its role, of ClickHouse's, of DLM's, of the scheduler's, and of the
volume's key, as data. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cloudwatch.plan.key_policy import administration
from host.plan.model import ColdBucket, HostPlan

Policy = dict[str, Any]

SESSION_MANAGER = (
    "ssm:UpdateInstanceInformation",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
)
"""All that a session needs of the machine; of these actions none knows a resource of its own but the first
(https://docs.aws.amazon.com/systems-manager/latest/userguide/getting-started-create-iam-instance-profile.html)."""

SNAPSHOT_TAG = "turnscope-snapshots-of"
"""Tag of volumes that DLM makes snapshots of, and of these; its value is the stack."""


@dataclass(frozen=True)
class Names:
    """ARNs of what a plan names, in an account."""

    plan: HostPlan
    account_id: str

    @property
    def partition(self) -> str:
        region = self.plan.region
        return "aws-cn" if region.startswith("cn-") else "aws-us-gov" if region.startswith("us-gov-") else "aws"

    @property
    def cold_bucket(self) -> str:
        """Raises `ValueError` for a plan without one."""
        return f"arn:{self.partition}:s3:::{_cold(self.plan).name(self.account_id)}"

    @property
    def cold_role(self) -> str:
        """Raises `ValueError` for a plan without one."""
        return f"arn:{self.partition}:iam::{self.account_id}:role/{_cold(self.plan).role}"

    def arn(self, service: str, rest: str) -> str:
        return f"arn:{self.partition}:{service}:{self.plan.region}:{self.account_id}:{rest}"


def trust(service: str, account_id: str | None = None) -> Policy:
    """A service may take a role; with `account_id`, for that account alone
    (https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html)."""
    statement: Policy = {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    if account_id:
        statement["Condition"] = {"StringEquals": {"aws:SourceAccount": account_id}}
    return _document(statement)


def instance_policy(names: Names) -> Policy:
    """The machine: its own metrics, log and public ssh key; with Session Manager, the session's channels."""
    plan = names.plan
    statements = [
        # There is no resource of a metric: the condition is what restricts it
        # (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/iam-cw-condition-keys-namespace.html).
        _allow(["cloudwatch:PutMetricData"], "*")
        | {"Condition": {"StringEquals": {"cloudwatch:namespace": plan.metric_namespace}}},
        _allow(
            ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
            names.arn("logs", f"log-group:{plan.log_group}:*"),
        ),
        _allow(["ssm:PutParameter"], names.arn("ssm", f"parameter{plan.host_key_path}*")),
    ]
    if plan.access == "session-manager":
        statements.append(_allow(list(SESSION_MANAGER), "*"))
    if plan.cold_bucket:
        statements.append(_allow(["sts:AssumeRole"], names.cold_role))
    return _document(*statements)


def cold_trust(machine_role_arn: str) -> Policy:
    """The machine alone may take ClickHouse's role."""
    return _document({"Effect": "Allow", "Principal": {"AWS": machine_role_arn}, "Action": "sts:AssumeRole"})


def cold_policy(names: Names, key_arn: str | None) -> Policy:
    """ClickHouse: the objects below its prefix, and their names. `key_arn` encrypts a bucket that the stack makes.

    An S3 disk reads, writes and deletes objects (https://clickhouse.com/docs/operations/storing-data), large ones in
    parts: uploading these is `s3:PutObject`, giving up is `s3:AbortMultipartUpload`
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html#mpuAndPermissions). With `s3:ListBucket` S3
    says of an object that does not exist that it does not, and not that access is denied
    (https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html).
    """
    cold, bucket = _cold(names.plan), names.cold_bucket
    statements = [
        _allow(
            ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"],
            f"{bucket}/{cold.prefix}/*",
        ),
        # In a bucket with other things in it, below the prefix alone.
        _allow(["s3:ListBucket"], bucket)
        | ({"Condition": {"StringLike": {"s3:prefix": f"{cold.prefix}/*"}}} if cold.existing else {}),
    ]
    if key_arn:
        # https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html: parts need Decrypt too.
        statements.append(
            _allow(["kms:Decrypt", "kms:GenerateDataKey"], key_arn)
            | {"Condition": {"StringEquals": {"kms:ViaService": f"s3.{cold.region}.amazonaws.com"}}}
        )
    return _document(*statements)


def snapshot_policy(names: Names, volume_id: str) -> Policy:
    """DLM: snapshots of the one volume, and deletion of those alone
    (https://docs.aws.amazon.com/ebs/latest/userguide/dlm-prerequisites.html)."""
    plan = names.plan
    snapshots = f"arn:{names.partition}:ec2:{plan.region}::snapshot/*"
    own = {"StringEquals": {f"aws:ResourceTag/{SNAPSHOT_TAG}": plan.stack}}
    return _document(
        _allow(["ec2:DescribeInstances", "ec2:DescribeSnapshots", "ec2:DescribeVolumes"], "*"),
        _allow(["ec2:CreateSnapshot"], [names.arn("ec2", f"volume/{volume_id}"), snapshots]),
        _allow(["ec2:CreateTags"], snapshots) | {"Condition": {"StringEquals": {"ec2:CreateAction": "CreateSnapshot"}}},
        _allow(["ec2:DeleteSnapshot"], snapshots) | {"Condition": own},
    )


def schedule_policy(names: Names, instance_id: str) -> Policy:
    """EventBridge Scheduler: start and stop the one instance."""
    return _document(_allow(["ec2:StartInstances", "ec2:StopInstances"], names.arn("ec2", f"instance/{instance_id}")))


def key_policy(names: Names) -> Policy:
    """The volume's key: for whoever in the account may use EBS volumes, through EC2
    (https://docs.aws.amazon.com/ebs/latest/userguide/ebs-encryption-requirements.html), and, with a bucket that the
    stack makes, for whoever may use that, through S3. Nothing else."""
    root = f"arn:{names.partition}:iam::{names.account_id}:root"
    through_ec2 = {"StringEquals": {"kms:ViaService": f"ec2.{names.plan.region}.amazonaws.com"}}
    cold = names.plan.cold_bucket
    through_s3 = {
        "Sid": "UseThroughS3",
        "Effect": "Allow",
        "Principal": {"AWS": root},
        "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
        "Resource": "*",
        "Condition": {"StringEquals": {"kms:ViaService": f"s3.{names.plan.region}.amazonaws.com"}},
    }
    return _document(
        administration(names.account_id),
        *([through_s3] if cold and cold.existing is None else []),
        {
            "Sid": "UseThroughEc2",
            "Effect": "Allow",
            "Principal": {"AWS": root},
            "Action": [
                "kms:Decrypt",
                "kms:DescribeKey",
                "kms:GenerateDataKeyWithoutPlaintext",
                "kms:ReEncryptFrom",
                "kms:ReEncryptTo",
            ],
            "Resource": "*",
            "Condition": through_ec2,
        },
        {
            "Sid": "AttachVolumes",
            "Effect": "Allow",
            "Principal": {"AWS": root},
            "Action": "kms:CreateGrant",
            "Resource": "*",
            "Condition": through_ec2 | {"Bool": {"kms:GrantIsForAWSResource": "true"}},
        },
    )


def _cold(plan: HostPlan) -> ColdBucket:
    if plan.cold_bucket is None:
        raise ValueError(plan.name)
    return plan.cold_bucket


def _document(*statements: Policy) -> Policy:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _allow(actions: list[str], resources: str | list[str]) -> Policy:
    return {"Effect": "Allow", "Action": actions, "Resource": resources}
