"""SigNoz' machine: what its settings allow, and what exists for them."""

from __future__ import annotations

import json
from typing import Any, get_args

import botocore.session
import pytest

from cloudwatch.plan.model import MissingData, Severity
from core.errors import UserError
from host.plan.alarms import INSTANCE_ID
from host.plan.build import EVERYONE, SSH_PORT, plan_host
from host.plan.model import HostPlan
from host.plan.policies import (
    Names,
    cold_policy,
    cold_trust,
    instance_policy,
    key_policy,
    schedule_policy,
    snapshot_policy,
)
from host.plan.user_data import setup_script
from stacks.settings.host import GRAVITON, INSTANCE_FAMILIES, InstanceType
from stacks.settings.model import Settings
from tests.unit.conftest import HOST, ROOT, SIGNOZ, settings_with

ACCOUNT = "123456789012"
EXISTING = {"network": {"vpc_id": "vpc-0123456789abcdef0", "subnet_id": "subnet-0123456789abcdef0"}}
BEHIND = {
    "domain": "signoz.example.com",
    **EXISTING,
    "load_balancer": {"security_group_id": "sg-0123456789abcdef0"},
}


def settings(host: dict[str, Any] | None = None, **over: Any) -> Settings:
    return settings_with(host={**HOST, **(host or {})}, **over)


def plan(host: dict[str, Any] | None = None, **over: Any) -> HostPlan:
    found = plan_host("example", settings(host, **over))
    assert found
    return found


def model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)


def test_a_stack_without_a_host_has_none() -> None:
    assert plan_host("example", settings_with()) is None


def test_every_family_exists_in_ec2() -> None:
    known = {each.partition(".")[0] for each in model("ec2").shape_for("InstanceType").enum}
    assert set(INSTANCE_FAMILIES) <= known
    # Graviton's letter, after the generation.
    assert all(family[2] == "g" for family in GRAVITON)


def test_every_type_of_these_families_that_is_allowed_exists() -> None:
    """Sizes are a pattern: what it lets through and EC2 does not know fails at the deployment, so it must be rare."""
    known = set(model("ec2").shape_for("InstanceType").enum)
    pattern = get_args(InstanceType)[1]
    for each in known:
        family, _, size = each.partition(".")
        if family in INSTANCE_FAMILIES and not size.startswith(("metal", "nano", "micro", "small")):
            pattern._check(each)


@pytest.mark.parametrize(
    ("type_", "architecture", "debian"), [("m7g.xlarge", "arm64", "arm64"), ("m7i-flex.large", "x86_64", "amd64")]
)
def test_the_architecture_follows_from_the_type(type_: str, architecture: str, debian: str) -> None:
    found = plan({"instance_type": type_})
    assert found.architecture == architecture
    assert found.image_parameter == f"/aws/service/debian/release/13/latest/{debian}"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ({"instance_type": "p5.48xlarge"}, "instance_type"),
        ({"instance_type": "m7g.metal"}, "instance_type"),
        ({"instance_type": "t4g.nano"}, "instance_type"),
        ({"allowed_networks": {"ui": [], "otlp": ["0.0.0.0/0"]}}, "allowed_networks.ui"),
        ({"allowed_networks": None}, "required without load_balancer"),
        ({"access": "ssh"}, "host.ssh"),
        ({"ssh": {"allowed_networks": ["203.0.113.7"]}}, "with access: ssh, otherwise null"),
        ({"network": {"vpc_id": "vpc-01234567"}}, "set with vpc_id"),
        ({"network": {"cidr": "8.8.8.0/24"}}, "a private IPv4 network"),
        ({"network": {"cidr": "10.0.0.0/8"}}, "from /16 to /25"),
        ({"network": {"availability_zone": "eu-west-1a"}}, "an availability zone of region us-west-1"),
        ({"load_balancer": {"security_group_id": "sg-01234567"}}, "set network.vpc_id"),
        ({**BEHIND, "acme_email": None}, "null with load_balancer, whose security group decides"),
        ({**BEHIND, "allowed_networks": None}, "null with load_balancer, which has the domain"),
        ({"data_volume": {"size_gib": 20, "iops": 16000}}, "at most 10000"),
        ({"data_volume": {"iops": 3000, "throughput_mib_per_second": 1000}}, "at most 750"),
        ({"schedule": {"stop_at": "20:00", "start_at": "20:00"}}, "another time than stop_at"),
        ({"schedule": {"stop_at": "20:00", "start_at": "07:00", "timezone": "Mars/Base"}}, "IANA"),
        ({"alarms": {"disk_warning_percent": 90, "disk_critical_percent": 80}}, "above disk_warning_percent"),
        ({"docker_version": "latest"}, "28.5.2"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(host: dict[str, Any], expected: str) -> None:
    with pytest.raises(UserError) as raised:
        settings(host)
    assert expected in str(raised.value)
    assert raised.value.exit_code == 2


PROD = {"environment": "prod", "protect": True, "notifications": {"critical": {"emails": ["a@example.com"]}}}


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ({"schedule": {"stop_at": "20:00", "start_at": "07:00"}}, "schedule: allowed: null, in environment prod"),
        ({"data_volume": {"keep": False}}, "data_volume.keep: allowed: true or null, in environment prod"),
    ],
)
def test_production_is_never_stopped_and_keeps_its_data(host: dict[str, Any], expected: str) -> None:
    with pytest.raises(UserError) as raised:
        settings(host, **PROD)
    assert expected in str(raised.value)


