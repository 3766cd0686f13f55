"""EC2 instances of the emulated AWS are machines: with boto3 alone. Each test goes on from the one before."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

import boto3
import httpx
import pytest
from botocore.exceptions import ClientError
from rich.console import Console

from core.errors import UserError
from lab import emulator
from lab.emulator import Emulator
from lab.images.build import ensure_machine_image
from lab.images.catalogue import BASE
from lab.machine import engine, load_images
from lab.machine.emulated import KEY_SECONDS_VARIABLE
from lab.machine.images import container_of
from tests.machine import LIMIT_SECONDS, RUN, free_port
from toolchain import docker_engine

pytestmark = [
    pytest.mark.skipif(not docker_engine.answers(), reason="no Docker engine answers"),
    pytest.mark.skipif(not shutil.which("ssh"), reason="no ssh client"),
]

T = TypeVar("T")
REGION = "eu-central-1"
ZONE = f"{REGION}a"
ROLE = "machine-role"
KEY_SECONDS = 4
SOME_KEY = f"ssh-ed25519 {'A' * 68}"
USER_DATA = """\
Content-Type: multipart/mixed; boundary="part"
MIME-Version: 1.0

--part
Content-Type: text/cloud-config

#cloud-config
cloud_final_modules: [scripts-per-instance, [scripts-user, always]]
--part
Content-Type: text/x-shellscript-per-instance

#!/bin/sh
echo instance >> /var/log/once
--part
Content-Type: text/x-shellscript

#!/bin/bash
set -eux
device=/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_{volume}
for _ in $(seq 600); do [ -e $device ] && break; sleep 0.1; done
if ! mountpoint -q /data; then
  blkid -p $device || mkfs.ext4 -q $device
  e2fsck -fp $device || true
  resize2fs $device
  mkdir -p /data
  grep -q /data /etc/fstab || echo "UUID=$(blkid -s UUID -o value $device) /data ext4 defaults,nofail 0 2" >> /etc/fstab
  mount /data
  echo script >> /data/mounted-by
fi
mkdir -p /etc/docker
echo '{{"data-root": "/data/docker"}}' > /etc/docker/daemon.json
systemctl enable --now docker
usermod -a -G docker {user}
echo boot >> /data/boots
--part--
"""


def eventually(ask: Callable[[], T], wanted: Callable[[T], bool]) -> T:
    """The answer once it is as wanted; at the limit the one that was last given."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while not wanted(answer := ask()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return answer


@dataclass
class World:
    """An emulator, and what the tests before made."""

    running: Emulator
    directory: Path
    made: dict[str, str] = field(default_factory=dict[str, str])

    def client(self, service: str) -> Any:
        session: Any = boto3.Session("lab", "lab", region_name=REGION)
        return session.client(service, endpoint_url=self.running.url)

    def image(self, parameter: str) -> str:
        """The AMI that one of AWS' public parameters names."""
        found = self.client("ssm").get_parameter(Name=f"/aws/service/{parameter}")["Parameter"]["Value"]
        return self.client("ec2").describe_images(ImageIds=[found])["Images"][0]["ImageId"]

    def run(self, image: str, user: str) -> str:
        """An instance to which the volume is attached as soon as it runs; its id."""
        ec2 = self.client("ec2")
        volume = self.made["volume"]
        instance = ec2.run_instances(
            ImageId=image, InstanceType="t3.small", MinCount=1, MaxCount=1,
            UserData=USER_DATA.format(volume=volume.replace("-", ""), user=user),
            IamInstanceProfile={"Name": ROLE}, MetadataOptions={"HttpTokens": "required"},
        )["Instances"][0]  # fmt: skip
        assert instance["State"]["Name"] == "pending"
        assert self.state(instance["InstanceId"], "running")["PrivateIpAddress"] == instance["PrivateIpAddress"]
        ec2.attach_volume(VolumeId=volume, InstanceId=instance["InstanceId"], Device="/dev/sdf")
        self.booted(instance["InstanceId"])
        return instance["InstanceId"]

    def instance(self, instance_id: str) -> dict[str, Any]:
        found = self.client("ec2").describe_instances(InstanceIds=[instance_id])
        return found["Reservations"][0]["Instances"][0]

    def state(self, instance_id: str, wanted: str) -> dict[str, Any]:
        """Wait for it; what describes the instance then."""
        found = eventually(
            lambda: self.instance(instance_id), lambda found: found["State"]["Name"] in (wanted, "terminated")
        )
        assert found["State"]["Name"] == wanted, found.get("StateReason")
        return found

    def booted(self, instance_id: str) -> None:
        """Wait for the status check, and for the end of the user data."""

        def statuses() -> list[str]:
            found = self.client("ec2").describe_instance_status(InstanceIds=[instance_id])["InstanceStatuses"]
            return [each["InstanceStatus"]["Status"] for each in found]

        # None, of one that ended: there is nothing to wait for.
        assert eventually(statuses, lambda found: found != ["initializing"]) == ["ok"], (
            self.running.log_path.read_text()
        )
        status = self.inside(
            instance_id, "cloud-init status --wait --long || tail -n 30 /var/log/cloud-init-output.log"
        )
        assert "status: done" in status, status

    def inside(self, instance_id: str, script: str) -> str:
        """What a script prints that runs as root in an instance's machine."""
        return engine.docker("exec", container_of(instance_id), "bash", "-c", script)

    def attachments(self) -> list[tuple[str, str]]:
        found = self.client("ec2").describe_volumes(VolumeIds=[self.made["volume"]])["Volumes"][0]
        return [(each["InstanceId"], each["State"]) for each in found["Attachments"]]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    ensure_machine_image(Console(), environment="local", assume_yes=True)
    directory = tmp_path_factory.mktemp("emulator")
    with patch.dict(os.environ, {KEY_SECONDS_VARIABLE: str(KEY_SECONDS)}):
        made = World(emulator.start(directory, free_port(), stack=f"m-{RUN}"), directory)
    iam = made.client("iam")
    iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument="{}")
    iam.create_instance_profile(InstanceProfileName=ROLE)
    iam.add_role_to_instance_profile(InstanceProfileName=ROLE, RoleName=ROLE)
    made.made["volume"] = made.client("ec2").create_volume(Size=2, AvailabilityZone=ZONE)["VolumeId"]
    yield made
    emulator.stop(directory)


