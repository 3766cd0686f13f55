"""The JSON Schema (draft 2020-12) of each event, for producers in any language.

It accepts an event where record validation keeps it, as far as JSON Schema can say that; `BEYOND` is what it cannot. It
has only the standard's own keywords, because strict validators refuse a schema with others: units are in the
descriptions.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from core.events import EVENT_TYPE, MEANINGS, TIME_PATTERN, Field

DIALECT = "https://json-schema.org/draft/2020-12/schema"
RANGES: dict[str, tuple[float, float]] = {
    "integer": (-(2**63), 2**63 - 1),
    "number": (-sys.float_info.max, sys.float_info.max),
}
"""What the columns of the tables can hold: 64-bit integers and doubles."""

BEYOND = (
    "A line has at most 256 KiB (`turnscope:analytics.record_max_kib`).",
    "An event is on one line, and there is no text before or after it on that line, only other events.",
    "The line contains the event's name as it is, without `\\u` escapes: the log group's subscription filter looks for "
    "it, and a line without it is an ordinary log line.",
    "`NaN`, `Infinity`, numbers beyond the range of a double (`1e999`) and integers of more than 4300 digits make the "
    "line invalid JSON, in any field.",
    "A time is a day of the calendar (not 30 February), in the years 0001 to 9999.",
    "Keys in upper case are read as if in lower case (`Tenant` is `tenant`), so that they are checked like them. Where "
    "both are there, the one in lower case counts.",
    "Of a key that is in an object twice, the last value counts.",
    "Bytes that are no UTF-8, and halves of surrogate pairs (`\\ud800`), are replaced.",
    "Objects and arrays can be nested some hundred levels deep.",
)
"""What record validation does and JSON Schema cannot express, or a JSON parser decides before it."""


def json_schema(event: str, fields: Sequence[Field]) -> dict[str, Any]:
    """The schema of one event of `core.events.EVENTS` with `fields`: those, and others that a stack's settings add."""
    return {
        "$schema": DIALECT,
        "$id": f"urn:turnscope:event:{event}",
        "title": event,
        "description": f"{MEANINGS[event]}. Unknown fields are allowed; null is as absent.",
        **_object({field.path: field for field in fields}, event),
    }


def _object(fields: Mapping[str, Field], event: str) -> dict[str, Any]:
    """An object with `fields` by their paths below it."""
    below: dict[str, dict[str, Field]] = {}
    for path, field in fields.items():
        key, _, rest = path.partition(".")
        below.setdefault(key, {})[rest] = field
    required = [key for key, found in below.items() if _required(found)]
    return {
        "type": "object",
        "properties": {key: _property(found, event) for key, found in below.items()},
        **({"required": required} if required else {}),
        "additionalProperties": True,
    }


def _required(fields: Mapping[str, Field]) -> bool:
    return any(field.required for field in fields.values())


def _property(fields: Mapping[str, Field], event: str) -> dict[str, Any]:
    """What one key holds: a field (its path below the key is empty), or an object with several."""
    found = _value(fields[""], event) if "" in fields else _object(fields, event)
    return found if _required(fields) else {**found, "type": [found["type"], "null"]}


def _value(field: Field, event: str) -> dict[str, Any]:
    found: dict[str, Any] = {"description": describe(field), "type": field.type}
    if field == EVENT_TYPE:
        found["const"] = event
    if field.is_time:
        found["pattern"] = f"^{TIME_PATTERN}$"
    if field.type in RANGES:
        found["minimum"], found["maximum"] = RANGES[field.type]
    if field.type == "array":
        # Null among the entries is left out.
        found["items"] = _property({item.path: item for item in field.items}, event)
    return found


def describe(field: Field) -> str:
    """The meaning with its unit, in sentences."""
    if field.is_time:
        return f"{field.meaning}. {field.unit}; UTC where it has no offset."
    return f"{field.meaning}. Unit: {field.unit}." if field.unit else f"{field.meaning}."