def test_a_host_and_the_address_of_another_one_are_refused() -> None:
    with pytest.raises(UserError) as raised:
        settings(signoz={**SIGNOZ, "docker_host": "ssh://deploy@signoz.example.com"})
    assert "either host or signoz.docker_host, not both" in str(raised.value)


# --- SigNoz' gateway ---


def test_the_gateway_has_the_machines_name_and_gets_its_certificate() -> None:
    found = settings(signoz=SIGNOZ).signoz
    assert found
    gateway = found.gateway
    assert (gateway.hostname, gateway.certificates, gateway.plain_http_port) == ("signoz.example.com", "acme", 80)
    assert gateway.acme
    assert gateway.acme.email == "ops@example.com"


def test_the_gateways_own_settings_win() -> None:
    gateway = {"certificates": "internal", "ui_port": 8443}
    found = settings({"acme_email": None}, signoz={**SIGNOZ, "gateway": gateway}).signoz
    assert found
    assert (found.gateway.hostname, found.gateway.certificates) == ("signoz.example.com", "internal")


@pytest.mark.parametrize(
    ("host", "gateway", "expected"),
    [
        ({"acme_email": None}, {}, "acme_email: missing"),
        ({}, {"certificates": "internal"}, "acme_email: allowed: null with signoz.gateway.certificates"),
        ({}, {"hostname": "other.example.com"}, "domain: allowed: other.example.com"),
    ],
)
def test_a_gateway_that_does_not_fit_is_refused(host: dict[str, Any], gateway: dict[str, Any], expected: str) -> None:
    with pytest.raises(UserError) as raised:
        settings(host, signoz={**SIGNOZ, "gateway": gateway})
    assert expected in str(raised.value)


# --- The security group ---


def test_only_what_was_allowed_gets_in() -> None:
    """Nothing is open to everyone but ACME's challenge, and port 22 exists with ssh alone."""
    found = {(rule.port, rule.network) for rule in plan(signoz=SIGNOZ).rules}
    otlp = "198.51.100.0/24"
    assert found == {(443, "203.0.113.0/24"), (4317, otlp), (4318, otlp), (80, EVERYONE)}
    ssh = {"access": "ssh", "ssh": {"allowed_networks": ["203.0.113.7"]}}
    assert {rule.network for rule in plan(ssh).rules if rule.port == SSH_PORT} == {"203.0.113.7/32"}


def test_ports_are_the_gateways() -> None:
    gateway = {"ui_port": 8443, "otlp_grpc_port": 5317, "otlp_http_port": 5318}
    found = {rule.port for rule in plan(signoz={**SIGNOZ, "gateway": gateway}).rules}
    assert found == {8443, 5317, 5318, 80}


def test_behind_a_load_balancer_it_alone_gets_in() -> None:
    found = plan_host("example", settings_with(host=BEHIND))
    assert found
    assert not found.public
    assert {(rule.network, rule.security_group_id) for rule in found.rules} == {(None, "sg-0123456789abcdef0")}


def test_rules_have_names_of_their_own() -> None:
    networks = ["203.0.113.0/24", "203.0.113.0/25", "2001:db8::/32", "2001:db8::/33"]
    rules = plan({"allowed_networks": {"ui": networks, "otlp": networks}}).rules
    assert len({rule.key for rule in rules}) == len(rules)
    assert [rule.is_ipv6 for rule in rules[:4]] == [False, False, True, True]


# --- Policies ---


def statements(policy: dict[str, Any]) -> list[dict[str, Any]]:
    return policy["Statement"]


@pytest.mark.parametrize("access", ["session-manager", "ssh"])
def test_the_machine_may_do_little(access: str) -> None:
    """No action has a wildcard; where AWS knows no resource, a condition or the session's channels."""
    ssh = {"ssh": {"allowed_networks": ["203.0.113.7"]}} if access == "ssh" else {}
    found = statements(instance_policy(Names(plan({"access": access, **ssh}), ACCOUNT)))
    actions = [action for each in found for action in each["Action"]]
    assert not any("*" in action for action in actions)
    assert any(action.startswith("ssmmessages:") for action in actions) == (access == "session-manager")
    everywhere = [each for each in found if each["Resource"] == "*" and "Condition" not in each]
    channels = {action.partition(":")[2] for each in everywhere for action in each["Action"]}
    assert channels <= {"UpdateInstanceInformation", "CreateControlChannel", "CreateDataChannel", "OpenControlChannel",
                        "OpenDataChannel"}  # fmt: skip


