"""What an emulator made of machines, and removing it: also after an emulator that was killed."""

from __future__ import annotations

import shutil
from pathlib import Path

from lab.machine import engine
from lab.state_dir import StateDir, read_json, write_json


def note(directory: Path, sockets: Path) -> None:
    """That the emulator of `directory` makes Docker objects, and sockets in a folder: to be called before it does."""
    write_json(StateDir(directory).machines, {"sockets": str(sockets)})


def remove(directory: Path) -> int:
    """Remove what an emulator of `directory` made and left; returns how many Docker objects. Raises `EngineError`."""
    state = StateDir(directory)
    made = read_json(state.machines)
    if made is None:
        return 0
    count = engine.remove_all(state.directory)
    shutil.rmtree(made["sockets"], ignore_errors=True)
    state.machines.unlink(missing_ok=True)
    return count
