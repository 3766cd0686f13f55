"""What SigNoz writes into a body that it is given. Pure."""

from __future__ import annotations

import datetime
import json
import zoneinfo
from collections.abc import Mapping
from typing import Any

from .store import Object

_VISUALIZATION = {"timePreference": "global_time"}
_FORMATTING = {"unit": "", "decimalPrecision": "2"}
_LEGEND = {"position": "bottom", "mode": "list", "customColors": None}
_AXES = {"softMin": None, "softMax": None, "isLogScale": False}
_APPEARANCE = {
    "lineInterpolation": "spline", "showPoints": False, "lineStyle": "solid", "fillMode": "none",
    "spanGaps": {"fillOnlyBelow": False, "fillLessThan": ""},
}  # fmt: skip
PANELS: Mapping[str, Object] = {
    "signoz/TimeSeriesPanel": {
        "visualization": {**_VISUALIZATION, "fillSpans": False}, "formatting": _FORMATTING, "axes": _AXES,
        "chartAppearance": _APPEARANCE, "legend": _LEGEND, "thresholds": None,
    },
    "signoz/BarChartPanel": {
        "visualization": {**_VISUALIZATION, "fillSpans": False, "stackedBarChart": False}, "formatting": _FORMATTING,
        "axes": _AXES, "legend": _LEGEND, "thresholds": None,
    },
    "signoz/NumberPanel": {"visualization": _VISUALIZATION, "formatting": _FORMATTING, "thresholds": None},
    "signoz/PieChartPanel": {"visualization": _VISUALIZATION, "formatting": _FORMATTING, "legend": _LEGEND},
    "signoz/TablePanel": {
        "visualization": _VISUALIZATION, "formatting": {"columnUnits": None, "decimalPrecision": "2"},
        "thresholds": None,
    },
    "signoz/HistogramPanel": {
        "histogramBuckets": {"bucketCount": None, "bucketWidth": None, "mergeAllActiveQueries": False},
        "legend": _LEGEND,
    },
    "signoz/ListPanel": {"selectFields": None},
}  # fmt: skip
"""Each kind of panel, with what its `spec` has where nothing was sent."""
_RULE = (
    "alert", "alertType", "ruleType", "description", "labels", "annotations", "condition", "evaluation",
    "schemaVersion", "notificationSettings", "disabled", "version", "preferredChannels",
)  # fmt: skip
_QUERY = {"source": "", "disabled": False, "legend": ""}
_QUERY_OF_VIEW = {
    "stepInterval": 0, **_QUERY, "groupBy": None, "order": None, "selectFields": None, "secondaryAggregations": None,
    "functions": None,
}  # fmt: skip
_DISPLAY = {"maxLines": 0, "fontSize": "", "format": "", "color": ""}
_TEMPLATES = {
    "slack_configs": "username title title_link pretext text footer fallback callback_id icon_emoji icon_url",
    "pagerduty_configs": "client client_url description source",
    "opsgenie_configs": "message description source",
    "email_configs": "html",
    "msteamsv2_configs": "title text",
    "msteams_configs": "title summary text",
    "discord_configs": "title message",
}
_OF_RECEIVERS: Mapping[str, Object] = {
    "slack_configs": {"color": '{{ if eq .Status "firing" }}danger{{ else }}good{{ end }}', "timeout": 0},
    "webhook_configs": {"url_file": "", "max_alerts": 0, "timeout": 0},
    "pagerduty_configs": {"timeout": 0, "details": {"num_firing": "{{ .Alerts.Firing | len }}"}},
    "email_configs": {"smarthost": "", "threading": {}},
}
_HTTP = {
    "tls_config": {"insecure_skip_verify": False}, "follow_redirects": True, "enable_http2": True, "proxy_url": None,
}  # fmt: skip


def dashboard(body: Object) -> Object:
    spec: Object = body["spec"]
    filled = {"duration": "", "refreshInterval": "", "links": None, **spec}
    filled["display"] = under({"name": body["name"], "description": ""}, spec.get("display"))
    filled["panels"] = {key: _panel(panel) for key, panel in spec["panels"].items()}
    filled["variables"] = [_variable(each) for each in spec["variables"]]
    return {"image": "", "tags": [], **body, "spec": filled, "source": "user"}


def _panel(panel: Object) -> Object:
    spec: Object = panel["spec"]
    plugin: Object = spec["plugin"]
    queries = [
        {**each, "spec": {**each["spec"], "plugin": _plugin(each["spec"]["plugin"])}} for each in spec["queries"]
    ]
    shown = under({"name": "", "description": ""}, spec.get("display"))
    plugin = {**plugin, "spec": under(PANELS[plugin["kind"]], plugin.get("spec"))}
    return {**panel, "spec": {"links": None, **spec, "display": shown, "plugin": plugin, "queries": queries}}


