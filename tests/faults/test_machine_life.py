"""A machine's life: it grows, is replaced, is lost with its zone or its whole stack, and the data is there again.

The tests build on each other, in order.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab import emulator
from tests.integration.conftest import STACK, Checkout, make_checkout, pulumi, succeeded
from tests.integration.machine_stack import NEEDED, Account, begin, send, unchanged, up
from tests.machine import free_port

pytestmark = NEEDED


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    made = make_checkout(tmp_path_factory.mktemp("lost"))
    made.stack_file.write_text(STACK.format(port=free_port(), agents="voice-agent: {}"))
    yield made
    emulator.stop(made.root / ".turnscope" / "local")


@pytest.fixture(scope="module")
def account(checkout: Checkout) -> Account:
    """With calls in its store."""
    made = begin(checkout)
    up(checkout)
    assert send(checkout) > 0
    return made


def test_volume_and_machine_grow_where_they_are(checkout: Checkout, account: Account) -> None:
    before = account.instance()

    def grow() -> None:
        checkout.change("size_gib: 20", "size_gib: 30")
        checkout.change("t3.large", "t3.xlarge")
        up(checkout)

    unchanged(checkout, grow)
    assert account.volume()["Size"] == 30
    assert account.inside("blockdev --getsize64 /dev/nvme1n1") == str(30 * 2**30)
    after = account.instance()
    assert (after["InstanceId"], after["InstanceType"]) == (before["InstanceId"], "t3.xlarge")


def test_another_image_makes_another_machine_with_the_same_volume_and_address(
    checkout: Checkout, account: Account
) -> None:
    machine, volume, address = account.instance(), account.volume(), account.address()

    def replace() -> None:
        checkout.change(account.image(13), account.image(12))
        up(checkout)

    unchanged(checkout, replace)
    after = account.instance()
    assert after["InstanceId"] != machine["InstanceId"]
    assert account.volume()["VolumeId"] == volume["VolumeId"]
    assert account.volume()["Attachments"][0]["InstanceId"] == after["InstanceId"]
    assert account.address()["PublicIp"] == address["PublicIp"]
    assert account.address()["InstanceId"] == after["InstanceId"]
    assert "is up to date" in up(checkout)


def test_a_machine_that_is_gone_is_made_again_with_its_data(checkout: Checkout, account: Account) -> None:
    before = account.instance()["InstanceId"]

    def lose() -> None:
        account.client("ec2").terminate_instances(InstanceIds=[before])
        account.client("ec2").get_waiter("instance_terminated").wait(InstanceIds=[before])
        succeeded(checkout.turnscope("up", "local", "--yes", "--refresh"))

    unchanged(checkout, lose)
    assert account.instance()["InstanceId"] != before


def test_a_snapshot_takes_the_data_to_another_zone(checkout: Checkout, account: Account) -> None:
    volume, address = account.volume(), account.address()
    assert volume["AvailabilityZone"] == "us-west-1a"

    def move() -> None:
        snapshot = account.client("ec2").create_snapshot(VolumeId=volume["VolumeId"])["SnapshotId"]
        checkout.change("availability_zone: us-west-1a", "availability_zone: us-west-1b")
        checkout.change("data_volume: {", f"data_volume: {{snapshot_id: {snapshot}, ")
        up(checkout)

    unchanged(checkout, move)
    after = account.volume()
    assert after["VolumeId"] != volume["VolumeId"]
    assert after["AvailabilityZone"] == "us-west-1b"
    assert account.address()["PublicIp"] == address["PublicIp"]
    # It is kept, because it was to be kept.
    assert volume["VolumeId"] in [each["VolumeId"] for each in account.volumes()]
    account.client("ec2").delete_volume(VolumeId=volume["VolumeId"])


def test_a_kept_volume_is_adopted(checkout: Checkout, account: Account) -> None:
    volume = account.volume()["VolumeId"]

    def make_again() -> None:
        pulumi(checkout, "destroy -s local --yes --skip-preview --non-interactive")
        assert [each["VolumeId"] for each in account.volumes()] == [volume]
        up(checkout)

    unchanged(checkout, make_again)
    assert account.volume()["VolumeId"] == volume
    assert "is up to date" in up(checkout)


def test_tear_down_leaves_nothing_where_nothing_is_kept(checkout: Checkout) -> None:
    checkout.change("keep: true", "keep: false")
    up(checkout)
    out = succeeded(checkout.turnscope("teardown", "local", "--yes"))
    assert "no resources of this stack are left except the kept resources: snapshot snap-" in out