@pytest.fixture(scope="module")
def first(world: World) -> str:
    """An instance of Debian's image."""
    return world.run(world.image("debian/release/13/latest/amd64"), "admin")


@pytest.fixture(scope="module")
def second(world: World, first: str) -> str:
    """One of Amazon Linux's image, after the first; the volume is a larger one by then."""
    world.client("ec2").terminate_instances(InstanceIds=[first])
    world.state(first, "terminated")
    return world.run(world.image("ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"), "ec2-user")


def test_user_data_makes_a_file_system_on_the_volume_and_starts_docker_there(world: World, first: str) -> None:
    assert world.attachments() == [(first, "attached")]
    assert world.inside(first, "findmnt -no FSTYPE /data; docker info --format '{{.DockerRootDir}}'").split() == [
        "ext4", "/data/docker",
    ]  # fmt: skip
    assert world.inside(first, "cat /data/boots /var/log/once").split() == ["boot", "instance"]
    # As of Debian's images: one who may do everything, without a password.
    assert "docker" in world.inside(first, "id -Gn admin").split()
    assert world.inside(first, "runuser -u admin -- sudo -n id -u") == "0"


def test_metadata_is_given_to_those_with_a_token(world: World, first: str) -> None:
    """And says of the instance what EC2 says of it; its role's credentials are accepted."""

    def ask(path: str) -> str:
        token = "$(curl -sfX PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token)"
        return world.inside(
            first, f'curl -sfH "X-aws-ec2-metadata-token: {token}" http://169.254.169.254/latest/{path}'
        )

    plain = "curl -so /dev/null -w '%{http_code}' http://169.254.169.254/latest/meta-data/instance-id"
    assert world.inside(first, plain) == "401"
    described = world.instance(first)
    assert ask("meta-data/instance-id") == first
    assert ask("meta-data/local-ipv4") == described["PrivateIpAddress"]
    assert described["PrivateIpAddress"] in world.inside(first, "hostname -I").split()
    assert ask("meta-data/placement/region") == REGION
    assert ask("meta-data/placement/availability-zone") == ZONE
    assert "usermod -a -G docker admin" in ask("user-data")
    document = json.loads(ask("dynamic/instance-identity/document"))
    assert (document["instanceId"], document["imageId"]) == (first, described["ImageId"])
    assert ask("meta-data/iam/security-credentials/") == ROLE
    keys = json.loads(ask(f"meta-data/iam/security-credentials/{ROLE}"))
    session: Any = boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["Token"], region_name=REGION)
    identity = session.client("sts", endpoint_url=world.running.url).get_caller_identity()
    assert identity["Arn"].endswith(f":assumed-role/{ROLE}/{first}")


def test_the_machine_reaches_the_emulated_aws(world: World, first: str) -> None:
    answer = world.inside(first, ". /etc/environment; curl -sf $AWS_ENDPOINT_URL/turnscope-lab")
    assert json.loads(answer)["instance_id"] == world.running.instance_id


