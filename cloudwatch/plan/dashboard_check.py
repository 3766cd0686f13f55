"""What CloudWatch refuses, or would silently not draw, in a dashboard.

PutDashboard validates little: a line on a metric that nobody publishes is an empty graph that nobody notices.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from typing import Any

from cloudwatch.plan.dashboards import GRID_COLUMNS
from cloudwatch.plan.model import CloudWatchPlan, Dashboard

MAXIMUM_WIDGETS = 500
MAXIMUM_METRICS_PER_WIDGET = 500
MAXIMUM_METRICS = 2500
"""docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html"""
MAXIMUM_WIDGET_HEIGHT = 1000
NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
FUNCTIONS = frozenset({"FILL", "IF"})


def problems(dashboard: Dashboard, plan: CloudWatchPlan) -> list[str]:
    """What is wrong with `dashboard`, a sentence each; empty where nothing is."""
    published = {(each.namespace, each.metric_name) for each in plan.metric_filters}
    alarms = {alarm.name for alarm in (*plan.alarms, *plan.composite_alarms)}
    return [f"{dashboard.name}: {problem}" for problem in _problems(dashboard, published, alarms)]


def _problems(dashboard: Dashboard, published: Collection[tuple[str, str]], alarms: Collection[str]) -> Iterator[str]:
    if not NAME.fullmatch(dashboard.name):
        yield "a name has 1 to 255 letters, digits, - and _"
    widgets: list[dict[str, Any]] = json.loads(json.dumps(dashboard.body))["widgets"]
    if not 1 <= len(widgets) <= MAXIMUM_WIDGETS:
        yield f"{len(widgets)} widgets; allowed: 1 to {MAXIMUM_WIDGETS}"
    yield from _grid_problems(widgets)
    lines = [widget["properties"].get("metrics", []) for widget in widgets if widget["type"] == "metric"]
    if sum(map(len, lines)) > MAXIMUM_METRICS:
        yield f"{sum(map(len, lines))} metrics; allowed: {MAXIMUM_METRICS}"
    for widget in widgets:
        properties = widget["properties"]
        title = properties.get("title", widget["type"])
        if widget["type"] == "metric":
            yield from (f"{title}: {problem}" for problem in _metric_problems(properties, published))
        elif widget["type"] == "alarm":
            names = {arn.rsplit(":alarm:", 1)[-1] for arn in properties["alarms"]}
            yield from (f"{title}: alarm {name} is not in this stack" for name in sorted(names - set(alarms)))


def _grid_problems(widgets: list[dict[str, Any]]) -> Iterator[str]:
    taken: dict[tuple[int, int], int] = {}
    for index, widget in enumerate(widgets):
        if widget["x"] < 0 or widget["x"] + widget["width"] > GRID_COLUMNS or widget["width"] < 1:
            yield f"widget {index} leaves the grid of {GRID_COLUMNS} columns"
        if not 1 <= widget["height"] <= MAXIMUM_WIDGET_HEIGHT:
            yield f"widget {index} is {widget['height']} high; allowed: 1 to {MAXIMUM_WIDGET_HEIGHT}"
        cells = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        over = {taken[cell] for cell in cells if cell in taken}
        yield from (f"widget {index} lies over widget {other}" for other in sorted(over))
        taken |= dict.fromkeys(cells, index)


def _metric_problems(properties: dict[str, Any], published: Collection[tuple[str, str]]) -> Iterator[str]:
    lines = properties["metrics"]
    if not 1 <= len(lines) <= MAXIMUM_METRICS_PER_WIDGET:
        yield f"{len(lines)} metrics; allowed: 1 to {MAXIMUM_METRICS_PER_WIDGET}"
    ids = [options["id"] for options in map(_options, lines) if "id" in options]
    yield from (f"id {each} stands twice" for each in sorted({each for each in ids if ids.count(each) > 1}))
    yield from (f"id {each} does not begin with a small letter" for each in ids if not re.fullmatch(r"[a-z]\w*", each))
    for line in lines:
        options = _options(line)
        if "expression" in options:
            named = set(re.findall(r"[A-Za-z_]\w*", options["expression"])) - FUNCTIONS
            yield from (
                f"{options['expression']} names {each}, which is no id here" for each in sorted(named - set(ids))
            )
        elif (line[0], line[1]) not in published:
            yield f"nothing publishes {line[0]}/{line[1]}"


def _options(line: list[Any]) -> dict[str, Any]:
    return line[-1] if isinstance(line[-1], dict) else {}
