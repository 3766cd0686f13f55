"""Starting containers on the Docker host, in their order, and waiting until each does its work.

The engine only makes containers. Were it to start them too, a start that fails (a published port is taken, say) would
leave a container that its state does not know and whose name is in the way of the next deployment. Here a failure
leaves everything recorded, names the container's last log lines, and the next deployment goes on from it.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from core.errors import UserError
from signoz.plan.model import Container

LOG_LINES_SHOWN = 15
POLL_SECONDS = 0.5
CRASHES_TOLERATED = 5
COMMAND_TIMEOUT_SECONDS = 60

MakeReady = Callable[[Container], None]
"""Starts a container that is there and returns once it does its work; raises `UserError` where it does not."""


@dataclass(frozen=True)
class DockerHost:
    """A Docker engine, by address, through Docker's command line; `environment` has what its ssh takes."""

    address: str
    environment: Mapping[str, str] = field(default_factory=dict)

    def make_ready(self, container: Container) -> None:
        """Start the container if it does not run, and return once it is healthy or, with a one-shot role, has
        succeeded. A one-shot that failed runs once more. Raises `UserError` (exit code 1)."""
        if container.one_shot:
            self._run_to_end(container)
        else:
            self._wait_for_health(container)

    def run_in(self, container: Container, *command: str, environment: Mapping[str, str] | None = None) -> str:
        """What `command` prints in the running container; `environment` is in no list of processes. Raises `UserError`
        (exit code 1) where the command fails."""
        hidden = dict(environment or {})
        options = [option for name in hidden for option in ("--env", name)]
        ran = self._docker("exec", *options, container.name, *command, environment=hidden)
        if ran.returncode != 0:
            raise UserError(
                f"{command[0]} failed in container {container.name}: {(ran.stderr or ran.stdout).strip()}", exit_code=1
            )
        return ran.stdout

    def last_log_lines(self, container: Container) -> str:
        """The container's last log lines, indented, and the command that prints more of them."""
        logs = self._docker("logs", "--tail", str(LOG_LINES_SHOWN), container.name)
        lines = (logs.stdout + logs.stderr).strip().splitlines()[-LOG_LINES_SHOWN:]
        said = "".join(f"\n  {line}" for line in lines) or "\n  (the log is empty)"
        return f"Its last log lines:{said}\nMore: docker -H {self.address} logs {container.name}."

    def _run_to_end(self, container: Container) -> None:
        state = self._state(container)
        if state["Status"] == "exited" and state["ExitCode"] == 0:
            return
        if not state["Running"]:
            self._start(container)
        deadline = time.monotonic() + container.start_timeout_seconds
        while (state := self._state(container))["Running"]:
            if time.monotonic() > deadline:
                raise self._failure(container, f"has not finished after {container.start_timeout_seconds} seconds")
            time.sleep(POLL_SECONDS)
        if state["ExitCode"] != 0:
            raise self._failure(container, f"ended with exit code {state['ExitCode']}")

    def _wait_for_health(self, container: Container) -> None:
        if not self._state(container)["Running"]:
            self._start(container)
        deadline = time.monotonic() + container.start_timeout_seconds
        crashes_before = self._inspect(container)["RestartCount"]
        while True:
            found = self._inspect(container)
            state = found["State"]
            health = (state.get("Health") or {}).get("Status")
            if state["Running"] and not state["Restarting"] and health == "healthy":
                return
            if found["RestartCount"] - crashes_before >= CRASHES_TOLERATED:
                raise self._failure(container, f"crashed {CRASHES_TOLERATED} times (exit code {state['ExitCode']})")
            if time.monotonic() > deadline:
                raise self._failure(container, f"is not healthy after {container.start_timeout_seconds} seconds")
            time.sleep(POLL_SECONDS)

    def _start(self, container: Container) -> None:
        started = self._docker("start", container.name)
        if started.returncode != 0:
            raise self._failure(container, f"could not be started: {started.stderr.strip().splitlines()[0]}")

    def _state(self, container: Container) -> dict[str, Any]:
        return self._inspect(container)["State"]

    def _inspect(self, container: Container) -> dict[str, Any]:
        answer = self._docker("container", "inspect", container.name)
        if answer.returncode != 0:
            raise UserError(
                f"Container {container.name} cannot be inspected: {answer.stderr.strip()}\n"
                "If it was removed by hand, run `turnscope up STACK --refresh` or `pulumi refresh`, then deploy again.",
                exit_code=1,
            )
        return json.loads(answer.stdout)[0]

    def _failure(self, container: Container, what: str) -> UserError:
        return UserError(
            f"{container.role} {what}. {self.last_log_lines(container)} Fix the cause and deploy again.", exit_code=1
        )

    def _docker(
        self, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        command = ["docker", "-H", self.address, *arguments]
        variables = {**os.environ, **self.environment, **(environment or {})}
        try:
            return subprocess.run(
                command,
                capture_output=True,
                text=True,
                timeout=COMMAND_TIMEOUT_SECONDS,
                check=False,
                env=variables,
            )
        except FileNotFoundError:
            raise UserError("Docker's command line (docker) is not on PATH; install it.", exit_code=1) from None
        except subprocess.TimeoutExpired:
            raise UserError(
                f"The Docker engine at {self.address} did not answer in {COMMAND_TIMEOUT_SECONDS} seconds.", exit_code=1
            ) from None
