"""Whose turn it is to compile: a few programs at once, the most urgent first."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from threading import Condition


class Turns:
    """Turns for threads, `at_once` at the same time.

    A thread that still prepares, by downloading, counts already: no less urgent one starts in the meantime and makes it
    wait.
    """

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        self._waiting: Counter[int] = Counter()
        """Niceness -> threads that prepare or wait."""
        self._changed = Condition()

    @contextmanager
    def preparing(self, niceness: int) -> Iterator[Callable[[], AbstractContextManager[None]]]:
        """Prepare; `with turn():` then waits for the turn and has it.

        Less urgent threads, those of a higher niceness, do not start before that.
        """
        waiting = True
        self._count(niceness, 1)

        @contextmanager
        def turn() -> Iterator[None]:
            nonlocal waiting
            with self._changed:
                self._changed.wait_for(lambda: self._free > 0 and not self._is_more_urgent_waiting(niceness))
                waiting = False
                self._free -= 1
            self._count(niceness, -1)
            try:
                yield
            finally:
                with self._changed:
                    self._free += 1
                    self._changed.notify_all()

        try:
            yield turn
        finally:
            if waiting:
                self._count(niceness, -1)

    def _is_more_urgent_waiting(self, niceness: int) -> bool:
        return any(number for other, number in self._waiting.items() if other < niceness)

    def _count(self, niceness: int, change: int) -> None:
        with self._changed:
            self._waiting[niceness] += change
            self._changed.notify_all()
