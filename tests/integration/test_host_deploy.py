"""The machine for SigNoz with the real engine and AWS provider: up, nothing to change, changes, down.

The emulator's instances do nothing here; what a machine does with its user data is tested elsewhere.
"""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest

from cloudwatch.clients import client_factory
from host.plan.policies import SNAPSHOT_TAG
from host.plan.user_data import user_data
from tests.integration.conftest import Checkout, pulumi, succeeded
from turnscope.deployment.existing import Existing
from turnscope.deployment.existing_host import FINDERS

NAME = "turnscope-local-host"
HOST = """\
  turnscope:host:
    instance_type: t3.large
    image_id: {image}
    domain: signoz.example.com
    zone_id: {zone}
    allowed_networks: {{ui: [203.0.113.0/24], otlp: [198.51.100.0/24, "2001:db8::/32"]}}
    data_volume: {{size_gib: 20, encryption: stack-key, snapshots: {{daily_at: "02:30", keep_days: 3}}}}
    schedule: {{stop_at: "20:00", start_at: "07:00", timezone: Europe/Berlin}}
"""


class Account:
    """What the emulated account has."""

    def __init__(self, checkout: Checkout) -> None:
        self.client = client_factory(checkout.settings)

    def images(self) -> list[str]:
        found = self.client("ec2").describe_images(Filters=[{"Name": "architecture", "Values": ["x86_64"]}])["Images"]
        return [each["ImageId"] for each in found if each.get("RootDeviceName")]

    def named(self, operation: str, key: str) -> list[dict[str, Any]]:
        filters = [{"Name": "tag:Name", "Values": [NAME, f"{NAME}-data"]}]
        return getattr(self.client("ec2"), operation)(Filters=filters)[key]

    def instances(self) -> list[dict[str, Any]]:
        found = self.named("describe_instances", "Reservations")
        every = [each for reservation in found for each in reservation["Instances"]]
        return [each for each in every if each["State"]["Name"] != "terminated"]

    def volume(self) -> dict[str, Any]:
        [found] = [each for each in self.named("describe_volumes", "Volumes") if each["Size"] >= 20]
        return found

    def user_data(self, instance: str) -> str:
        answer = self.client("ec2").describe_instance_attribute(InstanceId=instance, Attribute="userData")
        found = base64.b64decode(answer["UserData"]["Value"])
        return (gzip.decompress(found) if found[:2] == b"\x1f\x8b" else found).decode()


@pytest.fixture(scope="module")
def account(checkout: Checkout) -> Account:
    succeeded(checkout.turnscope("lab", "start"))
    account = Account(checkout)
    zone = account.client("route53").create_hosted_zone(Name="example.com", CallerReference="1")["HostedZone"]["Id"]
    text = HOST.format(image=account.images()[0], zone=zone.rpartition("/")[2])
    checkout.stack_file.write_text(checkout.stack_file.read_text() + text)
    return account


def test_it_goes_up(checkout: Checkout, account: Account) -> None:
    succeeded(checkout.turnscope("up", "local", "--yes"))
    [instance] = account.instances()
    plan = checkout.plan.host
    assert plan
    assert instance["MetadataOptions"]["HttpTokens"] == "required"
    assert instance["MetadataOptions"]["HttpPutResponseHopLimit"] == 1
    assert "KeyName" not in instance
    volume = account.volume()
    assert volume["Encrypted"]
    assert volume["Attachments"][0]["InstanceId"] == instance["InstanceId"]
    assert account.user_data(instance["InstanceId"]) == user_data(plan, volume["VolumeId"])


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
    [instance], volume = account.instances(), account.volume()
    [address] = account.named("describe_addresses", "Addresses")
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
    assert "is up to date" in succeeded(checkout.turnscope("up", "local", "--yes"))


def test_the_volume_grows_where_it_is(checkout: Checkout, account: Account) -> None:
    [before] = account.instances()
    checkout.change("size_gib: 20", "size_gib: 30")
    succeeded(checkout.turnscope("up", "local", "--yes"))
    assert account.volume()["Size"] == 30
    assert [each["InstanceId"] for each in account.instances()] == [before["InstanceId"]]


def test_another_image_makes_another_machine_with_the_same_volume_and_address(
    checkout: Checkout, account: Account
) -> None:
    first, second = account.images()[:2]
    [before], volume = account.instances(), account.volume()
    [address] = account.named("describe_addresses", "Addresses")
    checkout.change(first, second)
    succeeded(checkout.turnscope("up", "local", "--yes"))
    [after] = account.instances()
    assert after["InstanceId"] != before["InstanceId"]
    moved = account.volume()
    assert moved["VolumeId"] == volume["VolumeId"]
    assert [each["InstanceId"] for each in moved["Attachments"]] == [after["InstanceId"]]
    [same] = account.named("describe_addresses", "Addresses")
    assert (same["PublicIp"], same["InstanceId"]) == (address["PublicIp"], after["InstanceId"])
    assert "is up to date" in succeeded(checkout.turnscope("up", "local", "--yes"))


def test_tear_down_leaves_nothing(checkout: Checkout, account: Account) -> None:
    assert "no resources of this stack are left" in succeeded(checkout.turnscope("teardown", "local", "--yes"))
