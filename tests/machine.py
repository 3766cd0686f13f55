"""What tests share with other test runs on this machine, of this checkout or another: names and ports.

A run (of one pytest process; with pytest-xdist, of one worker) has a name that no other has. Its Docker objects carry
it in their names, and the processes that it starts in their environment. `begin` removes what runs left that ended
without `end`: a lock that the run held says that it is over, and cannot be stale.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[1]
VARIABLE = "TURNSCOPE_TEST_RUN"
PORTS = range(20_000, 32_000)
"""Below the ports that the system gives to outgoing connections (Linux: 32,768 and above)."""
LIMIT_SECONDS = 600.0
"""For waiting on what will happen: on a busy machine too, only what hangs takes that long."""

KILLED_SECONDS = 60.0
DOCKER = ("docker", "containerd")
"""Processes of a Docker engine, which stays where a test happened to start it."""


def _name() -> str:
    checkout = hashlib.sha256(str(ROOT).encode()).hexdigest()[:4]
    return f"{checkout}{os.environ.get('PYTEST_XDIST_WORKER', 'main')}{secrets.token_hex(2)}"


RUN = _name()
"""This run's name: the checkout, the worker, and chance. Fits where letters and digits are allowed."""
_held: dict[Path, IO[str]] = {}


def folder() -> Path:
    """Of the locks of all of this user's runs."""
    found = Path(tempfile.gettempdir()) / f"turnscope-tests-{os.getuid()}"
    found.mkdir(mode=0o700, exist_ok=True)
    return found


def _lock(path: Path) -> bool:
    """Take a lock, for as long as this process lives. Whoever deletes its file holds it."""
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Deleted between opening and locking, it locks nobody out.
        taken = path.exists() and os.fstat(file.fileno()).st_ino == path.stat().st_ino
    except (BlockingIOError, FileNotFoundError):
        taken = False
    if taken:
        _held[path] = file
    else:
        file.close()
    return taken


def _release(path: Path) -> None:
    path.unlink(missing_ok=True)
    _held.pop(path).close()


def begin() -> None:
    """Remove what interrupted runs left, and name this run in the environment of all that it starts."""
    for path in folder().glob("*.run"):
        if path not in _held and _lock(path):
            remove(path.stem)
            _release(path)
    _lock(_run_lock())
    os.environ[VARIABLE] = RUN


def end() -> None:
    """Remove what this run's tests left."""
    remove(RUN)
    for path in list(_held):
        _release(path)


def _run_lock() -> Path:
    return folder() / f"{RUN}.run"


def remove(run: str) -> None:
    """End a run's processes, and remove its containers, volumes and networks."""
    deadline = time.monotonic() + KILLED_SECONDS
    while found := list(processes(run)):
        for process in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes of test run {run} do not end: {found}")
        time.sleep(0.05)
    if shutil.which("docker") is None:
        return
    for kind, command in (
        ("container", ("rm", "--force", "--volumes")),
        ("volume", ("rm", "--force")),
        ("network", ("rm",)),
    ):
        every = ("--all",) if kind == "container" else ()
        found = _docker(kind, "ls", *every, "--quiet", "--filter", f"name={run}").split()
        if found:
            _docker(kind, *command, *found)


def processes(run: str) -> Iterator[int]:
    """Of the processes that a run started, and that they started: those still there. Needs Linux' /proc."""
    variable = f"{VARIABLE}={run}".encode()
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            ours = variable in path.read_bytes().split(b"\0")
            if ours and not path.with_name("comm").read_text().startswith(DOCKER):
                yield int(path.parent.name)


def _docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False).stdout


def free_port() -> int:
    """A TCP port that nothing listens on, and that no other test is given while this process lives."""
    while True:
        port = random.choice(PORTS)  # noqa: S311
        path = folder() / f"{port}.port"
        if path not in _held and _lock(path):
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                with contextlib.suppress(OSError):
                    probe.bind(("", port))
                    return port
            _release(path)
