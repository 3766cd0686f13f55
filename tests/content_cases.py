"""Content that golden files show: a dashboard with every feature, and dashboards in a line per panel and query."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

EVERYTHING: dict[str, Any] = {
    "key": "everything",
    "title": "Everything",
    "description": "Each kind of panel and of query.",
    "tags": ["turnscope", "team:voice"],
    "variables": [
        {"name": "service", "key": "resource.service.name", "description": "Which agent."},
        {"name": "node", "key": "attribute.nodename", "signal": "metrics", "signals": ["metrics"]},
    ],
    "sections": [
        {
            "title": "Charts",
            "panels": [
                {
                    "title": "Lines",
                    "description": "With a formula.",
                    "queries": [
                        {
                            "name": "A",
                            "signal": "traces",
                            "aggregate": "count()",
                            "where": "a = 1 OR b = 2",
                            "hidden": True,
                            "group_by": ["resource.service.name", "span.name"],
                        },
                        {
                            "name": "B",
                            "signal": "logs",
                            "aggregate": "p95(x)",
                            "having": "p95(x) > 1",
                            "order_by": "desc",
                            "limit": 5,
                        },
                        {"name": "F1", "formula": "100 * A / B", "legend": "{service.name}", "order_by": "asc"},
                    ],
                    "unit": "%",
                    "decimals": 1,
                    "thresholds": [{"value": 1, "label": "much", "color": "orange"}],
                    "period": "1d",
                    "width": 8,
                },
                {
                    "title": "Bars",
                    "kind": "bar",
                    "stacked": True,
                    "queries": [
                        {
                            "metric": "m",
                            "time_aggregation": "increase",
                            "space_aggregation": "sum",
                            "group_by": ["attribute.nodename"],
                            "order_by": "desc",
                            "step_seconds": 60,
                            "legend": "on {nodename}",
                        }
                    ],
                    "width": 4,
                    "height": 3,
                },
                {
                    "title": "Distribution",
                    "kind": "histogram",
                    "queries": [{"metric": "h.bucket", "space_aggregation": "p95"}],
                },
            ],
        },
        {
            "title": "Values",
            "panels": [
                {
                    "title": "One",
                    "kind": "number",
                    "queries": [{"promql": 'max(up{nodename=~"$node"})'}],
                    "thresholds": [{"value": 1, "when": "below"}],
                    "width": 3,
                },
                {
                    "title": "Table",
                    "kind": "table",
                    "queries": [
                        {
                            "name": "A",
                            "metric": "m",
                            "time_aggregation": "avg",
                            "space_aggregation": "max",
                            "unit": "short",
                        },
                        {"name": "B", "metric": "m", "time_aggregation": "increase", "space_aggregation": "sum"},
                    ],
                    "unit": "s",
                    "thresholds": [{"value": 2, "query": "B", "color": "blue"}],
                },
                {"title": "Pie", "kind": "pie", "queries": [{"sql": "SELECT 1 WHERE $service"}], "width": 3},
                {
                    "title": "List",
                    "kind": "list",
                    "queries": [{"signal": "traces", "where": "name = 'x'", "order_by": "attribute.lk.y desc"}],
                    "columns": ["resource.service.name", "attribute.lk.y"],
                    "without": ["service"],
                    "width": 12,
                },
            ],
        },
    ],
}
"""A dashboard with each kind of panel and of query."""


def panel_lines(body: dict[str, Any]) -> Iterator[str]:
    spec = body["spec"]
    yield f"{body['name']}: {spec['display']['name']} {[tag['value'] for tag in body['tags']]}"
    for variable in spec["variables"]:
        plugin = variable["spec"]["plugin"]["spec"]
        yield f"  ${variable['spec']['name']}: {plugin['signal']} {plugin['name']}"
    for layout in spec["layouts"]:
        yield f"  {layout['spec']['display']['title']}"
        for item in layout["spec"]["items"]:
            panel = spec["panels"][item["content"]["$ref"].rpartition("/")[2]]["spec"]
            place = f"{item['x']},{item['y']} {item['width']}x{item['height']}"
            yield f"    [{place}] {panel['display']['name']}: {_appearance(panel['plugin'])}"
            plugin = panel["queries"][0]["spec"]["plugin"]
            for query in plugin["spec"].get("queries", [plugin]):
                yield f"      {_asked(query.get('type', query.get('kind')), query['spec'])}"


def _appearance(plugin: dict[str, Any]) -> str:
    kept = {
        **plugin["spec"].get("formatting", {}),
        "period": plugin["spec"].get("visualization", {}).get("timePreference"),
        "columns": [key["name"] for key in plugin["spec"].get("selectFields", [])],
        "thresholds": [[one["value"], one["color"]] for one in plugin["spec"].get("thresholds", [])],
    }
    return f"{plugin['kind'].removeprefix('signoz/')} {json.dumps({k: v for k, v in kept.items() if v})}"


def _asked(kind: str, spec: dict[str, Any]) -> str:
    name = f"({spec['name']})" if spec["disabled"] else spec["name"]
    if "filter" not in spec:
        return f"{name} {kind}: {spec.get('expression') or spec['query']}"
    asked = [" ".join(map(str, each.values())) for each in spec.get("aggregations", [])]
    rest = {
        "by": [key["name"] for key in spec.get("groupBy", [])],
        "order": [f"{each['key']['name']} {each['direction']}" for each in spec.get("order", [])],
        "limit": spec.get("limit"),
        "step": spec.get("stepInterval"),
    }
    told = json.dumps({k: v for k, v in rest.items() if v}) if any(rest.values()) else ""
    return " ".join(filter(None, (name, spec["signal"], *asked, f"[{spec['filter']['expression']}]", told)))
