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
_BY = {"createdBy": "lab", "updatedBy": "lab"}
_SHOWN = {"disabled": False, "legend": ""}
_OF_QUERIES: Mapping[str, Object] = {
    "builder_query": {"source": "", **_SHOWN},
    "builder_formula": _SHOWN,
    "builder_trace_operator": _SHOWN,
    "promql": {**_SHOWN, "step": 0, "stats": False},
    "clickhouse_sql": _SHOWN,
}
"""Each type of query, with what its `spec` has where nothing was sent."""
_LISTS: Mapping[str, Object] = {
    "builder_query": dict.fromkeys(("groupBy", "order", "selectFields", "secondaryAggregations", "functions")),
    "builder_formula": dict.fromkeys(("order", "functions")),
    "builder_trace_operator": dict.fromkeys(("aggregations", "groupBy", "order", "selectFields", "functions")),
}
"""And in a saved view or a panel of several queries."""
QUERY_PLUGINS = {
    "signoz/BuilderQuery": "builder_query",
    "signoz/Formula": "builder_formula",
    "signoz/TraceOperator": "builder_trace_operator",
    "signoz/PromQLQuery": "promql",
    "signoz/ClickHouseSQL": "clickhouse_sql",
}
_DISPLAYED = {"name": "", "description": ""}
_OF_VARIABLES: Mapping[str, Object] = {
    "ListVariable": {
        "display": _DISPLAYED, "allowAllValue": False, "allowMultiple": False, "customAllValue": "",
        "capturingRegexp": "", "sort": "none",
    },
    "TextVariable": {"display": _DISPLAYED, "constant": False},
}  # fmt: skip
_OF_THRESHOLDS: Mapping[str, Object] = {
    "signoz/TimeSeriesPanel": {"unit": "", "label": ""},
    "signoz/BarChartPanel": {"unit": "", "label": ""},
    "signoz/NumberPanel": {"unit": "", "operator": "above", "format": "text"},
    "signoz/TablePanel": {"unit": "", "operator": "above", "format": "text"},
}
_LINK = {"tooltip": "", "renderVariables": False, "targetBlank": False}
_FIELD = {"signal": "", "fieldContext": "", "fieldDataType": ""}
_RECURRENCE = ("duration", "repeatType", "repeatOn")
DISPLAY_OF_VIEW = {"maxLines": 0, "fontSize": "", "format": "", "color": ""}
_TEMPLATES = {
    "slack_configs": "username title title_link pretext text footer fallback callback_id icon_emoji icon_url",
    "pagerduty_configs": "client",
    "opsgenie_configs": "message description source",
    "email_configs": "html",
    "msteamsv2_configs": "title text",
    "msteams_configs": "title summary text",
    "discord_configs": "title message",
    "sns_configs": "subject message",
}
_OF_RECEIVERS: Mapping[str, Object] = {
    "slack_configs": {"color": '{{ if eq .Status "firing" }}danger{{ else }}good{{ end }}', "timeout": 0},
    "webhook_configs": {"url_file": "", "max_alerts": 0, "timeout": 0},
    "pagerduty_configs": {
        "timeout": 0,
        "source": '{{ template "pagerduty.default.client" . }}',
        "description": '{{ template "pagerduty.default.description" .}}',
        "client_url": '{{ template "pagerduty.default.clientURL" . }}',
        "details": {"num_firing": "{{ .Alerts.Firing | len }}", "firing": "{{ .Alerts.Firing | toJson }}"},
    },
    # Go's names: the server has no others for this part.
    "sns_configs": {"sigv4": {"Region": "", "AccessKey": "", "RoleARN": "", "UseFIPSSTSEndpoint": False}},
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
    filled["display"]["name"] = filled["display"]["name"] or body["name"]
    filled["variables"] = [_variable(each) for each in spec["variables"]]
    return {"image": "", **body, "tags": body.get("tags") or [], "spec": filled, "source": "user", **_BY}


def _panel(panel: Object) -> Object:
    spec: Object = panel["spec"]
    plugin: Object = spec["plugin"]
    queries = [
        {**each, "spec": {**each["spec"], "plugin": _plugin(each["spec"]["plugin"])}} for each in spec["queries"]
    ]
    filled = under(PANELS[plugin["kind"]], plugin["spec"])
    for name, added in (("thresholds", _OF_THRESHOLDS.get(plugin["kind"], {})), ("selectFields", _FIELD)):
        if filled.get(name):
            filled[name] = [{**added, **each} for each in filled[name]]
    links = [{**_LINK, **each} for each in spec.get("links") or []] or spec.get("links")
    shown, plugin = under(_DISPLAYED, spec.get("display")), {**plugin, "spec": filled}
    return {**panel, "spec": {**spec, "links": links, "display": shown, "plugin": plugin, "queries": queries}}


def _plugin(plugin: Object) -> Object:
    spec: Object = plugin["spec"]
    if plugin["kind"] == "signoz/CompositeQuery":
        return {**plugin, "spec": {**spec, "queries": [_query(each, whole=True) for each in spec["queries"]]}}
    # One query alone is filled as in a rule, except formulas.
    kind = QUERY_PLUGINS[plugin["kind"]]
    return {**plugin, "spec": _query({"type": kind, "spec": spec}, whole=kind != "builder_query")["spec"]}


def _variable(variable: Object) -> Object:
    return {**variable, "spec": under(_OF_VARIABLES[variable["kind"]], variable["spec"])}


def _query(query: Object, *, whole: bool = False) -> Object:
    """`whole`: with the lists that were not sent."""
    kind = query["type"]
    spec = {**(_LISTS.get(kind, {}) if whole else {}), **_OF_QUERIES[kind], **query["spec"]}
    if whole and kind in ("builder_query", "builder_trace_operator"):
        spec = {"stepInterval": 0, **spec}
    if spec.get("groupBy"):
        spec["groupBy"] = [{"signal": "", **each} for each in spec["groupBy"]]
    return {**query, "spec": spec}


def rule(body: Object) -> Object:
    kept = {name: body[name] for name in _RULE if name in body and body[name] != {}}
    condition: Object = body["condition"]
    composite: Object = condition["compositeQuery"]
    composite = {**composite, "queries": [_query(each) for each in composite["queries"]]}
    composite = {"queryType": "", "panelType": "", **composite}
    condition = {**condition, "compositeQuery": composite}
    if spec := (condition.get("thresholds") or {}).get("spec"):
        spec = [{"targetUnit": "", "recoveryTarget": None, **each} for each in spec]
        condition["thresholds"] = {**condition["thresholds"], "spec": spec}
    settings = {"usePolicy": False, **(body.get("notificationSettings") or {})}
    if "renotify" in settings:
        settings["renotify"] = {"enabled": False, **settings["renotify"]}
    state = "disabled" if body.get("disabled") else "inactive"
    of_queries = "promql_rule" if composite["queryType"] == "promql" else "threshold_rule"
    added = {"ruleType": of_queries, "alertType": "", "disabled": False, "version": "v5", "state": state, **_BY}
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
    filled = under({"send_resolved": False, **texts, **_OF_RECEIVERS.get(name, {})}, given)
    return {**filled, "http_config": {**_HTTP, **filled["http_config"]}} if filled.get("http_config") else filled


def route_policy(body: Object) -> Object:
    kept = {name: body[name] for name in ("expression", "channels", "name", "description", "tags") if body.get(name)}
    return {"description": "", **kept, "kind": "policy", **_BY}


def downtime(body: Object) -> Object:
    schedule = {**body["schedule"]}
    zone = zoneinfo.ZoneInfo(schedule["timezone"])
    for name in ("startTime", "endTime"):
        if schedule.get(name):
            moment = datetime.datetime.fromisoformat(schedule[name]).astimezone(zone)
            schedule[name] = moment.isoformat().replace("+00:00", "Z")
    if schedule.get("recurrence"):
        given = schedule["recurrence"]
        schedule["recurrence"] = {"repeatOn": None, **{name: given[name] for name in _RECURRENCE if name in given}}
    kept = {name: body[name] for name in ("name", "description", "scope") if body.get(name)}
    kind = "recurring" if schedule.get("recurrence") else "fixed"
    ids = body.get("alertIds") or []
    added = {"description": "", "status": "upcoming", "kind": kind, **_BY}
    return {**added, **kept, "schedule": schedule, "alertIds": ids}


def saved_view(body: Object) -> Object:
    spec: Object = body["spec"]
    queries = [_query(each, whole=True) for each in spec["queries"]]
    display = {**DISPLAY_OF_VIEW, **(spec.get("display") or {})}
    fields = [{**_FIELD, **each} for each in spec.get("selectedFields") or []]
    return {**body, **_BY, "spec": {**spec, "selectedFields": fields, "queries": queries, "display": display}}


def price(body: Object) -> Object:
    fields = ("sourceId", "modelName", "provider", "modelPattern", "unit", "pricing", "isOverride", "enabled")
    kept = {name: body[name] for name in fields if name in body}
    names = {"modelName": "", "provider": "", "modelPattern": [], "unit": ""}
    filled = {**names, **_BY, "isOverride": "sourceId" not in body, "enabled": True, **kept}
    filled["pricing"] = {"input": 0, "output": 0, **(body.get("pricing") or {})}
    if cache := filled["pricing"].get("cache"):
        filled["pricing"]["cache"] = {"read": 0, "write": 0, **cache}
    return filled


def under(defaults: Mapping[str, Any], given: Any) -> Object:
    """`given` on top of `defaults`, at every depth."""
    merged = dict(defaults)
    for name, value in (given or {}).items():
        below = merged.get(name)
        merged[name] = under(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged
