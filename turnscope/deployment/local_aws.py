"""AWS for a local stack: the lab's emulator, kept in step with what the engine believes it holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from core.errors import UserError
from stacks.settings.model import Lab, Settings
from turnscope.lab_extra import require_lab


@dataclass(frozen=True)
class LocalAws:
    """The emulator of one stack; `directory` holds this machine's files of the stack."""

    project: Path
    directory: Path
    stack: str

    def start(self, settings: Settings, console: Console) -> str:
        """Start it, or find it running; returns its instance's id. Raises `UserError` where it cannot start."""
        require_lab()
        from lab import emulator

        self.directory.mkdir(parents=True, exist_ok=True)
        port = (settings.lab or Lab()).aws_port
        running = emulator.start(self.directory, port, project=self.project, stack=self.stack)
        console.print(f"lab: AWS is emulated at {running.url} (nothing leaves this machine)", highlight=False)
        return running.instance_id

    def is_another(self, instance: str) -> bool:
        """Whether the last deployment used another instance. Each keeps everything in memory: another one is empty."""
        return self._known.exists() and self._known.read_text() != instance

    def remember(self, instance: str) -> None:
        """The engine's state and this instance agree from now on."""
        self._known.write_text(instance)

    @property
    def _known(self) -> Path:
        return self.directory / "emulator-instance"

    def require_running(self) -> None:
        """Raises `UserError` where the stack is not up."""
        from lab import emulator

        if emulator.status(self.directory) is None:
            raise UserError(f"Stack {self.stack} is not up: run `turnscope up {self.stack}` first.")

    def stop(self) -> bool:
        """Returns whether it was running."""
        from lab import emulator

        return emulator.stop(self.directory)
