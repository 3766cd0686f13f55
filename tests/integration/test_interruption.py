"""Deployments that end in the middle, by Ctrl-C or by a kill: the next command continues.

The tests of this module build on each other, in order: a stack is made, deleted, and made again.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from lab import emulator
from tests.integration.collector_process import wait_for
from tests.integration.conftest import Checkout, succeeded
from tests.machine import LIMIT_SECONDS

ENGINE_SECONDS = 5.0
"""For the engine to ask for what is next, or to end where there is nothing."""


def begun(checkout: Checkout, command: str) -> subprocess.Popen[str]:
    """`turnscope <command> local`, once it says that the emulator runs: the engine comes next."""
    process = subprocess.Popen(
        [sys.executable, "-m", "turnscope", command, "local", "--yes"],
        cwd=checkout.root,
        env={**os.environ, "PYTHONPATH": str(checkout.root)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell starts background jobs with interrupts ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout
    for line in process.stdout:
        if line.startswith("lab: AWS is emulated"):
            break
    return process


def in_the_middle(checkout: Checkout, command: str, done: Callable[[], bool]) -> tuple[subprocess.Popen[str], int]:
    """`turnscope <command> local` of which something is `done`, and which waits for the emulator; that is stopped, and
    continues when its process, the second value, gets SIGCONT.

    Left alone, a run can be over before this test reads its first line.
    """
    process = begun(checkout, command)
    running = emulator.status(checkout.root / ".turnscope" / "local")
    assert running
    os.kill(running.pid, signal.SIGSTOP)

    def done_after_a_step() -> bool:
        if done():
            return True
        # Long enough for a few requests, of more than a hundred.
        os.kill(running.pid, signal.SIGCONT)
        time.sleep(0.05)
        os.kill(running.pid, signal.SIGSTOP)
        time.sleep(0.05)
        assert process.poll() is None
        return False

    wait_for(done_after_a_step, lambda: "nothing is done")
    # A request that the emulator has read and not answered shows nowhere: then the engine waits, and does not end.
    until = time.monotonic() + ENGINE_SECONDS
    wait_for(lambda: has_unread_requests(running.port) or time.monotonic() > until, lambda: "the engine is lost")
    assert process.poll() is None
    return process, running.pid


def has_created(checkout: Checkout) -> bool:
    """Whether the run under way has created something in the account: its journal has the identifier."""
    journal = checkout.root / ".turnscope" / "local" / "run.jsonl"
    ended = [line for line in journal.read_text().splitlines() if '"id": ' in line] if journal.exists() else []
    return any('"inputs"' not in line and "::pulumi:providers:" not in line for line in ended)


def has_unread_requests(port: int) -> bool:
    """Whether connections to a TCP port of this machine hold bytes that its server has not read (proc_net_tcp.txt)."""
    connections = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return any(
        local.endswith(f":{port:04X}") and int(queues.partition(":")[2], 16)
        for _, local, _, state, queues, *_ in connections
        if state == "01"
    )


def interrupt(process: subprocess.Popen[str], waits_for: int) -> None:
    assert process.stdout
    process.send_signal(signal.SIGINT)
    assert any(line.startswith("Stopping after") for line in process.stdout)
    os.kill(waits_for, signal.SIGCONT)
    _, errors = process.communicate(timeout=LIMIT_SECONDS)
    assert process.returncode == 130, errors
    assert "continue from here" in errors


def descendants(root: int) -> dict[int, list[int]]:
    """The processes below `root`, and it: each with its children."""
    children: dict[int, list[int]] = {}
    listed = subprocess.run(["ps", "-e", "-o", "ppid=,pid="], stdout=subprocess.PIPE, check=True).stdout
    for line in listed.splitlines():
        parent, child = map(int, line.split())
        children.setdefault(parent, []).append(child)
    return {each: children.get(each, []) for each in (root, *all_below(root, children))}


def all_below(root: int, children: Mapping[int, list[int]]) -> list[int]:
    return [below for each in children.get(root, []) for below in (each, *all_below(each, children))]


def is_alive(process: int) -> bool:
    """Neither gone nor waiting for its parent to notice."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_an_interrupted_up_is_continued_by_the_next(checkout: Checkout) -> None:
    interrupt(*in_the_middle(checkout, "up", lambda: has_created(checkout)))
    assert "unchanged" in succeeded(checkout.turnscope("up", "local", "--yes"))
    assert "is up to date" in succeeded(checkout.turnscope("up", "local", "--yes"))


def test_an_interrupted_teardown_is_continued_by_the_next(checkout: Checkout) -> None:
    interrupt(*in_the_middle(checkout, "teardown", lambda: True))
    assert "no resources of this stack are left" in succeeded(checkout.turnscope("teardown", "local", "--yes"))


def test_a_killed_up_is_continued_by_the_next(checkout: Checkout) -> None:
    """kill -9 leaves a lock and resources that no state knows. The emulator lives on, as an account does."""
    process, waits_for = in_the_middle(checkout, "up", lambda: has_created(checkout))
    below = descendants(process.pid)
    engines = [each for each in below[process.pid] if "pulumi" in Path(f"/proc/{each}/cmdline").read_text()]
    assert engines
    plugins = {each for engine in engines for each in (engine, *all_below(engine, below))}
    for each in (process.pid, *engines):
        os.kill(each, signal.SIGKILL)
    os.kill(waits_for, signal.SIGCONT)
    process.communicate(timeout=LIMIT_SECONDS)
    # Plugins end by themselves once the engine is gone.
    wait_for(lambda: not any(map(is_alive, plugins)), lambda: f"still there: {plugins}")
    succeeded(checkout.turnscope("up", "local", "--yes"))
    assert "is up to date" in succeeded(checkout.turnscope("up", "local", "--yes"))
