"""Planned downtimes, as SigNoz' API takes them. Pure.

Rules are named by a condition on their alerts' labels (`scope`, in the language of github.com/expr-lang/expr), not by
`alertIds`: SigNoz deletes neither a downtime that has such identifiers nor a rule that is among them.
"""

from __future__ import annotations

import datetime
import json
import zoneinfo
from collections.abc import Mapping, Sequence
from typing import Any

from core.errors import UserError
from signoz.content.model import ContentObject, Kind
from stacks.settings.roles.content import Downtime

SOURCE = "signoz.content.downtimes"


def plan_downtimes(downtimes: Mapping[str, Downtime], rules: Sequence[ContentObject]) -> tuple[ContentObject, ...]:
    """`rules` are those that the stack has. Raises `UserError` for a downtime of another."""
    return tuple(_downtime(name, downtime, rules) for name, downtime in sorted(downtimes.items()))


def _downtime(name: str, downtime: Downtime, rules: Sequence[ContentObject]) -> ContentObject:
    source = f"{SOURCE}.{name}"
    # A label also names the rules of agents with targets of their own.
    labels = {str(label) for rule in rules if (label := rule.body.get("labels", {}).get("rule"))}
    conditions = {
        **{rule.key: _alerts_of(rule) for rule in rules},
        **{label: _labelled(label) for label in labels},
    }
    for key in downtime.rules:
        if key not in conditions:
            raise UserError(
                f"{source}.rules: {key}; allowed: {', '.join(sorted(conditions)) or 'none, there are no rules'}"
            )
    zone = zoneinfo.ZoneInfo(downtime.timezone)
    schedule: dict[str, Any] = {"timezone": downtime.timezone, "startTime": _instant(downtime.start, zone)}
    if downtime.end:
        schedule["endTime"] = _instant(downtime.end, zone)
    if downtime.repeat:
        schedule["recurrence"] = {
            "repeatType": downtime.repeat,
            "duration": f"{downtime.duration_minutes}m",
            "repeatOn": list(downtime.weekdays),
        }
    body = {
        "name": name,
        "description": f"From {source}.",
        "alertIds": [],
        "scope": " || ".join(conditions[key] for key in downtime.rules),
        "schedule": schedule,
    }
    return ContentObject(Kind.DOWNTIME, name, name, body, source)


def _alerts_of(rule: ContentObject) -> str:
    """True for the alerts of a rule. One that came as JSON has no label of ours, and for missing data another name."""
    if rule.body.get("labels", {}).get("rule") == rule.key:
        return _labelled(rule.key)
    return f"alertname in {json.dumps([rule.title, f'[No data] {rule.title}'], ensure_ascii=False)}"


def _labelled(label: str) -> str:
    return f"rule == {json.dumps(label)}"


def _instant(text: str, zone: zoneinfo.ZoneInfo) -> str:
    """RFC 3339 as SigNoz gives it back: in the downtime's own zone, with Z for no offset."""
    moment = datetime.datetime.fromisoformat(text).replace(tzinfo=zone)
    return moment.isoformat().replace("+00:00", "Z")
