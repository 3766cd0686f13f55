"""Settings of the machine in AWS that SigNoz runs on, which the stack makes.

Ranges are AWS': instance types (`INSTANCE_FAMILIES`), gp3 volumes
(https://docs.aws.amazon.com/ebs/latest/userguide/general-purpose.html), networks
(https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html), snapshots
(https://docs.aws.amazon.com/ebs/latest/userguide/snapshot-ami-policy.html).
"""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from core.environments import Environment
from stacks.settings.fields import (
    NUMBER,
    RETENTION_DAYS,
    Email,
    Flag,
    KmsKey,
    Matching,
    Model,
    OneOf,
    TimeZone,
    problem,
)
from stacks.settings.roles.gateway import HostName, Networks

Architecture = Literal["arm64", "x86_64"]

GRAVITON = ("c6g", "c7g", "c8g", "m6g", "m7g", "m8g", "r6g", "r7g", "r8g", "t4g")
X86 = (
    "c5", "c5a", "c6a", "c6i", "c7a", "c7i", "m5", "m5a", "m6a", "m6i", "m7a", "m7i", "m7i-flex", "r5", "r5a", "r6a",
    "r6i", "r7a", "r7i", "t3", "t3a",
)  # fmt: skip
INSTANCE_FAMILIES: dict[str, Architecture] = {
    **dict.fromkeys(GRAVITON, "arm64"),
    **dict.fromkeys(X86, "x86_64"),
}
"""Families on Nitro without disks of their own: volumes are NVMe devices there, and the recover action of an alarm
takes them (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/cloudwatch-recovery.html). Graviton is `arm64`."""

_FAMILIES = "|".join(sorted(INSTANCE_FAMILIES))
InstanceType = Annotated[
    str,
    Matching(
        f"({_FAMILIES})\\.(medium|large|[0-9]*xlarge)",
        f"a family and a size from medium to the largest that is not metal, such as m7g.xlarge; families: "
        f"{', '.join(sorted(GRAVITON))} (Graviton), {', '.join(X86)} (x86)",
    ),
]
Time = Annotated[str, Matching("([01][0-9]|2[0-3]):[0-5][0-9]", "a time of day from 00:00 to 23:59")]
Percent = Annotated[int, Field(ge=1, le=99), NUMBER]

SMALLEST_VPC, LARGEST_VPC = 25, 16
"""Of a new VPC, of which a subnet is an eighth."""


def _private_network(value: str) -> str:
    try:
        network = ipaddress.IPv4Network(value)
    except ValueError:
        raise problem("allowed: a private IPv4 network in CIDR notation, such as 10.87.0.0/24") from None
    if not network.is_private or not LARGEST_VPC <= network.prefixlen <= SMALLEST_VPC:
        raise problem(f"allowed: a private IPv4 network from /{LARGEST_VPC} to /{SMALLEST_VPC}")
    return str(network)


def _id(prefix: str) -> Matching:
    return Matching(f"{prefix}-[0-9a-f]{{8,17}}", f"an identifier such as {prefix}-0123456789abcdef0")


