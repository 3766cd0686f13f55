"""A plugin's life: it ends with whoever started it, and takes its own children along."""

import os
import signal
import time
from typing import NoReturn


def lead_group() -> int:
    """Lead a process group that dies as a whole, whichever way this process ends. Returns the parent's id.

    A Terraform provider outlives the bridge that started it, and Pulumi waits until the last holder of a
    plugin's output is gone, so what is left has to be killed. Call before threads are started.
    """
    parent = os.getppid()
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)
    pulse, held = os.pipe()  # not inherited by programs: `held` closes when this process is gone
    if os.fork() == 0:
        os.close(held)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        os.read(pulse, 1)
        end_group()
    os.close(pulse)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: end_group())
    return parent


def end_group() -> NoReturn:
    """Kill this process and every other of its group, at once: there is nothing to be saved."""
    os.killpg(0, signal.SIGKILL)
    raise SystemExit


def wait_for_parent(parent: int) -> NoReturn:
    """Return never: end the group when the process with this id is no longer the parent."""
    while os.getppid() == parent:
        time.sleep(0.5)
    end_group()
