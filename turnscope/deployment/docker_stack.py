"""What deploying SigNoz needs around the engine: lab images, the gateway's root certificate, what is left behind."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

import toolchain
from core.errors import UserError
from core.names import ROOT_CERTIFICATE
from core.roles import Role
from signoz.docker_host import DockerHost
from signoz.plan.model import STACK_LABEL, SigNozPlan
from signoz.plan.volumes import volumes
from signoz.roles.gateway import ROOT_CERTIFICATE_PATH
from stacks.settings.local import LAB_IMAGES_MARK
from stacks.settings.roles.signoz import SigNozSettings


def choose_images(settings: SigNozSettings, directory: Path, console: Console) -> None:
    """Mark a local stack for lab images where no image registry answers, and say so; unmark it where one does."""
    from lab.images.build import registry_answers

    mark = directory / LAB_IMAGES_MARK
    if registry_answers(settings.images.registry or ""):
        mark.unlink(missing_ok=True)
        return
    if not mark.exists():
        directory.mkdir(parents=True, exist_ok=True)
        mark.touch()
    console.print("lab: no image registry answers; building images on this machine from package registries")


def lab_roles(plan: SigNozPlan) -> list[Role]:
    """The roles whose containers are made from lab images."""
    return [container.role for container in plan.containers if container.image.lab]


def ensure_lab_images(
    plan: SigNozPlan,
    console: Console,
    *,
    assume_yes: bool,
    commands: toolchain.Commands | None = None,
    images_after: threading.Event | None = None,
) -> None:
    """Build the lab images that the plan's containers are made from, as `lab.images.build.ensure_images` does. Raises
    `UserError`."""
    if roles := lab_roles(plan):
        from lab.images.build import ensure_images

        ensure_images(
            roles,
            console,
            environment=plan.environment,
            assume_yes=assume_yes,
            commands=commands,
            images_after=images_after,
        )


def export_root_certificate(
    settings: SigNozSettings, plan: SigNozPlan, host: DockerHost, directory: Path
) -> Path | None:
    """The gateway's own root certificate as a file for agents; None where certificates are not its own.

    Raises `UserError` (exit code 1) where the gateway has none yet.
    """
    if settings.gateway.certificates != "internal":
        return None
    path = directory / ROOT_CERTIFICATE
    directory.mkdir(parents=True, exist_ok=True)
    gateway = plan.container(Role.GATEWAY).name
    copied = docker(host, "cp", f"{gateway}:{ROOT_CERTIFICATE_PATH}", str(path))
    if copied.returncode != 0:
        raise UserError(f"The gateway's root certificate cannot be read: {copied.stderr.strip()}", exit_code=1)
    return path


def root_certificate_reader(
    settings: SigNozSettings, plan: SigNozPlan, host: DockerHost, directory: Path
) -> Callable[[], str | None]:
    """What reads that certificate (PEM) once the gateway runs, and keeps the file up to date."""

    def read() -> str | None:
        path = export_root_certificate(settings, plan, host, directory)
        return path.read_text(encoding="ascii") if path else None

    return read


def docker_leftovers(host: DockerHost, plan: SigNozPlan) -> list[str]:
    """`kind name` of the stack's containers, networks and volumes that the Docker host still has, apart from volumes
    that are to be kept."""
    label = f"label={STACK_LABEL}={plan.stack}"
    kept = {volume.name for volume in volumes(plan.containers) if volume.keep}
    asked = {
        "container": ("ps", "--all", "--filter", label, "--format", "{{.Names}}"),
        "network": ("network", "ls", "--filter", label, "--format", "{{.Name}}"),
        "volume": ("volume", "ls", "--filter", label, "--format", "{{.Name}}"),
    }
    return [
        f"{kind} {name}"
        for kind, arguments in asked.items()
        for name in docker(host, *arguments).stdout.split()
        if name not in kept
    ]


def docker(host: DockerHost, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Docker's command line with the stack's Docker host."""
    return subprocess.run(
        ["docker", "-H", host.address, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **host.environment},
    )
