"""Plan objects of the machine that SigNoz runs on: network, security group, role, volume, instance, alarms. Frozen, no
Pulumi, no I/O.

What only the deployment knows (the account, the instance's and the volume's identifier) is not in here; the functions
of `host.plan.policies` and `host.plan.user_data` are given it.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Literal

from cloudwatch.plan.model import MetricAlarm
from stacks.settings.host import Architecture

Access = Literal["session-manager", "ssh"]


@dataclass(frozen=True)
class Network:
    """A new VPC with one public subnet (`cidr`), or an existing one (`vpc_id` and `subnet_id`)."""

    cidr: str
    availability_zone: str | None
    vpc_id: str | None
    subnet_id: str | None

    def subnet_cidr(self, availability_zone: str | None) -> str:
        """Of a new subnet: an eighth of the VPC, another for each zone of a region and for AWS' choice, because the one
        in the next zone is there before the one in the last zone goes."""
        eighths = list(ipaddress.IPv4Network(self.cidr).subnets(prefixlen_diff=3))
        number = 0 if availability_zone is None else 1 + (ord(availability_zone[-1]) - ord("a")) % (len(eighths) - 1)
        return str(eighths[number])


@dataclass(frozen=True)
class Rule:
    """What one rule of the security group admits to `port` (TCP): a network, or another security group."""

    key: str
    description: str
    port: int
    network: str | None = None
    """IPv4 or IPv6, in CIDR notation."""
    security_group_id: str | None = None

    @property
    def is_ipv6(self) -> bool:
        return ":" in (self.network or "")


@dataclass(frozen=True)
class DataVolume:
    """The gp3 volume with Docker's data root."""

    name: str
    size_gib: int
    iops: int
    throughput_mib_per_second: int
    encrypt: Literal["aws", "stack-key"] | str
    snapshot_id: str | None
    """The snapshot that it is made from."""
    protect: bool
    """The engine refuses to delete it."""
    keep: bool
    """Tear-down keeps it, and the key that it is encrypted with."""


@dataclass(frozen=True)
class ColdBucket:
    """The S3 bucket with ClickHouse's old data, and the role that reaches what is below `prefix` in it. One that the
    stack makes is encrypted, kept and protected as the data volume is: neither is of use without the other."""

    name_prefix: str
    """Completed with the account's id, because names are unique in all of AWS."""
    existing: str | None
    """The name of a bucket that the stack only uses."""
    region: str
    prefix: str
    role: str
    protect: bool
    """The engine refuses to delete it."""
    keep: bool
    """Tear-down leaves it, with what is in it."""

    def name(self, account_id: str) -> str:
        return self.existing or f"{self.name_prefix}-{account_id}"


@dataclass(frozen=True)
class Snapshots:
    """Daily snapshots of the data volume, from `daily_at` (`hh:mm`, UTC) on; `keep` of them."""

    daily_at: str
    keep: int

    @property
    def cron(self) -> str:
        """As DLM has it: docs.aws.amazon.com/dlm/latest/APIReference/API_CreateRule.html."""
        hour, minute = (int(part) for part in self.daily_at.split(":"))
        return f"cron({minute} {hour} * * ? *)"


@dataclass(frozen=True)
class ScheduledAction:
    """Starts or stops the instance at a time of day (`cron`, of EventBridge Scheduler) of a time zone."""

    action: Literal["start", "stop"]
    name: str
    cron: str
    timezone: str


@dataclass(frozen=True)
class HostPlan:
    """The machine of a stack."""

    stack: str
    region: str
    name: str
    """Of the instance, and in front of everything that is made for it."""
    instance_type: str
    architecture: Architecture
    image_id: str | None
    image_parameter: str
    """AWS' public parameter with the newest image's identifier; asked without `image_id` only."""
    user: str
    """The image's first user, who may use Docker."""
    root_volume_gib: int
    docker_version: str
    network: Network
    public: bool
    """With an Elastic IP; else behind a load balancer."""
    rules: tuple[Rule, ...]
    access: Access
    domain: str
    zone_id: str | None
    volume: DataVolume
    cold_bucket: ColdBucket | None
    """None where ClickHouse has no S3 tier, or keys of its own for it."""
    snapshots: Snapshots | None
    schedule: tuple[ScheduledAction, ...]
    alarms: tuple[MetricAlarm, ...]
    metric_namespace: str
    log_group: str
    log_retention_days: int
    host_key_path: str
    """Where the machine's public ssh key is in the parameter store, with a slash at the end; the instance's identifier
    follows."""

    @property
    def address(self) -> str:
        """Docker's, as `host.reach` lets ssh resolve it."""
        return f"ssh://{self.name}"

    def host_key_parameter(self, instance_id: str) -> str:
        return f"{self.host_key_path}{instance_id}"
