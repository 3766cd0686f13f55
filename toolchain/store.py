"""The toolchain's directory: one folder per finished part, a lock, logs, and the record of what took how long.

A part is built in a temporary folder and renamed into place as `NAME-FINGERPRINT`, so that a folder that is
there is complete, an interrupted run continues with what is missing, and other versions do not clash.
"""

import fcntl
import hashlib
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_HELD: dict[Path, tuple[ExitStack, int]] = {}
"""The directories whose lock this process has, and how many of its threads hold each."""
_HOLDING = threading.Lock()
_RECORDING = threading.Lock()


def default_directory(environ: Mapping[str, str]) -> Path:
    """`$TURNSCOPE_TOOLCHAIN`, or a folder in the user's cache."""
    if chosen := environ.get("TURNSCOPE_TOOLCHAIN"):
        return Path(chosen).expanduser().absolute()
    cache = environ.get("XDG_CACHE_HOME") or Path(environ.get("HOME", "~"), ".cache")
    return Path(cache).expanduser().absolute() / "turnscope" / "toolchain"


def fingerprint(*pins: str) -> str:
    """A short name for exactly these pins, in this order."""
    return hashlib.sha256(json.dumps(pins).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Store:
    """A toolchain directory; nothing is created before something is built."""

    directory: Path

    def part(self, name: str, pins: tuple[str, ...]) -> Path:
        """Where this part is once it is finished."""
        return self.directory / f"{name}-{fingerprint(*pins)}"

    def log(self, name: str) -> Path:
        """The log of a part's last build."""
        return self.directory / "logs" / f"{name}.log"

    def put(self, final: Path, build: Callable[[Path], None]) -> None:
        """Let `build` fill a temporary folder, then make it the part; a failed build leaves nothing."""
        temporary = self.directory / "tmp" / final.name
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        try:
            build(temporary)
            temporary.rename(final)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    @contextmanager
    def lock(self, on_wait: Callable[[str], None]) -> Iterator[None]:
        """Hold the directory in this process alone, of which several threads may hold it, each for parts of its own.

        `on_wait` is called with the holder's process id before waiting for it. What an interrupted run left in the
        temporary folder is removed.
        """
        with _HOLDING:
            held, threads = _HELD.get(self.directory, (ExitStack(), 0))
            if not threads:
                held.enter_context(self._locked(on_wait))
                shutil.rmtree(self.directory / "tmp", ignore_errors=True)
            _HELD[self.directory] = held, threads + 1
        try:
            yield
        finally:
            with _HOLDING:
                held, threads = _HELD.pop(self.directory)
                if threads > 1:
                    _HELD[self.directory] = held, threads - 1
                else:
                    held.close()

    @contextmanager
    def _locked(self, on_wait: Callable[[str], None]) -> Iterator[None]:
        self.directory.mkdir(parents=True, exist_ok=True)
        with (self.directory / "lock").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                on_wait(file.read().strip())
                fcntl.flock(file, fcntl.LOCK_EX)  # the system releases it when a holder dies
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield

    def record(self) -> dict[str, Any]:
        """What `toolchain.json` says: part -> seconds, from the run that built it."""
        try:
            return json.loads((self.directory / "toolchain.json").read_text())
        except (FileNotFoundError, ValueError):
            return {}

    def add_seconds(self, name: str, seconds: float) -> None:
        """Add how long a part took to `toolchain.json`; the caller holds the lock."""
        path = self.directory / "toolchain.json"
        with _RECORDING:
            record = self.record()
            record["seconds"] = {**record.get("seconds", {}), name: seconds}
            path.with_suffix(".tmp").write_text(json.dumps(record, indent=2) + "\n")
            path.with_suffix(".tmp").rename(path)
