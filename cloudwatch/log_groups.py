"""An agent's log group: made here, or used as it is."""

from __future__ import annotations

import json

import pulumi
import pulumi_aws as aws

from cloudwatch.plan.key_policy import administration
from cloudwatch.plan.model import LogGroup
from core.component import Component

KEY_DELETION_DAYS = 30


class LogEncryptionKey(Component):
    """A KMS key with the alias `alias/<name>`, which CloudWatch Logs of `region` may use for log groups of the account
    `account_id` alone (`key_policy`). AWS rotates it every year.

    Deletion is refused by the engine with `protect`; else it schedules the key's own in `KEY_DELETION_DAYS` days: until
    then it can be cancelled, after that nobody reads what it encrypted.
    """

    arn: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        region: str,
        account_id: pulumi.Input[str],
        protect: bool,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        key = aws.kms.Key(
            f"{name}-key",
            description=f"{name}: encrypts log groups",
            enable_key_rotation=True,
            deletion_window_in_days=KEY_DELETION_DAYS,
            policy=pulumi.Output.from_input(account_id).apply(lambda account: json.dumps(key_policy(region, account))),
            # What was logged with this key cannot be read without it, even where the group has another key by now.
            opts=self.child(pulumi.ResourceOptions(protect=protect)),
        )
        aws.kms.Alias(f"{name}-alias", name=f"alias/{name}", target_key_id=key.key_id, opts=self.child())
        self.arn = key.arn
        self.register_outputs({"arn": self.arn})


def key_policy(region: str, account_id: str) -> dict[str, object]:
    """The key's policy: administration for the account, use for CloudWatch Logs.

    The service's statement and its condition follow docs.aws.amazon.com/AmazonCloudWatch/latest/logs/
    encrypt-log-data-kms.html.
    """
    return {
        "Version": "2012-10-17",
        "Statement": [
            administration(account_id),
            {
                "Sid": "EncryptLogs",
                "Effect": "Allow",
                "Principal": {"Service": f"logs.{region}.amazonaws.com"},
                "Action": [
                    "kms:Encrypt",
                    "kms:Decrypt",
                    "kms:ReEncryptFrom",
                    "kms:ReEncryptTo",
                    "kms:GenerateDataKey",
                    "kms:GenerateDataKeyWithoutPlaintext",
                    "kms:DescribeKey",
                ],
                "Resource": "*",
                "Condition": {
                    "ArnLike": {"kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:{region}:{account_id}:log-group:*"}
                },
            },
        ],
    }


class AgentLogGroup(Component):
    """An agent's CloudWatch log group: made here where the plan manages it, else looked up and never changed.

    A managed group has the plan's retention (days) and encryption; `stack_key_arn` is the KMS key for
    `encrypt: stack-key`. The deployment fails where a group that is not managed does not exist. Deletion removes a
    managed group with its log events, unless it is protected (the engine refuses); any other stays as it is.
    """

    log_group_name: pulumi.Output[str]
    """Known once the group exists, so what reads it waits for the group."""

    def __init__(
        self,
        name: str,
        plan: LogGroup,
        *,
        stack_key_arn: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        if plan.managed:
            key = {"aws": None, "stack-key": stack_key_arn}.get(plan.encrypt, plan.encrypt)
            group = aws.cloudwatch.LogGroup(
                f"{name}-group",
                name=plan.name,
                retention_in_days=plan.retention_days,
                kms_key_id=key,
                opts=self.child(pulumi.ResourceOptions(protect=plan.protect)),
            )
            self.log_group_name = group.name
        else:
            # Looked up, so that a name that does not exist fails here and not in every filter on it.
            self.log_group_name = aws.cloudwatch.get_log_group_output(
                name=plan.name, opts=pulumi.InvokeOutputOptions(parent=self)
            ).name
        self.register_outputs({"log_group_name": self.log_group_name})
