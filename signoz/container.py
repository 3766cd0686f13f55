"""A container of the plan on the Docker host."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence

import pulumi
import pulumi_docker as docker

from core.component import Component, ReadSecret
from core.errors import UserError
from signoz.docker_host import MakeReady
from signoz.plan.files import content
from signoz.plan.model import Container, File, HealthCheck, VolumeMount

LOG_OPTIONS = {"max-size": "10m", "max-file": "3"}
TMPFS_OPTIONS = "rw,nosuid,nodev,size=256m"
CONTENT_LABEL = "turnscope.content"


class RoleContainer(Component):
    """A Docker container of one role, made by the engine and started by `make_ready`.

    `volumes` has the stack's volumes by name, `after` is what must be ready first. Its label `turnscope.content` is a
    hash over its files, secrets filled in, so that a changed file changes the container. Any change replaces it:
    the old one is stopped first (within the plan's `stop_grace_seconds`), as both have the same name. Fails the
    deployment with `pulumi.RunError` where the container does not get ready within the plan's `start_timeout_seconds`,
    and for a secret that cannot be used. Deletion stops and removes the container; its volumes are the stack's.
    """

    ready: pulumi.Output[docker.Container]
    """The container, once it does its work (a one-shot role: has done it); for `depends_on`."""

    def __init__(
        self,
        name: str,
        plan: Container,
        *,
        network: docker.Network,
        volumes: Mapping[str, docker.Volume],
        labels: Mapping[str, str],
        read_secret: ReadSecret,
        make_ready: MakeReady,
        after: Sequence[pulumi.Input[pulumi.Resource]] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        own = {**labels, "turnscope.role": str(plan.role), CONTENT_LABEL: content_hash(plan.files, read_secret)}
        container = docker.Container(
            f"{name}-container",
            name=plan.name,
            image=plan.image.reference,
            entrypoints=list(plan.entrypoint) or None,
            command=list(plan.command) or None,
            envs=[f"{name}={value}" for name, value in plan.environment],
            uploads=[
                docker.ContainerUploadArgs(file=file.path, content=_filled(file, read_secret), permissions=file.mode)
                for file in plan.uploads
            ],
            volumes=[
                *(_mounted(mount, volumes) for mount in plan.volumes),
                *(
                    docker.ContainerVolumeArgs(host_path=each.source, container_path=each.path, read_only=True)
                    for each in plan.host_folders
                ),
            ],
            tmpfs=dict.fromkeys(plan.tmpfs, TMPFS_OPTIONS) or None,
            network_mode=None if plan.networked else "none",
            networks_advanced=[docker.ContainerNetworksAdvancedArgs(name=network.name, aliases=[str(plan.role)])]
            if plan.networked
            else None,
            ports=[
                docker.ContainerPortArgs(
                    internal=port.internal, external=port.external, ip=port.address, protocol=port.protocol
                )
                for port in plan.ports
            ]
            or None,
            labels=[docker.ContainerLabelArgs(label=label, value=value) for label, value in own.items()],
            healthcheck=_health(plan.health) if plan.health else None,
            # `make_ready` does both, and says more.
            start=False,
            must_run=False,
            restart="no" if plan.one_shot else "unless-stopped",
            user=plan.user,
            read_only=plan.read_only_root,
            capabilities=docker.ContainerCapabilitiesArgs(drops=["ALL"], adds=list(plan.capabilities)),
            security_opts=["no-new-privileges:true"],
            memory=plan.memory_mib,
            memory_swap=plan.memory_mib,
            cpus=str(float(plan.cpus)),  # as the provider reads it back: "1.0"
            ulimits=[docker.ContainerUlimitArgs(name="nofile", soft=plan.open_files, hard=plan.open_files)],
            log_driver="json-file",
            log_opts=LOG_OPTIONS,
            stop_timeout=plan.stop_grace_seconds,
            destroy_grace_seconds=plan.stop_grace_seconds,
            opts=self.child(
                pulumi.ResourceOptions(
                    depends_on=list(after),
                    delete_before_replace=True,
                    replace_on_changes=["*"],
                    # A host that cannot limit swap answers with another value.
                    ignore_changes=["memorySwap"],
                )
            ),
        )

        async def made_ready(_: str) -> docker.Container:
            if not pulumi.runtime.is_dry_run():
                await asyncio.to_thread(_make_ready, make_ready, plan)
            return container

        self.ready = container.id.apply(made_ready)
        self.register_outputs({})


def _make_ready(make_ready: MakeReady, plan: Container) -> None:
    try:
        make_ready(plan)
    except UserError as error:
        raise pulumi.RunError(str(error)) from None


def content_hash(files: Sequence[File], read_secret: ReadSecret) -> pulumi.Input[str]:
    """A hash over the files that a container has to be replaced for when they change."""
    held = [file for file in files if not file.watched]
    texts = pulumi.Output.all(*(_filled(file, read_secret) for file in held))
    if not any(file.secrets for file in held):
        return _hash(held, [file.text for file in held])
    return texts.apply(lambda filled: _hash(held, filled))


def _hash(files: Sequence[File], texts: Sequence[str]) -> str:
    digest = hashlib.sha256()
    for file, text in zip(files, texts, strict=True):
        digest.update(f"{file.path}\0{file.mode}\0{file.owner}\0{text}\0".encode())
    return digest.hexdigest()[:16]


def _filled(file: File, read_secret: ReadSecret) -> pulumi.Input[str]:
    if not file.secrets:
        return file.text
    values = pulumi.Output.all(**{path: read_secret(reference) for path, reference in file.secrets})
    return values.apply(lambda known: _content(file, known))


def _content(file: File, values: Mapping[str, str]) -> str:
    try:
        return content(file, values)
    except UserError as error:
        raise pulumi.RunError(str(error)) from None


def _mounted(mount: VolumeMount, volumes: Mapping[str, docker.Volume]) -> docker.ContainerVolumeArgs:
    return docker.ContainerVolumeArgs(
        volume_name=volumes[mount.volume].name, container_path=mount.path, read_only=mount.read_only
    )


def _health(health: HealthCheck) -> docker.ContainerHealthcheckArgs:
    return docker.ContainerHealthcheckArgs(
        tests=["CMD", *health.command],
        interval=duration(health.interval_seconds),
        timeout=duration(health.timeout_seconds),
        retries=health.retries,
        start_period=duration(health.start_period_seconds),
    )


def duration(seconds: int) -> str:
    """Seconds as Go writes a duration: the provider reads it back so, and would see a change in any other form."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if hours or minutes else "") + f"{rest}s"
