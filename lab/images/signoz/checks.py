"""What SigNoz refuses of dashboards, rules, channels and the like. Each raises `Refusal`."""

from __future__ import annotations

import datetime
import re
import uuid
import zoneinfo
from collections.abc import Collection, Iterable
from typing import Any
from urllib.parse import urlsplit

from .additions import DISPLAY_OF_VIEW, PANELS, QUERY_PLUGINS
from .answers import Refusal, invalid, unknown
from .store import Object

DNS_NAME = re.compile("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
GRID_COLUMNS, GRID_ITEMS = 12, 100
QUERIES = {*QUERY_PLUGINS, "signoz/CompositeQuery"}
QUERY_TYPES = set(QUERY_PLUGINS.values())
REQUESTS = {"scalar", "time_series", "raw", "raw_stream", "trace", "distribution"}
BUILDER_FIELDS = {
    "name", "stepInterval", "signal", "source", "aggregations", "disabled", "filter", "groupBy", "order",
    "selectFields", "limit", "limitBy", "offset", "cursor", "having", "secondaryAggregations", "functions", "legend",
}  # fmt: skip
RESERVED_TAGS = {"name", "description", "created_at", "updated_at", "created_by", "locked"}
CHANNEL_KINDS = (
    "slack", "webhook", "pagerduty", "opsgenie", "email", "msteamsv2", "msteams", "googlechat", "incidentio",
    "telegram", "discord", "sns", "jira", "pushover", "victorops", "webex", "wechat", "mattermost", "rocketchat",
)  # fmt: skip
OPERATORS = {
    *"1234567", ">", "<", "=", "!=", ">=", "<=", "above", "below", "equal", "eq", "not_equal", "not_eq",
    "above_or_equal", "above_or_eq", "below_or_equal", "below_or_eq", "outside_bounds",
}  # fmt: skip
MATCH_TYPES = {*"12345", "at_least_once", "all_the_times", "on_average", "avg", "in_total", "sum", "last"}
_DURATION = re.compile(r"(\d+(\.\d+)?(h|m|s|ms))+")
_OF_DASHBOARD = "dashboard_invalid_input"
_OF_VIEW = "saved_view_invalid_input"
_OF_DOWNTIME = "invalid_planned_maintenance_payload"
_TOKEN = re.compile(r"""\s*('[^']*'|"[^"]*"|[()\[\],]|[=!<>~]+|&&|\|\||[^\s()\[\],=!<>~'"]+)""")
_NEEDS_VALUE = {"=", "!=", "<>", "<", "<=", ">", ">=", "AND", "OR", "NOT", "IN", "LIKE", "ILIKE", "CONTAINS", "REGEXP"}


def only(
    body: Object, where: str, allowed: Collection[str], required: Collection[str] = (), code: str = _OF_DASHBOARD
) -> None:
    """`body` has no unknown fields and all the required ones."""
    if strangers := sorted(set(body) - set(allowed)):
        raise invalid(f'unknown field "{strangers[0]}" in {where}', code=code)
    if lacking := sorted(name for name in required if body.get(name) is None):
        raise invalid(f"{where}.{lacking[0]}: is required", code=code)


def one_of(value: Any, where: str, allowed: Collection[str], code: str = "invalid_input") -> None:
    if value not in allowed:
        raise invalid(f"{where}: {value!r}; allowed: {', '.join(sorted(allowed))}", code=code)


def dashboard(body: Object, old: Object | None) -> None:
    only(body, "dashboard", {"schemaVersion", "name", "generateName", "image", "tags", "spec"})
    one_of(body.get("schemaVersion"), "schemaVersion", {"v6"}, _OF_DASHBOARD)
    if "name" in body or not body.get("generateName"):
        dns_name(body, _OF_DASHBOARD)
    if old and body["name"] != old["name"]:
        raise invalid("a dashboard's name is immutable", code="dashboard_immutable")
    tags = body.get("tags") or []
    if len(tags) > 10:
        raise invalid("a dashboard has at most 10 tags", code=_OF_DASHBOARD)
    for tag in tags:
        only(tag, "tag", {"key", "value"}, ("key", "value"))
        if tag["key"] in RESERVED_TAGS:
            raise invalid(f"the tag key {tag['key']} is reserved", code=_OF_DASHBOARD)
    spec: Object = body.get("spec") or {}
    fields = {"display", "links", "duration", "refreshInterval", "variables", "panels", "layouts"}
    only(spec, "spec", fields, ("panels", "variables", "layouts"))
    only(spec.get("display") or {}, "display", {"name", "description"})
    for name in ("duration", "refreshInterval"):
        if spec.get(name) and not _DURATION.fullmatch(spec[name]):
            raise invalid(f"not a valid duration string: {spec[name]!r}", code=_OF_DASHBOARD)
    if len(str((spec.get("display") or {}).get("name") or "")) > 128:
        raise invalid("spec.display.name: at most 128 characters", code=_OF_DASHBOARD)
    _variables(spec["variables"])
    for key, panel in spec["panels"].items():
        _panel(key, panel)
    _layouts(spec)


def _variables(variables: Iterable[Object]) -> None:
    names: set[str] = set()
    for variable in variables:
        one_of(variable.get("kind"), "unknown variable kind", {"ListVariable", "TextVariable"}, _OF_DASHBOARD)
        inner = variable.get("spec") or {}
        if not re.fullmatch("[a-zA-Z0-9_.-]+", str(inner.get("name") or "")):
            raise invalid(f"variable: {inner.get('name')!r} is not a correct name", code=_OF_DASHBOARD)
        if inner.get("name") in names:
            raise invalid(f"spec.variables: duplicate variable {inner['name']}", code=_OF_DASHBOARD)
        names.add(str(inner.get("name")))
        if inner.get("allowAllValue") and not inner.get("allowMultiple"):
            raise invalid(f"variable {inner.get('name')}: allowAllValue needs allowMultiple", code=_OF_DASHBOARD)


def _panel(key: str, panel: Object) -> None:
    where = f"spec.panels.{key}"
    one_of(panel.get("kind"), f"{where}.kind", {"Panel"}, _OF_DASHBOARD)
    spec = panel.get("spec") or {}
    only(spec, where, {"display", "links", "plugin", "queries"}, ("plugin",))
    one_of(spec["plugin"].get("kind"), f"{where}: unknown panel plugin kind", set(PANELS), _OF_DASHBOARD)
    only(spec["plugin"], f"{where}.plugin", {"kind", "spec"}, ("spec",))
    only(spec["plugin"]["spec"], f"{where}.plugin", PANELS[spec["plugin"]["kind"]])
    found = spec.get("queries") or []
    if len(found) != 1:
        raise invalid(f"{where}.queries: a panel has one query, found {len(found)}", code=_OF_DASHBOARD)
    one_of(found[0].get("kind"), f"{where}: unknown request type", REQUESTS, _OF_DASHBOARD)
    plugin = (found[0].get("spec") or {}).get("plugin") or {}
    one_of(plugin.get("kind"), f"{where}: unknown query plugin kind", QUERIES, _OF_DASHBOARD)
    inner: Object = plugin.get("spec") or {}
    if plugin["kind"] == "signoz/BuilderQuery":
        _builder(inner, found[0]["kind"])
    elif plugin["kind"] == "signoz/CompositeQuery":
        queries(inner.get("queries"))


def _builder(spec: Object, request: str) -> None:
    only(spec, "query spec", BUILDER_FIELDS)
    one_of(spec.get("signal"), "signal", {"traces", "logs", "metrics"}, _OF_DASHBOARD)
    if not spec.get("aggregations") and not request.startswith(("raw", "trace")):
        raise invalid(f"invalid query '{spec.get('name')}': at least one aggregation is required", code=_OF_DASHBOARD)
    for aggregation in spec.get("aggregations") or []:
        expression = str(aggregation.get("expression", ""))
        # Commas between arguments are fine; between aggregations they are not.
        if "," in re.sub(r"\([^()]*\)", "", expression):
            raise invalid(f"`{expression}`: one function call in each aggregation", code=_OF_DASHBOARD)
        if expression.count("(") != expression.count(")"):
            raise invalid(f"`{expression}`: unable to parse expression", code=_OF_DASHBOARD)


def _layouts(spec: Object) -> None:
    placed: set[str] = set()
    for layout in spec["layouts"]:
        one_of(layout.get("kind"), "layout", {"Grid"}, _OF_DASHBOARD)
        items = (layout.get("spec") or {}).get("items") or []
        if len(items) > GRID_ITEMS:
            raise invalid(f"layout: {len(items)} items; maximum is {GRID_ITEMS}", code=_OF_DASHBOARD)
        taken: set[tuple[int, int]] = set()
        for item in items:
            reference = str(item.get("content", {}).get("$ref", ""))
            key = reference.removeprefix("#/spec/panels/")
            if key not in spec["panels"]:
                raise invalid(f"layout: {reference!r} is an unknown panel", code=_OF_DASHBOARD)
            if key in placed:
                raise invalid(f"layout: panel {key} is already placed", code=_OF_DASHBOARD)
            placed.add(key)
            x, y, width, height = (int(item.get(name, 0)) for name in ("x", "y", "width", "height"))
            if x < 0 or y < 0 or width < 1 or height < 1 or x + width > GRID_COLUMNS:
                raise invalid(f"layout: panel {key} exceeds the grid width {GRID_COLUMNS}", code=_OF_DASHBOARD)
            cells = {(column, row) for column in range(x, x + width) for row in range(y, y + height)}
            if cells & taken:
                raise invalid(f"layout: panel {key} and another overlap", code=_OF_DASHBOARD)
            taken |= cells


def queries(given: Any) -> None:
    """Of a rule, a saved view or a composite panel."""
    if not given:
        raise invalid("queries: at least one query is required")
    names: set[str] = set()
    for query in given:
        one_of(query.get("type"), "unknown query type", QUERY_TYPES)
        spec: Object = query.get("spec") or {}
        if query["type"] == "builder_query":
            only(spec, "query spec", BUILDER_FIELDS, code="invalid_input")
            one_of(spec.get("signal"), "invalid signal", {"traces", "logs", "metrics"})
        if spec.get("name") in names:
            raise invalid(f"duplicate query name {spec['name']}")
        names.add(str(spec.get("name")))


def rule(body: Object, channels: Collection[str]) -> None:
    """`channels`: the names of those that there are."""
    condition = body.get("condition")
    if not isinstance(condition, dict):
        raise invalid("condition: field is required")
    composite: Object = condition.get("compositeQuery") or {}
    mistakes = ["alert: field is required"] if not body.get("alert") else []
    allowed = {
        "alertType": {f"{kind}_BASED_ALERT" for kind in ("METRIC", "TRACES", "LOGS", "EXCEPTIONS")},
        "ruleType": {"threshold_rule", "promql_rule", "anomaly_rule"},
        "schemaVersion": {"v1", "v2alpha1"},
        "version": {"v5"},
    }
    mistakes += [
        f"{name}: unsupported value {body[name]!r}"
        for name in allowed
        if body.get(name, "") not in {*allowed[name], ""}
    ]
    for what in ("label", "annotation"):
        texts: Object = body.get(f"{what}s") or {}
        mistakes += [f"invalid {what} name: {name}" for name in texts if not _LABEL.fullmatch(name)]
        mistakes += [f"{what} {name}: no text" for name, value in texts.items() if not isinstance(value, str)]
    if not composite:
        mistakes.append("condition.compositeQuery: field is required")
    elif not composite.get("queries"):
        mistakes.append("condition.compositeQuery.queries: must have at least one query")
    if body.get("schemaVersion") == "v2alpha1":
        mistakes += [
            f"{name}: field is required" for name in ("evaluation", "notificationSettings") if name not in body
        ]
        mistakes += ["condition.thresholds: field is required"] if not condition.get("thresholds") else []
    else:
        old = [name for name in ("target", "op", "matchType") if condition.get(name) is None]
        mistakes += [f'condition.{name}: field is required for schemaVersion "v1"' for name in old]
    again: Object = (body.get("notificationSettings") or {}).get("renotify") or {}
    if again.get("enabled") and not _DURATION.fullmatch(str(again.get("interval"))):
        mistakes.append("notificationSettings.renotify.interval: must be a positive duration when renotify is enabled")
    if not mistakes:
        queries(composite["queries"])
        mistakes += _query_mistakes(composite["queries"], condition.get("selectedQueryName"))
    if mistakes:
        raise invalid("alert rule is not valid", *mistakes)
    _evaluation(body.get("evaluation") or {})
    _thresholds(body, channels)
    # Anomalies need a licence; what is no type at all is that of the queries.
    if body.get("ruleType") == "anomaly_rule" or not (body.get("ruleType") or composite.get("queryType")):
        raise invalid(f"{body.get('ruleType') or 'no type'}: error loading rules, previous rule set restored")


_LABEL = re.compile(r"[a-zA-Z_][\w.]*")


def _query_mistakes(given: Iterable[Object], selected: Any) -> Iterable[str]:
    names: set[str] = set()
    for query in given:
        spec = query.get("spec") or {}
        names.add(str(spec.get("name")))
        if query["type"] == "builder_query" and not spec.get("aggregations"):
            yield f"query {spec.get('name')}: at least one aggregation is required"
        if spec.get("signal") == "metrics" and not all(each.get("metricName") for each in spec["aggregations"]):
            yield f"query {spec.get('name')}: metric name is required"
    if all((query.get("spec") or {}).get("disabled") for query in given):
        yield "all queries are disabled - at least one query must be enabled"
    if selected and selected not in names:
        yield f"condition.selectedQueryName: {selected} does not match any query"


def _evaluation(evaluation: Object) -> None:
    if evaluation:
        one_of(evaluation.get("kind"), "unknown evaluation kind", {"rolling", "cumulative"})
        for name in ("evalWindow", "frequency") if evaluation["kind"] == "rolling" else ():
            if not re.search("[1-9]", _duration((evaluation.get("spec") or {}).get(name) or "0s")):
                raise invalid(f"failed to parse json: {name} must be greater than zero")


def _duration(value: Any) -> str:
    if not _DURATION.fullmatch(str(value)):
        raise invalid(f"failed to parse json: invalid duration {value!r}")
    return str(value)


def _thresholds(body: Object, channels: Collection[str]) -> None:
    thresholds: Object = body["condition"].get("thresholds") or {}
    if body.get("schemaVersion") == "v2alpha1" and not thresholds.get("spec"):
        raise invalid("condition.thresholds.spec: must have at least one threshold")
    settings = body.get("notificationSettings") or {}
    if thresholds:
        one_of(thresholds.get("kind"), "failed to parse json: unknown threshold kind", {"basic"})
    for threshold in thresholds.get("spec") or []:
        if not threshold.get("name"):
            raise invalid("failed to parse json: threshold name cannot be empty")
        one_of(threshold.get("op"), "condition.op: unsupported value", OPERATORS)
        one_of(threshold.get("matchType"), "condition.matchType: unsupported value", MATCH_TYPES)
        if not isinstance(threshold.get("target"), int | float):
            raise invalid("failed to parse json: a threshold's target cannot be nil")
        named = threshold.get("channels") or []
        if not named and not settings.get("usePolicy"):
            raise invalid("at least one channel is required")
        if missing := [name for name in named if name not in channels]:
            raise invalid(f"channels: these do not exist: {', '.join(missing)}")


def preview(query: Object) -> Object:
    """What SigNoz says of a query that it would run. Raises `Refusal` for a filter that it cannot read."""
    spec: Object = query.get("spec") or {}
    text = str((spec.get("filter") or {}).get("expression") or "")
    if problem := _filter_problem(text):
        raise invalid("syntax errors while parsing the filter expression", problem)
    if query.get("type") == "builder_query" and not spec.get("aggregations"):
        error = invalid("at least one aggregation is required").body["error"]
        return {"valid": False, "warnings": [], "statements": [], "error": error}
    found = [str(each.get("expression") or "") for each in spec.get("aggregations") or []]
    found += [str(spec.get("expression") or "")] if query.get("type") == "builder_formula" else []
    if wrong := next((each for each in found if each.count("(") != each.count(")")), None):
        error = Refusal(500, "internal", f"failed to parse aggregation expression {wrong!r}").body["error"]
        return {"valid": False, "warnings": [], "statements": [], "error": error}
    is_cut = query.get("type") == "promql" and str(spec.get("query")).count("(") != str(spec.get("query")).count(")")
    warnings = ["invalid promql query: parse error: unclosed parenthesis"] if is_cut else []
    return {"valid": True, "warnings": warnings, "statements": [], "error": None}


def _filter_problem(text: str) -> str | None:
    position, tokens = 0, list[str]()
    while position < len(text.rstrip()):
        found = _TOKEN.match(text, position)
        if found is None:
            return f"character {position}: a quote is not closed"
        tokens.append(found[1])
        position = found.end()
    if tokens.count("(") != tokens.count(")"):
        return "a parenthesis is not closed"
    if tokens and tokens[-1].upper() in _NEEDS_VALUE:
        return f"a value is expected after {tokens[-1]}"
    return None


def channel(body: Object) -> str:
    """The channel's kind."""
    if not body.get("name"):
        raise unknown("missing name in receiver")
    kinds = [kind for kind in CHANNEL_KINDS if body.get(f"{kind}_configs")]
    if not kinds:
        raise invalid("channel: must have at least one receiver", code="alertmanager_channel_invalid")
    for receiver in body.get("slack_configs") or []:
        if not receiver.get("api_url"):
            raise unknown("no Slack API URL")
        _address(receiver["api_url"])
    for receiver in body.get("webhook_configs") or []:
        _address(receiver.get("url"))
    for kind, need in (("email", ("to",)), ("pagerduty", ("service_key", "routing_key", "routing_key_file"))):
        if not all(any(receiver.get(name) for name in need) for receiver in body.get(f"{kind}_configs") or []):
            raise unknown(f"missing {need[-1]} in {kind} config")
    return kinds[0]


def _address(value: Any) -> None:
    try:
        parts = urlsplit(str(value))
        good = bool(parts.scheme in ("http", "https") and parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or re.search("%(?![0-9A-Fa-f]{2})", str(value)):
        # With the address, as SigNoz does: whoever shows this has to hide it.
        raise unknown(f'parse "{value}": invalid URL')


def route_policy(body: Object) -> None:
    if not body.get("expression"):
        raise invalid("expression is required")
    if not body.get("name"):
        raise invalid("name is required")
    if not body.get("channels"):
        raise invalid("at least one channel is required")
    _expression(str(body["expression"]), "expression syntax")


def _expression(text: str, what: str, code: str = "invalid_input") -> None:
    """As far as sensible: of github.com/expr-lang/expr."""
    outside = re.sub(r'"[^"]*"|\'[^\']*\'', "x", text)
    if re.match(r"\s*(==|!=|&&|\|\|)", outside) or re.search(r"(==|!=|&&|\|\||!)\s*$", outside):
        raise invalid(f"invalid {what}: unexpected token", code=code)
    if outside.count("(") != outside.count(")"):
        raise invalid(f"invalid {what}: unexpected token", code=code)


def downtime(body: Object, rules: Collection[str]) -> None:
    """`rules`: the identifiers of those that there are."""
    if not body.get("name"):
        raise invalid("missing name", code=_OF_DOWNTIME)
    if not body.get("schedule"):
        raise invalid("missing schedule", code=_OF_DOWNTIME)
    schedule: Object = body["schedule"]
    if not schedule.get("timezone"):
        raise invalid("missing timezone")
    try:
        zoneinfo.ZoneInfo(schedule["timezone"])
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        raise invalid(f"invalid timezone {schedule['timezone']!r}") from None
    start = _time(schedule.get("startTime") or "", "start")
    if schedule.get("endTime") and _time(schedule["endTime"], "end") < start:
        raise invalid("the start is after the end", code=_OF_DOWNTIME)
    recurrence = schedule.get("recurrence")
    if recurrence:
        for name in ("duration", "repeatType"):
            if not recurrence.get(name):
                raise invalid(f"missing {name} in the payload", code=_OF_DOWNTIME)
        _duration(recurrence["duration"])
    if body.get("scope"):
        _expression(body["scope"], "scope", _OF_DOWNTIME)
    for identifier in body.get("alertIds") or []:
        try:
            uuid.UUID(identifier)
        except ValueError:
            raise invalid(f"invalid uuid {identifier}", code="invalid_valuer") from None
        if identifier not in rules:
            raise unknown("constraint failed: FOREIGN KEY constraint failed")


def _time(value: str, what: str) -> datetime.datetime:
    try:
        found = datetime.datetime.fromisoformat(value)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise invalid(f"invalid {what} time {value!r}")
    return found


def saved_view(body: Object, old: Object | None) -> None:
    fields = {"source", "schemaVersion", "spec"}
    allowed = fields if old else {*fields, "name", "generateName"}
    spec: Object = body.get("spec") or {}
    inner = {"displayName", "panelType", "requestType", "queries", "selectedFields", "display"}
    shown = set(spec.get("display") or {}) - set(DISPLAY_OF_VIEW)
    if strangers := sorted({*(set(body) - allowed), *(set(spec) - inner), *shown}):
        raise invalid(f'unknown field "{strangers[0]}"')
    one_of(body.get("source"), "invalid source", {"traces", "logs", "metrics", "meter"}, _OF_VIEW)
    one_of(body.get("schemaVersion"), "schemaVersion", {"v2"}, _OF_VIEW)
    if not old and ("name" in body or not body.get("generateName")):
        dns_name(body, _OF_VIEW)
    if not spec.get("displayName"):
        raise invalid("displayName is required", code=_OF_VIEW)
    one_of(spec.get("panelType"), "invalid panel type", {"value", "graph", "table", "list", "trace"}, _OF_VIEW)
    one_of(spec.get("requestType"), "unknown request type", REQUESTS)
    queries(spec.get("queries"))


def pricing_rule(body: Object) -> None:
    """SigNoz looks into little else."""
    if not isinstance(body.get("modelPattern", []), list):
        raise invalid("modelPattern: a list of texts", code="invalid_request_field")
    for name in ("id", "sourceId"):
        try:
            uuid.UUID(body.get(name) or str(uuid.uuid4()))
        except ValueError:
            raise invalid(f"invalid uuid {body[name]}", code="invalid_valuer") from None


def dns_name(body: Object, code: str) -> None:
    if not body.get("name"):
        raise invalid("name is required", code=code)
    if not DNS_NAME.fullmatch(str(body["name"])):
        raise invalid("name: 1 to 63 lower case letters, digits and hyphens, none at either end", code=code)


def identifier(value: str) -> None:
    try:
        uuid.UUID(value)
    except ValueError:
        raise invalid("id is not a valid uuid-v7") from None
