"""Runs of the engine: what one does while it is under way, and what one that was killed left behind.

The engine is told to save a stack's state once, at the end of a run: to save it after every step takes time that grows
with the square of the number of resources. What a run was about to create is written here instead, a line each, so that
after a kill the next run looks for those resources (`turnscope.deployment.recovery`).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from pulumi.automation import EngineEvent
from pulumi.automation.events import StepEventMetadata

JOURNAL = "run.jsonl"
"""The journal's file, in this machine's folder of the stack."""
CREATES = ("create", "create-replacement", "import", "import-replacement")
UNCHANGING = ("same", "read", "refresh")
_HOLDER = re.compile(r"created by [^\n]*@(?P<host>[^@\s]*) \(pid (?P<pid>\d+)\)")
"""A lock in the engine's message: pkg/backend/diy/lock.go, `checkForLock`."""


@dataclass
class RunJournal:
    """A file beside the stack's: the process ID of the run under way, then a line for each resource that it begins to
    create and one for each that was created. Only a run that ended without saving the state leaves it.

    Secrets are masked in it, as in all of the engine's events.
    """

    path: Path
    recorded: bool = field(default=False, init=False)
    """Whether the engine saved the state at the end of the run; if not, the file stays."""
    changed: bool = field(default=False, init=False)
    """Whether the engine began to change anything."""
    _file: IO[str] | None = field(default=None, init=False)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keep the journal during this process' run, and longer unless `recorded` was set."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.recorded = self.changed = False
        with self.path.open("a", encoding="utf-8") as self._file:
            self._write({"pid": os.getpid()})
            try:
                yield
            finally:
                self._file = None
                if self.recorded:
                    self.forget()

    def forget(self) -> None:
        """What it lists is in the state now."""
        self.path.unlink(missing_ok=True)

    def on_event(self, event: EngineEvent) -> None:
        """Write what an engine event says of a create."""
        if event.resource_pre_event:
            self._begin(event.resource_pre_event.metadata)
        elif event.res_outputs_event:
            self._end(event.res_outputs_event.metadata)

    def _begin(self, step: StepEventMetadata) -> None:
        self.changed |= step.op not in UNCHANGING
        if step.op in CREATES and step.new:
            self._write(
                {
                    "urn": step.urn,
                    "type": step.type,
                    "custom": bool(step.new.custom),
                    "parent": step.new.parent,
                    "provider": step.new.provider,
                    "inputs": step.new.inputs or {},
                }
            )

    def _end(self, step: StepEventMetadata) -> None:
        if step.op in CREATES and step.new and step.new.id:
            self._write({"urn": step.urn, "id": step.new.id})

    def _write(self, line: dict[str, Any]) -> None:
        if self._file:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()

    def left_by_a_killed_run(self) -> bool:
        """Whether a run that is not under way any more left it."""
        pids = {line["pid"] for line in self._lines() if "pid" in line} - {os.getpid()}
        return self.path.exists() and not any(_is_alive(pid) for pid in pids)

    def creates(self) -> dict[str, dict[str, Any]]:
        """What the runs began to create, by URN: `type`, `custom`, `parent`, `provider`, `inputs`, and `id` of what
        was created."""
        found: dict[str, dict[str, Any]] = {}
        for line in self._lines():
            if "urn" in line:
                found[line["urn"]] = {**found.get(line["urn"], {}), **line}
        return {urn: each for urn, each in found.items() if "type" in each}

    def _lines(self) -> Iterator[dict[str, Any]]:
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return
        for line in text.splitlines():
            # A kill cuts the last line short.
            with contextlib.suppress(ValueError):
                yield json.loads(line)


def is_held_by_the_dead(message: str) -> bool:
    """Whether each lock that the engine's `message` lists was made by a process of this machine that is gone."""
    holders = [(match["host"], int(match["pid"])) for match in _HOLDER.finditer(message)]
    return bool(holders) and all(host == socket.gethostname() and not _is_alive(pid) for host, pid in holders)


def _is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()
