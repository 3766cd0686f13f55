"""What the record validation of a stack does with each line of a log, without a stack."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from analytics.record_validation import handler


@dataclass(frozen=True)
class RejectedLine:
    """`number` counts from 1; `field` is None where the line is no JSON, or too long."""

    number: int
    event: str
    field: str | None
    reason: str


@dataclass
class Checked:
    """`accepted` counts events by name, `other` lines without one. A line may hold several events."""

    lines: int = 0
    other: int = 0
    accepted: Counter[str] = field(default_factory=Counter)
    rejected: list[RejectedLine] = field(default_factory=list)


def check(lines: Iterable[bytes], schema: handler.Schema) -> Checked:
    """Each line is one log event, which reaches the validation of an event where it contains the event's name: the
    pattern of the subscription filters (`analytics.plan.build`)."""
    checked = Checked()
    for number, data in enumerate(lines, 1):
        line = data.decode("utf-8", "replace").removesuffix("\n")
        is_other = True
        for event in schema:
            if event in line:
                kept, rejected = handler.examine(line, event, schema)
                checked.accepted[event] += len(kept)
                checked.rejected += [RejectedLine(number, event, each.field, each.reason) for each in rejected]
                is_other &= not (kept or rejected)
        checked.lines = number
        checked.other += is_other
    return checked
