"""What keeps test runs on one machine apart, and removes what they leave."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import machine

ROOT = Path(__file__).parents[2]
WAITS = """\
import os, subprocess, sys
from tests import machine
machine.begin()
waiting = [sys.executable, "-c", "import signal; print(flush=True); signal.pause()"]
left = subprocess.Popen(waiting, stdout=subprocess.PIPE, start_new_session=True)
left.stdout.readline()
print(machine.RUN, machine.free_port(), left.pid, flush=True)
input()
machine.end()
"""
Start = Callable[[], tuple[subprocess.Popen[str], str, int, int]]


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """What is asked of Docker; and a folder of this test's own for locks."""
    asked: list[tuple[str, ...]] = []

    def docker(*arguments: str) -> str:
        asked.append(arguments)
        return "one\ntwo\n" if "ls" in arguments else ""

    monkeypatch.setattr(machine, "_docker", docker)
    monkeypatch.setattr(machine.shutil, "which", lambda _: "/usr/bin/docker")
    monkeypatch.setattr(machine.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(machine, "RUN", "thisrun")
    monkeypatch.setattr(machine, "_held", {})
    monkeypatch.setenv(machine.VARIABLE, "")
    return asked


@pytest.fixture
def another_run(tmp_path: Path) -> Iterator[Start]:
    """Start one: its process, its name, a port that it was given, and the id of a process that it left."""
    running: list[subprocess.Popen[str]] = []
    names: list[str] = []

    def start() -> tuple[subprocess.Popen[str], str, int, int]:
        # Docker is not asked: that of this machine has nothing to do with it.
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path), "PATH": ""}
        running.append(
            subprocess.Popen(
                [sys.executable, "-c", WAITS], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        )
        assert running[-1].stdout
        name, port, left = running[-1].stdout.readline().split()
        names.append(name)
        return running[-1], name, int(port), int(left)

    yield start
    for each in running:
        each.kill()
        each.communicate()
    for process in (process for name in names for process in machine.processes(name)):
        os.kill(process, signal.SIGKILL)


def test_a_killed_runs_things_are_removed_by_the_next(commands: list[tuple[str, ...]], another_run: Start) -> None:
    process, name, _, left = another_run()
    process.kill()
    process.wait()
    assert list(machine.processes(name)) == [left]
    machine.begin()
    assert list(machine.processes(name)) == []
    for kind in ("container", "volume", "network"):
        assert [each[-2:] for each in commands if each[0] == kind] == [("--filter", f"name={name}"), ("one", "two")]
    commands.clear()
    machine.begin()
    assert commands == []


def test_a_run_that_goes_on_is_left_alone(commands: list[tuple[str, ...]], another_run: Start) -> None:
    _, name, _, left = another_run()
    machine.begin()
    assert list(machine.processes(name)) == [left]
    assert commands == []


def test_a_run_removes_its_own_at_its_end(commands: list[tuple[str, ...]], another_run: Start) -> None:
    process, name, _, _ = another_run()
    process.communicate("\n")
    assert process.returncode == 0
    assert list(machine.processes(name)) == []
    assert list(machine.folder().iterdir()) == []


def test_two_runs_are_not_given_one_port(
    commands: list[tuple[str, ...]], another_run: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    process, _, port, _ = another_run()
    monkeypatch.setattr(machine.random, "choice", _once(port))
    with pytest.raises(StopIteration):
        machine.free_port()
    process.communicate("\n")
    monkeypatch.setattr(machine.random, "choice", _once(port))
    assert machine.free_port() == port


def _once(value: int) -> Callable[[object], int]:
    values = iter([value])
    return lambda _: next(values)
