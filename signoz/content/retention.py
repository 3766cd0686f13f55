"""Retention, an object for each signal. Pure."""

from __future__ import annotations

from typing import Any

from signoz.content.model import ContentObject, Kind
from stacks.settings.roles.content import Retention

SOURCE = "signoz.content.retention"
COLD_VOLUME = "s3"
"""The volume of the storage policy `tiered` (`signoz.roles.clickhouse`)."""
SIGNALS = ("traces", "metrics", "logs")


def plan_retention(retention: Retention) -> tuple[ContentObject, ...]:
    """Traces, metrics and logs: days until deletion and, where set, days until they move to cold storage."""
    made: list[ContentObject] = []
    for signal in SIGNALS:
        settings = getattr(retention, signal)
        body: dict[str, Any] = {"signal": signal, "days": settings.days}
        if settings.cold_after_days is not None:
            body |= {"cold_days": settings.cold_after_days, "cold_volume": COLD_VOLUME}
        made.append(ContentObject(Kind.RETENTION, signal, signal, body, f"{SOURCE}.{signal}"))
    return tuple(made)
