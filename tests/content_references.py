"""Every name of telemetry that content asks for: spans, attributes, log fields, metrics, labels.

For the contract with real telemetry (tests/contract): what nobody emits makes a panel that is always empty, and an
alert that never fires.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from signoz.content.filters import Comparison, Filter, parse_aggregate, parse_filter
from signoz.content.model import ContentObject


class Sort(StrEnum):
    """What a name is; `KEY` is one whose context the query leaves open: attribute or resource."""

    SPAN = "span"
    METRIC = "metric"
    FIELD = "field"
    ATTRIBUTE = "attribute"
    RESOURCE = "resource"
    KEY = "key"


@dataclass(frozen=True, order=True)
class Reference:
    """A name in a query. `of`: spans or metrics that the query is about, of which one has to have it; empty for any."""

    signal: str
    sort: Sort
    name: str
    of: tuple[str, ...]
    source: str

    def __str__(self) -> str:
        of = f" of {' or '.join(self.of)}" if self.of else ""
        return f"{self.source}: {self.signal}: {self.sort} {self.name}{of}"


# fmt: off
FIELDS = {
    "traces": frozenset({
        "name", "timestamp", "duration_nano", "has_error", "trace_id", "span_id", "parent_span_id", "trace_state",
        "flags", "kind", "kind_string", "status_code", "status_code_string", "status_message", "is_remote", "isRoot",
        "isEntryPoint", "response_status_code", "http_method", "http_url", "http_host", "external_http_method",
        "external_http_url", "db_name", "db_operation",
    }),
    "logs": frozenset({
        "timestamp", "observed_timestamp", "id", "trace_id", "span_id", "trace_flags", "severity_text",
        "severity_number", "body",
    }),
    "metrics": frozenset(),
}
# fmt: on
"""What every span or log record has in SigNoz (`pkg/telemetryschema` of github.com/SigNoz/signoz at v0.138.0)."""
_CONTEXTS = {
    **dict.fromkeys(("attribute", "tag", "point"), Sort.ATTRIBUTE),
    "resource": Sort.RESOURCE,
    **dict.fromkeys(("span", "spanfield", "log", "logfield", "trace", "tracefield", "body", "scope"), Sort.FIELD),
}


def references(objects: Iterable[ContentObject]) -> tuple[Reference, ...]:
    """The names that dashboards, alert rules and saved views ask for, in order, each once."""
    return tuple(sorted({found for each in objects for found in _walk(each.body, f"{each.source} ({each.name})")}))


def _walk(node: Any, source: str) -> Iterator[Reference]:
    if isinstance(node, list):
        for each in node:
            yield from _walk(each, source)
    if not isinstance(node, Mapping):
        return
    spec = node.get("spec")
    kind = node.get("kind") or node.get("type")
    if isinstance(spec, Mapping):
        match kind:
            case "Panel":
                source = f"{source}, panel {spec['display']['name']!r}"
                yield from _columns(spec, source)
            case "builder_query" | "signoz/BuilderQuery":
                yield from _built(spec, f"{source}, query {spec.get('name', '')}")
                return
            case "promql" | "signoz/PromQLQuery":
                yield from _promql(spec["query"], f"{source}, query {spec.get('name', '')}")
                return
            case "clickhouse_sql" | "signoz/ClickHouseSQL":
                yield from _sql(spec["query"], f"{source}, query {spec.get('name', '')}")
                return
            case "signoz/DynamicVariable" if spec.get("signal") in FIELDS:
                yield _reference(spec["signal"], spec["name"], (), f"{source}, a variable")
    if "selectedFields" in node and "queries" in node:
        spans = _subjects(node["queries"])
        signal = _signal(node["queries"])
        yield from (_field(signal, each, spans, f"{source}, columns") for each in node["selectedFields"] if signal)
    for value in node.values():
        yield from _walk(value, source)


def _columns(panel: Mapping[str, Any], source: str) -> Iterator[Reference]:
    """Of a list's panel; its query is asked for them."""
    plugin = panel["plugin"]["spec"]
    queries = [each["spec"]["plugin"] for each in panel["queries"]]
    signal = _signal(queries)
    if isinstance(plugin, Mapping) and signal:
        spans = _subjects(queries)
        yield from (_field(signal, each, spans, f"{source}, columns") for each in plugin.get("selectFields") or ())


def _signal(queries: Iterable[Mapping[str, Any]]) -> str | None:
    return next((each["spec"]["signal"] for each in queries if each["spec"].get("signal")), None)


