"""A plugin leaves nothing running, whichever way it or its parent ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = """
import subprocess
from toolchain import processes
parent = processes.lead_group()
child = subprocess.Popen(["sh", "-c", "trap '' INT TERM; sleep 60 & wait; sleep 60"])
print(child.pid, flush=True)
processes.wait_for_parent(parent)
"""
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {PLUGIN!r}])"


def runs(pid: int) -> bool:
    """Whether this process is there and not merely waiting to be collected."""
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return bool(done.stdout.strip()) and "Z" not in done.stdout


@pytest.mark.parametrize(
    ("program", "number"),
    [
        (PLUGIN, signal.SIGTERM),
        (PLUGIN, signal.SIGINT),
        (PLUGIN, signal.SIGKILL),
        (PARENT, signal.SIGKILL),
    ],
    ids=["terminated", "interrupted", "killed", "parent killed"],
)
def test_children_end_with_the_plugin(program: str, number: signal.Signals) -> None:
    """Even a child that ignores signals, as a Terraform provider does, and its children."""
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert process.stdout is not None
    child = int(process.stdout.readline())
    assert runs(child)
    process.send_signal(number)
    process.wait(60)
    for _ in range(6000):
        if not runs(child):
            break
        time.sleep(0.01)
    assert not runs(child)
    # The pipe ends once its last holder is gone: the child's children too.
    assert process.stdout.read() == ""
    process.stdout.close()
