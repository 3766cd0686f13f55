"""What of a server's object is comparable with what was sent. Pure.

The server adds identifiers and times, writes out what was left out (null, empty, 0, false, or a default of its own),
leaves out what was sent empty, tells times in the zone of their downtime, and spells a dashboard's tags as the first
dashboard that had them. Nothing of that is an edit; all else is.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from typing import Any

from signoz.content.api.kinds import ENDPOINTS
from signoz.content.model import Kind

_EMPTY: tuple[Any, ...] = (None, "", 0, False, [], {})
DEFAULTS: Mapping[Kind, Mapping[str, tuple[Any, ...]]] = {
    Kind.CHANNEL: {
        "follow_redirects": (True,),
        "enable_http2": (True,),
        "type": ("Bearer",),
        "api_type": ("auto",),
        "message_type": ("text",),
        "retry": ("1m0s",),
        "expire": ("1h0m0s",),
    },
    Kind.ROUTE_POLICY: {"kind": ("policy",)},
    Kind.ALERT_RULE: {"ruleType": ("threshold_rule", "promql_rule"), "version": ("v5",), "newGroupEvalDelay": ("0s",)},
    Kind.DASHBOARD: {
        "refreshInterval": ("0s",),
        "duration": ("0s", "1h"),
        "timePreference": ("global_time",),
        "decimalPrecision": ("2",),
        "lineInterpolation": ("spline",),
        "lineStyle": ("solid",),
        "fillMode": ("none",),
        "position": ("bottom",),
        "mode": ("list",),
        "format": ("text",),
        "operator": ("above",),
        "sort": ("none",),
    },
    Kind.SAVED_VIEW: {},
    Kind.DOWNTIME: {},
    Kind.LLM_PRICES: {"isOverride": (True,)},
    Kind.RETENTION: {},
}
"""Field -> what the server writes where it was left out, beside what is empty. Tried on release 0.138."""
_TEMPLATES = re.compile(
    r"""\{\{ \s* template \s "[a-z0-9]+\.default\.\w+" \s* \. \s* \}\}"""
    r"""| \{\{ \s if \s eq \s \.Status \s "firing" \s \}\}\w+\{\{ \s else \s \}\}\w+\{\{ \s end \s \}\}"""
    r"""| \{\{ \s \.Alerts\.\w+ \s \| \s \w+ \s \}\}""",
    re.VERBOSE,
)
"""Alertmanager's own texts, which the server writes into a receiver."""
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def normalise(kind: Kind, desired: Any, actual: Any) -> Any:
    """`actual` (as `SigNozClient.read` gives it) so that it equals `desired` where nobody edited it."""
    own = ENDPOINTS[kind].own if kind in ENDPOINTS else frozenset()
    seen = {key: value for key, value in actual.items() if key not in own or key in desired}
    if kind is Kind.RETENTION and "cold_days" in seen:
        # The server does not say which one it is.
        seen = {"cold_volume": desired.get("cold_volume"), **seen}
    if kind is Kind.DASHBOARD:
        seen = _with_own_tags(desired, _without_title(desired, seen))
    return _merged(kind, desired, seen)


def _merged(kind: Kind, desired: Any, actual: Any) -> Any:
    if isinstance(desired, dict) and isinstance(actual, dict):
        if kind is Kind.CHANNEL:
            actual = _as_spelt(desired, actual)
        found = {
            key: _merged(kind, desired[key], value) if key in desired else value
            for key, value in actual.items()
            if key in desired or not _left_out(kind, key, value)
        }
        return found | {key: value for key, value in desired.items() if key not in found and _is_empty(value)}
    if isinstance(desired, list) and isinstance(actual, list):
        return [
            _merged(kind, desired[index], value) if index < len(desired) else value
            for index, value in enumerate(actual)
        ]
    return desired if _same(desired, actual) else actual


def _left_out(kind: Kind, key: str, value: Any) -> bool:
    if isinstance(value, dict):
        return all(_left_out(kind, inner, each) for inner, each in value.items())
    if kind is Kind.CHANNEL and isinstance(value, str) and _TEMPLATES.fullmatch(value):
        return True
    return _is_empty(value) or value in DEFAULTS[kind].get(key, ())


def _same(one: Any, other: Any) -> bool:
    if _is_empty(one) and _is_empty(other):
        return True
    if isinstance(one, str) and isinstance(other, str) and _TIME.fullmatch(one) and _TIME.fullmatch(other):
        return datetime.datetime.fromisoformat(one) == datetime.datetime.fromisoformat(other)
    # JSON knows no difference between 10 and 10.0.
    numbers = all(isinstance(each, (int, float)) and not isinstance(each, bool) for each in (one, other))
    return numbers and one == other


def _is_empty(value: Any) -> bool:
    return any(value is each or (type(value) is type(each) and value == each) for each in _EMPTY)


def _as_spelt(desired: Mapping[str, Any], actual: Mapping[str, Any]) -> dict[str, Any]:
    """`actual` with the names of `desired`: of some parts of a receiver the server gives Go's names (`RoleARN`)."""
    names = {_plain(name): name for name in desired}
    return {names.get(_plain(name), name) if name not in desired else name: value for name, value in actual.items()}


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def _without_title(desired: Mapping[str, Any], actual: Mapping[str, Any]) -> dict[str, Any]:
    """A dashboard without the title that the server makes of the name, where none was sent."""
    match desired, actual:
        case {"spec": {"display": {"name": str(title)}}}, _ if title:
            pass
        case _, {"name": str(name), "spec": {"display": {"name": title, **shown}, **spec}} if title == name:
            return {**actual, "spec": {**spec, "display": shown}}
    return dict(actual)


def _with_own_tags(desired: Mapping[str, Any], actual: Mapping[str, Any]) -> dict[str, Any]:
    """A dashboard with its tags as they were sent: to the server `Team` and `team` are one, of all its dashboards."""
    sent = {_tag(each): each for each in desired.get("tags") or []}
    tags = actual.get("tags")
    return {**actual, "tags": [sent.get(_tag(each), each) for each in tags]} if tags else dict(actual)


def _tag(tag: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(tag.get(part)).lower() for part in ("key", "value"))