def _subjects(queries: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    texts = ((each["spec"].get("filter") or {}).get("expression") or "" for each in queries)
    return tuple(dict.fromkeys(name for text in texts for name in _spans(parse_filter(text))))


def _built(spec: Mapping[str, Any], source: str) -> Iterator[Reference]:
    signal = spec["signal"]
    condition = parse_filter((spec.get("filter") or {}).get("expression") or "")
    aggregations = spec.get("aggregations") or []
    if signal == "metrics":
        subjects = tuple(each["metricName"] for each in aggregations)
        yield from (Reference(signal, Sort.METRIC, name, (), source) for name in subjects)
    else:
        subjects = _spans(condition) if signal == "traces" else ()
        yield from (Reference(signal, Sort.SPAN, name, (), source) for name in _named_spans(condition, signal))
    yield from (_reference(signal, each.key, subjects, source) for each in condition.comparisons)
    for each in aggregations:
        if "expression" in each:
            aggregate = parse_aggregate(each["expression"])
            inner = aggregate.condition or Filter()
            yield from (Reference(signal, Sort.SPAN, name, (), source) for name in _named_spans(inner, signal))
            keys = (*aggregate.keys, *(one.key for one in inner.comparisons))
            yield from (_reference(signal, key, subjects, source) for key in keys)
    for each in (*(spec.get("groupBy") or ()), *(spec.get("selectFields") or ())):
        yield _field(signal, each, subjects, source)
    for each in spec.get("order") or ():
        if "(" not in each["key"]["name"] and each["key"]["name"] != "__result":
            yield _field(signal, each["key"], subjects, source)


def _named_spans(condition: Filter, signal: str) -> Iterator[str]:
    for each in condition.comparisons:
        if signal == "traces" and _is_name(each):
            yield from (value for value in each.values if isinstance(value, str))


def _spans(condition: Filter) -> tuple[str, ...]:
    """The spans that a filter is about; none where it may be about others too."""
    if condition.has_or:
        return ()
    return tuple(
        value for each in condition.comparisons if _is_name(each) for value in each.values if isinstance(value, str)
    )


def _is_name(comparison: Comparison) -> bool:
    return comparison.key in ("name", "span.name") and comparison.operator in ("=", "==", "in")


def _field(signal: str, key: Mapping[str, str], subjects: tuple[str, ...], source: str) -> Reference:
    context = key.get("fieldContext")
    return _reference(signal, f"{context}.{key['name']}" if context else key["name"], subjects, source)


def _reference(signal: str, key: str, subjects: tuple[str, ...], source: str) -> Reference:
    context, _, rest = key.partition(".")
    if rest and context in _CONTEXTS:
        sort, name = _CONTEXTS[context], rest
    else:
        sort, name = Sort.FIELD if key in FIELDS[signal] else Sort.KEY, key
    return Reference(signal, sort, name, () if sort in (Sort.FIELD, Sort.RESOURCE) else subjects, source)


_PROMQL_WORDS = {
    *("and", "or", "unless", "bool", "offset", "on", "ignoring", "group_left", "group_right", "by", "without"),
    *("inf", "nan", "start", "end"),
}
_PROMQL_LISTS = re.compile(r"\b(by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_SELECTOR = re.compile(r"([A-Za-z_:][\w:]*)?\s*\{([^}]*)\}")
_QUOTED = r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'"
_MATCHER = re.compile(rf"\s*({_QUOTED}|[A-Za-z_]\w*)\s*(?:(=~|!~|!=|=)\s*({_QUOTED}))?\s*(?:,|$)")


def _promql(text: str, source: str) -> Iterator[Reference]:
    metrics: list[str] = []
    labels: list[str] = []

    def selector(match: re.Match[str]) -> str:
        if match[1]:
            metrics.append(match[1])
        for one in _MATCHER.finditer(match[2]):
            name = one[1].strip("\"'")
            if not one[2] or name == "__name__":
                metrics.append(name if not one[2] else one[3].strip("\"'"))
            else:
                labels.append(name)
        return " "

    def listed(match: re.Match[str]) -> str:
        labels.extend(each.strip().strip("\"'") for each in match[2].split(",") if each.strip())
        return " "

    rest = _PROMQL_LISTS.sub(listed, _SELECTOR.sub(selector, text))
    rest = re.sub(rf"{_QUOTED}|\[[^\]]*\]|\b\d[\w.]*", " ", rest)
    for match in re.finditer(r"([A-Za-z_:][\w:]*)(\s*\()?", rest):
        if not match[2] and match[1].lower() not in _PROMQL_WORDS:
            metrics.append(match[1])
    for name in dict.fromkeys(metrics):
        yield Reference("metrics", Sort.METRIC, name, (), source)
    for name in dict.fromkeys(labels):
        yield Reference("metrics", Sort.KEY, name, tuple(dict.fromkeys(metrics)), source)


def _sql(text: str, source: str) -> Iterator[Reference]:
    signal = next((each for each in ("logs", "metrics") if f"signoz_{each}." in text), "traces")
    for column, key in re.findall(r"\b(attributes|resources)_(?:string|number|bool)\s*\[\s*'([^']+)'\s*\]", text):
        yield Reference(signal, Sort.RESOURCE if column == "resources" else Sort.ATTRIBUTE, key, (), source)
    for column, key in re.findall(r"\b(attribute|resource)_(?:string|number|bool)_([\w$]+)", text):
        sort = Sort.RESOURCE if column == "resource" else Sort.ATTRIBUTE
        yield Reference(signal, sort, key.replace("$$", "."), (), source)
    for key in re.findall(r"JSONExtractString\(\s*labels\s*,\s*'([^']+)'", text):
        yield Reference(signal, Sort.KEY, key, (), source)
    for column, values in re.findall(r"\b(name|metric_name)\s*(?:=|IN)\s*(\([^)]*\)|'[^']*')", text, re.IGNORECASE):
        sort = Sort.METRIC if column.lower() == "metric_name" else Sort.SPAN
        for value in re.findall(r"'([^']*)'", values):
            yield Reference(signal, sort, value, (), source)
