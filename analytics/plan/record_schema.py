"""The schema that record validation decides by: of each event its fields by dotted path, and the longest line.

It is plain data, because the function that Firehose calls has only the standard library: `schema.json` beside its code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analytics.plan.model import AnalyticsPlan
from core.events import EVENTS, TIME_PATTERN, Field
from stacks.settings.analytics import Analytics

RecordSchema = dict[str, dict[str, Any]]


def record_schema(plan: AnalyticsPlan) -> RecordSchema:
    """Of the events that a stack keeps, with its own fields (`extra_fields`)."""
    return _schema({table.event: table.fields for table in plan.tables}, plan.record_max_bytes)


def shipped_record_schema() -> RecordSchema:
    """Of every event, where a stack's settings change nothing."""
    return _schema(EVENTS, Analytics().record_max_bytes)


def _schema(fields: Mapping[str, Sequence[Field]], maximum_bytes: int) -> RecordSchema:
    return {
        event: {"fields": {field.path: _field(field) for field in found}, "maximum_bytes": maximum_bytes}
        for event, found in fields.items()
    }


def _field(field: Field) -> dict[str, Any]:
    found: dict[str, Any] = {"type": field.type, "required": field.required}
    if field.is_time:
        found["time_pattern"] = TIME_PATTERN
    if field.items:
        found["items"] = {item.path: _field(item) for item in field.items}
    return found
