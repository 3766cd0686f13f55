"""Planned downtimes, as SigNoz' API takes them. Pure.

Rules are named by a condition on their alerts' labels (`scope`, in the language of github.com/expr-lang/expr), not by
`alertIds`: SigNoz deletes neither a downtime that has such identifiers nor a rule that is among them.
"""

from __future__ import annotations

import datetime
import zoneinfo
from collections.abc import Mapping, Sequence
from typing import Any

from core.errors import UserError
from signoz.content.model import ContentObject, Kind
from signoz.content.scope import Only, alerts_of, labelled
from stacks.settings.roles.content import Downtime


def plan_downtimes(
    downtimes: Mapping[str, Downtime],
    rules: Sequence[ContentObject],
    *,
    section: str = "signoz",
    only: Only | None = None,
) -> tuple[ContentObject, ...]:
    """`rules` are those that the stack has. `only` and `section` are as in `plan_policies`. Raises `UserError` for a
    downtime of another rule."""
    return tuple(
        _downtime(name, downtime, rules, f"{section}.content.downtimes.{name}", only)
        for name, downtime in sorted(downtimes.items())
    )


def _downtime(
    name: str, downtime: Downtime, rules: Sequence[ContentObject], source: str, only: Only | None
) -> ContentObject:
    # A label also names the rules of agents with targets of their own.
    labels = {str(label) for rule in rules if (label := rule.body.get("labels", {}).get("rule"))}
    conditions = {
        **{rule.key: alerts_of(rule) for rule in rules},
        **{label: labelled(label) for label in labels},
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
    scope = " || ".join(conditions[key] for key in downtime.rules)
    if only:
        scope = f"{only.alerts} && ({scope})" if scope else only.alerts
    title = only.title(name) if only else name
    body = {
        "name": title,
        "description": f"From {source}.",
        "alertIds": [],
        "scope": scope,
        "schedule": schedule,
    }
    return ContentObject(Kind.DOWNTIME, name, title, body, source)


def _instant(text: str, zone: zoneinfo.ZoneInfo) -> str:
    """RFC 3339 as SigNoz gives it back: in the downtime's own zone, with Z for no offset."""
    moment = datetime.datetime.fromisoformat(text).replace(tzinfo=zone)
    return moment.isoformat().replace("+00:00", "Z")