def test_the_machine_writes_its_own_key_log_and_metrics_alone() -> None:
    text = json.dumps(instance_policy(Names(plan(), ACCOUNT)))
    assert '"cloudwatch:namespace": "Turnscope/example/host"' in text
    assert f'"arn:aws:ssm:us-west-1:{ACCOUNT}:parameter/turnscope/example/host-keys/*"' in text
    assert f'"arn:aws:logs:us-west-1:{ACCOUNT}:log-group:/turnscope/example/host:*"' in text


def test_snapshots_and_schedule_reach_one_volume_and_one_machine() -> None:
    names = Names(plan(), ACCOUNT)
    made = statements(snapshot_policy(names, "vol-1"))[1]["Resource"]
    assert made == [f"arn:aws:ec2:us-west-1:{ACCOUNT}:volume/vol-1", "arn:aws:ec2:us-west-1::snapshot/*"]
    assert statements(schedule_policy(names, "i-1"))[0]["Resource"] == f"arn:aws:ec2:us-west-1:{ACCOUNT}:instance/i-1"
    assert "kms:*" not in json.dumps(key_policy(names))


# --- ClickHouse's old data in S3 ---


def with_cold_storage(cold: dict[str, Any] | None, host: dict[str, Any] | None = None, **over: Any) -> HostPlan:
    clickhouse = {**SIGNOZ["clickhouse"], "cold_storage": cold}
    return plan(host, signoz={**SIGNOZ, "clickhouse": clickhouse}, **over)


KEYS = {"access_key_id": {"secure": "v1:x"}, "secret_access_key": {"secure": "v1:x"}}
BUCKET = {"bucket": "voice-telemetry", "region": "eu-west-1"}


@pytest.mark.parametrize("cold", [None, {**BUCKET, **KEYS}])
def test_without_a_bucket_or_with_keys_the_machine_hands_out_no_role(cold: dict[str, Any] | None) -> None:
    found = with_cold_storage(cold)
    assert found.cold_bucket is None
    assert "sts:AssumeRole" not in json.dumps(instance_policy(Names(found, ACCOUNT)))
    assert "cold-storage" not in setup_script(found, "vol-1", Names(found, ACCOUNT))


def test_the_bucket_is_the_stacks_and_the_accounts() -> None:
    cold = with_cold_storage({}).cold_bucket
    assert cold
    assert cold.name(ACCOUNT) == f"turnscope-example-clickhouse-{ACCOUNT}"
    assert cold.existing is None
    longest = plan_host(
        "x" * 29, settings(signoz={**SIGNOZ, "clickhouse": {**SIGNOZ["clickhouse"], "cold_storage": {}}})
    )
    assert longest
    assert longest.cold_bucket
    assert len(longest.cold_bucket.name(ACCOUNT)) == 63
    with pytest.raises(UserError, match="at most 29 characters, this one 30"):
        plan_host("x" * 30, settings(signoz={**SIGNOZ, "clickhouse": {**SIGNOZ["clickhouse"], "cold_storage": {}}}))


@pytest.mark.parametrize("keep", [True, False])
def test_the_bucket_is_kept_and_protected_as_the_volume_is(keep: bool) -> None:
    found = with_cold_storage({}, {"data_volume": {"keep": keep}}, protect=True)
    assert found.cold_bucket
    assert (
        (found.cold_bucket.keep, found.cold_bucket.protect) == (found.volume.keep, found.volume.protect) == (keep, True)
    )


def test_clickhouses_role_reaches_its_prefix_alone() -> None:
    own = Names(with_cold_storage({"prefix": "tier/1"}), ACCOUNT)
    objects, names = statements(cold_policy(own, None))
    arn = f"arn:aws:s3:::turnscope-example-clickhouse-{ACCOUNT}"
    assert (objects["Resource"], names["Resource"]) == (f"{arn}/tier/1/*", arn)
    actions = {*objects["Action"], *names["Action"]}
    assert actions == {
        f"s3:{each}" for each in ("AbortMultipartUpload", "DeleteObject", "GetObject", "ListBucket", "PutObject")
    }
    existing = Names(with_cold_storage(BUCKET), ACCOUNT)
    objects, names = statements(cold_policy(existing, None))
    assert objects["Resource"] == "arn:aws:s3:::voice-telemetry/data/*"
    assert names["Condition"] == {"StringLike": {"s3:prefix": "data/*"}}


