"""Lines that are no good events, and what record validation says of each."""

from __future__ import annotations

import datetime
import json
from typing import Any, NamedTuple

from core.events import SESSION_ANALYTICS, VOICE_METRICS

Event = dict[str, Any]


class Poison(NamedTuple):
    """`field` and `reason` (a part of it) are what the line is rejected for."""

    line: str
    field: str | None
    reason: str


def poison() -> dict[str, list[Poison]]:
    """Lines that must end in the error prefix, by the event that they claim to be."""
    turn, call = _required(VOICE_METRICS), _required(SESSION_ANALYTICS)
    return {
        VOICE_METRICS: [
            Poison(json.dumps(turn)[:-9], None, "not JSON"),
            Poison(json.dumps(_without(turn, "_session_id")), "_session_id", "is missing"),
            Poison(json.dumps({**turn, "total_latency": "fast"}), "total_latency", "expected a number"),
            Poison(json.dumps({**turn, "llm": [1]}), "llm", "expected an object"),
            Poison(json.dumps({**turn, "speech_id": "x" * 1_000_000}), None, "bytes; at most"),
        ],
        SESSION_ANALYTICS: [
            Poison(json.dumps(_without(call, "_timestamp")), "_timestamp", "is missing"),
            Poison(json.dumps({**call, "turns": 2.5}), "turns", "expected a 64-bit integer"),
            Poison(json.dumps({**call, "tool_calls": {"tool": "book"}}), "tool_calls", "expected an array"),
            Poison(json.dumps({**call, "tenant": 7}) + " and more", None, "more text after the object"),
        ],
    }


def _required(event_type: str) -> Event:
    now = datetime.datetime.now(datetime.UTC).isoformat()
    return {"_event_type": event_type, "_timestamp": now, "_session_id": "poisoned"}


def _without(event: Event, name: str) -> Event:
    return {key: value for key, value in event.items() if key != name}
