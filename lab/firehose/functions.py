"""Lambda functions as they are deployed, each run in a process of its own, with its own environment.

Their AWS is the emulator. The interpreter is the emulator's own, whatever the function's runtime; memory is not
limited, time is.
"""

from __future__ import annotations

import io
import json
import os
import select
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

RUNTIME = Path(__file__).with_name("lambda_runtime.py")


class FunctionError(Exception):
    """The function raised, ran out of time, or ended."""


@dataclass(frozen=True)
class Deployed:
    """What is deployed of a function. `code` is its zip file."""

    name: str
    handler: str
    code: bytes
    environment: tuple[tuple[str, str], ...]
    region: str
    timeout_seconds: float


class Functions:
    """Processes of functions, by the address of the emulator."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._running: dict[str, tuple[Deployed, _Process]] = {}
        self._lock = threading.Lock()

    def call(self, function: Deployed, event: Mapping[str, Any]) -> Any:
        """The function's answer. Raises `FunctionError`."""
        with self._lock:
            deployed, process = self._running.get(function.name, (None, None))
            if process is None or deployed != function or process.ended:
                if process is not None:
                    process.end()
                process = _Process(function, self._url)
                self._running[function.name] = function, process
        return process.call(event, function.timeout_seconds)

    def end(self) -> None:
        with self._lock:
            for _, process in self._running.values():
                process.end()
            self._running.clear()


class _Process:
    def __init__(self, function: Deployed, url: str) -> None:
        self._lock = threading.Lock()
        self._directory = tempfile.TemporaryDirectory(prefix="turnscope-lambda-")
        zipfile.ZipFile(io.BytesIO(function.code)).extractall(self._directory.name)
        self._process = subprocess.Popen(
            [sys.executable, str(RUNTIME), self._directory.name, function.handler],
            env={
                "PATH": os.defpath,
                "LANG": "C.UTF-8",
                "AWS_ENDPOINT_URL": url,
                "AWS_REGION": function.region,
                "AWS_DEFAULT_REGION": function.region,
                "AWS_ACCESS_KEY_ID": "lab",
                "AWS_SECRET_ACCESS_KEY": "lab",
                "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_LAMBDA_FUNCTION_NAME": function.name,
                **dict(function.environment),
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # An interrupted terminal ends the emulator, which then still has to deliver.
            start_new_session=True,
        )

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def call(self, event: Mapping[str, Any], timeout_seconds: float) -> Any:
        stdin, stdout = cast("IO[bytes]", self._process.stdin), cast("IO[bytes]", self._process.stdout)
        with self._lock:
            try:
                stdin.write(json.dumps(event).encode() + b"\n")
                stdin.flush()
                answer = json.loads(_line(stdout, time.monotonic() + timeout_seconds))
            except TimeoutError:
                self.end()
                raise FunctionError(f"Task timed out after {timeout_seconds:.2f} seconds") from None
            except (OSError, ValueError):
                self.end()
                raise FunctionError("the function's process ended") from None
        if "error" in answer:
            raise FunctionError(answer["error"])
        return answer["result"]

    def end(self) -> None:
        self._process.kill()
        # Closes its pipes too.
        self._process.communicate()
        self._directory.cleanup()


def _line(source: IO[bytes], deadline: float) -> bytes:
    """The next line. Raises `TimeoutError`, and `OSError` where the source ends before."""
    parts: list[bytes] = []
    while not parts or not parts[-1].endswith(b"\n"):
        ready, _, _ = select.select([source], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise TimeoutError
        part = os.read(source.fileno(), 1 << 20)
        if not part:
            raise OSError("ended")
        parts.append(part)
    return b"".join(parts)