def test_with_a_kms_key_the_role_uses_it_through_s3_alone() -> None:
    names = Names(with_cold_storage({}, {"data_volume": {"encryption": "stack-key"}}), ACCOUNT)
    key = statements(cold_policy(names, "arn:key"))[-1]
    through_s3 = {"StringEquals": {"kms:ViaService": "s3.us-west-1.amazonaws.com"}}
    assert (key["Resource"], key["Condition"]) == ("arn:key", through_s3)
    assert any(each.get("Condition") == through_s3 for each in statements(key_policy(names)))
    existing = Names(with_cold_storage(BUCKET, {"data_volume": {"encryption": "stack-key"}}), ACCOUNT)
    assert "s3." not in json.dumps(key_policy(existing))


def test_the_machine_may_take_that_role_and_only_the_machine() -> None:
    names = Names(with_cold_storage({}), ACCOUNT)
    role = f"arn:aws:iam::{ACCOUNT}:role/turnscope-example-host-cold"
    assert statements(instance_policy(names))[-1] == {
        "Effect": "Allow", "Action": ["sts:AssumeRole"], "Resource": role,
    }  # fmt: skip
    [trust] = statements(cold_trust("arn:machine"))
    assert trust["Principal"] == {"AWS": "arn:machine"}


@pytest.mark.parametrize(
    ("cold", "expected"),
    [
        ({"bucket": "voice-telemetry"}, "region: null: allowed: an AWS region with bucket"),
        ({"region": "us-west-1"}, 'region: "us-west-1": allowed: an AWS region with bucket, otherwise null'),
        (KEYS, "allowed: null without bucket"),
    ],
)
def test_cold_storage_that_does_not_fit_is_refused(cold: dict[str, Any], expected: str) -> None:
    with pytest.raises(UserError) as raised:
        with_cold_storage(cold)
    assert expected in str(raised.value)


def test_without_a_machine_cold_storage_needs_a_bucket() -> None:
    with pytest.raises(UserError) as raised:
        settings_with(signoz={**SIGNOZ, "clickhouse": {**SIGNOZ["clickhouse"], "cold_storage": {}}})
    assert "host: null: missing: a section, because signoz.clickhouse.cold_storage has no bucket" in str(raised.value)


def test_retention_moves_data_to_the_stacks_own_bucket() -> None:
    """The check between retention and cold storage asks for no bucket's name."""
    clickhouse = {**SIGNOZ["clickhouse"], "cold_storage": {}}
    content = {"retention": {"traces": {"days": 30, "cold_after_days": 7}}}
    assert plan(signoz={**SIGNOZ, "clickhouse": clickhouse, "content": content}).cold_bucket


# --- Volume, schedule, alarms ---


def test_data_stays_where_the_environment_says() -> None:
    assert not plan().volume.keep
    prod = plan(**PROD).volume
    assert prod.keep
    assert prod.protect


def test_a_machine_that_is_stopped_at_night() -> None:
    schedule = {"stop_at": "20:30", "start_at": "07:05", "timezone": "Europe/Berlin"}
    stop, start = plan({"schedule": schedule}).schedule
    assert (stop.action, stop.cron) == ("stop", "cron(30 20 ? * * *)")
    assert (start.action, start.cron) == ("start", "cron(5 7 ? * MON-FRI *)")
    assert {stop.timezone, start.timezone} == {"Europe/Berlin"}


def test_every_alarm_notifies_and_has_a_runbook() -> None:
    pages = {path.stem for path in (ROOT / "docs" / "runbooks").glob("*.md")}
    for alarm in plan().alarms:
        assert alarm.notifies
        assert alarm.runbook_url.rpartition("/")[2].removesuffix(".md") in pages


def test_alarms_watch_what_the_machine_publishes() -> None:
    """Its own metrics have no dimensions, EC2's the instance's."""
    for alarm in plan().alarms:
        [stat] = alarm.stats
        names = {name for name, _ in stat.metric.dimensions}
        assert names == ({INSTANCE_ID} if stat.metric.namespace == "AWS/EC2" else set())


def test_one_alarm_recovers_the_machine() -> None:
    """The action works with this metric alone, and with periods of a minute."""
    [alarm] = [each for each in plan().alarms if each.recovers]
    [stat] = alarm.stats
    assert (stat.metric.name, stat.period_seconds, stat.statistic) == ("StatusCheckFailed_System", 60, "Maximum")
    assert alarm.severity is Severity.CRITICAL


def test_a_silent_machine_is_an_alarm_unless_it_is_meant_to_be_silent() -> None:
    def containers(found: HostPlan) -> MissingData:
        return next(each.missing_data for each in found.alarms if each.key == "host-containers")

    assert containers(plan()) is MissingData.BREACHING
    assert containers(plan({"schedule": {"stop_at": "20:00", "start_at": "07:00"}})) is MissingData.NOT_BREACHING
