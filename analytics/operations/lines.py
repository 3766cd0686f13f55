"""What becomes of a log line on its way to the bucket, as the record validation decides it."""

from __future__ import annotations

from dataclasses import dataclass

from analytics.plan.model import AnalyticsPlan
from analytics.plan.record_schema import record_schema
from analytics.record_validation import handler


@dataclass(frozen=True)
class Verdict:
    """`key` makes two lines the same event; None where the line is none, or is rejected."""

    key: str | None
    timestamp: object = None
    """When it happened, as the line says."""
    rejected: bool = False


class Lines:
    def __init__(self, plan: AnalyticsPlan) -> None:
        self._schema = record_schema(plan)

    def examine(self, line: str, event: str) -> Verdict:
        kept, rejected = handler.examine(line, event, self._schema)
        if not kept:
            return Verdict(None, rejected=bool(rejected))
        return Verdict(kept[0].event["_event_id"], kept[0].event.get("_timestamp"))
