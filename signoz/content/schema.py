"""The documents in which dashboards, alert rules and saved views are written, Turnscope's own and users' alike.

A YAML file is one object. What is valid here compiles to what the API takes (`signoz.content.compile`); mistakes that
SigNoz would refuse, or would take and show nothing for, are found here. Names of spans, attributes and metrics are
checked against real telemetry (tests/contract).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from signoz.content.filters import FilterError, parse_aggregate, parse_filter
from signoz.content.units import unit_problem
from stacks.settings.fields import NUMBER, Flag, Matching, Model, problem

CONTEXTS = ("resource", "attribute", "span", "log", "scope", "event", "body", "metric")
RESERVED_VARIABLES = (
    *("start_timestamp", "end_timestamp", "start_timestamp_ms", "end_timestamp_ms"),
    *("start_timestamp_nano", "end_timestamp_nano", "start_datetime", "end_datetime"),
)
"""What SigNoz itself puts into PromQL and SQL (signoz.io/docs/userguide/write-clickhouse-queries)."""
MOST_TAGS = 10
RESERVED_TAGS = ("name", "description", "created_at", "updated_at", "created_by", "locked", "source")
FORMULA_FUNCTIONS = (
    *("abs", "exp", "log", "ln", "exp2", "log2", "exp10", "log10", "sqrt", "cbrt", "erf", "erfc", "lgamma", "tgamma"),
    *("sin", "cos", "tan", "asin", "acos", "atan", "degrees", "radians", "now"),
)
_VARIABLE = re.compile(r"\$(\w+)")


def _unit(unit: str) -> str:
    if words := unit_problem(unit):
        raise problem(words)
    return unit


def _where(text: str) -> str:
    try:
        parse_filter(text)
    except FilterError as error:
        raise problem(f"not a filter: {error}") from None
    return text


def _aggregate(text: str) -> str:
    try:
        parse_aggregate(text)
    except FilterError as error:
        raise problem(f"not an aggregation: {error}") from None
    return text


Key = Annotated[str, Matching("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", "1 to 63 lower-case letters, digits and -")]
QueryName = Annotated[str, Matching("[A-Z][A-Z0-9]{0,2}", "a capital letter such as A")]
Number = Annotated[float, NUMBER]
Unit = Annotated[str, AfterValidator(_unit)]
Title = Annotated[str, Field(min_length=1, max_length=128)]
Signal = Literal["traces", "logs", "metrics"]
Field_ = Annotated[
    str,
    Matching(
        rf"({'|'.join(CONTEXTS)})\..+", f"a key with its context, such as resource.service.name ({', '.join(CONTEXTS)})"
    ),
]
"""A telemetry field, with its context."""
Tag = Annotated[
    str,
    Matching(
        r"([A-Za-z][A-Za-z0-9_-]{0,31}:)?[A-Za-z0-9][A-Za-z0-9_.-]{0,31}", "value or key:value, 32 characters each"
    ),
]
VariableName = Annotated[str, Matching("[a-z][a-z0-9_]{0,62}", "lower-case letters, digits and _")]


class Query(Model):
    """One query. Exactly one of `signal`, `metric`, `formula`, `promql` and `sql` says what it asks."""

    name: QueryName = "A"
    """What formulas and rules call it."""
    signal: Literal["traces", "logs"] | None = None
    """Spans or log records: aggregated by `aggregate`, or as they are, in a list."""
    aggregate: Annotated[str, AfterValidator(_aggregate)] | None = None
    """Of spans or log records: `count()`, `p95(lk.e2e_latency)`, `sum(gen_ai.usage.cost)`."""
    metric: str | None = None
    """A metric's name, with `time_aggregation` and `space_aggregation`."""
    time_aggregation: Literal["latest", "sum", "avg", "min", "max", "count", "rate", "increase"] | None = None
    """Within one series; none for histograms."""
    space_aggregation: Literal["sum", "avg", "min", "max", "count", "p50", "p75", "p90", "p95", "p99"] | None = None
    """Across series."""
    reduce: Literal["sum", "count", "avg", "min", "max", "last", "median"] | None = None
    """Of a metric in a panel that shows one value: which of the values over time. By default the sum of an `increase`,
    else the last one."""
    formula: str | None = None
    """Arithmetic over other queries: `100 * A / B`."""
    promql: str | None = None
    """A PromQL expression."""
    sql: str | None = None
    """A ClickHouse query."""
    where: Annotated[str, AfterValidator(_where)] = ""
    """A filter in SigNoz' own language: `name = 'agent_turn' AND has_error = true`."""
    group_by: tuple[Field_, ...] = ()
    """Keys, each with its context: `resource.service.name`, `attribute.gen_ai.request.model`, `span.name`."""
    having: str = ""
    """A condition on the aggregate."""
    order_by: Annotated[str, Matching(r"(\S+ )?(asc|desc)", "asc or desc, in a list with a key before it")] | None = (
        None
    )
    """`desc` or `asc` by the value; in a list `timestamp desc`, the newest first, unless another key is named."""
    limit: Annotated[int, Field(ge=1, le=10_000), NUMBER] | None = None
    """Series or rows at most."""
    step_seconds: Annotated[int, Field(ge=1, le=86_400), NUMBER] | None = None
    """In a chart: the time that one point covers; by default SigNoz chooses by the time shown."""
    legend: str = ""
    """A series' or column's name; `{service.name}` is a group key's value."""
    unit: Unit = ""
    """Of its column, in a table; else the panel's."""
    hidden: Flag = False
    """Only there for formulas."""

    @model_validator(mode="after")
    def _one_source(self) -> Query:
        sources = [name for name in ("signal", "metric", "formula", "promql", "sql") if getattr(self, name) is not None]
        if len(sources) != 1:
            found = " and ".join(sources) or "nothing"
            raise problem(f"query {self.name} asks {found}: allowed: one of signal, metric, formula, promql, sql")
        [source] = sources
        if not getattr(self, source).strip():
            raise problem(f"query {self.name}: {source} is empty")
        for name, owners in _FIELDS.items():
            if getattr(self, name) and source not in owners:
                raise problem(
                    f"query {self.name}: {name} cannot be used with {source}; it requires {' or '.join(owners)}"
                )
        if self.metric is None:
            return self
        if self.space_aggregation is None:
            raise problem(
                f"query {self.name}: space_aggregation is missing: it defines how the series of the metric are combined"
            )
        if (self.time_aggregation is None) != self.space_aggregation.startswith("p"):
            raise problem(
                f"query {self.name}: percentiles are for histograms, without time_aggregation; "
                "all other aggregations require time_aggregation"
            )
        return self

    def variables(self) -> set[str]:
        """Variables that its text names."""
        return set(_VARIABLE.findall(" ".join(filter(None, (self.where, self.promql, self.sql))))) - {
            *RESERVED_VARIABLES
        }