def test_kernel_settings_of_a_machine_stay_in_it(world: World, first: str) -> None:
    names = ("vm.swappiness", "kernel.panic", "fs.inotify.max_user_watches")
    paths = [Path("/proc/sys") / name.replace(".", "/") for name in names]
    before = [path.read_text() for path in paths]
    world.inside(first, f"sysctl -qw {' '.join(f'{name}=17' for name in names)}")
    assert world.inside(first, f"sysctl -n {' '.join(names)}").split() == ["17"] * 3
    assert [path.read_text() for path in paths] == before


def refusal(call: Callable[..., Any], **arguments: Any) -> str:
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    return refused.value.response["Error"]["Code"]


def test_what_aws_refuses_is_refused(world: World, first: str) -> None:
    ec2, connect = world.client("ec2"), world.client("ec2-instance-connect")
    volume = world.made["volume"]
    elsewhere = ec2.create_volume(Size=1, AvailabilityZone=f"{REGION}b")["VolumeId"]
    beside = ec2.create_volume(Size=1, AvailabilityZone=ZONE)["VolumeId"]
    attach = {"InstanceId": first, "Device": "/dev/sdg"}
    assert refusal(ec2.attach_volume, VolumeId=volume, **attach) == "VolumeInUse"
    assert refusal(ec2.attach_volume, VolumeId=elsewhere, **attach) == "InvalidVolume.ZoneMismatch"
    assert refusal(ec2.attach_volume, VolumeId=beside, **{**attach, "Device": "/dev/sdf"}) == "InvalidParameterValue"
    assert refusal(ec2.delete_volume, VolumeId=volume) == "VolumeInUse"
    assert refusal(ec2.modify_volume, VolumeId=volume, Size=1) == "InvalidParameterValue"
    push = {"InstanceOSUser": "admin", "SSHPublicKey": SOME_KEY}
    unknown = {**push, "InstanceId": "i-0123456789abcdef0"}
    assert refusal(connect.send_ssh_public_key, **unknown) == "EC2InstanceNotFoundException"
    wrong = {**push, "InstanceId": first, "SSHPublicKey": SOME_KEY.replace("-", "?")}
    assert refusal(connect.send_ssh_public_key, **wrong) == "InvalidArgsException"


def ssh(address: str, user: str, key: Path, command: str) -> subprocess.CompletedProcess[str]:
    options = ("BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR")
    options += ("IdentitiesOnly=yes", "ConnectTimeout=20")
    return subprocess.run(
        ["ssh", "-i", str(key), *(f"-o{each}" for each in options), f"{user}@{address}", command],
        capture_output=True, text=True, check=False, timeout=LIMIT_SECONDS,
    )  # fmt: skip


def test_a_pushed_key_opens_for_a_while(world: World, first: str, tmp_path: Path) -> None:
    """For the user that it was pushed for, at the private address and at an elastic one; then it is refused."""
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    allocated = world.client("ec2").allocate_address(Domain="vpc")
    world.client("ec2").associate_address(AllocationId=allocated["AllocationId"], InstanceId=first)
    world.made["elastic"] = allocated["PublicIp"]
    described = world.instance(first)
    assert described["PublicIpAddress"] == allocated["PublicIp"]

    def push_and_enter(address: str) -> str:
        # Its time may be over before a busy machine has asked for it.
        world.client("ec2-instance-connect").send_ssh_public_key(
            InstanceId=first, InstanceOSUser="admin", SSHPublicKey=key.with_suffix(".pub").read_text()
        )
        return ssh(address, "admin", key, "docker info --format '{{.DockerRootDir}}'").stdout.strip()

    for address in (described["PrivateIpAddress"], allocated["PublicIp"]):
        assert eventually(lambda at=address: push_and_enter(at), bool) == "/data/docker"
    assert ssh(allocated["PublicIp"], "root", key, "true").returncode != 0
    refused = eventually(lambda: ssh(allocated["PublicIp"], "admin", key, "true"), lambda done: done.returncode != 0)
    assert "Permission denied" in refused.stderr


def test_images_of_this_machine_are_loaded_once(world: World, first: str) -> None:
    """A container runs from one, and cannot ask for a metadata token: the answer would be one hop too far."""
    reference = BASE.image.reference
    assert load_images(first, [reference]) == [reference]
    assert load_images(first, [reference]) == []
    written = f"docker run --rm --volume kept:/kept {reference} sh -c 'echo 42 > /kept/answer'"
    world.inside(first, written)
    request = "PUT /latest/api/token HTTP/1.0\\r\\nX-aws-ec2-metadata-token-ttl-seconds: 60\\r\\n\\r\\n"
    asked = f"exec 3<>/dev/tcp/169.254.169.254/80; printf '{request}' >&3; timeout 20 cat <&3; echo asked"
    assert world.inside(first, f'docker run --rm {reference} bash -c "{asked}"') == "asked"


