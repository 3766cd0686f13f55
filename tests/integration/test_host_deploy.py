"""SigNoz on a machine that the stack makes, with the real engine and AWS provider: up, telemetry in, changes, down.

The machine is the lab's: its systemd, cloud-init, Docker, ssh and volumes are real, and it runs the user data as it is.
The tests build on each other, in order.
"""

from __future__ import annotations

import json

import pytest

from host.plan.policies import SNAPSHOT_TAG, Names
from host.plan.user_data import DATA_FOLDER, user_data
from tests.integration.conftest import Checkout, pulumi, succeeded
from tests.integration.machine_stack import NAME, NEEDED, Account, begin, send, stored, up
from turnscope.deployment.existing import Existing
from turnscope.deployment.existing_host import FINDERS

pytestmark = NEEDED
ACCOUNT = "123456789012"


@pytest.fixture(scope="module")
def account(checkout: Checkout) -> Account:
    return begin(checkout)


def test_it_goes_up(checkout: Checkout, account: Account) -> None:
    up(checkout)
    instance, plan, volume = account.instance(), checkout.plan.host, account.volume()
    assert plan
    assert instance["MetadataOptions"]["HttpTokens"] == "required"
    assert instance["MetadataOptions"]["HttpPutResponseHopLimit"] == 1
    assert "KeyName" not in instance
    assert volume["Encrypted"]
    assert volume["Attachments"][0]["InstanceId"] == instance["InstanceId"]
    assert account.user_data(instance["InstanceId"]) == user_data(plan, volume["VolumeId"], Names(plan, ACCOUNT))


def test_telemetry_comes_in_through_its_gateway(checkout: Checkout) -> None:
    spans = send(checkout)
    assert spans > 0
    assert stored(checkout)["signoz_traces.signoz_index_v3"] == spans


def test_everything_that_signoz_stores_is_on_the_data_volume(account: Account) -> None:
    assert account.inside("docker info --format '{{.DockerRootDir}}'") == f"{DATA_FOLDER}/docker"
    assert account.inside(f"findmnt -no SOURCE {DATA_FOLDER}").startswith("/dev/loop")
    assert "turnscope-local-clickhouse" in account.inside("docker ps --format '{{.Names}}'")


def test_only_what_was_allowed_gets_in(account: Account) -> None:
    filters = [{"Name": "group-name", "Values": [NAME]}]
    [group] = account.client("ec2").describe_security_groups(Filters=filters)["SecurityGroups"]
    rules = account.client("ec2").describe_security_group_rules(
        Filters=[{"Name": "group-id", "Values": [group["GroupId"]]}]
    )["SecurityGroupRules"]
    found = {(each["FromPort"], each.get("CidrIpv4") or each.get("CidrIpv6")) for each in rules if not each["IsEgress"]}
    otlp = {(port, network) for port in (4317, 4318) for network in ("198.51.100.0/24", "2001:db8::/32")}
    assert found == {(443, "203.0.113.0/24"), *otlp}


def test_around_it(checkout: Checkout, account: Account) -> None:
    """Address, record, snapshots, schedule and alarms are about this instance and volume."""
    instance, volume, address = account.instance(), account.volume(), account.address()
    assert address["InstanceId"] == instance["InstanceId"]
    zone = checkout.settings.host.zone_id if checkout.settings.host else None
    records = account.client("route53").list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    [record] = [each for each in records if each["Type"] == "A"]
    assert record["ResourceRecords"] == [{"Value": address["PublicIp"]}]
    [policy] = account.client("dlm").get_lifecycle_policies()["Policies"]
    about = account.client("dlm").get_lifecycle_policy(PolicyId=policy["PolicyId"])["Policy"]["PolicyDetails"]
    [tag] = about["TargetTags"]
    assert tag in volume["Tags"]
    assert tag["Key"] == SNAPSHOT_TAG
    stop = account.client("scheduler").get_schedule(Name=f"{NAME}-stop")
    assert json.loads(stop["Target"]["Input"]) == {"InstanceIds": [instance["InstanceId"]]}
    alarms = account.client("cloudwatch").describe_alarms(AlarmNamePrefix="turnscope-local-host-")["MetricAlarms"]
    by_name = {each["AlarmName"]: each for each in alarms}
    system = by_name["turnscope-local-host-system-check"]
    assert system["Dimensions"] == [{"Name": "InstanceId", "Value": instance["InstanceId"]}]
    assert "arn:aws:automate:us-west-1:ec2:recover" in system["AlarmActions"]
    assert [
        action for action in by_name["turnscope-local-host-instance-check"]["AlarmActions"] if "ec2:" in action
    ] == []


def test_a_run_after_a_killed_one_would_find_everything(checkout: Checkout, account: Account) -> None:
    """By the identifiers that the engine recorded, so that nothing is made twice."""
    state = json.loads(pulumi(checkout, "stack export -s local"))["deployment"]["resources"]
    existing = Existing("local", account.client)
    wanted = {each["urn"]: each["id"] for each in state if each["type"] in FINDERS}
    found = {each["urn"]: existing.find(each["type"], each["inputs"]) for each in state if each["type"] in FINDERS}
    assert len({urn.split("::")[2] for urn in wanted}) > 10
    assert found == wanted


def test_nothing_is_left_to_change(checkout: Checkout) -> None:
    assert "is up to date" in up(checkout)


def test_user_data_that_runs_again_changes_nothing(account: Account) -> None:
    """It runs at every boot. Containers go on meanwhile."""
    about = "stat -c '%n %i %Y' /etc/fstab /etc/docker/daemon.json /etc/ssh/sshd_config.d/* /opt/turnscope/*; blkid -p"
    about += " /dev/nvme1n1; docker inspect --format '{{.Name}} {{.State.StartedAt}}' $(docker ps -q)"
    before = account.inside(about)
    said = account.inside("set -a; . /etc/environment; bash /var/lib/cloud/instance/scripts/part-*")
    assert said.splitlines()[-1] == "turnscope: ready"
    assert account.inside(about) == before


def test_tear_down_leaves_the_data_volume_and_its_key_alone(checkout: Checkout, account: Account) -> None:
    volume = account.volume()["VolumeId"]
    out = succeeded(checkout.turnscope("teardown", "local", "--yes"))
    assert f"Kept: data volume {volume} with everything that SigNoz stores" in out
    assert f"no resources of this stack are left except the kept resources: volume {volume} " in out
