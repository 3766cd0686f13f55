"""How long telemetry is kept: a number for each signal, which takes a moment to come into force."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

from .answers import Answer, OldRefusal, invalid
from .store import Object, Store

DEFAULT_HOURS = {"traces": 15 * 24, "metrics": 30 * 24}
DEFAULT_DAYS_OF_LOGS = 15
TAKES_SECONDS = 0.3


class Retention:
    def __init__(self, store: Store) -> None:
        self._store = store

    def get_hours(self, query: Mapping[str, str]) -> Answer:
        signal = _signal(query)
        if signal == "logs":
            # As SigNoz, which keeps them elsewhere now.
            data = {"logs_ttl_duration_hrs": -1, "logs_move_ttl_duration_hrs": -1, "status": "success"}
            return Answer(200, data, bare=True)
        value = self._of(signal)
        pending = self._is_pending(value)
        before = value.get("before") or {"hours": DEFAULT_HOURS[signal], "cold_hours": -1}
        now = before if pending else value or before
        data: Object = {
            f"{signal}_ttl_duration_hrs": now["hours"],
            f"{signal}_move_ttl_duration_hrs": now["cold_hours"],
            "status": "pending" if pending else "success",
        }
        if value:
            data[f"expected_{signal}_ttl_duration_hrs"] = value["hours"]
            data[f"expected_{signal}_move_ttl_duration_hrs"] = value["cold_hours"]
        return Answer(200, data, bare=True)

    def set_hours(self, query: Mapping[str, str]) -> Answer:
        signal, hours = _signal(query), _hours(query.get("duration", ""))
        if signal == "logs":
            raise OldRefusal(500, "SetTTLV2 only supported")
        cold = _hours(query.get("toColdDuration", "")) if query.get("coldStorage") else -1
        if cold >= hours:
            raise OldRefusal(400, "delete TTL should be greater than cold storage move TTL")
        old = self._of(signal)
        if self._is_pending(old):
            raise OldRefusal(409, "TTL is already running")
        before = {name: old[name] for name in ("hours", "cold_hours") if name in old}
        self._put(signal, {"hours": hours, "cold_hours": cold, "before": before, "since": time.time()})
        return Answer(200, {"message": "move ttl has been successfully set up"}, bare=True)

    def get_days(self) -> Answer:
        """Of logs, whatever was asked for."""
        value = self._of("logs")
        days, cold = value.get("days", DEFAULT_DAYS_OF_LOGS), value.get("cold_days", -1)
        data: Object = {"version": "v2", "status": "success", "cold_storage_ttl_days": cold}
        # What is 0 or empty is left out.
        data |= {"default_ttl_days": days} if days else {}
        data |= {"ttl_conditions": value["conditions"]} if value.get("conditions") else {}
        return Answer(200, data, bare=True)

    def set_days(self, body: Object) -> Answer:
        if body.get("type") != "logs":
            raise invalid("custom retention TTL only supported for logs", code="internal")
        # As in 0.138, a value below 1 is taken (signoz#12701): whoever calls has to know better.
        days, cold = int(body.get("defaultTTLDays") or 0), int(body.get("coldStorageDurationDays") or -1)
        cold = cold if body.get("coldStorageVolume") else -1
        self._put("logs", {"days": days, "cold_days": cold, "conditions": body.get("ttlConditions") or []})
        return Answer(200, {"message": "custom retention TTL has been successfully set up"}, bare=True)

    def _of(self, signal: str) -> Object:
        return self._store.get("retention", signal) or {}

    def _put(self, signal: str, value: Object) -> None:
        if old := self._store.get("retention", signal):
            self._store.replace("retention", old, value)
        else:
            self._store.add("retention", value, signal)

    def _is_pending(self, value: Object) -> bool:
        return time.time() - value.get("since", 0) < TAKES_SECONDS


def _signal(query: Mapping[str, str]) -> str:
    if not query.get("type"):
        raise OldRefusal(400, "type param cannot be empty from the query")
    if query["type"] not in (*DEFAULT_HOURS, "logs"):
        raise OldRefusal(400, f"type param should be metrics|traces|logs, got {query['type']}")
    return query["type"]


def _hours(duration: Any) -> int:
    found = re.fullmatch(r"([1-9]\d*)h(0m0s)?", str(duration))
    if not found:
        raise OldRefusal(400, f"not a valid TTL duration {duration}")
    return int(found[1])
