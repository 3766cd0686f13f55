"""Running the builds' commands: logged, and stopped when the run is."""

import os
import signal
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO


class CommandFailed(Exception):
    """A command ended with an error; what it printed is in the log."""


class Commands:
    """The commands that run now; any thread may start one, and `stop` ends them all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[str]] = set()
        self._stopped = False

    def run(self, command: list[str], folder: Path, env: Mapping[str, str], log: IO[str]) -> str:
        """Run a command to its end; returns its standard output, which the log gets too."""
        log.write(f"$ {' '.join(command)}\n")
        log.flush()
        with self._lock:
            if self._stopped:
                raise CommandFailed("stopped")
            process = subprocess.Popen(
                command, cwd=folder, env={**os.environ, **env}, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True,
            )  # fmt: skip
            self._running.add(process)
        try:
            output, _ = process.communicate()
        finally:
            with self._lock:
                self._running.discard(process)
        log.write(output)
        log.flush()
        if process.returncode:
            raise CommandFailed(f"{command[0]} ended with code {process.returncode}")
        return output

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopped

    def stop(self) -> None:
        """End what runs, its children included, and start nothing more."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                os.killpg(process.pid, signal.SIGTERM)
