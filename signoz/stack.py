"""SigNoz on a Docker host: network, volumes and a container for each role."""

from __future__ import annotations

from graphlib import TopologicalSorter

import pulumi
import pulumi_docker as docker

from cloudwatch.component import Component, ReadSecret
from signoz.container import RoleContainer
from signoz.docker_host import MakeReady
from signoz.plan.model import Container, Role, SigNozPlan
from signoz.plan.volumes import volumes


class SigNoz(Component):
    """Everything of a plan. Containers start one after the other, each once those before it are healthy; they are
    deleted in the opposite order."""

    ready: dict[Role, pulumi.Output[docker.Container]]
    """Each role's container, once it does its work."""

    def __init__(
        self,
        name: str,
        plan: SigNozPlan,
        *,
        read_secret: ReadSecret,
        make_ready: MakeReady,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        labels = dict(plan.labels)
        network = docker.Network(
            f"{name}-network",
            name=plan.network,
            driver="bridge",
            labels=[docker.NetworkLabelArgs(label=label, value=value) for label, value in labels.items()],
            # A new owner or day of expiry is no reason to stop everything.
            opts=self.child(pulumi.ResourceOptions(ignore_changes=["labels"])),
        )
        made = {
            volume.name: docker.Volume(
                f"{name}-volume-{volume.name.removeprefix(f'{plan.network}-')}",
                name=volume.name,
                labels=[docker.VolumeLabelArgs(label=label, value=value) for label, value in labels.items()],
                # Replacing a volume would delete what is in it.
                opts=self.child(pulumi.ResourceOptions(ignore_changes=["labels"], retain_on_delete=volume.keep)),
            )
            for volume in volumes(plan.containers)
        }
        started: dict[Role, RoleContainer] = {}
        for container in start_order(plan):
            started[container.role] = RoleContainer(
                f"{name}-{container.role}",
                container,
                network=network,
                volumes=made,
                labels=labels,
                read_secret=read_secret,
                make_ready=make_ready,
                after=[started[role].ready for role in container.after],
                opts=self.child(),
            )
        self.ready = {role: container.ready for role, container in started.items()}
        self.register_outputs({})


def start_order(plan: SigNozPlan) -> list[Container]:
    """The containers, each after those that it waits for. Raises `graphlib.CycleError` where that cannot be."""
    containers = {container.role: container for container in plan.containers}
    graph = {role: container.after for role, container in containers.items()}
    return [containers[role] for role in TopologicalSorter(graph).static_order()]
