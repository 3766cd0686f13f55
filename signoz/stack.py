"""SigNoz on a Docker host: network, volumes, a container for each role, and content through its API; or content alone,
in a SigNoz that is there already."""

from __future__ import annotations

from collections.abc import Mapping
from graphlib import TopologicalSorter

import pulumi
import pulumi_docker as docker

from core.component import Component, ReadSecret
from core.roles import Role
from signoz.container import RoleContainer
from signoz.content.access import Access, existing_access
from signoz.content.component import SigNozContent
from signoz.content.model import ContentPlan
from signoz.docker_host import MakeReady
from signoz.plan.model import Container, SigNozPlan
from signoz.plan.volumes import volumes
from signoz.roles.server import DATA_PATH
from stacks.settings.existing_signoz import ExistingSigNoz


class SigNoz(Component):
    """Everything of a plan: a bridge network, a volume for each data folder and each folder of files, a `RoleContainer`
    for each role, and `SigNozContent` where the plan has content and `access` is given.

    Containers start one after the other, each once those before it are healthy, and are deleted in the opposite order.
    `read_secret` gives the values of secrets, `make_ready` starts a container on the Docker host and waits for it.
    Raises `graphlib.CycleError` for roles that wait for each other. Deletion removes network, containers and volumes of
    files; volumes of data stay on the host where the plan keeps them (`keep_volumes`).
    """

    ready: dict[Role, pulumi.Output[docker.Container]]
    """Each role's container, once it does its work."""

    def __init__(
        self,
        name: str,
        plan: SigNozPlan,
        *,
        read_secret: ReadSecret,
        make_ready: MakeReady,
        access: Access | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`access` is how its API is reached; needed where the plan has content."""
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
        if plan.content.objects and access:
            # A database that is not the stack's keeps its content; the network goes with the stack, and only then.
            SigNozContent(
                f"{name}-content",
                plan.content,
                access,
                read_secret=read_secret,
                after=[self.ready[Role.GATEWAY]],
                deleted_with=_database(plan, made) or network,
                opts=self.child(),
            )
        self.register_outputs({})


def make_existing(settings: ExistingSigNoz | None, plan: ContentPlan, read_secret: ReadSecret) -> dict[str, str]:
    """The content of a SigNoz that the stack does not run; exports. Nothing without such a section of the settings."""
    if settings is None:
        return {}
    SigNozContent("signoz-content", plan, existing_access(settings), read_secret=read_secret)
    return {"signoz": settings.url}


def database_volume(plan: SigNozPlan) -> str | None:
    """The volume with SigNoz' own database, which its content is in; None where that is on a server of its own."""
    return next((mount.volume for each in plan.containers for mount in each.volumes if mount.path == DATA_PATH), None)


def _database(plan: SigNozPlan, made: Mapping[str, docker.Volume]) -> docker.Volume | None:
    name = database_volume(plan)
    return made[name] if name else None


def start_order(plan: SigNozPlan) -> list[Container]:
    """The containers, each after those that it waits for. Raises `graphlib.CycleError` where that cannot be."""
    containers = {container.role: container for container in plan.containers}
    graph = {role: container.after for role, container in containers.items()}
    return [containers[role] for role in TopologicalSorter(graph).static_order()]
