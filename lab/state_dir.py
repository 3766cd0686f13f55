"""The files through which the emulator and the command line know of each other, all in one directory.

A lock held for the server's whole life says that it runs: unlike a process id it cannot be stale.
"""

from __future__ import annotations

import fcntl
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

HOST = "127.0.0.1"
"""The only address that the emulator listens on."""

HEALTH_PATH = "/turnscope-lab"
"""Answers with what `emulator.json` holds, which proves that a port is served by the emulator of this directory, and
with whose it is: `directory`, and `project` and `stack` where it has them."""


class StateDir:
    """Paths and locks below `directory`; it need not exist yet."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.absolute()
        self.emulator = self.directory / "emulator.json"
        """Port, process id and instance id of the running server, written once it listens."""
        self.log = self.directory / "emulator.log"
        self.progress = self.directory / "worker.json"
        self.notifications = self.directory / "notifications.jsonl"
        self.journal = self.directory / "worker.journal"
        self.machines = self.directory / "machines.json"
        """There while the emulator may have machines; where their sockets are."""

    def create(self) -> None:
        # Log lines of an agent may hold what a caller said: nobody else on this machine needs to read them.
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def hold_server_lock(self, wait_seconds: float = 0.0) -> IO[str] | None:
        """Take the server's lock, for as long as the returned file stays open; None if a server has it.

        Whoever asks whether a server runs has the lock for a moment too: a server needs a moment.
        """
        deadline = time.monotonic() + wait_seconds
        file = (self.directory / "server.lock").open("w")
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    file.close()
                    return None
                time.sleep(0.01)
            else:
                return file

    def server_runs(self) -> bool:
        if not self.directory.is_dir():
            return False
        lock = self.hold_server_lock()
        if lock is None:
            return True
        lock.close()
        return False

    @contextmanager
    def one_at_a_time(self) -> Iterator[None]:
        """Starting and stopping, by one process at a time."""
        self.create()
        with (self.directory / "start.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def write_json(path: Path, value: Any) -> None:
    """Replace `path` whole, so that a reader sees the old text or the new and never a part."""
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(json.dumps(value, indent=2) + "\n")
    temporary.replace(path)


def read_json(path: Path) -> Any | None:
    """The value in `path`; None if there is no such file."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return None
