"""What becomes of a log line on its way to the bucket, as the record validation decides it."""

from __future__ import annotations

from dataclasses import dataclass

from analytics.plan.model import AnalyticsPlan
from analytics.record_validation import handler
from analytics.validation_function import schema


@dataclass(frozen=True)
class Verdict:
    """`key` makes two lines the same event; None where the line is none, or is rejected."""

    key: str | None
    timestamp: object = None
    """When it happened, as the line says."""
    rejected: bool = False


class Lines:
    def __init__(self, plan: AnalyticsPlan) -> None:
        self._schema = schema(plan)

    def examine(self, line: str, event: str) -> Verdict:
        kept, rejected = handler.examine(line, event, self._schema)
        if kept is None:
            return Verdict(None, rejected=rejected)
        return Verdict(kept["_event_id"], kept.get("_timestamp"))
