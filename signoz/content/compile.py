"""From documents of `signoz.content.schema` to what SigNoz' API takes, for release 0.138: dashboards (schema v6), saved
views (v2) and the queries of both and of alert rules (query range v5). Pure; every valid document compiles.

What the server would fill in is spelt out, so that what it gives back is the same except for added nulls and empty
texts (github.com/SigNoz/signoz at v0.138.0, `docs/api/openapi.yml` and `pkg/types/dashboardtypes`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from signoz.content.filters import parse_filter
from signoz.content.model import ContentObject, Kind
from signoz.content.schema import Dashboard, Panel, Query, SavedView, Section, Threshold, Variable

COLUMNS = 12
LONGEST_PANEL_KEY = 60

PANELS = {
    "time_series": ("signoz/TimeSeriesPanel", "time_series"),
    "bar": ("signoz/BarChartPanel", "time_series"),
    "histogram": ("signoz/HistogramPanel", "time_series"),
    "number": ("signoz/NumberPanel", "scalar"),
    "table": ("signoz/TablePanel", "scalar"),
    "pie": ("signoz/PieChartPanel", "scalar"),
    "list": ("signoz/ListPanel", "raw"),
}
"""Each kind of panel: its plugin, and what its query answers with."""
VIEWS = {"list": "raw", "trace": "trace", "graph": "time_series", "table": "scalar", "value": "scalar"}
PLUGINS = {
    "builder_query": "signoz/BuilderQuery",
    "builder_formula": "signoz/Formula",
    "promql": "signoz/PromQLQuery",
    "clickhouse_sql": "signoz/ClickHouseSQL",
}
COLORS = {"red": "#e5484d", "orange": "#f5871f", "green": "#30a46c", "blue": "#3e63dd"}
PERIODS = {
    None: "global_time",
    **{"5m": "last_5_min", "15m": "last_15_min", "30m": "last_30_min", "1h": "last_1_hr", "6h": "last_6_hr"},
    **{"1d": "last_1_day", "3d": "last_3_days", "1w": "last_1_week", "1M": "last_1_month"},
}


def compile_dashboard(dashboard: Dashboard, source: str) -> ContentObject:
    """The dashboard as the API takes it; `source` is the file that it is in, for messages."""
    panels: dict[str, Any] = {}
    layouts = []
    for section in dashboard.sections:
        keys = []
        for panel in section.panels:
            keys.append(_panel_key(panel.title, panels))
            panels[keys[-1]] = _panel(panel, dashboard.variables)
        layouts.append(_layout(section, keys))
    body = {
        "schemaVersion": "v6",
        "name": dashboard.key,
        "image": "",
        "tags": [_tag(each) for each in dashboard.tags],
        "spec": {
            "display": {"name": dashboard.title, "description": dashboard.description},
            "variables": [_variable(each) for each in dashboard.variables],
            "panels": panels,
            "layouts": layouts,
            "links": [],
        },
    }
    return ContentObject(Kind.DASHBOARD, dashboard.key, dashboard.title, body, source)


def compile_view(view: SavedView, source: str) -> ContentObject:
    """The saved view as the API takes it; `source` is the file that it is in, for messages."""
    request = VIEWS[view.kind]
    body = {
        "name": view.key,
        "source": view.signal,
        "schemaVersion": "v2",
        "spec": {
            "displayName": view.title,
            "panelType": view.kind,
            "requestType": request,
            "queries": [_envelope(each, request) for each in view.queries],
            "selectedFields": [field_key(each) for each in view.columns],
            "display": {"maxLines": 2, "fontSize": "small", "format": "table", "color": ""},
        },
    }
    return ContentObject(Kind.SAVED_VIEW, view.key, view.title, body, source)


def compile_queries(queries: Sequence[Query], *, panel: str = "time_series") -> list[dict[str, Any]]:
    """The queries of a panel of kind `panel` (`PANELS`), or of an alert rule, as envelopes of query range v5."""
    return [_envelope(each, PANELS[panel][1]) for each in queries]


def field_key(text: str) -> dict[str, str]:
    """A field as the API names it: `resource.service.name`."""
    context, _, name = text.partition(".")
    return {"name": name, "signal": "", "fieldContext": context, "fieldDataType": ""}


def place(sizes: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The places of boxes of (width, height) in the grid: left to right, in rows as high as the highest in them."""
    places, x, y, row_height = [], 0, 0, 0
    for width, height in sizes:
        if x + width > COLUMNS:
            x, y, row_height = 0, y + row_height, 0
        places.append((x, y))
        x, row_height = x + width, max(row_height, height)
    return places


