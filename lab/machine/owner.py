"""Whose machines: the emulator's that keeps its files in one directory, for one stack."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

LABEL = "turnscope.lab"
"""Of every Docker object here; its value is the emulator's directory, which no two checkouts share."""
INSTANCE_LABEL = "turnscope.lab.instance"


@dataclass(frozen=True)
class Owner:
    directory: Path
    stack: str

    @property
    def prefix(self) -> str:
        """Of the names of Docker objects. Stacks of two checkouts may have the same name."""
        checkout = hashlib.sha256(str(self.directory).encode()).hexdigest()[:6]
        return f"turnscope-{self.stack}-{checkout}"

    @property
    def label(self) -> str:
        return f"{LABEL}={self.directory}"

    def name(self, resource_id: str) -> str:
        """Of an instance's container, a volume and so on."""
        return f"{self.prefix}-{resource_id}"
