"""The delivery of log groups to SigNoz: what its settings allow, and what exists for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import botocore.session
import pytest

pytest.importorskip("pulumi_aws")

from analytics.plan.build import plan_analytics
from cloudwatch.plan.build import plan_cloudwatch
from cloudwatch.plan.model import MetricStat
from core.environments import Environment
from core.errors import UserError
from core.secrets import generated
from core.secrets.reference import SecretRef
from forwarding.plan.build import BUFFER_MIB, plan_forwarding
from forwarding.plan.iam import ForwardingNames, delivery_policy, subscription_policy
from forwarding.plan.model import ForwardingPlan
from host.plan.build import EVERYONE, plan_host
from simulate.patterns import parse
from stacks.settings.model import Settings
from tests.program import is_secret, program
from tests.unit.conftest import HOST, ROOT, SECURE, SIGNOZ, settings_with
from turnscope.plan_table import as_data, summary
from turnscope.plans import StackPlan

ACCOUNT = "123456789012"
PUBLIC: dict[str, Any] = {
    "hostname": "signoz.example.com",
    "certificates": "acme",
    "acme": {"email": "ops@example.com"},
    "plain_http_port": 80,
}


def signoz(delivery: dict[str, Any] | None = None, gateway: dict[str, Any] | None = None) -> dict[str, Any]:
    firehose = {"access_key": SECURE, "log_groups": delivery or {}}
    return {
        **SIGNOZ,
        "gateway": PUBLIC if gateway is None else gateway,
        "collector": {"tokens": {"agents": SECURE}, "firehose": firehose},
    }


def settings(delivery: dict[str, Any] | None = None, gateway: dict[str, Any] | None = None, **over: Any) -> Settings:
    return settings_with(**{"signoz": signoz(delivery, gateway), **over})


def planned(delivery: dict[str, Any] | None = None, stack: str = "dev", **over: Any) -> ForwardingPlan:
    found = plan_forwarding(stack, settings(delivery, **over))
    assert found
    return found


def problems(delivery: dict[str, Any] | None = None, gateway: dict[str, Any] | None = None, **over: Any) -> str:
    with pytest.raises(UserError) as caught:
        settings(delivery, gateway, **over)
    assert caught.value.exit_code == 2
    return str(caught.value)


# What the settings refuse


@pytest.mark.parametrize(
    ("gateway", "words"),
    [
        ({**PUBLIC, "ui_port": 8443}, ["signoz.gateway.ui_port: 8443: allowed: 443"]),
        ({**PUBLIC, "hostname": "10.0.0.1"}, ['gateway.hostname: "10.0.0.1": allowed: a public DNS name']),
        ({**PUBLIC, "hostname": "signoz.internal"}, ["gateway.hostname"]),
        (
            {"ui_port": 8443},
            [
                'signoz.gateway.certificates: "internal": allowed: acme or own',
                "signoz.gateway.ui_port: 8443: allowed: 443",
                'signoz.gateway.hostname: "localhost": allowed: a public DNS name',
            ],
        ),
    ],
)
def test_a_gateway_that_firehose_does_not_reach_is_refused_with_all_reasons(
    gateway: dict[str, Any], words: list[str]
) -> None:
    message = problems(gateway=gateway)
    assert all(each in message for each in words)
    assert message.count("allowed:") == len(words)


def test_a_proxy_in_front_of_the_gateway_may_have_what_firehose_needs() -> None:
    url = "https://signoz.example.com/firehose/logs"
    found = plan_forwarding("dev", settings({"url": url}, gateway={"ui_port": 8443}))
    assert found
    assert found.stream.url == url


@pytest.mark.parametrize("url", ["http://signoz.example.com/x", "https://signoz.example.com:8443/x", "https://x"])
def test_the_url_is_one_that_firehose_sends_to(url: str) -> None:
    assert "an https URL with a path, on port 443" in problems({"url": url})


def test_local_may_have_what_only_this_machine_reaches() -> None:
    over = {"environment": "local", "lab": {"aws_port": 4599}}
    found = plan_forwarding("local", settings(gateway={"ui_port": 8443}, **over))
    assert found
    assert found.stream.url == "https://localhost:8443/firehose/logs"


def test_analytics_of_both_events_leave_no_subscription_filter() -> None:
    message = problems(analytics={})
    assert "a log group has at most 2 subscription filters" in message
    assert message.count("allowed:") == 1


def test_with_analytics_of_one_event_a_log_group_has_two_filters() -> None:
    over = {"analytics": {"events": ["session_analytics"]}}
    found = settings(**over)
    analytics, forwarding = plan_analytics("dev", found), plan_forwarding("dev", found)
    assert analytics
    assert forwarding
    names = [each.name for each in (*analytics.subscriptions, *forwarding.subscriptions)]
    assert len(set(names)) == len(names) == 2


def test_without_cloudwatch_there_are_no_log_groups() -> None:
    assert "log_groups: a mapping: allowed: null, because cloudwatch is null" in problems(cloudwatch=None)


def test_an_endpoint_that_accepts_no_logs_gets_none() -> None:
    firehose = {"access_key": SECURE, "logs": False, "metrics": "json", "log_groups": {}}
    collector = {"tokens": {"agents": SECURE}, "firehose": firehose}
    with pytest.raises(UserError, match="allowed: null, because logs is false"):
        settings_with(signoz={**SIGNOZ, "gateway": PUBLIC, "collector": collector})


def test_the_delay_is_longer_than_a_buffer() -> None:
    assert "allowed: at least 45, three times buffer_seconds" in problems({"buffer_seconds": 900})


def test_a_stack_whose_name_does_not_fit_is_refused() -> None:
    with pytest.raises(UserError, match="at most 30 characters"):
        planned(stack="x" * 31)
    longest = planned(stack="x" * 30)
    assert len(longest.bucket.name(ACCOUNT)) <= 63
    assert max(len(each) for each in (longest.delivery_role, longest.subscription_role, longest.stream.name)) <= 64


# What exists


def test_every_log_event_of_every_agent_is_sent_and_firehoses_own_log_is_not() -> None:
    """A subscription of its own errors would feed the stream for ever."""
    plan = planned(agents={"a": {}, "b": {"log_group": "mine"}})
    assert [each.log_group_name for each in plan.subscriptions] == ["/aws/livekit/a", "mine"]
    assert plan.error_log_group not in {each.log_group_name for each in plan.subscriptions}
    for each in plan.subscriptions:
        for line in ("", "text", '{"a": 1}'):
            assert parse(each.pattern).matches(line)


def test_the_numbers_are_within_aws_own_limits() -> None:
    shapes = botocore.session.get_session().get_service_model("firehose").shape_for
    plan = planned({"buffer_seconds": 900, "retry_minutes": 120, "delay_minutes": 45})
    for shape, value in (
        ("HttpEndpointBufferingSizeInMBs", BUFFER_MIB),
        ("HttpEndpointBufferingIntervalInSeconds", plan.stream.buffer_seconds),
        ("HttpEndpointRetryDurationInSeconds", plan.stream.retry_seconds),
    ):
        limits = shapes(shape).metadata
        assert limits["min"] <= value <= limits["max"]


@pytest.mark.parametrize(("environment", "kept"), [("dev", False), ("staging", True), ("prod", True)])
def test_what_signoz_did_not_take_is_kept_as_the_analytics_data_is(environment: str, kept: bool) -> None:
    protect = environment == "prod"
    bucket = planned(environment=environment, protect=protect).bucket
    assert (bucket.keep, bucket.empty_on_delete, bucket.protect) == (kept, not kept, protect)
    assert bucket.expire_days == 30


def test_prod_keeps_it() -> None:
    assert "log_groups.keep_backup: false: allowed: true or null, in environment prod" in problems(
        {"keep_backup": False}, environment=str(Environment.PROD), protect=True
    )


@pytest.mark.parametrize("key", ["log-forwarding-failed", "log-forwarding-delayed"])
def test_an_alarm_watches_the_stream_and_has_a_runbook(key: str) -> None:
    plan = planned({"delay_minutes": 20})
    [alarm] = [each for each in plan.alarms if each.key == key]
    [series] = alarm.series
    assert isinstance(series, MetricStat)
    assert series.metric.dimensions == (("DeliveryStreamName", plan.stream.name),)
    assert alarm.notifies
    page = (ROOT / "docs" / "runbooks" / Path(alarm.runbook_url).name).read_text()
    assert series.metric.name in page
    assert f"{alarm.datapoints_to_alarm} of {alarm.evaluation_periods}" in page


def test_the_stream_is_as_planned_and_its_key_a_secret() -> None:
    """The engine hides the whole destination, so no snapshot shows it."""
    made = program("forwarding")
    [stream] = [each for each in made.resources if each.name == "forwarding-logs"]
    hidden = stream.inputs["httpEndpointConfiguration"]
    assert is_secret(hidden)
    found = hidden["value"]
    assert found["url"] == "https://localhost/firehose/logs"
    assert found["accessKey"] == made.secrets["signoz.collector.firehose.access_key"]
    assert (found["retryDuration"], found["bufferingInterval"], found["bufferingSize"]) == (7200, 60, 4)
    assert found["s3BackupMode"] == "FailedDataOnly"
    backup = found["s3Configuration"]
    assert backup["errorOutputPrefix"].startswith(backup["prefix"])
    assert {each["cloudwatchLoggingOptions"]["logGroupName"] for each in (found, backup)} == {
        "/aws/kinesisfirehose/turnscope-example-logs"
    }


# Who may do what


def test_the_roles_reach_the_stream_the_bucket_and_the_error_log_alone() -> None:
    plan = planned()
    names = ForwardingNames(plan, ACCOUNT)
    bucket = f"arn:aws:s3:::turnscope-dev-logs-{ACCOUNT}"
    reached = {arn for each in delivery_policy(names)["Statement"] for arn in each["Resource"]}
    assert reached == {
        bucket,
        f"{bucket}/undelivered/*",
        f"arn:aws:logs:us-west-1:{ACCOUNT}:log-group:{plan.error_log_group}:log-stream:*",
    }
    [statement] = subscription_policy(names)["Statement"]
    assert statement["Resource"] == [f"arn:aws:firehose:us-west-1:{ACCOUNT}:deliverystream/{plan.stream.name}"]
    actions = [action for each in delivery_policy(names)["Statement"] for action in each["Action"]]
    assert not [action for action in (*actions, *statement["Action"]) if "*" in action or "Delete" in action]


# The machine and its gateway


def host_settings(**over: Any) -> Settings:
    return settings_with(signoz=signoz(gateway={}), host={**HOST, **over})


def test_a_machine_is_open_for_firehose_and_its_gateway_keeps_the_pages_closed() -> None:
    found = host_settings()
    plan = plan_host("dev", found)
    assert plan
    assert found.signoz
    assert EVERYONE in {rule.network for rule in plan.rules if rule.port == 443}
    assert found.signoz.gateway.ui_networks == tuple(HOST["allowed_networks"]["ui"])
    forwarding = plan_forwarding("dev", found)
    assert forwarding
    assert forwarding.stream.url == "https://signoz.example.com/firehose/logs"


def test_a_machine_that_is_open_already_has_each_rule_once() -> None:
    """AWS refuses two equal rules."""
    plan = plan_host("dev", host_settings(allowed_networks={"ui": [EVERYONE], "otlp": [EVERYONE]}))
    assert plan
    rules = [(rule.port, rule.network) for rule in plan.rules]
    assert len(set(rules)) == len(rules)


def test_without_the_delivery_a_machine_is_as_closed_as_before() -> None:
    found = settings_with(signoz=SIGNOZ, host=HOST)
    plan = plan_host("dev", found)
    assert plan
    assert found.signoz
    assert EVERYONE not in {rule.network for rule in plan.rules if rule.port == 443}
    assert found.signoz.gateway.ui_networks == ()


def test_pages_that_everyone_would_reach_are_refused() -> None:
    with pytest.raises(UserError, match=r"signoz\.gateway\.ui_networks, because port 443 is open to everyone"):
        settings_with(signoz=signoz(gateway={"ui_networks": []}), host=HOST)


# The key


@pytest.mark.parametrize(
    ("firehose", "wanted"),
    [(None, False), ({}, True), ({"log_groups": {}}, True), ({"access_key": SecretRef("x")}, False)],
)
def test_the_key_is_generated_where_firehose_is_and_has_none(firehose: dict[str, Any] | None, wanted: bool) -> None:
    raw = {"signoz": {"collector": {"firehose": firehose} if firehose is not None else {}}}
    missing = {each.path for each in generated.missing(raw)}
    assert ("signoz.collector.firehose.access_key" in missing) is wanted


# What people see


def test_the_plan_lists_everything_with_what_it_does() -> None:
    found = settings()
    plan = StackPlan(plan_cloudwatch("dev", found), None, None, None, forwarding=plan_forwarding("dev", found))
    data = as_data(plan, {})
    rows = {(row["kind"], row["name"]): row for row in data["resources"]}
    stream = rows["delivery stream", "turnscope-dev-logs"]
    assert summary(stream) == "every 60 s or 4 MiB to https://signoz.example.com/firehose/logs"
    assert summary(rows["subscription filter", "/aws/livekit/receptionist/turnscope-dev-logs"]) == "every line"
    assert summary(rows["bucket", "turnscope-dev-logs-ACCOUNT"]) == "deleted after 30 days"
    assert ("role", "turnscope-dev-logs-delivery") in rows
    assert ("alarm", "turnscope-dev-log-forwarding-failed") in rows
    assert "access_key" not in json.dumps(data)
