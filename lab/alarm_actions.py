"""When an alarm's actions happen: at its change of state, unless its suppressor holds them back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudwatch.plan.model import AlarmState, CompositeAlarm
from simulate.alarms import suppressed

_ACTIONS = {
    AlarmState.ALARM: "AlarmActions",
    AlarmState.OK: "OKActions",
    AlarmState.INSUFFICIENT_DATA: "InsufficientDataActions",
}


@dataclass(frozen=True)
class Change:
    """An alarm's change of state; `description` is its entry in DescribeAlarms before it."""

    description: Mapping[str, Any]
    state: AlarmState
    reason: str
    at_ms: int

    @property
    def name(self) -> str:
        return self.description["AlarmName"]

    @property
    def actions(self) -> tuple[str, ...]:
        """ARNs; none when the alarm's actions are disabled."""
        if not self.description.get("ActionsEnabled", True):
            return ()
        return tuple(self.description.get(_ACTIONS[self.state]) or ())


class Actions:
    """Changes of state whose actions are still to happen."""

    def __init__(self) -> None:
        self._held: dict[str, Change] = {}
        self._history: dict[str, list[tuple[int, AlarmState]]] = defaultdict(list)

    def knows(self, name: str) -> bool:
        return name in self._history

    def last_state(self, name: str) -> AlarmState:
        """The state of an alarm that is known."""
        return self._history[name][-1][1]

    def note(self, name: str, at_ms: int, state: AlarmState) -> None:
        """An alarm's state, without actions: how it was found."""
        self._history[name].append((at_ms, state))

    def due(self, changes: Sequence[Change], composites: Mapping[str, CompositeAlarm], now_ms: int) -> list[Change]:
        """Of `changes` and those held until now, the ones whose actions happen at `now_ms`.

        A change that is held is dropped when its alarm changes again: what it would say is no longer so.
        """
        for change in changes:
            self.note(change.name, change.at_ms, change.state)
            self._held.pop(change.name, None)  # so that the newest is last
            self._held[change.name] = change
        due = [change for change in self._held.values() if not self._suppressed(change, composites, now_ms)]
        for change in due:
            del self._held[change.name]
        return due

    def _suppressed(self, change: Change, composites: Mapping[str, CompositeAlarm], now_ms: int) -> bool:
        composite = composites.get(change.name)
        if composite is None or composite.suppressor_name is None:
            return False
        history = self._history.get(composite.suppressor_name, ())
        return suppressed(composite, change.at_ms, history, now_ms) is not None