_FIELDS = {
    "aggregate": ("signal",),
    "time_aggregation": ("metric",),
    "space_aggregation": ("metric",),
    "reduce": ("metric",),
    "where": ("signal", "metric"),
    "group_by": ("signal", "metric"),
    "having": ("signal", "metric", "formula"),
    "order_by": ("signal", "metric", "formula"),
    "limit": ("signal", "metric", "formula"),
    "step_seconds": ("signal", "metric"),
}


def query_problems(queries: Sequence[Query], *, listed: bool = False, charted: bool = False) -> Iterator[str]:
    """What is wrong between the queries of a panel, a rule or a view; `listed`: they show records, not values;
    `charted`: values over time."""
    names = Counter(query.name for query in queries)
    yield from (f"query {name} appears {count} times" for name, count in names.items() if count > 1)
    for query in queries:
        if query.formula is not None:
            words = set(re.findall(r"[A-Za-z_]\w*", query.formula))
            others = {each.name for each in queries if each is not query and not (each.promql or each.sql)}
            if unknown := sorted(words - others - {*FORMULA_FUNCTIONS}):
                allowed = ", ".join(sorted(others)) or "no query"
                yield f"formula {query.name} names {', '.join(unknown)}: allowed: {allowed}"
            elif not words & others:
                yield f"formula {query.name} names no query"
            elif not _is_formula(query.formula):
                yield (
                    f"formula {query.name} cannot be parsed: allowed: names of queries, numbers, + - * / % **, ( ), "
                    "and comparisons: A > 9 ? B : 0"
                )
        if query.step_seconds and not charted:
            yield f"query {query.name}: step_seconds is only for charts; a rule has step_minutes"
        if query.signal and not listed and query.aggregate is None:
            yield f"query {query.name}: aggregate is missing, such as count()"
        if listed and not query.signal:
            yield f"query {query.name}: a list shows spans or log records: signal: traces or logs"
        if listed and query.aggregate:
            yield f"query {query.name}: a list shows single records, without aggregate"
        if query.order_by and " " in query.order_by and not listed:
            yield f"query {query.name}: order_by {query.order_by}: allowed here: asc or desc, by the value"
    kinds = {"promql" if each.promql else "sql" if each.sql else "others" for each in queries}
    if len(kinds) > 1:
        yield f"{' and '.join(sorted(kinds))} are mixed: SigNoz supports one kind per panel"
    if all(query.hidden for query in queries):
        yield "every query is hidden"


