"""The typed form in which dashboards, alert rules and saved views are written, Earshot's own and users' alike.

A YAML file is one object. Compiled to the API of a release by `signoz.content.compile`; names of spans, attributes
and metrics in it are checked against real telemetry (`signoz.content.references`, tests/contract).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from stacks.fields import NUMBER, Flag, Matching, Model

Key = Annotated[str, Matching("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", "1 to 63 lower-case letters, digits and -")]
QueryName = Annotated[str, Matching("[A-Z][A-Z0-9]{0,2}", "a capital letter such as A")]
Number = Annotated[float, NUMBER]


class Query(Model):
    """One query. Exactly one of `signal`, `metric`, `formula`, `promql` and `sql` says what it asks."""

    name: QueryName = "A"
    """What formulas and rules call it."""
    signal: Literal["traces", "logs"] | None = None
    """Aggregate spans or log records, with `aggregate`."""
    aggregate: str | None = None
    """Of spans or log records: `count()`, `p95(lk.e2e_latency)`, `sum(gen_ai.usage.cost)`."""
    metric: str | None = None
    """A metric's name, with `time_aggregation` and `space_aggregation`."""
    time_aggregation: Literal["latest", "sum", "avg", "min", "max", "count", "rate", "increase"] | None = None
    """Within one series; none for histograms."""
    space_aggregation: Literal["sum", "avg", "min", "max", "count", "p50", "p75", "p90", "p95", "p99"] | None = None
    """Across series."""
    formula: str | None = None
    """Arithmetic over other queries: `100 * A / B`."""
    promql: str | None = None
    """A PromQL expression."""
    sql: str | None = None
    """A ClickHouse query."""
    where: str = ""
    """A filter in SigNoz' own language: `name = 'agent_turn' AND has_error = true`."""
    group_by: tuple[str, ...] = ()
    """Keys, each with its context: `resource.service.name`, `attribute.gen_ai.request.model`, `span.name`."""
    having: str = ""
    """A condition on the aggregate."""
    order_by: str = ""
    """`desc` or `asc` by the value; empty for the server's own order."""
    limit: Annotated[int, Field(ge=1, le=10_000), NUMBER] | None = None
    """Series or rows at most."""
    legend: str = ""
    """A series' name; `{{service.name}}` is a group key's value."""
    hidden: Flag = False
    """Only there for formulas."""


class Threshold(Model):
    """A line on a panel."""

    value: Number
    label: str = ""
    color: Literal["red", "orange", "green", "blue"] = "red"


class Panel(Model):
    """A panel; the grid has 12 columns."""

    title: Annotated[str, Field(min_length=1, max_length=128)]
    description: str = ""
    kind: Literal["time_series", "bar", "number", "table", "pie", "histogram", "list"] = "time_series"
    queries: Annotated[tuple[Query, ...], Field(min_length=1, max_length=10)]
    unit: str = ""
    """SigNoz' unit id: `s`, `ms`, `percent`, `currencyUSD`, `short`, `bytes`; see docs/how-to/content.md."""
    decimals: Annotated[int, Field(ge=0, le=10), NUMBER] | None = None
    thresholds: tuple[Threshold, ...] = ()
    columns: tuple[str, ...] = ()
    """Of a list: the fields shown."""
    width: Annotated[int, Field(ge=1, le=12), NUMBER] = 6
    height: Annotated[int, Field(ge=1, le=20), NUMBER] = 6


class Section(Model):
    """A titled group of panels, laid out left to right and top to bottom."""

    title: Annotated[str, Field(min_length=1, max_length=128)]
    panels: Annotated[tuple[Panel, ...], Field(min_length=1, max_length=100)]


class Variable(Model):
    """A choice at the top of a dashboard, used in filters as `$name`."""

    name: Annotated[str, Matching("[a-z][a-z0-9_]{0,62}", "lower-case letters, digits and _")]
    key: str
    """The attribute whose values are offered, with its context: `resource.service.name`."""
    signal: Literal["traces", "logs", "metrics"] = "traces"
    description: str = ""


class Dashboard(Model):
    """A dashboard."""

    key: Key
    title: Annotated[str, Field(min_length=1, max_length=128)]
    description: str = ""
    tags: tuple[str, ...] = ()
    variables: tuple[Variable, ...] = ()
    sections: Annotated[tuple[Section, ...], Field(min_length=1, max_length=20)]


class AlertThreshold(Model):
    """When a rule fires at one severity."""

    severity: Literal["critical", "warning", "info"]
    above: Number | None = None
    below: Number | None = None
    """Exactly one of `above` and `below`."""
    channels: tuple[str, ...] = ()
    """Names of channels; none for the routes of the stack's alertmanager settings."""


class AlertRule(Model):
    """An alert rule."""

    key: Key
    title: Annotated[str, Field(min_length=1, max_length=128)]
    description: str = ""
    queries: Annotated[tuple[Query, ...], Field(min_length=1, max_length=10)]
    watched: QueryName = "A"
    """The query whose value is compared."""
    unit: str = ""
    thresholds: Annotated[tuple[AlertThreshold, ...], Field(min_length=1, max_length=3)]
    for_minutes: Annotated[int, Field(ge=1, le=1440), NUMBER] = 5
    """The window that is looked at, ending now."""
    every_minutes: Annotated[int, Field(ge=1, le=60), NUMBER] = 1
    """How often it is evaluated."""
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


class SavedView(Model):
    """A saved view of an explorer."""

    key: Key
    title: Annotated[str, Field(min_length=1, max_length=128)]
    signal: Literal["traces", "logs", "metrics"]
    kind: Literal["list", "graph", "table", "value", "trace"] = "list"
    queries: Annotated[tuple[Query, ...], Field(min_length=1, max_length=10)]
    columns: tuple[str, ...] = ()