def _panel_key(title: str, taken: Mapping[str, Any]) -> str:
    """From the title, so that a moved panel is still the same one."""
    slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:LONGEST_PANEL_KEY].rstrip("-") or "panel"
    key, number = slug, 2
    while key in taken:
        key, number = f"{slug}-{number}", number + 1
    return key


def _layout(section: Section, keys: Sequence[str]) -> dict[str, Any]:
    places = place((panel.width, panel.height) for panel in section.panels)
    items = [
        {"x": x, "y": y, "width": panel.width, "height": panel.height, "content": {"$ref": f"#/spec/panels/{key}"}}
        for (x, y), panel, key in zip(places, section.panels, keys, strict=True)
    ]
    display = {"title": section.title, "collapse": {"open": True}}
    return {"kind": "Grid", "spec": {"display": display, "items": items}}


def _tag(text: str) -> dict[str, str]:
    key, colon, value = text.partition(":")
    return {"key": key, "value": value} if colon else {"key": "tag", "value": text}


def _variable(variable: Variable) -> dict[str, Any]:
    return {
        "kind": "ListVariable",
        "spec": {
            "name": variable.name,
            "display": {"name": variable.name, "description": variable.description},
            "allowAllValue": True,
            "allowMultiple": True,
            "customAllValue": "",
            "capturingRegexp": "",
            "sort": "alphabetical-asc",
            "plugin": {
                "kind": "signoz/DynamicVariable",
                "spec": {"name": field_key(variable.key)["name"], "signal": variable.signal},
            },
        },
    }


def _panel(panel: Panel, variables: Sequence[Variable]) -> dict[str, Any]:
    plugin, request = PANELS[panel.kind]
    envelopes = [_envelope(_following(query, panel, variables), request, panel.columns) for query in panel.queries]
    if len(envelopes) == 1:
        [envelope] = envelopes
        query = {"kind": PLUGINS[envelope["type"]], "spec": envelope["spec"]}
    else:
        query = {"kind": "signoz/CompositeQuery", "spec": {"queries": envelopes}}
    return {
        "kind": "Panel",
        "spec": {
            "display": {"name": panel.title, "description": panel.description},
            "links": [],
            "plugin": {"kind": plugin, "spec": _appearance(panel)},
            "queries": [{"kind": request, "spec": {"plugin": query}}],
        },
    }


def _following(query: Query, panel: Panel, variables: Sequence[Variable]) -> Query:
    """`query` with the variables that it follows in its filter."""
    signal = "metrics" if query.metric else query.signal
    conditions = [
        f"{each.key} IN ${each.name}"
        for each in variables
        if signal in each.signals and each.name not in panel.without and each.name not in query.variables()
    ]
    if not conditions:
        return query
    own = query.where.strip()
    if own and parse_filter(own).has_or:
        own = f"({own})"
    return query.model_copy(update={"where": " AND ".join([own, *conditions] if own else conditions)})


