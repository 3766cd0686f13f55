"""What CloudWatch refuses in a dashboard, or would silently not draw.

PutDashboard validates little: a line on a metric that nobody publishes is an empty graph that nobody notices.
Limits: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html and
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from cloudwatch.plan.dashboards import GRID_COLUMNS
from cloudwatch.plan.model import CloudWatchPlan, Dashboard

MAXIMUM_WIDGETS = 500
MAXIMUM_METRICS_PER_WIDGET = 500
MAXIMUM_METRICS = 2500
"""Of all widgets together; expressions are none."""
MAXIMUM_ALARMS_PER_WIDGET = 100
MAXIMUM_WIDGET_HEIGHT = 1000
FUNCTIONS = frozenset({"FILL", "IF", "SEARCH", "SUM"})

_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
_ID = re.compile(r"[a-z]\w*")
_WORD = re.compile(r"\b[A-Za-z_]\w*")
_TEXT = re.compile(r"'[^']*'")
_SEARCHED = re.compile(r"""SEARCH\('\{"(?P<namespace>[^"]+)",[^}]*\} MetricName="(?P<name>[^"]+)"'""")


def dashboard_problems(plan: CloudWatchPlan) -> Iterator[str]:
    """Everything that is wrong with the plan's dashboards, by dashboard and widget."""
    known = _Known(
        published=frozenset((each.namespace, each.metric_name) for each in plan.metric_filters),
        alarms=frozenset(alarm.name for alarm in (*plan.alarms, *plan.composite_alarms)),
    )
    names = Counter(dashboard.name for dashboard in plan.dashboards)
    for name, count in names.items():
        if count > 1:
            yield f"dashboard {name}: {count} dashboards would have this name; the agent needs another one"
    for dashboard in plan.dashboards:
        yield from (f"dashboard {dashboard.name}: {problem}" for problem in _problems(dashboard, known))


def metrics_of(dashboard: Dashboard) -> int:
    """How many metrics all its widgets have."""
    return sum(len(_metrics(widget)) for widget in dashboard.body["widgets"])


def most_metrics_of_a_widget(dashboard: Dashboard) -> int:
    return max(len(_metrics(widget)) for widget in dashboard.body["widgets"])


def most_alarms_of_a_widget(dashboard: Dashboard) -> int:
    return max(len(widget["properties"].get("alarms", ())) for widget in dashboard.body["widgets"])


@dataclass(frozen=True)
class _Known:
    """What a plan has that widgets may show: metrics by namespace and name, and alarms by name."""

    published: Collection[tuple[str, str]]
    alarms: Collection[str]


def _problems(dashboard: Dashboard, known: _Known) -> Iterator[str]:
    if not _NAME.fullmatch(dashboard.name):
        yield "its name is not allowed; allowed: 1 to 255 letters, digits, - and _"
    widgets: list[dict[str, Any]] = dashboard.body["widgets"]
    if not 1 <= len(widgets) <= MAXIMUM_WIDGETS:
        yield f"{len(widgets)} widgets; allowed: 1 to {MAXIMUM_WIDGETS}"
    metrics = metrics_of(dashboard)
    if metrics > MAXIMUM_METRICS:
        yield f"{metrics} metrics; allowed: at most {MAXIMUM_METRICS}"
    names = [_name(index, widget) for index, widget in enumerate(widgets, 1)]
    taken: dict[tuple[int, int], str] = {}
    for name, widget in zip(names, widgets, strict=True):
        found = [*_place_problems(name, widget, taken), *_content_problems(widget, known)]
        yield from (f"{name}: {problem}" for problem in found)


def _name(number: int, widget: dict[str, Any]) -> str:
    title = widget["properties"].get("title")
    return f"widget {number} ({title})" if title else f"widget {number} ({widget['type']})"


def _place_problems(name: str, widget: dict[str, Any], taken: dict[tuple[int, int], str]) -> Iterator[str]:
    """`taken` holds the cells of the widgets before, by name, and gets this one's."""
    if widget["x"] < 0 or widget["x"] + widget["width"] > GRID_COLUMNS or widget["width"] < 1:
        yield f"exceeds the grid of {GRID_COLUMNS} columns"
    if not 1 <= widget["height"] <= MAXIMUM_WIDGET_HEIGHT:
        yield f"a height of {widget['height']}; allowed: 1 to {MAXIMUM_WIDGET_HEIGHT}"
    cells = [
        (x, y)
        for x in range(widget["x"], widget["x"] + widget["width"])
        for y in range(widget["y"], widget["y"] + widget["height"])
    ]
    yield from (f"overlaps {other}" for other in dict.fromkeys(taken[cell] for cell in cells if cell in taken))
    taken |= dict.fromkeys(cells, name)


def _content_problems(widget: dict[str, Any], known: _Known) -> Iterator[str]:
    if widget["type"] == "metric":
        yield from _metric_problems(widget, known.published)
    elif widget["type"] == "alarm":
        alarms = [arn.rsplit(":alarm:", 1)[-1] for arn in widget["properties"]["alarms"]]
        if not 1 <= len(alarms) <= MAXIMUM_ALARMS_PER_WIDGET:
            yield f"{len(alarms)} alarms; allowed: 1 to {MAXIMUM_ALARMS_PER_WIDGET}"
        yield from (f"alarm {each} is not in this stack" for each in alarms if each not in known.alarms)


def _metric_problems(widget: dict[str, Any], published: Collection[tuple[str, str]]) -> Iterator[str]:
    metrics = _metrics(widget)
    if not 1 <= len(metrics) <= MAXIMUM_METRICS_PER_WIDGET:
        yield f"{len(metrics)} metrics; allowed: 1 to {MAXIMUM_METRICS_PER_WIDGET}"
    yield from (f"nothing publishes {line[0]}/{line[1]}" for line in metrics if (line[0], line[1]) not in published)
    options = [_options(line) for line in widget["properties"]["metrics"]]
    ids = Counter(each["id"] for each in options if "id" in each)
    yield from (f"id {each} is used {count} times" for each, count in ids.items() if count > 1)
    yield from (f"id {each} does not start with a lower-case letter" for each in ids if not _ID.fullmatch(each))
    for each in options:
        expression: str = each.get("expression", "")
        unknown = dict.fromkeys(_WORD.findall(_TEXT.sub("", expression))).keys() - ids.keys() - FUNCTIONS
        yield from (f"{expression} uses {word}, which is not an id of this widget" for word in sorted(unknown))
        searched = {(found["namespace"], found["name"]) for found in _SEARCHED.finditer(expression)}
        if len(searched) != expression.count("SEARCH"):
            yield f"{expression} has a search that cannot be checked"
        missing = sorted(each for each in searched if each not in published)
        yield from (f"nothing publishes {space}/{name}" for space, name in missing)


def _metrics(widget: dict[str, Any]) -> list[list[Any]]:
    """A widget's lines that are metrics, not expressions."""
    return [line for line in widget["properties"].get("metrics", []) if "expression" not in _options(line)]


def _options(line: list[Any]) -> dict[str, Any]:
    return line[-1] if isinstance(line[-1], dict) else {}
