"""Runs of the engine on this machine: which one is under way, and what one that was killed left behind."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RunMark:
    """A file with the process id of the run under way; it outlives only a run that was killed."""

    path: Path

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Mark this process' run until it ends."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(str(os.getpid()))
        try:
            yield
        finally:
            self.path.unlink(missing_ok=True)

    def left_by_a_killed_run(self) -> bool:
        """Whether the mark is there and its process is not."""
        try:
            pid = int(self.path.read_text())
        except FileNotFoundError:
            return False
        except ValueError:
            return True
        return not _is_alive(pid)


def release_dead_lock(state: Path, stack: str) -> bool:
    """Delete a stack's locks in the file backend at `state` where every process that took one is gone.

    Returns whether there were any and all were deleted. Only for a backend that this machine alone uses.
    """
    locks = list((state / ".pulumi" / "locks").rglob(f"{stack}/*.json"))
    pids = [json.loads(path.read_text()).get("pid", 0) for path in locks]
    if not locks or any(_is_alive(pid) for pid in pids):
        return False
    for path in locks:
        path.unlink()
    return True


def _is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()
