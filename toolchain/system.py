"""Debian packages, and asking before installing them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console


def can_install() -> bool:
    """Whether this user can install Debian packages."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def has_apt() -> bool:
    """Whether this is Debian or one of its kin."""
    return shutil.which("apt-get") is not None


def may_install(packages: list[str], *, assume_yes: bool, console: "Console") -> bool:
    """Whether the user agrees; asked on a terminal only, and not in CI."""
    if assume_yes or os.environ.get("CI", "").lower() in ("1", "true"):
        return True
    if not (console.is_terminal and sys.stdin.isatty()):
        return False
    return console.input(f"Install {' '.join(packages)} with apt-get? [y/N] ").strip().lower() in ("y", "yes")


def install(packages: list[str], log: Path) -> None:
    """Install Debian packages. Raises UserError with the end of the log."""
    log.parent.mkdir(parents=True, exist_ok=True)
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with log.open("w") as file:
        for arguments in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
            done = subprocess.run(["apt-get", *arguments], stdout=file, stderr=file, env=env, check=False)
    if done.returncode:
        raise UserError(f"apt-get could not install {' '.join(packages)}:\n{tail(log)}\n({log})", exit_code=1)


def policies(packages: list[str]) -> str:
    """What apt-cache says about these packages."""
    return subprocess.run(["apt-cache", "policy", *packages], capture_output=True, text=True, check=False).stdout


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
