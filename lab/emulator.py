"""The life of the local stack's AWS emulator: start, status, stop.

The emulator is a process of its own that outlives the command which started it. Everything it holds is in its
memory: `instance_id` is new at each start, and a deployment made against another instance is gone. Whoever
deploys must compare it with the instance they deployed to last and refresh the engine's state first when it
differs.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from core.errors import UserError
from lab.machine import leftovers
from lab.machine.engine import EngineError
from lab.plan_source import PLAN_SOURCE
from lab.state_dir import HEALTH_PATH, HOST, StateDir, read_json

START_TIMEOUT_SECONDS = 30.0
STOP_TIMEOUT_SECONDS = 10.0
LOG_LINES_SHOWN = 15


@dataclass(frozen=True)
class Emulator:
    """A running emulator."""

    url: str
    port: int
    pid: int
    instance_id: str
    """Random for each start; what was deployed to another instance is gone."""
    log_path: Path


def start(
    directory: Path, port: int, *, project: Path | None = None, stack: str = "local", plan_source: str = PLAN_SOURCE
) -> Emulator:
    """The emulator whose files are in `directory`: the running one, or a new one on 127.0.0.1:`port`.

    With `project` (the directory of Pulumi.yaml) and `stack`, log events become metrics and alarms there.
    Raises `UserError` when the port is taken, when the running one listens on another port, or when the new
    one does not come up.
    """
    state = StateDir(directory)
    with state.one_at_a_time():
        if state.server_runs():
            running = _wait_until_healthy(state, alive=state.server_runs)
            if running.port != port:
                raise UserError(
                    f"The AWS emulator runs on port {running.port} and turnscope:lab.aws_port is {port}. "
                    "Run `make down` first, or restore the port."
                )
            return running
        _refuse_taken_port(port)
        process = _spawn(state, port, project, stack, plan_source)
        try:
            return _wait_until_healthy(state, alive=lambda: process.poll() is None)
        except BaseException:
            # Also Ctrl-C: a half-started server must not stay behind. It is in a session of its own, so the
            # terminal's signal did not reach it.
            _end(process)
            raise


def stop(directory: Path) -> bool:
    """Stop the emulator of `directory`; false if none ran. What it held is gone, its machines too."""
    state = StateDir(directory)
    if not state.directory.is_dir():
        return False
    with state.one_at_a_time():
        stopped = _stop_server(state)
        _remove_machines(state)
    return stopped


def _stop_server(state: StateDir) -> bool:
    running: Emulator | None = None

    def known_or_gone() -> bool:
        # A server that has the lock and no file yet is starting.
        nonlocal running
        running = _read(state)
        return running is not None or not state.server_runs()

    if not state.server_runs():
        return False
    if not _wait(known_or_gone, START_TIMEOUT_SECONDS) or running is None:
        return False
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(running.pid, number)
        if _wait(lambda: not state.server_runs(), STOP_TIMEOUT_SECONDS):
            return True
    raise UserError(f"The AWS emulator (process {running.pid}) does not stop.", exit_code=1)


def _remove_machines(state: StateDir) -> None:
    """Of an emulator that did not come to it; usually there are none."""
    try:
        leftovers.remove(state.directory)
    except EngineError as error:
        raise UserError(f"The machines of the AWS emulator cannot be removed: {error}", exit_code=1) from None


def status(directory: Path) -> Emulator | None:
    """The running emulator of `directory`, or None."""
    state = StateDir(directory)
    return _read(state) if state.server_runs() else None


def wait_processed(directory: Path, log_group: str, at_least_events: int, timeout_seconds: float) -> None:
    """Wait until the worker has processed `at_least_events` of `log_group` in all, and evaluated the alarms.

    Raises `UserError` (exit code 1) with what was processed, when it takes longer.
    """
    state = StateDir(directory)
    processed = 0

    def enough_or_over() -> bool:
        nonlocal processed
        running = state.server_runs()
        progress = read_json(state.progress) or {}
        processed = progress.get("events", {}).get(log_group, 0)
        return processed >= at_least_events or not running

    _wait(enough_or_over, timeout_seconds)
    if processed < at_least_events:
        raise UserError(
            f"The AWS emulator processed {processed} of {at_least_events} log events of {log_group} "
            f"in {timeout_seconds:g} s, or ended. Its log: {state.log}\n{_last_lines(state.log)}",
            exit_code=1,
        )


def _spawn(state: StateDir, port: int, project: Path | None, stack: str, plan_source: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "lab.aws_server", "--port", str(port)]
    command += ["--state-dir", str(state.directory), "--stack", stack]
    if project is not None:
        command += ["--project", str(project.absolute()), "--plan-source", plan_source]
    with state.log.open("wb") as log:
        return subprocess.Popen(
            command,
            cwd=state.directory,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _environment() -> dict[str, str]:
    """This process's environment, without anything that leads to a real AWS account or a proxy."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "MOTO_"))}
    source = str(Path(__file__).resolve().parents[1])
    path = os.pathsep.join(filter(None, (source, os.environ.get("PYTHONPATH"))))
    return {**kept, "PYTHONPATH": path, "NO_PROXY": f"{HOST},localhost", "no_proxy": f"{HOST},localhost"}


def _refuse_taken_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise UserError(
                f"The AWS emulator cannot listen on {HOST}:{port} ({error.strerror}): {_holder(port)}, "
                "or set another port in turnscope:lab.aws_port (1024 to 65535)."
            ) from None


def _holder(port: int) -> str:
    """Who uses the port, and how to stop it."""
    health = _health(f"http://{HOST}:{port}") or {}
    if project := health.get("project"):
        stack = health.get("stack")
        return (
            f"the AWS emulator of stack {stack} in the checkout {project} uses the port. Stop it there "
            f"(`turnscope teardown {stack}`; `turnscope lab stop --stack {stack}` stops the emulator alone)"
        )
    if directory := health.get("directory"):
        return f"the AWS emulator whose files are in {directory} uses the port. Stop it (process {health.get('pid')})"
    return "another program uses the port. Stop it"


def _wait_until_healthy(state: StateDir, alive: Callable[[], bool]) -> Emulator:
    found: list[Emulator] = []

    def healthy() -> bool:
        # `alive` first: a server that ended in between has written its last words by the time they are read.
        gone = not alive()
        running = _read(state)
        if running is not None and _answers(running):
            found.append(running)
        return gone or bool(found)

    _wait(healthy, START_TIMEOUT_SECONDS)
    if not found:
        raise UserError(f"The AWS emulator did not start. Its log: {state.log}\n{_last_lines(state.log)}", exit_code=1)
    return found[0]


def _read(state: StateDir) -> Emulator | None:
    value = read_json(state.emulator)
    return None if value is None else Emulator(**value, log_path=state.log)


def _answers(emulator: Emulator) -> bool:
    """Whether that very instance serves the port."""
    health = _health(emulator.url)
    return health is not None and health.get("instance_id") == emulator.instance_id


def _health(url: str) -> dict[str, Any] | None:
    """What the emulator at `url` says of itself; None where none answers."""
    try:
        # A proxy does not know our loopback.
        answer = httpx.get(url + HEALTH_PATH, timeout=2, trust_env=False).raise_for_status().json()
    except (httpx.HTTPError, ValueError):
        return None
    return answer if isinstance(answer, dict) else None


def _wait(condition: Callable[[], bool], timeout_seconds: float) -> bool:
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _last_lines(path: Path) -> str:
    try:
        lines = path.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return ""
    return "\n".join(lines[-LOG_LINES_SHOWN:])
