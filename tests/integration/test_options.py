"""Every optional part of a stack goes up, shows no change, and goes away again."""

from __future__ import annotations

import json

from cloudwatch.clients import client_factory
from cloudwatch.plan.build import plan_cloudwatch
from tests.integration.conftest import Checkout, pulumi, succeeded

OPTIONS = """\
config:
  turnscope:environment: local
  turnscope:owner: tests
  turnscope:expires_on: "2030-01-31"
  turnscope:log_groups: {{retention_days: 7, encryption: stack-key}}
  turnscope:agents:
    made-here: {{alarms: {{low_samples: ignore, notify_per: alarm, no_data_minutes: 10}}}}
    of-the-base: null
    was-there: {{log_group: /aws/livekit/was-there, log_group_exists: true, alarms: {{low_samples: evaluate}}}}
  turnscope:lab: {{aws_port: {port}}}
"""
SECRETS = {
    "critical.slack_webhook_url": "https://hooks.slack.example.com/services/a",
    "critical.pagerduty_integration_url": "https://events.pagerduty.example.com/integration/b",
    "warning.slack_webhook_url": "https://hooks.slack.example.com/services/c",
}


def test_every_option_goes_up_shows_no_change_and_goes_away(checkout: Checkout) -> None:
    port = checkout.settings.lab.aws_port if checkout.settings.lab else 0
    with (checkout.root / "stacks" / "base.yaml").open("a") as base:
        base.write("agents: {of-the-base: {}}\n")
    checkout.stack_file.write_text(OPTIONS.format(port=port))
    succeeded(checkout.turnscope("lab", "start"))
    logs = client_factory(checkout.settings)("logs")
    logs.create_log_group(logGroupName="/aws/livekit/was-there")
    pulumi(
        checkout,
        "stack select --create local",
        *(f"config set --secret --path 'turnscope:notifications.{key}' {url} -s local" for key, url in SECRETS.items()),
    )
    succeeded(checkout.turnscope("up", "local", "--yes"))
    _check_the_account(checkout)
    assert "is up to date" in succeeded(checkout.turnscope("up", "local", "--yes"))
    out = succeeded(checkout.turnscope("teardown", "local", "--yes"))
    assert "Kept: log group /aws/livekit/was-there" in out
    assert "no resources of this stack are left" in out


def _check_the_account(checkout: Checkout) -> None:
    settings = checkout.settings
    client = client_factory(settings)
    plan = plan_cloudwatch("local", settings)
    groups = {each["logGroupName"]: each for each in client("logs").describe_log_groups()["logGroups"]}
    assert {name for name in groups if name.startswith("/aws/livekit/")} == {
        "/aws/livekit/made-here",
        "/aws/livekit/was-there",
    }
    made = groups["/aws/livekit/made-here"]
    assert made["retentionInDays"] == 7
    policy = client("kms").get_key_policy(KeyId=made["kmsKeyId"], PolicyName="default")["Policy"]
    assert "logs.us-west-1.amazonaws.com" in policy
    assert "retentionInDays" not in groups["/aws/livekit/was-there"], "an existing group was changed"
    alarms = {each["AlarmName"]: each for each in client("cloudwatch").describe_alarms(MaxRecords=100)["MetricAlarms"]}
    ignored = alarms["turnscope-local-made-here-total-latency-critical"]
    assert ignored["EvaluateLowSampleCountPercentile"] == "ignore"
    assert ignored["ExtendedStatistic"] == "p95"
    assert len(ignored["AlarmActions"]) == 1
    assert not alarms["turnscope-local-was-there-total-latency-critical"]["AlarmActions"]
    topics = {topic.severity: topic.name for topic in plan.topics}
    subscribed = client("sns").list_subscriptions()["Subscriptions"]
    protocols = sorted((each["TopicArn"].rsplit(":", 1)[-1], each["Protocol"]) for each in subscribed)
    assert protocols == [
        ("turnscope-local-critical", "https"),
        ("turnscope-local-critical", "lambda"),
        ("turnscope-local-warning", "lambda"),
    ]
    assert set(topics.values()) == {"turnscope-local-critical", "turnscope-local-warning"}
    role = client("iam").get_role_policy(RoleName="turnscope-local-critical-slack", PolicyName="notify")
    statements = role["PolicyDocument"]
    if isinstance(statements, str):
        statements = json.loads(statements)
    for statement in statements["Statement"]:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        assert not any("*" in action for action in actions)
        assert statement["Resource"] != "*"
