"""Images of this machine's Docker engine, for the engine in a machine."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from core.errors import UserError
from lab.machine import engine
from lab.machine.engine import EngineError
from lab.machine.owner import INSTANCE_LABEL


def container_of(instance_id: str) -> str:
    """The container that is this instance's machine. Raises `UserError` where none runs."""
    try:
        found = engine.docker("ps", "--quiet", "--filter", f"label={INSTANCE_LABEL}={instance_id}")
    except EngineError as error:
        raise UserError(f"lab: {error}", exit_code=1) from None
    if not found:
        raise UserError(f"lab: no machine runs as instance {instance_id} on this Docker engine.", exit_code=1)
    return found.split()[0]


def load_images(instance_id: str, references: Sequence[str]) -> list[str]:
    """Copy images of this machine's Docker engine into that of an instance; those that it has already are left alone.

    Returns the references that were copied. The instance's engine must run. Raises `UserError` (exit code 1) where no
    machine runs as this instance, its engine does not answer, or this machine does not have an image.
    """
    container = container_of(instance_id)
    try:
        engine.docker("exec", container, "docker", "version")
    except EngineError as error:
        raise UserError(
            f"lab: the Docker engine of instance {instance_id} does not answer: {error}", exit_code=1
        ) from None
    absent = [each for each in dict.fromkeys(references) if _image_id(each) != _image_id(each, container)]
    if unknown := [each for each in absent if not _image_id(each)]:
        raise UserError(f"lab: this machine's Docker engine does not have {', '.join(unknown)}.", exit_code=1)
    if absent:
        _copy(container, absent)
    return absent


def _image_id(reference: str, container: str | None = None) -> str:
    inside = ("exec", container) if container else ()
    command = [
        "docker",
        *inside,
        *(("docker",) if inside else ()),
        "image",
        "inspect",
        "--format",
        "{{.Id}}",
        reference,
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _copy(container: str, references: Sequence[str]) -> None:
    with subprocess.Popen(["docker", "save", *references], stdout=subprocess.PIPE) as saving:
        load = ["docker", "exec", "--interactive", container, "docker", "load", "--quiet"]
        loading = subprocess.run(load, stdin=saving.stdout, capture_output=True, text=True, check=False)
    if saving.returncode or loading.returncode:
        raise UserError(f"lab: images cannot be loaded: {loading.stderr.strip()}", exit_code=1)
