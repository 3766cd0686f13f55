"""What is made outside the images and copied into them: programs that take long, kept in the toolchain's folder."""

from __future__ import annotations

import platform as machine
import sys
from pathlib import Path

from toolchain.golang import Run
from toolchain.parts import COLLECTOR, Context, Part
from toolchain.store import Store

ENGINE_VERSION = "26.9.0"
"""chdb-core: the ClickHouse engine that the lab's ClickHouse is checked with, set to behave like 25.12."""
PYTHON = "3.11"
"""The Python of the lab's Debian."""
NOWHERE = Context(Store(Path("/nonexistent")), {})
"""Enough of a context to ask a part for its identity."""


def platform() -> str:
    """The kind of machine that images are for: this one's processor."""
    return {"arm64": "aarch64", "amd64": "x86_64"}.get(machine.machine().lower(), machine.machine().lower())


def _install_engine(_: Context, folder: Path, run: Run) -> None:
    # By this machine's pip, which has its owner's index, proxy and certificates, for the version of the image's Python.
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    command += ["--no-deps", "--only-binary=:all:", "--implementation=cp", f"--python-version={PYTHON}"]
    command += [f"--platform=manylinux2014_{platform()}", f"--target={folder}", f"chdb-core=={ENGINE_VERSION}"]
    run(command, folder, {})


PARTS = {
    part.name: part
    for part in (
        COLLECTOR,
        Part(
            "engine", f"ClickHouse's engine, chdb-core {ENGINE_VERSION}",
            pins=lambda _: (ENGINE_VERSION, PYTHON, platform()),
            build=_install_engine, file="chdb/__init__.py",
        ),
    )
}  # fmt: skip
