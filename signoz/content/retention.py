"""Retention, an object for each signal. Pure."""

from __future__ import annotations

from typing import Any

from signoz.content.model import ContentObject, Kind
from stacks.settings.roles.content import Retention

COLD_VOLUME = "s3"
"""The volume of the storage policy `tiered` (`signoz.roles.clickhouse`)."""
SIGNALS = ("traces", "metrics", "logs")


def plan_retention(retention: Retention | None, section: str = "signoz") -> tuple[ContentObject, ...]:
    """Traces, metrics and logs: days until deletion and, where set, days until they move to cold storage. Nothing for
    retention that stays as it is; `section` of the settings is where it is, for messages."""
    made: list[ContentObject] = []
    if retention is None:
        return ()
    for signal in SIGNALS:
        settings = getattr(retention, signal)
        body: dict[str, Any] = {"signal": signal, "days": settings.days}
        if settings.cold_after_days is not None:
            body |= {"cold_days": settings.cold_after_days, "cold_volume": COLD_VOLUME}
        made.append(ContentObject(Kind.RETENTION, signal, signal, body, f"{section}.content.retention.{signal}"))
    return tuple(made)
