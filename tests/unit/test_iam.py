"""Every policy document that a stack makes: no action with a wildcard, no resource that is not its own."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("pulumi_aws")

from cloudwatch.log_groups import key_policy
from cloudwatch.notifications import lambda_trust_policy, notifier_policy, topic_policy

ACCOUNT = "123456789012"
TOPIC = f"arn:aws:sns:us-west-1:{ACCOUNT}:earshot-dev-critical"
POLICIES: dict[str, dict[str, Any]] = {
    "key": key_policy("us-west-1", ACCOUNT),
    "topic": topic_policy(TOPIC, ACCOUNT),
    "lambda trust": lambda_trust_policy(ACCOUNT),
    "notifier": notifier_policy(
        "arn:aws:ssm:us-west-1:123456789012:parameter/p", "arn:aws:logs:us-west-1:1:log-group:g"
    ),
}


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


@pytest.mark.parametrize("name", POLICIES)
def test_no_action_has_a_wildcard(name: str) -> None:
    for statement in POLICIES[name]["Statement"]:
        assert not any("*" in action for action in listed(statement["Action"]))


@pytest.mark.parametrize("name", POLICIES)
def test_whoever_may_be_another_accounts_is_bound_to_this_one(name: str) -> None:
    """A service principal acts for any account (the confused deputy) unless a condition names the source."""
    for statement in POLICIES[name]["Statement"]:
        if statement["Effect"] == "Allow" and "Service" in statement.get("Principal", {}):
            assert ACCOUNT in str(statement["Condition"])


def test_the_notifier_reaches_one_parameter_and_one_log_group() -> None:
    assert [statement["Resource"] for statement in POLICIES["notifier"]["Statement"]] == [
        "arn:aws:ssm:us-west-1:123456789012:parameter/p",
        "arn:aws:logs:us-west-1:1:log-group:g:log-stream:*",
    ]


def test_nobody_publishes_over_plain_http() -> None:
    deny = next(each for each in POLICIES["topic"]["Statement"] if each["Effect"] == "Deny")
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_the_key_serves_the_logs_of_its_own_region_and_account() -> None:
    encrypt = next(each for each in POLICIES["key"]["Statement"] if each["Sid"] == "EncryptLogs")
    assert encrypt["Principal"] == {"Service": "logs.us-west-1.amazonaws.com"}
    assert f"us-west-1:{ACCOUNT}:log-group:" in str(encrypt["Condition"])
