"""A running Docker engine."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from core.errors import UserError
from toolchain import system
from toolchain.model import Missing, Requirements

START_SECONDS = 60.0
SEARCH = os.pathsep.join(["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"])
"""dockerd and iptables live in folders that a user's PATH may lack."""


def answers() -> bool:
    """Whether a Docker client is there and an engine answers it."""
    if not shutil.which("docker"):
        return False
    try:
        return subprocess.run(["docker", "info"], capture_output=True, timeout=20, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def requirements() -> Requirements:
    """What has to be installed or done by hand before the engine can be started; nothing where one answers."""
    need = Requirements()
    if answers():
        return need
    if host := os.environ.get("DOCKER_HOST"):
        need.missing.append(Missing(f"a Docker engine at DOCKER_HOST={host}", "Start it, or unset DOCKER_HOST."))
    elif sys.platform == "darwin":
        need.missing.append(Missing("a running Docker engine", "Install and start Docker Desktop or colima."))
    elif os.geteuid() != 0:
        how = "sudo systemctl start docker, and add yourself to the group `docker`"
        if not _which("dockerd"):
            how = "sudo apt-get install docker.io iptables, then " + how
        need.missing.append(Missing("a running Docker engine that this user may use", how))
    else:
        lacking = [("dockerd", "docker.io"), ("docker", "docker.io"), ("iptables", "iptables")]
        need.packages = list(dict.fromkeys(package for program, package in lacking if not _which(program)))
        if need.packages and not system.has_apt():
            need.packages = []
            how = "Install Docker Engine for your distribution: https://docs.docker.com/engine/install/"
            need.missing.append(Missing("Docker Engine and iptables", how))
    return need


def start(log: Path) -> None:
    """Start the engine and return when it answers. Raises UserError with the end of its log."""
    if answers():
        return
    log.parent.mkdir(parents=True, exist_ok=True)
    process = None
    with log.open("w") as file:
        if Path("/run/systemd/system").is_dir():
            subprocess.run(["systemctl", "start", "docker"], stdout=file, stderr=file, check=False)
        else:
            # A session of its own: the engine outlives this run and its terminal.
            process = subprocess.Popen(
                [_which("dockerd") or "dockerd"], stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                start_new_session=True, cwd="/",
            )  # fmt: skip
    deadline = time.monotonic() + START_SECONDS
    while not answers():
        if time.monotonic() > deadline or (process is not None and process.poll() is not None):
            raise UserError(f"The Docker engine did not start:\n{system.tail(log)}\n({log})", exit_code=1)
        time.sleep(0.5)


def _which(program: str) -> str | None:
    return shutil.which(program) or shutil.which(program, path=SEARCH)
