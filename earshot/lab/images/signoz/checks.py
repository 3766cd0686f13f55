"""What SigNoz refuses of dashboards, rules, channels and the like. Each raises `Refusal`."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from .accounts import text
from .answers import invalid
from .store import Object

DNS_NAME = re.compile("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
GRID_COLUMNS, GRID_ITEMS = 12, 100
PANELS = {
    f"signoz/{name}Panel" for name in ("TimeSeries", "BarChart", "Number", "PieChart", "Table", "Histogram", "List")
}
QUERIES = {
    f"signoz/{name}"
    for name in ("BuilderQuery", "CompositeQuery", "Formula", "PromQLQuery", "ClickHouseSQL", "TraceOperator")
}
CHANNEL_KINDS = (
    "slack", "webhook", "pagerduty", "opsgenie", "email", "msteamsv2", "msteams", "googlechat", "incidentio",
    "telegram", "discord", "sns", "jira", "pushover", "victorops", "webex", "wechat", "mattermost", "rocketchat",
)  # fmt: skip
OPERATORS = {"above", "below", "equal", "not_equal", "above_or_equal", "below_or_equal", "outside_bounds"}
MATCH_TYPES = {"at_least_once", "all_the_times", "on_average", "in_total", "last"}


def only(body: Object, where: str, allowed: Collection[str], required: Collection[str] = ()) -> None:
    """`body` has no unknown fields and all the required ones."""
    if unknown := sorted(set(body) - set(allowed)):
        raise invalid(f"{where}: unknown field {unknown[0]!r}")
    if lacking := sorted(set(required) - set(body)):
        raise invalid(f"{where}: {lacking[0]} is required")


def one_of(value: Any, where: str, allowed: Collection[str]) -> None:
    if value not in allowed:
        raise invalid(f"{where}: {value!r} is none of {', '.join(sorted(allowed))}")


def dashboard(body: Object, *, update: bool) -> None:
    required = ("schemaVersion", "tags", "spec", *(("name",) if update else ()))
    only(body, "dashboard", {"schemaVersion", "name", "generateName", "image", "tags", "spec"}, required)
    one_of(body["schemaVersion"], "schemaVersion", {"v6"})
    if "name" in body or not body.get("generateName"):
        _dns_name(body)
    tags = body["tags"] or []
    if len(tags) > 10:
        raise invalid("tags: at most 10")
    for tag in tags:
        only(tag, "tag", {"key", "value"}, ("key", "value"))
    spec: Object = body["spec"]
    fields = {"display", "links", "duration", "refreshInterval", "variables", "panels", "layouts", "datasources"}
    only(spec, "spec", fields, ("display", "panels", "layouts"))
    if not 1 <= len(text(spec["display"], "name")) <= 128:
        raise invalid("spec.display.name: 1 to 128 characters")
    for variable in spec.get("variables") or []:
        inner = variable.get("spec", {})
        if inner.get("allowAllValue") and not inner.get("allowMultiple"):
            raise invalid(f"variable {inner.get('name')}: allowAllValue needs allowMultiple")
    for key, panel in spec["panels"].items():
        _panel(key, panel)
    _layouts(spec)


def _panel(key: str, panel: Object) -> None:
    where = f"panel {key}"
    one_of(panel.get("kind"), f"{where}: kind", {"Panel"})
    spec = panel.get("spec", {})
    only(spec, where, {"display", "links", "plugin", "queries"}, ("display", "plugin", "queries"))
    one_of(spec["plugin"].get("kind"), f"{where}: plugin", PANELS)
    for query in spec["queries"]:
        plugin = query.get("spec", {}).get("plugin", {})
        one_of(plugin.get("kind"), f"{where}: query", QUERIES)
        _query(plugin.get("spec", {}), where)


def _query(spec: Object, where: str) -> None:
    for query in spec.get("queries") or [{"spec": spec}]:
        for aggregation in query.get("spec", {}).get("aggregations") or []:
            # Commas between arguments are fine; between aggregations they are not.
            outside = re.sub(r"\([^()]*\)", "", str(aggregation.get("expression", "")))
            if "," in outside:
                raise invalid(f"{where}: one aggregation in each expression")


def _layouts(spec: Object) -> None:
    placed: set[str] = set()
    for layout in spec["layouts"]:
        one_of(layout.get("kind"), "layout", {"Grid"})
        items = layout.get("spec", {}).get("items") or []
        if len(items) > GRID_ITEMS:
            raise invalid(f"layout: at most {GRID_ITEMS} items")
        taken: set[tuple[int, int]] = set()
        for item in items:
            reference = str(item.get("content", {}).get("$ref", ""))
            key = reference.removeprefix("#/spec/panels/")
            if key not in spec["panels"]:
                raise invalid(f"layout: {reference!r} is no panel")
            if key in placed:
                raise invalid(f"layout: panel {key} is placed twice")
            placed.add(key)
            x, y, width, height = (int(item.get(name, 0)) for name in ("x", "y", "width", "height"))
            if x < 0 or y < 0 or width < 1 or height < 1 or x + width > GRID_COLUMNS:
                raise invalid(f"layout: panel {key} is outside the {GRID_COLUMNS} columns")
            cells = {(column, row) for column in range(x, x + width) for row in range(y, y + height)}
            if cells & taken:
                raise invalid(f"layout: panel {key} overlaps another")
            taken |= cells


def rule(body: Object) -> None:
    for name in ("alert", "alertType", "ruleType"):
        text(body, name)
    kinds = {f"{kind}_BASED_ALERT" for kind in ("METRIC", "TRACES", "LOGS", "EXCEPTIONS")}
    one_of(body["alertType"], "alertType", kinds)
    # anomaly_rule needs a licence.
    one_of(body["ruleType"], "ruleType", {"threshold_rule", "promql_rule"})
    one_of(body.get("schemaVersion", ""), "schemaVersion", {"v2alpha1", "v1", ""})
    one_of(body.get("version", ""), "version", {"v5"})
    condition = body.get("condition")
    if not isinstance(condition, dict) or not condition.get("compositeQuery", {}).get("queries"):
        raise invalid("condition.compositeQuery.queries is required")
    if body.get("schemaVersion") != "v2alpha1":
        return
    names = {query.get("spec", {}).get("name") for query in condition["compositeQuery"]["queries"]}
    if condition.get("selectedQueryName") not in names:
        raise invalid(f"condition.selectedQueryName: {condition.get('selectedQueryName')!r} is no query")
    thresholds = condition.get("thresholds", {}).get("spec") or []
    if not thresholds:
        raise invalid("condition.thresholds.spec is required")
    for threshold in thresholds:
        text(threshold, "name")
        one_of(threshold.get("op"), "threshold: op", OPERATORS)
        one_of(threshold.get("matchType"), "threshold: matchType", MATCH_TYPES)
        if not isinstance(threshold.get("target"), int | float):
            raise invalid("threshold: target is required")
    one_of(body.get("evaluation", {}).get("kind"), "evaluation.kind", {"rolling", "cumulative"})


def channel(body: Object) -> str:
    """The channel's kind."""
    text(body, "name")
    kinds = [kind for kind in CHANNEL_KINDS if body.get(f"{kind}_configs")]
    only(body, "channel", {"name", *(f"{kind}_configs" for kind in CHANNEL_KINDS)})
    if not kinds:
        raise invalid("channel: at least one receiver")
    return kinds[0]