def _appearance(panel: Panel) -> dict[str, Any]:
    """A panel plugin's own settings."""
    visualization: dict[str, Any] = {"timePreference": PERIODS[panel.period]}
    formatting = {"unit": panel.unit, "decimalPrecision": str(panel.decimals)}
    legend = {"position": "bottom", "mode": "list", "customColors": {}}
    axes = {"softMin": 0 if panel.kind == "bar" else None, "softMax": None, "isLogScale": False}
    lines = [
        {"value": each.value, "unit": panel.unit, "color": COLORS[each.color], "label": each.label}
        for each in panel.thresholds
    ]
    by_strictness = sorted(panel.thresholds, key=_strictness)
    colored = [
        {"value": each.value, "operator": each.when, "unit": panel.unit, "color": COLORS[each.color], "format": "text"}
        for each in by_strictness
    ]
    match panel.kind:
        case "time_series":
            chart = {
                "lineInterpolation": "linear",
                "showPoints": False,
                "lineStyle": "solid",
                "fillMode": "none",
                "spanGaps": {"fillOnlyBelow": False, "fillLessThan": ""},
            }
            return {
                "visualization": {**visualization, "fillSpans": False},
                "formatting": formatting,
                "chartAppearance": chart,
                "axes": axes,
                "legend": legend,
                "thresholds": lines,
            }
        case "bar":
            return {
                "visualization": {**visualization, "fillSpans": False, "stackedBarChart": panel.stacked},
                "formatting": formatting,
                "axes": axes,
                "legend": legend,
                "thresholds": lines,
            }
        case "number":
            return {"visualization": visualization, "formatting": formatting, "thresholds": colored}
        case "table":
            units = {query.name: query.unit or panel.unit for query in panel.queries if query.unit or panel.unit}
            thresholds = [{**one, "columnName": each.query} for one, each in zip(colored, by_strictness, strict=True)]
            return {
                "visualization": visualization,
                "formatting": {"columnUnits": units, "decimalPrecision": str(panel.decimals)},
                "thresholds": thresholds,
            }
        case "pie":
            return {"visualization": visualization, "formatting": formatting, "legend": legend}
        case "histogram":
            buckets = {"bucketCount": 30, "bucketWidth": 0, "mergeAllActiveQueries": True}
            return {"histogramBuckets": buckets, "legend": legend}
        case "list":
            return {"selectFields": [field_key(each) for each in panel.columns]}


def _strictness(threshold: Threshold) -> float:
    """The strictest first: SigNoz takes the first that holds, in numbers and tables."""
    return threshold.value if threshold.when.startswith("below") else -threshold.value


def _envelope(query: Query, request: str, columns: Sequence[str] = ()) -> dict[str, Any]:
    common = {"name": query.name, "disabled": query.hidden, "legend": _legend(query.legend)}
    if query.promql is not None:
        return {"type": "promql", "spec": {**common, "query": query.promql, "step": 0, "stats": False}}
    if query.sql is not None:
        return {"type": "clickhouse_sql", "spec": {**common, "query": query.sql}}
    narrowed = {
        **({"order": _order(query, request)} if query.order_by or request == "raw" else {}),
        **({"limit": query.limit} if query.limit else {}),
        **({"having": {"expression": query.having}} if query.having else {}),
    }
    if query.formula is not None:
        return {"type": "builder_formula", "spec": {**common, "expression": query.formula, **narrowed}}
    spec = {
        **common,
        "signal": "metrics" if query.metric else query.signal,
        "source": "",
        "aggregations": _aggregations(query, request),
        "filter": {"expression": query.where},
        "groupBy": [field_key(each) for each in query.group_by],
        **narrowed,
        **({"stepInterval": query.step_seconds} if query.step_seconds else {}),
    }
    if request in ("raw", "trace"):
        del spec["aggregations"], spec["groupBy"]
        spec["selectFields"] = [field_key(each) for each in columns]
    return {"type": "builder_query", "spec": spec}


def _aggregations(query: Query, request: str) -> list[dict[str, Any]]:
    if query.metric is None:
        return [{"expression": query.aggregate}] if query.aggregate else []
    aggregation = {
        "metricName": query.metric,
        "temporality": "",
        "timeAggregation": query.time_aggregation or "",
        "spaceAggregation": query.space_aggregation,
    }
    if request == "scalar":
        aggregation["reduceTo"] = query.reduce or ("sum" if query.time_aggregation == "increase" else "last")
    return [aggregation]


def _order(query: Query, request: str) -> list[dict[str, Any]]:
    key, _, direction = (query.order_by or "timestamp desc").rpartition(" ")
    if request in ("raw", "trace"):
        named = field_key(key) if "." in key else field_key(".timestamp")
        return [{"key": named, "direction": direction}]
    by = query.aggregate if query.signal else "__result"
    return [{"key": {**field_key("."), "name": by}, "direction": direction}]


def _legend(text: str) -> str:
    """SigNoz has a group key in two pairs of braces; a document has it in one, as two are Jinja's."""
    return re.sub(r"\{([^{}]+)\}", r"{{\1}}", text)