def _is_formula(text: str) -> bool:
    return not re.sub(r"[\w\s.,+*/()^%<>=!?:&|-]", "", text) and text.count("(") == text.count(")")


class Threshold(Model):
    """A value from which on a panel takes a colour; in a chart a line."""

    value: Number
    """In the panel's unit."""
    label: str = ""
    """Beside the line, in a chart."""
    color: Literal["red", "orange", "green", "blue"] = "red"
    """The colour that it takes."""
    when: Literal["above", "below", "above_or_equal", "below_or_equal"] = "above"
    """Of a number or table: which side of the value is coloured."""
    query: QueryName = "A"
    """Of a table: the column."""


class Panel(Model):
    """A panel; the grid has 12 columns."""

    title: Title
    """What SigNoz shows; no two alike."""
    description: str = ""
    """A sentence behind the panel's i."""
    kind: Literal["time_series", "bar", "number", "table", "pie", "histogram", "list"] = "time_series"
    """How it is shown."""
    queries: Annotated[tuple[Query, ...], Field(min_length=1, max_length=10)]
    """What it asks: one query, or several with formulas over them."""
    unit: Unit = ""
    """SigNoz' unit id: `s`, `ms`, `%`, `currencyUSD`, `short`, `bytes`; see docs/how-to/content.md."""
    decimals: Annotated[int, Field(ge=0, le=4), NUMBER] = 2
    """Digits after the point."""
    thresholds: tuple[Threshold, ...] = ()
    """Values from which on it takes a colour."""
    columns: tuple[Field_, ...] = ()
    """Of a list: the fields shown."""
    period: Literal["5m", "15m", "30m", "1h", "6h", "1d", "3d", "1w", "1M"] | None = None
    """The time it shows, ending now; by default what the dashboard shows."""
    stacked: Flag = False
    """Of bars: one on the other."""
    without: tuple[VariableName, ...] = ()
    """Variables that its queries do not follow, as what they ask does not know the key."""
    width: Annotated[int, Field(ge=1, le=12), NUMBER] = 6
    """Columns, of 12."""
    height: Annotated[int, Field(ge=1, le=20), NUMBER] = 6
    """Rows."""

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Panel:
        shown = [query for query in self.queries if not query.hidden]
        for words in query_problems(
            self.queries, listed=self.kind == "list", charted=self.kind in ("time_series", "bar")
        ):
            raise problem(words)
        if self.kind in ("list", "number") and len(shown) > 1:
            raise problem(f"a {self.kind} shows one query; {', '.join(each.name for each in shown)} are not hidden")
        if self.kind == "list" and len(self.queries) > 1:
            raise problem("a list has one query")
        if self.kind in ("table", "pie") and any(each.promql for each in self.queries):
            raise problem(f"a {self.kind} cannot show PromQL; allowed: time_series, bar, number, histogram")
        if bool(self.columns) != (self.kind == "list"):
            raise problem("columns are required for a list, and not allowed otherwise")
        if self.stacked and self.kind != "bar":
            raise problem("stacked is only for bars")
        if self.thresholds and self.kind in ("pie", "histogram", "list"):
            raise problem(f"a {self.kind} has no thresholds")
        if self.unit and self.kind in ("histogram", "list"):
            raise problem(f"SigNoz shows no unit in a {self.kind}")
        if self.period and self.kind in ("histogram", "list"):
            raise problem(f"a {self.kind} always shows the time range of the dashboard")
        names = {query.name for query in shown}
        for threshold in self.thresholds:
            if self.kind == "table" and threshold.query not in names:
                raise problem(f"a threshold of query {threshold.query}: allowed: {', '.join(sorted(names))}")
        return self