def route_policy(body: Object) -> None:
    only(body, "route policy", {"name", "expression", "channels", "kind", "description", "tags"})
    for name in ("name", "expression"):
        text(body, name)
    if not body.get("channels"):
        raise invalid("channels: at least one")
    one_of(body.get("kind", "policy"), "kind", {"policy", "rule"})


def downtime(body: Object) -> None:
    only(body, "downtime", {"name", "description", "alertIds", "scope", "schedule"}, ("name", "schedule"))
    text(body, "name")
    schedule: Object = body["schedule"]
    for name in ("timezone", "startTime"):
        text(schedule, name)
    if recurrence := schedule.get("recurrence"):
        text(recurrence, "duration")
        one_of(recurrence.get("repeatType"), "recurrence.repeatType", {"daily", "weekly", "monthly"})
    elif not schedule.get("endTime"):
        raise invalid("schedule: endTime or recurrence is required")


def saved_view(body: Object, *, update: bool) -> None:
    fields = {"source", "schemaVersion", "spec"}
    only(body, "saved view", fields if update else {*fields, "name", "generateName"}, fields)
    one_of(body["source"], "source", {"traces", "logs", "metrics", "meter"})
    one_of(body["schemaVersion"], "schemaVersion", {"v2"})
    if not update and ("name" in body or not body.get("generateName")):
        _dns_name(body)
    text(body["spec"], "displayName")
    one_of(body["spec"].get("panelType"), "spec.panelType", {"value", "graph", "table", "list", "trace"})


def pricing_rule(body: Object) -> None:
    fields = {"id", "modelName", "provider", "modelPattern", "unit", "pricing", "enabled", "isOverride", "sourceId"}
    only(body, "pricing rule", fields, ("modelName", "provider", "modelPattern", "unit", "pricing", "enabled"))
    for name in ("modelName", "provider"):
        text(body, name)
    if not body["modelPattern"]:
        raise invalid("modelPattern: at least one")
    one_of(body["unit"], "unit", {"per_million_tokens"})
    for name in ("input", "output"):
        if not isinstance(body["pricing"].get(name), int | float) or body["pricing"][name] < 0:
            raise invalid(f"pricing.{name}: US dollars, 0 or more")


def _dns_name(body: Object) -> None:
    if not DNS_NAME.fullmatch(text(body, "name")):
        raise invalid("name: 1 to 63 lower case letters, digits and hyphens, none at either end")
