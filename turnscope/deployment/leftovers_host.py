"""What of SigNoz' machine is still in the account."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import ClientError

from cloudwatch.clients import ClientFactory
from host.instances import instances
from host.plan.model import HostPlan
from host.plan.policies import SNAPSHOT_TAG

Find = Callable[[HostPlan, ClientFactory], Iterator[str]]


def host_leftovers(plan: HostPlan, client: ClientFactory) -> Iterator[tuple[str, str]]:
    """Kind and name of everything that the machine's plan names and the account still has."""
    for kind, find in _FINDERS.items():
        yield from ((kind, name) for name in find(plan, client))


def kept_storage(plan: HostPlan, client: ClientFactory) -> list[str]:
    """Kind and name of what has data and stays: kept volumes, also those before the last one, and snapshots."""
    volumes = _FINDERS["volume"](plan, client) if plan.volume.keep else ()
    return [*(f"volume {each}" for each in volumes), *(f"snapshot {each}" for each in _snapshots(plan, client))]


def _snapshots(plan: HostPlan, client: ClientFactory) -> list[str]:
    """Which nobody deletes but DLM, by age, while it runs."""
    filters = [{"Name": f"tag:{SNAPSHOT_TAG}", "Values": [plan.stack]}]
    pages = client("ec2").get_paginator("describe_snapshots").paginate(Filters=filters, OwnerIds=["self"])
    return [each["SnapshotId"] for page in pages for each in page["Snapshots"]]


def _tagged(operation: str, key: str, identifier: str) -> Find:
    def find(plan: HostPlan, client: ClientFactory) -> Iterator[str]:
        # Its root volume goes with the instance.
        names = [plan.volume.name] if key == "Volumes" else [plan.name]
        filters: list[dict[str, Any]] = [
            {"Name": "tag:Name", "Values": names},
            {"Name": "tag:Stack", "Values": [plan.stack]},
        ]
        yield from (each[identifier] for each in getattr(client("ec2"), operation)(Filters=filters)[key])

    return find


def _instances(plan: HostPlan, client: ClientFactory) -> Iterator[str]:
    yield from (each["InstanceId"] for each in instances(plan, client))


def _roles(plan: HostPlan, client: ClientFactory) -> Iterator[str]:
    for name in (plan.name, f"{plan.name}-snapshots", f"{plan.name}-schedule", f"{plan.name}-cold"):
        try:
            yield client("iam").get_role(RoleName=name)["Role"]["RoleName"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchEntity":
                raise


def _schedules(plan: HostPlan, client: ClientFactory) -> Iterator[str]:
    found = client("scheduler").list_schedules(NamePrefix=plan.name)["Schedules"] if plan.schedule else []
    yield from (each["Name"] for each in found)


def _keys(plan: HostPlan, client: ClientFactory) -> Iterator[str]:
    pages = client("ssm").get_paginator("get_parameters_by_path").paginate(Path=plan.host_key_path)
    yield from (each["Name"] for page in pages for each in page["Parameters"])


def _buckets(plan: HostPlan, client: ClientFactory) -> Iterator[str]:
    cold = plan.cold_bucket
    if cold and cold.existing is None:
        name = cold.name(client("sts").get_caller_identity()["Account"])
        yield from (each["Name"] for each in client("s3").list_buckets()["Buckets"] if each["Name"] == name)


_FINDERS: dict[str, Find] = {
    "instance": _instances,
    "bucket": _buckets,
    "volume": _tagged("describe_volumes", "Volumes", "VolumeId"),
    "address": _tagged("describe_addresses", "Addresses", "AllocationId"),
    "security group": _tagged("describe_security_groups", "SecurityGroups", "GroupId"),
    "VPC": _tagged("describe_vpcs", "Vpcs", "VpcId"),
    "role": _roles,
    "schedule": _schedules,
    "parameter": _keys,
}
