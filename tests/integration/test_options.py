"""Every optional part of a stack goes up, shows no change, and goes away again."""

from __future__ import annotations

import json

from cloudwatch.plan.build import plan_cloudwatch
from earshot.aws import client_factory
from tests.integration.conftest import Checkout
from tests.integration.test_deploy import pulumi, succeeded

OPTIONS = """\
config:
  earshot:environment: local
  earshot:owner: tests
  earshot:expires_on: "2030-01-31"
  earshot:log_groups: {{retention_days: 7, encryption: stack-key}}
  earshot:agents:
    made-here: {{alarms: {{low_samples: ignore, notify_per: alarm, no_data_minutes: 10}}}}
    was-there: {{log_group: /aws/livekit/was-there, log_group_exists: true, alarms: {{low_samples: evaluate}}}}
  earshot:lab: {{aws_port: {port}}}
"""
SECRETS = {
    "critical.slack_webhook_url": "https://hooks.slack.example.com/services/a",
    "critical.pagerduty_integration_url": "https://events.pagerduty.example.com/integration/b",
    "warning.slack_webhook_url": "https://hooks.slack.example.com/services/c",
}


def test_every_option_goes_up_shows_no_change_and_goes_away(checkout: Checkout) -> None:
    port = checkout.settings.lab.aws_port if checkout.settings.lab else 0
    checkout.stack_file.write_text(OPTIONS.format(port=port))
    succeeded(checkout.earshot("lab", "start"))
    logs = client_factory(checkout.settings)("logs")
    logs.create_log_group(logGroupName="/aws/livekit/was-there")
    pulumi(checkout, "stack select --create local")
    for key, value in SECRETS.items():
        pulumi(checkout, f"config set --secret --path 'earshot:notifications.{key}' -s local", stdin=value)
    succeeded(checkout.earshot("up", "local", "--yes"))
    _check_the_account(checkout)
    assert "is up to date" in succeeded(checkout.earshot("up", "local", "--yes"))
    out = succeeded(checkout.earshot("teardown", "local", "--yes"))
    assert "This stays: log group /aws/livekit/was-there" in out
    assert "nothing of this stack is left" in out


def _check_the_account(checkout: Checkout) -> None:
    settings = checkout.settings
    client = client_factory(settings)
    plan = plan_cloudwatch("local", settings)
    groups = {each["logGroupName"]: each for each in client("logs").describe_log_groups()["logGroups"]}
    made = groups["/aws/livekit/made-here"]
    assert made["retentionInDays"] == 7
    policy = client("kms").get_key_policy(KeyId=made["kmsKeyId"], PolicyName="default")["Policy"]
    assert "logs.us-west-1.amazonaws.com" in policy
    assert "retentionInDays" not in groups["/aws/livekit/was-there"], "an existing group was changed"
    alarms = {each["AlarmName"]: each for each in client("cloudwatch").describe_alarms(MaxRecords=100)["MetricAlarms"]}
    ignored = alarms["earshot-local-made-here-total-latency-critical"]
    assert ignored["EvaluateLowSampleCountPercentile"] == "ignore"
    assert ignored["ExtendedStatistic"] == "p95"
    assert len(ignored["AlarmActions"]) == 1
    assert not alarms["earshot-local-was-there-total-latency-critical"]["AlarmActions"]
    topics = {topic.severity: topic.name for topic in plan.topics}
    subscribed = client("sns").list_subscriptions()["Subscriptions"]
    protocols = sorted((each["TopicArn"].rsplit(":", 1)[-1], each["Protocol"]) for each in subscribed)
    assert protocols == [
        ("earshot-local-critical", "https"),
        ("earshot-local-critical", "lambda"),
        ("earshot-local-warning", "lambda"),
    ]
    assert set(topics.values()) == {"earshot-local-critical", "earshot-local-warning"}
    role = client("iam").get_role_policy(RoleName="earshot-local-critical-slack", PolicyName="notify")
    statements = role["PolicyDocument"]
    if isinstance(statements, str):
        statements = json.loads(statements)
    for statement in statements["Statement"]:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        assert not any("*" in action for action in actions)
        assert statement["Resource"] != "*"
