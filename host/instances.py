"""The instance that is a stack's machine now, asked of AWS."""

from __future__ import annotations

from typing import Any

from cloudwatch.clients import ClientFactory
from core.errors import UserError
from host.plan.model import HostPlan

GONE = ("shutting-down", "terminated")


def instances(plan: HostPlan, client: ClientFactory) -> list[dict[str, Any]]:
    """EC2's descriptions of the machine's instances that exist, in whatever state, the youngest first."""
    filters = [{"Name": "tag:Name", "Values": [plan.name]}, {"Name": "tag:Stack", "Values": [plan.stack]}]
    pages = client("ec2").get_paginator("describe_instances").paginate(Filters=filters)
    every = [each for page in pages for found in page["Reservations"] for each in found["Instances"]]
    there = [each for each in every if each["State"]["Name"] not in GONE]
    return sorted(there, key=lambda each: each["LaunchTime"], reverse=True)


def running_instance(plan: HostPlan, client: ClientFactory) -> dict[str, Any]:
    """The one that runs; of several, as while one replaces another, the youngest. Raises `UserError` (exit code 1)
    where none runs."""
    there = instances(plan, client)
    if found := next((each for each in there if each["State"]["Name"] == "running"), None):
        return found
    if there:
        state, instance = there[0]["State"]["Name"], there[0]["InstanceId"]
        raise UserError(
            f"The machine {plan.name} ({instance}) is {state}. Start it: aws ec2 start-instances "
            f"--region {plan.region} --instance-ids {instance}",
            exit_code=1,
        )
    raise UserError(
        f"The machine {plan.name} does not exist. `turnscope up {plan.stack} --refresh` makes it again.", exit_code=1
    )