class HostNetwork(Model):
    """Where the machine is: in a network that the stack makes, or in an existing one."""

    cidr: Annotated[
        str,
        Matching("[0-9.]+/[0-9]{1,2}", "a private IPv4 network in CIDR notation, such as 10.87.0.0/24"),
        AfterValidator(_private_network),
    ] = "10.87.0.0/24"
    """Addresses of a new network; its one public subnet has an eighth of them. Not used with vpc_id."""
    availability_zone: (
        Annotated[str, Matching("[a-z]{2}(-[a-z]+)+-[0-9][a-z]", "an availability zone such as us-west-1a")] | None
    ) = None
    """Availability zone of a new subnet, and so of machine and data volume; null for AWS' choice."""
    vpc_id: Annotated[str, _id("vpc")] | None = None
    """Identifier of an existing VPC; null for a new one."""
    subnet_id: Annotated[str, _id("subnet")] | None = None
    """Identifier of a subnet of that VPC. It needs a route to the internet: by an internet gateway, or, behind a load
    balancer, by a NAT gateway. Its availability zone is the data volume's."""

    @field_validator("vpc_id")
    @classmethod
    def _in_its_own_zone(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value and info.data.get("availability_zone"):
            raise problem("allowed: null with availability_zone; an existing subnet has its own")
        return value

    @field_validator("subnet_id")
    @classmethod
    def _with_its_vpc(cls, value: str | None, info: ValidationInfo) -> str | None:
        if "vpc_id" in info.data and (value is None) != (info.data["vpc_id"] is None):
            raise problem("allowed: set with vpc_id, otherwise null")
        return value


class AllowedNetworks(Model):
    """Networks that reach the machine. The security group admits nothing else, except for ACME's HTTP challenge."""

    ui: Annotated[Networks, Field(min_length=1)]
    """Networks that may reach the SigNoz UI and the API; `0.0.0.0/0` for everyone."""
    otlp: Annotated[Networks, Field(min_length=1)]
    """Networks that may send telemetry: the agents' public addresses, or `0.0.0.0/0` where these are not known. The
    gateway rejects every request without a token."""


class LoadBalancer(Model):
    """An existing load balancer in front of the machine."""

    security_group_id: Annotated[str, _id("sg")]
    """Identifier of the load balancer's security group, which alone reaches the machine."""


class HostSsh(Model):
    """Access by ssh."""

    allowed_networks: Annotated[Networks, Field(min_length=1)]
    """Networks that may reach port 22: those of the machines that deploy."""


class Snapshots(Model):
    """Daily snapshots of the data volume."""

    daily_at: Time = "03:00"
    """Time of day (UTC) from which AWS makes the snapshot; it starts within the hour."""
    keep_days: Annotated[int, Field(ge=1, le=365), NUMBER] = 7
    """Number of daily snapshots that are kept."""


class DataVolume(Model):
    """The volume with everything that SigNoz stores. It outlives the machine."""

    size_gib: Annotated[int, Field(ge=20, le=16_384), NUMBER] = 200
    """Size in GiB. It can grow, and the file system with it, without downtime; it cannot shrink."""
    iops: Annotated[int, Field(ge=3000, le=16_000), NUMBER] = 3000
    """I/O operations per second; at most 500 for each GiB."""
    throughput_mib_per_second: Annotated[int, Field(ge=125, le=1000), NUMBER] = 125
    """MiB per second; at most a quarter of iops."""
    encryption: KmsKey = "aws"
    """`aws` (the account's key for EBS), `stack-key` (a KMS key that this stack creates), or the ARN of an existing
    key. Cannot be changed later, because a volume keeps its key."""
    snapshot_id: Annotated[str, _id("snap")] | None = None
    """Snapshot that the volume is made from: to move to another availability zone, or back in time. A snapshot that is
    set later makes another volume; a kept one stays beside it."""
    keep: Flag | None = None
    """Keep the volume, and its key, at tear-down, for the next deployment, which adopts it; null for true in staging
    and prod. Must not be false in prod."""
    snapshots: Snapshots | None = Snapshots()
    """Daily snapshots; null for none."""

    @field_validator("iops")
    @classmethod
    def _iops_for_the_size(cls, value: int, info: ValidationInfo) -> int:
        size = info.data.get("size_gib")
        if size and value > size * 500:
            raise problem(f"allowed: at most {size * 500}, 500 for each GiB")
        return value

    @field_validator("throughput_mib_per_second")
    @classmethod
    def _throughput_for_the_iops(cls, value: int, info: ValidationInfo) -> int:
        iops = info.data.get("iops")
        if iops and value > iops // 4:
            raise problem(f"allowed: at most {iops // 4}, a quarter of iops")
        return value

    def is_kept(self, environment: Environment) -> bool:
        return environment in (Environment.STAGING, Environment.PROD) if self.keep is None else self.keep


class Schedule(Model):
    """When the machine is stopped, to save its price. Volume and address are charged all the same."""

    stop_at: Time
    """Time of day at which the machine stops; telemetry that is sent afterwards is lost."""
    start_at: Time
    """Time of day at which it starts again."""
    weekdays_only: Flag = True
    """Start on Monday to Friday only."""
    timezone: TimeZone = "UTC"
    """Time zone of both times."""

    @field_validator("start_at")
    @classmethod
    def _at_another_time(cls, value: str, info: ValidationInfo) -> str:
        if value == info.data.get("stop_at"):
            raise problem("allowed: another time than stop_at")
        return value


class HostAlarms(Model):
    """Alarms on the machine. They notify the stack's topics."""

    disk_warning_percent: Percent = 70
    """Used part of the data volume, in percent, above which the warning alarm fires."""
    disk_critical_percent: Percent = 85
    """Used part of the data volume, in percent, above which the critical alarm fires."""
    memory_percent: Percent = 90
    """Used memory in percent above which the warning alarm fires."""
    unhealthy_minutes: Annotated[int, Field(ge=2, le=60), NUMBER] = 5
    """Minutes for which a container is unhealthy or restarting before the critical alarm fires."""

    @field_validator("disk_critical_percent")
    @classmethod
    def _above_the_warning(cls, value: int, info: ValidationInfo) -> int:
        warning = info.data.get("disk_warning_percent")
        if warning and value <= warning:
            raise problem(f"allowed: above disk_warning_percent ({warning})")
        return value


class HostSettings(Model):
    """A machine (EC2 instance) for SigNoz, which the stack makes."""

    instance_type: InstanceType = "m7g.xlarge"
    """Type of the instance; its architecture follows from it. A change stops and starts the machine."""
    image_id: Annotated[str, _id("ami")] | None = None
    """Machine image (AMI): Debian 13 for the type's architecture. null for the newest at the first deployment, which
    then stays; another image replaces the machine, and the data volume moves to the new one."""
    root_volume_gib: Annotated[int, Field(ge=8, le=1024), NUMBER] = 16
    """Size of the root volume in GiB: the operating system alone."""
    docker_version: Annotated[
        str, Matching(r"[0-9]{2}\.[0-9]{1,2}\.[0-9]{1,2}", "a version of Docker Engine such as 28.5.2")
    ] = "28.5.2"
    """Version of Docker Engine, from Docker's repository for Debian."""
    network: HostNetwork = HostNetwork()
    """Network of the machine."""
    load_balancer: LoadBalancer | None = None
    """An existing load balancer in front of the machine, which then has no public address; null for an Elastic IP."""
    allowed_networks: AllowedNetworks | None = None
    """Networks that reach the machine; required without load_balancer."""
    access: Literal["session-manager", "ssh"] = "session-manager"
    """How `turnscope` reaches Docker on the machine: ssh through AWS Session Manager, without an open port, or ssh to
    port 22. In both cases with a key that is valid for 60 seconds (EC2 Instance Connect)."""
    ssh: HostSsh | None = None
    """Required with `access: ssh`."""
    domain: HostName
    """Host name of the SigNoz UI and of ingest; the default of `signoz.gateway.hostname`."""
    zone_id: Annotated[str, Matching("[A-Z0-9]{1,32}", "a hosted zone such as Z0123456789ABCDEFGHIJ")] | None = None
    """Route 53 hosted zone in which the stack makes the record of the domain; null if you make it."""
    acme_email: Email | None = None
    """E-mail address for ACME: the gateway gets its certificate for the domain from Let's Encrypt, for which port 80 is
    open to everyone. null where `signoz.gateway.certificates` says otherwise."""
    data_volume: DataVolume = DataVolume()
    """The data volume."""
    schedule: Schedule | None = None
    """When the machine is stopped; null for never. Not allowed in prod."""
    alarms: HostAlarms = HostAlarms()
    """Thresholds of the machine's alarms."""
    log_retention_days: Annotated[int, OneOf(RETENTION_DAYS), NUMBER] = 14
    """Days that the machine's set-up log is kept in CloudWatch."""

    @field_validator("load_balancer")
    @classmethod
    def _in_its_network(cls, value: LoadBalancer | None, info: ValidationInfo) -> LoadBalancer | None:
        network = info.data.get("network")
        if value and isinstance(network, HostNetwork) and network.vpc_id is None:
            raise problem("allowed: null with a new network; set network.vpc_id to the load balancer's VPC")
        return value

    @field_validator("allowed_networks")
    @classmethod
    def _without_load_balancer(cls, value: AllowedNetworks | None, info: ValidationInfo) -> AllowedNetworks | None:
        if "load_balancer" not in info.data:
            return value
        if info.data["load_balancer"] is None and value is None:
            raise problem("allowed: {ui: [NETWORK, ...], otlp: [NETWORK, ...]}; required without load_balancer")
        if info.data["load_balancer"] and value:
            raise problem("allowed: null with load_balancer, whose security group decides")
        return value

    @field_validator("access")
    @classmethod
    def _no_way_in_from_outside(cls, value: str, info: ValidationInfo) -> str:
        if value == "ssh" and info.data.get("load_balancer"):
            raise problem("allowed: session-manager with load_balancer, because the machine has no public address")
        return value

    @field_validator("ssh")
    @classmethod
    def _as_access_says(cls, value: HostSsh | None, info: ValidationInfo) -> HostSsh | None:
        if "access" in info.data and (value is not None) != (info.data["access"] == "ssh"):
            raise problem("allowed: {allowed_networks: [NETWORK, ...]} with access: ssh, otherwise null")
        return value

    @field_validator("zone_id", "acme_email")
    @classmethod
    def _of_the_machine(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value and info.data.get("load_balancer"):
            raise problem("allowed: null with load_balancer, which has the domain and its certificate")
        return value

    @property
    def architecture(self) -> Architecture:
        return INSTANCE_FAMILIES[self.instance_type.partition(".")[0]]


def environment_problem(value: HostSettings, environment: Environment, region: str | None) -> str | None:
    """What of the host does not fit the environment and the region, as what is allowed; None for nothing."""
    zone = value.network.availability_zone
    if environment == Environment.PROD and value.schedule:
        return "schedule: allowed: null, in environment prod"
    if environment == Environment.PROD and not value.data_volume.is_kept(environment):
        return "data_volume.keep: allowed: true or null, in environment prod"
    if zone and region and zone[:-1] != region:
        return f"network.availability_zone: allowed: an availability zone of region {region}"
    return None
