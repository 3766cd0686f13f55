"""Which Docker a stack's SigNoz runs on: that of the settings, or that of the machine that the stack makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
    """For the Docker provider: the address of a machine that the stack makes, once Docker answers there."""
    if plan.host is None or machine is None or machine.docker is None:
        return {}
    return {"address": machine.docker, "ssh_options": provider_options(plan.host.stack)}
