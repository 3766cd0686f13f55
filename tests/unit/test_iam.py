"""Every policy document that a stack makes: no action with a wildcard, no resource that is not its own."""

from __future__ import annotations

import fnmatch
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pulumi_aws")

from analytics.plan import iam
from analytics.plan.build import plan_analytics
from cloudwatch.log_groups import key_policy
from cloudwatch.notifications import lambda_trust_policy, notifier_policy, topic_policy
from cloudwatch.plan.bucket_policy import tls_only_policy
from tests.stack_settings import validate
from tests.unit.conftest import MINIMAL

ACCOUNT = "123456789012"
TOPIC = f"arn:aws:sns:us-west-1:{ACCOUNT}:turnscope-dev-critical"
KEY = f"arn:aws:kms:us-west-1:{ACCOUNT}:key/k"
COPY = "arn:aws:s3:::copy"
COPY_KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/c"
# Everything that needs a permission.
_ANALYTICS = plan_analytics(
    "dev",
    validate(
        {
            **MINIMAL,
            "analytics": {
                "encryption": "stack-key",
                "versioning": True,
                "replication": {"bucket_arn": COPY, "kms_key_arn": COPY_KEY},
            },
        },
        source=Path("test"),
    ),
)
assert _ANALYTICS
PLAN = _ANALYTICS
NAMES = iam.Names(PLAN, ACCOUNT, KEY)
ROLES = {role.key: role for role in PLAN.roles}
ROLE_POLICIES = {key: iam.role_policy(role, NAMES) for key, role in ROLES.items()}
TRUST = {key: iam.trust_policy(role, NAMES) for key, role in ROLES.items()}
BUCKET_POLICIES = {bucket.key: tls_only_policy(NAMES.bucket(bucket)) for bucket in PLAN.buckets}
POLICIES: dict[str, dict[str, Any]] = {
    **{f"analytics {key}": policy for key, policy in ROLE_POLICIES.items()},
    **{f"analytics {key} trust": policy for key, policy in TRUST.items()},
    **{f"analytics {key} bucket": policy for key, policy in BUCKET_POLICIES.items()},
    "analytics key": iam.key_policy(NAMES),
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
    """Where something is allowed; what is taken away may be everything."""
    for statement in POLICIES[name]["Statement"]:
        if statement["Effect"] == "Allow":
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


def existing() -> set[str]:
    """Everything that the analytics' roles may touch, as patterns: what the plan makes, and the copy."""
    region = f"us-west-1:{ACCOUNT}"
    data = f"arn:aws:s3:::turnscope-dev-analytics-{ACCOUNT}"
    events = ("voice_metrics", "session_analytics")
    return {
        data,
        f"{data}/*",
        *(f"{data}/{event}/*" for event in events),
        *(f"{data}/errors/{event}/*" for event in events),
        f"{data}/errors/rejected/*",
        *(f"arn:aws:firehose:{region}:deliverystream/turnscope-dev-{event}" for event in events),
        f"arn:aws:glue:{region}:catalog",
        f"arn:aws:glue:{region}:database/turnscope_dev",
        *(f"arn:aws:glue:{region}:table/turnscope_dev/{event}" for event in events),
        f"arn:aws:lambda:{region}:function:turnscope-dev-analytics-validation:$LATEST",
        f"arn:aws:logs:{region}:log-group:/aws/kinesisfirehose/turnscope-dev:log-stream:*",
        f"arn:aws:logs:{region}:log-group:/aws/lambda/turnscope-dev-analytics-validation:log-stream:*",
        KEY,
        f"{COPY}/*",
        COPY_KEY,
    }


@pytest.mark.parametrize("role", ROLE_POLICIES)
def test_a_role_of_the_analytics_reaches_only_what_the_plan_makes(role: str) -> None:
    reached = {arn for each in ROLE_POLICIES[role]["Statement"] for arn in each["Resource"]}
    assert reached <= existing()


def test_everything_that_a_role_may_reach_is_reached_by_one() -> None:
    """Else the list above, or a policy, has something that nobody needs."""
    assert existing() == {
        arn for policy in ROLE_POLICIES.values() for each in policy["Statement"] for arn in each["Resource"]
    }


NEEDED = {
    "delivery": {"s3", "glue", "lambda", "logs", "kms"},
    "subscription": {"firehose"},
    "validation": {"s3", "logs", "kms"},
    "replication": {"s3", "kms"},
}


@pytest.mark.parametrize("role", NEEDED)
def test_a_role_has_only_its_own_services_and_actions_of_the_resources_service(role: str) -> None:
    statements = ROLE_POLICIES[role]["Statement"]
    services = {action.split(":")[0] for each in statements for action in each["Action"]}
    assert services == NEEDED[role]
    for each in statements:
        [service] = {action.split(":")[0] for action in each["Action"]}
        assert all(arn.split(":")[2] == service for arn in each["Resource"])


def test_nothing_of_the_analytics_deletes_or_reads_another_agents_log() -> None:
    actions = {action for policy in ROLE_POLICIES.values() for each in policy["Statement"] for action in each["Action"]}
    assert not [action for action in actions if ":Delete" in action or action.startswith("logs:Get")]


def test_the_record_validation_cannot_write_among_the_events() -> None:
    writable = [
        arn
        for each in ROLE_POLICIES["validation"]["Statement"]
        if "s3:PutObject" in each["Action"]
        for arn in each["Resource"]
    ]
    event = f"arn:aws:s3:::turnscope-dev-analytics-{ACCOUNT}/voice_metrics/2026/01/01/00/x"
    assert not any(fnmatch.fnmatch(event, arn) for arn in writable)


@pytest.mark.parametrize("role", TRUST)
def test_a_role_is_taken_by_one_service_for_one_source(role: str) -> None:
    [statement] = TRUST[role]["Statement"]
    assert statement["Action"] == "sts:AssumeRole"
    assert (
        statement["Principal"]["Service"]
        == {
            "delivery": "firehose.amazonaws.com",
            "subscription": "logs.amazonaws.com",
            "validation": "lambda.amazonaws.com",
            "replication": "s3.amazonaws.com",
        }[role]
    )


@pytest.mark.parametrize("role", ["delivery", "validation", "replication"])
def test_the_key_is_used_through_s3_only(role: str) -> None:
    used = [each for each in ROLE_POLICIES[role]["Statement"] if each["Resource"] == [KEY]]
    assert used
    assert all(each["Condition"]["StringEquals"]["kms:ViaService"] == "s3.us-west-1.amazonaws.com" for each in used)


def test_without_a_key_no_role_has_a_permission_on_one() -> None:
    names = iam.Names(PLAN, ACCOUNT)
    for key in ("delivery", "validation"):
        assert "kms:" not in str(iam.role_policy(ROLES[key], names))  # type: ignore[index]


@pytest.mark.parametrize("bucket", BUCKET_POLICIES)
def test_a_bucket_allows_nothing_and_denies_plain_http(bucket: str) -> None:
    """Roles' own policies allow; a bucket's policy that did would be one more place to look."""
    [statement] = BUCKET_POLICIES[bucket]["Statement"]
    assert statement["Effect"] == "Deny"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert {arn.rpartition("/")[2] for arn in statement["Resource"]} >= {"*"}
    assert len(statement["Resource"]) == 2


@pytest.mark.parametrize(("region", "partition"), [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")])
def test_other_partitions_arns_have_their_name(region: str, partition: str) -> None:
    settings = validate({**MINIMAL, "region": region, "analytics": {}}, source=Path("test"))
    plan = plan_analytics("dev", settings)
    assert plan
    policy = iam.role_policy(plan.roles[0], iam.Names(plan, ACCOUNT))
    assert all(arn.split(":")[1] == partition for each in policy["Statement"] for arn in each["Resource"])