def test_a_stopped_instance_starts_with_what_it_had(world: World, first: str) -> None:
    """The volume is mounted before Docker starts, by /etc/fstab; the script runs again; the elastic address is kept."""
    ec2 = world.client("ec2")
    ec2.stop_instances(InstanceIds=[first])
    assert world.state(first, "stopped")["PublicIpAddress"] == world.made["elastic"]
    push = {"InstanceId": first, "InstanceOSUser": "admin", "SSHPublicKey": SOME_KEY}
    connect = world.client("ec2-instance-connect")
    assert refusal(connect.send_ssh_public_key, **push) == "EC2InstanceStateInvalidException"
    ec2.start_instances(InstanceIds=[first])
    world.state(first, "running")
    world.booted(first)
    assert world.inside(first, "cat /data/mounted-by /data/boots /var/log/once").split() == [
        "script", "boot", "boot", "instance",
    ]  # fmt: skip
    assert world.inside(first, "docker volume ls -q") == "kept"
    assert world.made["elastic"] in world.inside(first, "hostname -I").split()


def test_a_volume_grows_under_its_file_system(world: World, first: str) -> None:
    world.client("ec2").modify_volume(VolumeId=world.made["volume"], Size=3)
    assert world.inside(first, "blockdev --getsize64 /dev/nvme1n1") == str(3 * 2**30)


def test_a_mounted_volume_stays_attached(world: World, first: str) -> None:
    world.client("ec2").detach_volume(VolumeId=world.made["volume"])
    assert world.attachments() == [(first, "busy")]


def test_another_instance_finds_the_data_of_a_terminated_one(world: World, second: str) -> None:
    """It does not format again: Docker has the first one's image and volume. The file system grew with the disk."""
    assert world.attachments() == [(second, "attached")]
    assert world.inside(second, "cat /data/mounted-by /data/boots").split() == ["script"] * 2 + ["boot"] * 3
    read = f"docker run --rm --volume kept:/kept {BASE.image.reference} cat /kept/answer"
    assert world.inside(second, read) == "42"
    assert int(world.inside(second, "df --output=size --block-size=M /data | tail -n 1").strip().rstrip("M")) > 2500


def test_a_machine_that_restarts_itself_is_up_again(world: World, second: str) -> None:
    world.inside(second, "systemctl reboot")

    def boots() -> int:
        try:
            return len(world.inside(second, "cat /data/boots").split())
        except (engine.EngineError, UserError):  # it is down
            return 0

    assert eventually(boots, lambda count: count == 4) == 4


def test_an_unmounted_volume_is_detached_at_once(world: World, second: str) -> None:
    world.inside(second, "systemctl stop docker.socket docker && umount /data")
    world.client("ec2").detach_volume(VolumeId=world.made["volume"])
    assert world.attachments() == []
    assert world.inside(second, "ls /dev/nvme1n1 /dev/disk/by-id/* 2> /dev/null || true") == ""
    world.client("ec2").attach_volume(VolumeId=world.made["volume"], InstanceId=second, Device="/dev/sdf")
    assert "ext4" in world.inside(second, "blkid -p /dev/nvme1n1")


def test_a_killed_emulator_leaves_nothing_once_it_is_stopped(world: World, second: str) -> None:
    """Neither containers, volumes and networks, nor a block device."""
    number = int(world.inside(second, "stat -c %T /dev/nvme1n1"), 16)
    held = Path(f"/sys/block/loop{number}/loop/backing_file")
    assert held.exists()
    os.kill(world.running.pid, signal.SIGKILL)
    assert eventually(lambda: answers(world.running.url), lambda answering: not answering) is False
    assert container_of(second)
    assert emulator.stop(world.directory) is False
    assert left() == []
    assert eventually(held.exists, lambda found: not found) is False


def test_an_emulator_that_starts_after_a_killed_one_finds_nothing_of_it(tmp_path: Path) -> None:
    """And leaves nothing itself where it is told to end."""

    def start() -> World:
        return World(emulator.start(tmp_path, free_port(), stack=f"m-{RUN}"), tmp_path)

    def end(world: World, how: signal.Signals) -> None:
        world.client("ec2").allocate_address(Domain="vpc")
        assert len(left()) == 1
        os.kill(world.running.pid, how)
        assert eventually(lambda: emulator.status(tmp_path), lambda running: running is None) is None

    end(start(), signal.SIGKILL)
    assert len(left()) == 1
    after = start()
    assert left() == []
    end(after, signal.SIGTERM)
    assert left() == []


def left() -> list[str]:
    """Docker objects of this run."""
    found: list[str] = []
    for kind in ("container", "volume", "network"):
        every = ("--all",) if kind == "container" else ()
        found += engine.docker(kind, "ls", *every, "--quiet", "--filter", f"name=m-{RUN}").split()
    return found


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5, trust_env=False).status_code > 0
    except httpx.HTTPError:
        return False
