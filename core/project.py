"""Where a project's files are."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from core.errors import UserError
from core.names import PRIVATE


@dataclass(frozen=True)
class Project:
    """A checkout of Turnscope: the folder that holds `Pulumi.yaml`."""

    root: Path

    @property
    def private(self) -> Path:
        """What belongs to this machine alone: local state, its passphrase, the emulator. Never committed."""
        return self.root / PRIVATE

    def stack_directory(self, stack: str) -> Path:
        return self.private / stack


def find_project(start: Path | None = None) -> Project:
    """The project around `start` (default: the current folder); `TURNSCOPE_PROJECT` names another.

    Raises `UserError` where there is none.
    """
    named = os.environ.get("TURNSCOPE_PROJECT")
    here = Path(named).resolve() if named else (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "Pulumi.yaml").is_file() and (folder / "stacks").is_dir():
            return Project(folder)
    raise UserError(
        f"No Turnscope project in {here} or above it: change into a checkout (the folder with Pulumi.yaml and "
        "stacks/), or set TURNSCOPE_PROJECT."
    )