class Section(Model):
    """A titled group of panels, laid out left to right and top to bottom."""

    title: Title
    """What SigNoz shows; no two alike."""
    panels: Annotated[tuple[Panel, ...], Field(min_length=1, max_length=100)]
    """Its panels, in their order."""


class Variable(Model):
    """A choice at the top of a dashboard: any number of a key's values, at first all.

    Every query of one of its `signals` follows it, unless its panel says `without`; PromQL and SQL name it as `$name`
    themselves.
    """

    name: VariableName
    """What PromQL, SQL and filters call it, as `$name`."""
    key: Field_
    """The key whose values are offered, with its context: `resource.service.name`."""
    signal: Signal = "traces"
    """Where the values are looked up."""
    signals: tuple[Signal, ...] = ("traces", "logs", "metrics")
    """What follows it."""
    description: str = ""
    """A sentence beside the choice."""


class Dashboard(Model):
    """A dashboard."""

    key: Key
    """What it is found by; stays when the title changes."""
    title: Title
    """What SigNoz shows; no two alike."""
    description: str = ""
    """A sentence below the title."""
    tags: Annotated[tuple[Tag, ...], Field(max_length=MOST_TAGS)] = ()
    """`value` or `key:value`, to find it by."""
    variables: tuple[Variable, ...] = ()
    """Choices at the top."""
    sections: Annotated[tuple[Section, ...], Field(min_length=1, max_length=20)]
    """Its panels, in titled groups."""

    @model_validator(mode="after")
    def _consistent(self) -> Dashboard:
        panels = [panel for section in self.sections for panel in section.panels]
        for what, names in (
            ("section", [section.title for section in self.sections]),
            ("panel", [panel.title for panel in panels]),
            ("variable", [variable.name for variable in self.variables]),
        ):
            if twice := [name for name, count in Counter(names).items() if count > 1]:
                raise problem(f"{what} {twice[0]!r} appears {names.count(twice[0])} times")
        if reserved := [tag for tag in self.tags if tag.partition(":")[0].lower() in RESERVED_TAGS and ":" in tag]:
            raise problem(f"tag {reserved[0]} is reserved by SigNoz, like {', '.join(RESERVED_TAGS)}")
        if clash := [each.name for each in self.variables if each.name in RESERVED_VARIABLES]:
            raise problem(f"variable {clash[0]} is reserved by SigNoz")
        known = {variable.name for variable in self.variables}
        for panel in panels:
            named = {*panel.without}.union(*(query.variables() for query in panel.queries))
            if missing := sorted(named - known):
                allowed = ", ".join(sorted(known)) or "none is defined"
                raise problem(f"panel {panel.title!r} names variable {missing[0]}: allowed: {allowed}")
        for variable in self.variables:
            if not any(follows(query, panel, variable) for panel in panels for query in panel.queries):
                raise problem(f"variable {variable.name}: it filters no query")
        return self


def follows(query: Query, panel: Panel, variable: Variable) -> bool:
    """Whether a choice of `variable` filters `query`."""
    if variable.name in query.variables():
        return True
    signal = "metrics" if query.metric else query.signal
    return signal in variable.signals and variable.name not in panel.without


