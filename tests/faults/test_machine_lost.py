"""The machine, its zone or the whole stack is gone; the data comes back. The tests build on each other, in order."""

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
