"""Work beside other work: failures, and Ctrl-C, end both."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue

STOPPING_SECONDS = 10.0
"""How long work that was stopped may take to clean up."""


def run_beside(first: Callable[[], None], beside: Sequence[Callable[[], None]], stop: Callable[[], None]) -> None:
    """Run `first` in this thread and each of `beside` in one of its own, and return when all are done.

    Where one of `beside` fails, `first` still runs to its end. `stop` is called once where any of them failed or this
    thread was interrupted, before that exception is raised: it has to end what runs in the other threads.
    """
    ended: SimpleQueue[BaseException | None] = SimpleQueue()

    def run(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            ended.put(error)
        else:
            ended.put(None)

    # Daemons: a process that was interrupted does not wait for a thread that waits for something else.
    threads = [threading.Thread(target=run, args=(work,), daemon=True) for work in beside]
    for thread in threads:
        thread.start()
    try:
        first()
        for _ in threads:
            if error := ended.get():
                raise error
    except BaseException:
        stop()
        for thread in threads:
            thread.join(STOPPING_SECONDS)
        raise
