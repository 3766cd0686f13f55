"""The way from here to Docker on the machine: ssh, with settings of its own.

Docker's command line and the Docker provider both run `ssh` for an address `ssh://NAME`
(github.com/docker/cli, cli/connhelper; github.com/kreuzwerker/terraform-provider-docker, internal/provider/config.go).
The provider takes options, the command line none: for it, a folder with an `ssh` that has them goes in front of `PATH`.
Both read one configuration, in which the machine has its plan's name, and whose ProxyCommand is `host.proxy`: it finds
the instance, pushes the key and writes down by what key the machine is known, before a byte goes through.

One connection is shared by all that need it, and stays for a minute: to find and reach a machine takes seconds.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from core.errors import UserError
from core.names import PRIVATE
from host.plan.model import HostPlan

KEY_SECONDS = 86_400
"""How long a key pair is used. Without a push, which counts for 60 seconds, it opens nothing."""
SHARED_SECONDS = 60
CONNECT_SECONDS = 60


@dataclass(frozen=True)
class Files:
    """What the way to a stack's machine takes, in the project's private folder."""

    project: Path
    stack: str

    @property
    def folder(self) -> Path:
        return self.project / PRIVATE / self.stack / "ssh"

    @property
    def configuration(self) -> Path:
        return self.folder / "config"

    @property
    def key(self) -> Path:
        return self.folder / "key"

    @property
    def public_key(self) -> Path:
        return self.folder / "key.pub"

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    @property
    def log(self) -> Path:
        """What programs between ssh and the machine say once the connection is there."""
        return self.folder / "proxy.log"

    @property
    def programs(self) -> Path:
        return self.folder / "bin"


def provider_options(stack: str) -> list[str]:
    """What the Docker provider adds to its ssh. Relative to the project, where the engine runs its plugins, so that it
    is the same on every machine and in the state."""
    return ["-F", f"{PRIVATE}/{stack}/ssh/config"]


def prepare(plan: HostPlan, project: Path) -> Mapping[str, str]:
    """Write the configuration, and a key pair where there is none or an old one; what a program that runs `docker -H`
    needs in its environment.

    Raises `UserError` where OpenSSH is not installed, or the folder of shared connections is somebody else's.
    """
    files = Files(project.resolve(), plan.stack)
    program, keygen = _program("ssh"), _program("ssh-keygen")
    files.programs.mkdir(parents=True, exist_ok=True)
    files.folder.chmod(0o700)
    _write(files.configuration, configuration(plan, files, _shared_folder()), 0o600)
    _write(files.programs / "ssh", wrapper(program, files), 0o700)
    _renew_key(files, keygen)
    return {"PATH": f"{files.programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}


def configuration(plan: HostPlan, files: Files, shared: Path) -> str:
    """The client's configuration (ssh_config(5)) for the one machine, with everything that decides whom it trusts."""
    identity = hashlib.sha256(f"{files.project}\0{plan.stack}".encode()).hexdigest()[:16]
    # In the project's folder, whose packages it is; ssh runs it by the user's shell.
    program = [sys.executable, "-m", "host.proxy", plan.stack]
    command = ["/bin/sh", "-c", 'cd "$0" && exec "$@"', str(files.project), *program]
    options = {
        "HostName": plan.name,
        "HostKeyAlias": plan.name,
        "User": plan.user,
        "ProxyCommand": " ".join(shlex.quote(_literal(each)) for each in command),
        "IdentityFile": _quoted(files.key),
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "PreferredAuthentications": "publickey",
        "BatchMode": "yes",
        "UserKnownHostsFile": _quoted(files.known_hosts),
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes",
        "UpdateHostKeys": "no",
        "ForwardAgent": "no",
        "ConnectTimeout": str(CONNECT_SECONDS),
        "ServerAliveInterval": "15",
        "ServerAliveCountMax": "3",
        "ControlMaster": "auto",
        "ControlPath": _quoted(shared / identity),
        "ControlPersist": str(SHARED_SECONDS),
        "LogLevel": "ERROR",
    }
    lines = "".join(f"  {name} {value}\n" for name, value in options.items())
    return f"# Written by Turnscope.\nHost {plan.name}\n{lines}"


def wrapper(program: Path, files: Files) -> str:
    """The `ssh` for programs that pass it no options."""
    return f'#!/bin/sh\nexec {shlex.quote(str(program))} -F {shlex.quote(str(files.configuration))} "$@"\n'


def hang_up(plan: HostPlan, project: Path) -> None:
    """End the shared connection, if there is one: it may lead to a machine that was replaced."""
    files = Files(project.resolve(), plan.stack)
    command = [str(_program("ssh")), "-F", str(files.configuration), "-O", "exit", plan.name]
    subprocess.run(command, capture_output=True, check=False, timeout=CONNECT_SECONDS)


def _renew_key(files: Files, keygen: Path) -> None:
    there = files.key.exists() and files.public_key.exists()
    if there and time.time() - files.key.stat().st_mtime < KEY_SECONDS:
        return
    with tempfile.TemporaryDirectory(dir=files.folder) as folder:
        made = Path(folder) / "key"
        command = [str(keygen), "-q", "-t", "ed25519", "-N", "", "-C", "turnscope", "-f", str(made)]
        subprocess.run(command, check=True, capture_output=True)
        made.with_suffix(".pub").replace(files.public_key)
        made.replace(files.key)


def _shared_folder() -> Path:
    """A short path: a socket's has at most 107 characters, and ssh adds some to it meanwhile."""
    folder = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()) / f"turnscope-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    about = folder.lstat()
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.getuid() or about.st_mode & 0o077:
        raise UserError(f"{folder} must be a folder of yours that nobody else can read; remove it.", exit_code=1)
    return folder


def _program(name: str) -> Path:
    # Not the one of ours, which this process may have in front of its PATH.
    folders = [each for each in os.environ.get("PATH", os.defpath).split(os.pathsep) if f"/{PRIVATE}/" not in each]
    found = shutil.which(name, path=os.pathsep.join(folders))
    if found is None:
        raise UserError(f"OpenSSH's {name} is not on PATH; install it: Turnscope reaches the machine by ssh.")
    return Path(found)


def _write(path: Path, text: str, mode: int) -> None:
    if path.is_file() and path.read_text() == text and stat.S_IMODE(path.stat().st_mode) == mode:
        return
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.touch(mode)
    fresh.write_text(text)
    fresh.chmod(mode)
    fresh.replace(path)


def _literal(text: str) -> str:
    """Percent signs begin a token of ssh's."""
    return text.replace("%", "%%")


def _quoted(path: Path) -> str:
    return f'"{_literal(str(path))}"'
