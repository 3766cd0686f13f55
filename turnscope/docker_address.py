"""Which Docker a stack's SigNoz runs on: that of the settings, or that of the machine that the stack makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pulumi

from host.component import Host
from host.reach import prepare, provider_options
from signoz.docker_host import DockerHost
from stacks.settings.roles.signoz import SigNozSettings
from turnscope.plans import StackPlan


def docker_host(plan: StackPlan, settings: SigNozSettings, project: Path) -> DockerHost:
    """For Docker's command line. Writes what ssh takes to reach a machine that the stack makes; asks nobody.

    Raises `UserError` where OpenSSH is not installed for such a machine.
    """
    if plan.host is None:
        return DockerHost(settings.docker_host)
    return DockerHost(plan.host.address, prepare(plan.host, project))


def provider_address(plan: StackPlan, machine: Host | None) -> dict[str, Any]:
    """For the Docker provider: the address of a machine that the stack makes, once Docker answers there and has the
    lab images that the stack runs."""
    if plan.host is None or machine is None:
        return {}
    return {"address": _with_lab_images(plan, machine), "ssh_options": provider_options(plan.host.stack)}


def _with_lab_images(plan: StackPlan, machine: Host) -> pulumi.Output[str]:
    containers = plan.signoz.containers if plan.signoz else ()
    references = {each.image.reference for each in containers if each.image.lab}
    if not references:
        return machine.docker
    from lab.machine.loaded import LoadedImages

    loaded = LoadedImages(
        "lab-images",
        stack=plan.stack,
        instance=machine.instance_id,
        docker=machine.docker,
        references=references,
        opts=pulumi.ResourceOptions(parent=machine),
    )
    return loaded.address