class AlertThreshold(Model):
    """When a rule fires at one severity."""

    severity: Literal["critical", "warning", "info"]
    above: Number | None = None
    below: Number | None = None
    """Exactly one of `above` and `below`."""
    channels: tuple[str, ...] = ()
    """Names of channels; none for the routes of the stack's alertmanager settings."""

    @model_validator(mode="after")
    def _one_bound(self) -> AlertThreshold:
        if (self.above is None) == (self.below is None):
            raise problem("allowed: exactly one of above and below")
        return self


class AlertRule(Model):
    """An alert rule."""

    key: Key
    """What it is found by; stays when the title changes."""
    title: Title
    """What SigNoz shows; no two alike."""
    description: str = ""
    queries: Annotated[tuple[Query, ...], Field(min_length=1, max_length=10)]
    """What it asks: one query, or several with formulas over them."""
    watched: QueryName = "A"
    """The query whose value is compared."""
    unit: Unit = ""
    thresholds: Annotated[tuple[AlertThreshold, ...], Field(min_length=1, max_length=3)]
    for_minutes: Annotated[int, Field(ge=1, le=1440), NUMBER] = 5
    """The window that is looked at, ending now."""
    every_minutes: Annotated[int, Field(ge=1, le=60), NUMBER] = 1
    """How often it is evaluated."""
    step_minutes: Annotated[int, Field(ge=1, le=60), NUMBER] = 1
    """What one value of the window covers."""
    match: Literal["at_least_once", "all_the_times", "on_average", "in_total", "last"] = "at_least_once"
    """Which of the window's values must be beyond the threshold."""
    absent_minutes: Annotated[int, Field(ge=1, le=1440), NUMBER] | None = None
    """Also fire after this many minutes without any data."""
    minimum_points: Annotated[int, Field(ge=1, le=1000), NUMBER] | None = None
    """Values that the window must have before it is judged."""
    runbook: str | None = None
    """A page in docs/runbooks/, by its name; an http(s) address of your own."""
    labels: dict[str, str] = Field(default={})
    enabled: Flag = True

    @model_validator(mode="after")
    def _consistent(self) -> AlertRule:
        for words in query_problems(self.queries):
            raise problem(words)
        if self.watched not in {query.name for query in self.queries if not query.hidden}:
            raise problem(f"watched: {self.watched}: allowed: the name of a query that is not hidden")
        if twice := [s for s, n in Counter(each.severity for each in self.thresholds).items() if n > 1]:
            raise problem(f"two thresholds of severity {twice[0]}")
        if named := sorted(set[str]().union(*(query.variables() for query in self.queries))):
            raise problem(f"a rule has no variables: ${named[0]}")
        return self


class SavedView(Model):
    """A saved view of an explorer."""

    key: Key
    """What it is found by; stays when the title changes."""
    title: Title
    """What SigNoz shows."""
    signal: Signal
    """The explorer that it opens in."""
    kind: Literal["list", "graph", "table", "value", "trace"] = "list"
    """How it is shown."""
    queries: Annotated[tuple[Query, ...], Field(min_length=1, max_length=10)]
    """What it asks: one query, or several with formulas over them."""
    columns: tuple[Field_, ...] = ()
    """The fields shown, in a list."""

    @model_validator(mode="after")
    def _consistent(self) -> SavedView:
        for words in query_problems(self.queries, listed=self.kind in ("list", "trace"), charted=self.kind == "graph"):
            raise problem(words)
        for query in self.queries:
            asked = "metrics" if query.metric else query.signal
            if not query.formula and asked != self.signal:
                raise problem(f"query {query.name} asks {asked or 'by PromQL or SQL'}, the view {self.signal}")
        if self.kind == "trace" and self.signal != "traces":
            raise problem("kind trace needs signal traces")
        if named := sorted(set[str]().union(*(query.variables() for query in self.queries))):
            raise problem(f"a saved view has no variables: ${named[0]}")
        return self
