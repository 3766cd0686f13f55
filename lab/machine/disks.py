"""Volumes as block devices: a sparse file in a Docker volume, and a loop device while it is attached.

A process in a container of its own holds each device (`lab.images.machine.volume`): it needs no permissions of this
process but Docker's, and ends with this process, however that ends.
"""

from __future__ import annotations

import contextlib
import subprocess
import threading
import time
from pathlib import Path
from typing import IO, cast

from lab.machine import engine
from lab.machine.engine import EngineError
from lab.machine.owner import Owner

RELEASE_SECONDS = 10.0
FILE = "/volume/disk"
COPY_SECONDS = 600.0


def copy(owner: Owner, source_id: str, target_id: str, image: str) -> None:
    """What one volume holds, as that of another that holds nothing yet. Raises `EngineError`."""
    source, target = engine.ensure_volume(owner, source_id), engine.ensure_volume(owner, target_id)
    command = ["run", "--rm", "--network=none", f"--label={owner.label}", "--cap-drop=ALL", "--cap-add=dac_override"]
    command += [f"--volume={source}:/from:ro", f"--volume={target}:/to", "--entrypoint=cp", image]
    name = Path(FILE).name
    engine.docker(*command, "--sparse=always", f"/from/{name}", f"/to/{name}", timeout_seconds=COPY_SECONDS)


class Disk:
    """A volume that is attached. Raises `EngineError` where Docker or the kernel refuses."""

    def __init__(self, owner: Owner, volume_id: str, gib: int, image: str) -> None:
        command = ["docker", "run", "--rm", "--interactive", "--network=none", f"--label={owner.label}"]
        command += [f"--name={owner.name(volume_id)}-attached", "--cap-drop=ALL"]
        command += [f"--cap-add={each}" for each in ("sys_admin", "mknod", "dac_override")]
        command += [f"--device-cgroup-rule={each}" for each in (engine.LOOP_DEVICES, engine.LOOP_CONTROL)]
        command += [f"--volume={engine.ensure_volume(owner, volume_id)}:{Path(FILE).parent}"]
        command += ["--entrypoint=/usr/bin/python3", image, "-ISu", f"{engine.PROGRAMS}/volume.py", FILE, str(gib)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._lock = threading.Lock()
        self.number = int(self._line())
        """Of the loop device."""

    def grow(self, gib: int) -> None:
        with self._lock:
            stdin = cast(IO[str], self._process.stdin)
            stdin.write(f"{gib}\n")
            stdin.flush()
            self._line()

    def close(self) -> bool:
        """Let go of the device; false where a machine still uses it after some seconds."""
        with self._lock, contextlib.suppress(BrokenPipeError, subprocess.TimeoutExpired):
            self._process.communicate(timeout=RELEASE_SECONDS)
        deadline = time.monotonic() + RELEASE_SECONDS
        # There while the device has a file.
        while Path(f"/sys/block/loop{self.number}/loop/backing_file").exists():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    def _line(self) -> str:
        line = cast(IO[str], self._process.stdout).readline()
        if not line:
            _, problem = self._process.communicate()
            raise EngineError(f"a volume cannot be attached: {problem.strip()}")
        return line