def _plugin(plugin: Object) -> Object:
    spec: Object = plugin["spec"]
    match plugin["kind"]:
        case "signoz/BuilderQuery":
            return {**plugin, "spec": {**_QUERY, **spec}}
        case "signoz/CompositeQuery":
            return {**plugin, "spec": {**spec, "queries": [_query(each) for each in spec.get("queries") or []]}}
        case _:
            return plugin


def _variable(variable: Object) -> Object:
    if variable.get("kind") != "ListVariable":
        return variable
    given = {"allowAllValue": False, "allowMultiple": False, "sort": "none", **variable["spec"]}
    return {**variable, "spec": given}


def _query(query: Object, added: Object = _QUERY) -> Object:
    return {**query, "spec": {**added, **query["spec"]}} if query.get("type") == "builder_query" else query


def rule(body: Object) -> Object:
    kept = {name: body[name] for name in _RULE if name in body and body[name] != {}}
    condition: Object = body["condition"]
    composite: Object = condition["compositeQuery"]
    composite = {**composite, "queries": [_query(each) for each in composite["queries"]]}
    condition = {**condition, "compositeQuery": composite}
    if spec := (condition.get("thresholds") or {}).get("spec"):
        spec = [{"targetUnit": "", "recoveryTarget": None, **each} for each in spec]
        condition["thresholds"] = {**condition["thresholds"], "spec": spec}
    settings = {"usePolicy": False, **(body.get("notificationSettings") or {})}
    settings["renotify"] = {"enabled": False, **(settings.get("renotify") or {})}
    state = "disabled" if body.get("disabled") else "inactive"
    added = {"disabled": False, "version": "v5", "state": state}
    return {**added, **kept, "condition": condition, "notificationSettings": settings}


def channel(body: Object, kind: str) -> Object:
    receivers = {
        name: [_receiver(name, each) for each in value]
        for name, value in body.items()
        if name.endswith("_configs") and isinstance(value, list)
    }
    return {"name": body["name"], "type": kind, "data": json.dumps({"name": body["name"], **receivers})}


def _receiver(name: str, given: Object) -> Object:
    kind = name.removesuffix("_configs")
    texts = {
        each: f'{{{{ template "{kind}.default.{each.replace("_", "")}" . }}}}'
        for each in _TEMPLATES.get(name, "").split()
    }
    filled = {"send_resolved": False, **texts, **_OF_RECEIVERS.get(name, {}), **given}
    return {**filled, "http_config": {**_HTTP, **filled["http_config"]}} if filled.get("http_config") else filled


def route_policy(body: Object) -> Object:
    kept = {name: body[name] for name in ("expression", "channels", "name", "description", "tags") if body.get(name)}
    return {"description": "", **kept, "kind": "policy"}


def downtime(body: Object) -> Object:
    schedule = {**body["schedule"]}
    zone = zoneinfo.ZoneInfo(schedule["timezone"])
    for name in ("startTime", "endTime"):
        if schedule.get(name):
            moment = datetime.datetime.fromisoformat(schedule[name]).astimezone(zone)
            schedule[name] = moment.isoformat().replace("+00:00", "Z")
    if schedule.get("recurrence"):
        schedule["recurrence"] = {"repeatOn": None, **schedule["recurrence"]}
    kept = {name: body[name] for name in ("name", "description", "scope") if body.get(name)}
    kind = "recurring" if schedule.get("recurrence") else "fixed"
    ids = body.get("alertIds") or []
    return {"description": "", **kept, "schedule": schedule, "alertIds": ids, "status": "upcoming", "kind": kind}


def saved_view(body: Object) -> Object:
    spec: Object = body["spec"]
    queries = [_query(each, _QUERY_OF_VIEW) for each in spec["queries"]]
    display = {**_DISPLAY, **(spec.get("display") or {})}
    return {**body, "spec": {"selectedFields": [], **spec, "queries": queries, "display": display}}


def price(body: Object) -> Object:
    fields = ("sourceId", "modelName", "provider", "modelPattern", "unit", "pricing", "isOverride", "enabled")
    kept = {name: body[name] for name in fields if name in body}
    return {"modelName": "", "provider": "", "isOverride": "sourceId" not in body, "enabled": False, **kept}


def under(defaults: Mapping[str, Any], given: Any) -> Object:
    """`given` on top of `defaults`, at every depth."""
    merged = dict(defaults)
    for name, value in (given or {}).items():
        below = merged.get(name)
        merged[name] = under(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged
