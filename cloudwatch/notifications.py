"""A severity's topic, who may publish to it, and who is notified."""

from __future__ import annotations

import json
from pathlib import Path

import pulumi
import pulumi_aws as aws

from cloudwatch.plan.model import Subscription, Topic
from core.component import Component, ReadSecret
from core.secrets.reference import SecretRef

SLACK_NOTIFIER = Path(__file__).parent / "slack_notifier" / "handler.py"
SLACK_LOG_RETENTION_DAYS = 14


class NotificationTopic(Component):
    """An SNS topic of one severity, its policy (`topic_policy`) and its subscriptions.

    An e-mail address is notified only after its owner followed the link that AWS sends; PagerDuty confirms by itself
    at its HTTPS address; Slack has a Lambda function between (`SlackNotifier`). `read_secret` gives the addresses that
    are secrets. Deletion removes topic and subscriptions.
    """

    arn: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        plan: Topic,
        *,
        account_id: pulumi.Input[str],
        read_secret: ReadSecret,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        topic = aws.sns.Topic(f"{name}-topic", name=plan.name, opts=self.child())
        self.arn = topic.arn
        aws.sns.TopicPolicy(
            f"{name}-policy",
            arn=topic.arn,
            policy=pulumi.Output.all(topic.arn, account_id).apply(lambda known: json.dumps(topic_policy(*known))),
            opts=self.child(),
        )
        for subscription in plan.subscriptions:
            self._subscribe(name, plan, subscription, account_id, read_secret)
        self.register_outputs({"arn": self.arn})

    def _subscribe(
        self,
        name: str,
        plan: Topic,
        subscription: Subscription,
        account_id: pulumi.Input[str],
        read_secret: ReadSecret,
    ) -> None:
        address = subscription.address
        value = read_secret(address) if isinstance(address, SecretRef) else address
        if subscription.kind == "slack":
            SlackNotifier(
                f"{name}-slack",
                function_name=f"{plan.name}-slack",
                webhook_url=value,
                topic_arn=self.arn,
                account_id=account_id,
                opts=self.child(),
            )
            return
        aws.sns.TopicSubscription(
            f"{name}-{subscription.key}",
            topic=self.arn,
            protocol="email" if subscription.kind == "email" else "https",
            endpoint=value,
            # PagerDuty confirms by itself; without this the provider does not wait for it and cannot delete it.
            endpoint_auto_confirms=subscription.kind == "pagerduty" or None,
            opts=self.child(),
        )


def topic_policy(topic_arn: str, account_id: str) -> dict[str, object]:
    """Alarms and budgets of this account may publish; nobody over plain HTTP."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "Publish",
                "Effect": "Allow",
                "Principal": {"Service": ["cloudwatch.amazonaws.com", "budgets.amazonaws.com"]},
                "Action": "sns:Publish",
                "Resource": topic_arn,
                "Condition": {"StringEquals": {"aws:SourceAccount": account_id}},
            },
            {
                "Sid": "DenyPlainHttp",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "sns:Publish",
                "Resource": topic_arn,
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            },
        ],
    }


class SlackNotifier(Component):
    """A Lambda function, subscribed to `topic_arn`, that posts each message to a Slack webhook.

    Made with it: its webhook's address as an SSM SecureString `/turnscope/<function_name>/webhook-url`, its log group
    `/aws/lambda/<function_name>` (kept `SLACK_LOG_RETENTION_DAYS` days) and its IAM role, which may read the one and
    write to the other, nothing else. A message that Slack refuses fails the call, which is then tried again. Deletion
    removes all of it.
    """

    def __init__(
        self,
        name: str,
        *,
        function_name: str,
        webhook_url: pulumi.Input[str],
        topic_arn: pulumi.Input[str],
        account_id: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        parameter = aws.ssm.Parameter(
            f"{name}-webhook",
            name=f"/turnscope/{function_name}/webhook-url",
            type="SecureString",
            value=webhook_url,
            opts=self.child(),
        )
        logs = aws.cloudwatch.LogGroup(
            f"{name}-logs",
            name=f"/aws/lambda/{function_name}",
            retention_in_days=SLACK_LOG_RETENTION_DAYS,
            opts=self.child(),
        )
        role = aws.iam.Role(
            f"{name}-role",
            name=function_name,
            assume_role_policy=pulumi.Output.from_input(account_id).apply(
                lambda account: json.dumps(lambda_trust_policy(account))
            ),
            opts=self.child(),
        )
        policy = aws.iam.RolePolicy(
            f"{name}-role-policy",
            name="notify",
            role=role.name,
            policy=pulumi.Output.all(parameter.arn, logs.arn).apply(lambda arns: json.dumps(notifier_policy(*arns))),
            opts=self.child(),
        )
        function = aws.lambda_.Function(
            f"{name}-function",
            name=function_name,
            runtime="python3.13",
            architectures=["arm64"],
            handler="handler.handler",
            role=role.arn,
            timeout=15,
            memory_size=128,
            code=pulumi.AssetArchive({"handler.py": pulumi.FileAsset(str(SLACK_NOTIFIER))}),
            environment={"variables": {"WEBHOOK_PARAMETER": parameter.name}},
            # The role must be allowed to write and read before the first message comes.
            opts=self.child(pulumi.ResourceOptions(depends_on=[policy, logs])),
        )
        permission = aws.lambda_.Permission(
            f"{name}-permission",
            action="lambda:InvokeFunction",
            function=function.name,
            principal="sns.amazonaws.com",
            source_arn=topic_arn,
            opts=self.child(),
        )
        aws.sns.TopicSubscription(
            f"{name}-subscription",
            topic=topic_arn,
            protocol="lambda",
            endpoint=function.arn,
            opts=self.child(pulumi.ResourceOptions(depends_on=[permission])),
        )
        self.register_outputs({})


def lambda_trust_policy(account_id: str) -> dict[str, object]:
    """Lambda may take the role, for functions of this account."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"aws:SourceAccount": account_id}},
            }
        ],
    }


def notifier_policy(parameter_arn: str, log_group_arn: str) -> dict[str, object]:
    """Read the one parameter, write to the one log group. The parameter's AWS-managed key needs no statement."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "ssm:GetParameter", "Resource": parameter_arn},
            {
                "Effect": "Allow",
                "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                "Resource": f"{log_group_arn}:log-stream:*",
            },
        ],
    }
