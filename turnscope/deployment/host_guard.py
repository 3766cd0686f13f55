"""Changes that SigNoz' machine cannot take, and a machine that is gone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from core.errors import UserError
from host.plan.model import HostPlan
from stacks.settings.host import INSTANCE_FAMILIES

INSTANCE, VOLUME = "aws:ec2/instance:Instance", "aws:ebs/volume:Volume"
ON_THE_MACHINE = ("docker:", "pulumi-python:dynamic/signoz:")
"""Types of what is on the machine, which nobody can look at without it."""

State = Sequence[Mapping[str, Any]]


def refuse_host_changes(plan: HostPlan, state: State) -> None:
    """Raises `UserError` (exit code 2), with all of them, for changes that AWS would reject half-way."""
    problems = list(_problems(plan, state))
    if problems:
        listed = "\n".join(f"  {problem}" for problem in problems)
        raise UserError(f"The machine of stack {plan.stack} cannot change like this:\n{listed}")


def _problems(plan: HostPlan, state: State) -> Iterator[str]:
    instance, volume = _inputs(INSTANCE, state), _inputs(VOLUME, state)
    deployed = str(instance.get("instanceType", plan.instance_type))
    architecture = INSTANCE_FAMILIES.get(deployed.partition(".")[0], plan.architecture)
    if architecture != plan.architecture and plan.image_id in (None, instance.get("ami")):
        yield (
            f"host.instance_type: {plan.instance_type} ({plan.architecture}) after {deployed} ({architecture}): "
            f"allowed with host.image_id, an image for {plan.architecture}; the newest: aws ssm get-parameter "
            f"--region {plan.region} --name {plan.image_parameter}"
        )
    size = int(volume.get("size", 0))
    if plan.volume.size_gib < size:
        yield f"host.data_volume.size_gib: {plan.volume.size_gib}: allowed: at least {size}; a volume cannot shrink"


def _inputs(kind: str, state: State) -> Mapping[str, Any]:
    """The inputs of the one resource of a type; empty where there is none."""
    found = (each.get("inputs", {}) for each in state if each.get("type") == kind and not each.get("delete"))
    return next(found, {})


def instance_of(state: State) -> str | None:
    """The machine's instance in a stack's state; None before there is one."""
    found = (each.get("id") for each in state if each.get("type") == INSTANCE and not each.get("delete"))
    return next(found, None)


def on_the_machine(state: State) -> list[str]:
    """URNs of what is on the machine."""
    return [each["urn"] for each in state if each["type"].startswith(ON_THE_MACHINE)]
