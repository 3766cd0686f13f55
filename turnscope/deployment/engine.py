"""Running the Pulumi CLI so that Ctrl-C is orderly.

The CLI gets a session of its own: a Ctrl-C reaches only us, and we ask the engine, once, to finish what is under
way and stop. (Two interrupts, one from the terminal and one from us, would make it drop everything at once.)
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

from pulumi.automation import CommandResult, OnOutput, PulumiCommand
from pulumi.automation.errors import create_command_error
from semver import VersionInfo


class Engine(PulumiCommand):
    """The Pulumi CLI at a given place. `interrupted` tells whether a Ctrl-C stopped it.

    `unchanged` is a file that the CLI must leave as it is: it writes a passphrase's salt into a stack's file on
    many occasions, and a local stack's salt belongs to this machine, not into version control.
    """

    def __init__(
        self, executable: Path, version: str, *, on_interrupt: Callable[[], None], unchanged: Path | None = None
    ) -> None:
        self._on_interrupt = on_interrupt
        self._unchanged = unchanged
        # The parent class runs `pulumi version` here; the toolchain did so already.
        self.command = str(executable)
        self.version = VersionInfo.parse(version)
        self.interrupted = False
        self.journaled: Mapping[str, str] = {}

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: OnOutput | None = None,
        on_error: OnOutput | None = None,
        *,
        given: str | None = None,
    ) -> CommandResult:
        """As the parent class does: `CommandError` where the CLI fails. `given` is its standard input."""
        before = self._unchanged.read_bytes() if self._unchanged else b""
        try:
            return self._run(args, cwd, additional_env, on_output, on_error, given)
        finally:
            if self._unchanged and self._unchanged.read_bytes() != before:
                self._unchanged.write_bytes(before)

    def _run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: OnOutput | None,
        on_error: OnOutput | None,
        given: str | None,
    ) -> CommandResult:
        environment = {**os.environ, **additional_env, **self.journaled, "PULUMI_AUTOMATION_API": "true"}
        if "PULUMI_CONFIG_PASSPHRASE_FILE" in additional_env:
            # One in the user's shell is for another backend, and would win over the file.
            environment.pop("PULUMI_CONFIG_PASSPHRASE", None)
        process = subprocess.Popen(
            [self.command, "--non-interactive", *args],
            stdin=subprocess.DEVNULL if given is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=environment,
            encoding="utf-8",
            start_new_session=True,
        )
        assert process.stdout  # noqa: S101 - a pipe
        assert process.stderr  # noqa: S101
        if process.stdin:
            process.stdin.write(given or "")
            process.stdin.close()
        out, err = _Reader(process.stdout, on_output), _Reader(process.stderr, on_error)
        while True:
            try:
                code = process.wait()
                out.join()
                err.join()
                break
            except KeyboardInterrupt:
                # The first asks it to stop in order; a second one, from an impatient user, to drop everything.
                self.interrupted = True
                process.send_signal(signal.SIGINT)
                self._on_interrupt()
        result = CommandResult(stdout=out.text, stderr=err.text, code=code)
        if code != 0:
            raise create_command_error(result)
        return result


class _Reader(threading.Thread):
    def __init__(self, stream: IO[str], callback: OnOutput | None) -> None:
        super().__init__(daemon=True)
        self._stream, self._callback, self._lines = stream, callback, list[str]()
        self.start()

    def run(self) -> None:
        for line in self._stream:
            stripped = line.rstrip()
            if self._callback:
                self._callback(stripped)
            self._lines.append(stripped)

    @property
    def text(self) -> str:
        return "\n".join(self._lines)
