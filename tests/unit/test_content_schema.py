"""The documents of SigNoz' content and the files that it is in: mistakes are found where they are, and in words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from core.errors import UserError
from signoz.content.compile import COLUMNS, compile_dashboard, compile_queries, place
from signoz.content.filters import Comparison, FilterError, Variable, parse_aggregate, parse_filter
from signoz.content.loader import Documents, load
from signoz.content.model import ContentObject, Kind
from signoz.content.schema import Dashboard, Query
from tests.content_references import Sort, references

NUMBERS = {"thresholds": {"slow_seconds": 1.5, "page_ms": 800}}
Write = Callable[[str, str], Path]

DASHBOARD = """\
key: mine
title: Mine
variables:
  - {name: service, key: resource.service.name}
sections:
  - title: All
    panels:
      - title: Turns
        queries:
          - {name: A, signal: traces, aggregate: count(), where: name = 'agent_turn'}
          - {name: F, formula: 2 * A}
        unit: s
"""
RULE = """\
key: mine
title: Mine
queries: [{signal: traces, aggregate: count(), where: has_error = true}]
thresholds: [{severity: warning, above: 10}]
"""
RAW_DASHBOARD = {
    "schemaVersion": "v6",
    "name": "raw",
    "tags": [],
    "spec": {
        "display": {"name": "Raw"},
        "variables": [],
        "panels": {"p": {}},
        "layouts": [{"kind": "Grid", "spec": {"items": [{"content": {"$ref": "#/spec/panels/p"}}]}}],
    },
}


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """`write("dashboards/a.yaml", text)` into the stack's own folder; messages name files from there."""
    monkeypatch.chdir(tmp_path)

    def into(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    return into


def own(**options: Any) -> Documents:
    return load(Path.cwd(), NUMBERS, library=None, **options)


def complaint(**options: Any) -> str:
    with pytest.raises(UserError) as caught:
        own(**options)
    assert caught.value.exit_code == 2
    return str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("2 * A", "2 * B", 8, "formula F names B: allowed: A"),
        ("2 * A", "2 *", 8, "formula F names no query"),
        ("2 * A", "2 * (A", 8, "formula F cannot be parsed"),
        ("name: F, formula: 2 * A", "name: A, signal: logs, aggregate: count()", 8, "query A appears 2 times"),
        ("signal: traces", "signal: traces, metric: x", 10, "asks signal and metric: allowed: one of"),
        ("signal: traces, aggregate: count(), where: name = 'agent_turn'", "where: x = 1", 10, "asks nothing"),
        ("aggregate: count()", "aggregate: p95(", 10, "not an aggregation"),
        ("aggregate: count()", "aggregate: sum()", 10, "sum takes 1 key, not 0"),
        ("aggregate: count()", "aggregate: countIf(x)", 10, "x: an operator is missing"),
        ("aggregate: count()", "aggregate: median(x)", 10, "no function median"),
        ("aggregate: count()", "aggregate: sum(a) / count()", 10, "belongs into a formula"),
        ("aggregate: count(), ", "", 8, "query A: aggregate is missing"),
        ("'agent_turn'", "", 10, "not a filter: the expression ends too early"),
        ("name = 'agent_turn'", "agent_turn", 10, "an operator is missing"),
        ("where: name = 'agent_turn'", "group_by: [service.name]", 10, "a key with its context, such as resource."),
        ("formula: 2 * A", "formula: A, where: a = 1", 11, "where cannot be used with formula"),
        ("formula: 2 * A", "formula: 2 * A, step_seconds: 60", 11, "step_seconds cannot be used with formula"),
        ("formula: 2 * A", "promql: up", 8, "others and promql are mixed"),
        ("formula: 2 * A", "metric: m, time_aggregation: avg", 11, "space_aggregation is missing"),
        ("formula: 2 * A", "metric: m, time_aggregation: avg, space_aggregation: p95", 11, "without time_aggregation"),
        ("unit: s", "unit: seconds", 12, "not a unit of SigNoz; did you mean s?"),
        ("unit: s", "unit: percent", 12, "did you mean %?"),
        ("unit: s", "unti: s", 12, "unknown key; did you mean unit?"),
        ("unit: s", "width: 13", 12, "width: 13: allowed: 1 to 12"),
        ("unit: s", "kind: gauge", 12, "allowed: time_series, bar, number"),
        ("unit: s", "kind: number", 8, "a number shows one query"),
        ("unit: s", "kind: list", 8, "a list shows single records, without aggregate"),
        ("unit: s", "columns: [span.name]", 8, "columns are required for a list, and not allowed otherwise"),
        ("unit: s", "without: [tenant]", None, "names variable tenant: allowed: service"),
        ("name = 'agent_turn'", "tenant IN $tenant", None, "names variable tenant: allowed: service"),
        ("key: resource.service.name", "key: resource.service.name, signals: [logs]", None, "it filters no query"),
        ("name: service", "name: start_timestamp", None, "reserved by SigNoz"),
        ("key: mine", "key: My Board", 1, "1 to 63 lower-case letters, digits and -"),
        ("title: Mine\n", "", None, "title: missing"),
        ("aggregate: count()", "aggregate: {{ thresholds.slow }}", 10, "allowed: thresholds.slow_seconds"),
        ("aggregate: count()", "legend: '{{ service.name }}', aggregate: count()", 10, "single braces: {service.name}"),
        ("aggregate: count()", "aggregate: {{ 1 + }}", 10, "not a template"),
        ("sections:", "sections: [", 6, "not valid YAML"),
    ],
)
def test_a_mistake_is_told_with_its_file_and_line(
    write: Write, old: str, new: str, line: int | None, words: str
) -> None:
    """What SigNoz would refuse, or would take and show nothing for, is one line: where, what, what is allowed."""
    assert old in DASHBOARD
    write("dashboards/mine.yaml", DASHBOARD.replace(old, new, 1))
    message = complaint()
    [found] = [each for each in message.splitlines() if "dashboards/mine.yaml" in each]
    where = f"dashboards/mine.yaml:{line}: " if line else "dashboards/mine.yaml: "
    assert found.strip().startswith(where), message
    assert words in found


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("above: 10", "above: 10, below: 1", "exactly one of above and below"),
        ("has_error = true", "service.name IN $service", "a rule has no variables"),
        ("title: Mine", "title: Mine\nwatched: B", "watched: B: allowed"),
        ("has_error = true", "has_error = true, step_seconds: 60", "a rule has step_minutes"),
        ("{severity: warning, above: 10}", "{severity: info, above: 1}, {severity: info, above: 2}", "two thresholds"),
    ],
)
def test_a_rule_that_could_never_fire_is_refused(write: Write, old: str, new: str, words: str) -> None:
    write("rules/mine.yaml", RULE.replace(old, new, 1))
    assert words in complaint()


def test_all_mistakes_of_all_files_come_in_one_message(write: Write) -> None:
    """Nobody mends a folder one message at a time."""
    write("dashboards/a.yaml", DASHBOARD.replace("unit: s", "unit: x").replace("count()", "nope()"))
    write("dashboards/b.yaml", "- nothing\n")
    write("rules/c.yaml", RULE.replace("above: 10", "abowe: 10"))
    write("views/d.json", "{,}")
    write("views/e.txt", "")
    write("dashboard/f.yaml", DASHBOARD)
    message = complaint()
    assert "did you mean dashboards?" in message
    for name in (
        "dashboards/a.yaml:10",
        "dashboards/a.yaml:12",
        "dashboards/b.yaml",
        "rules/c.yaml:4",
        "views/d.json:1",
    ):
        assert f"{name}: " in message, message
    assert "views/e.txt: not a content file: allowed in views/: .yaml, .json" in message
    assert message.startswith("7 problems in the content in ."), message


def test_an_own_object_takes_the_place_of_the_shipped_one(write: Write, tmp_path: Path) -> None:
    """By its key, whatever it is written in; everything else of the library stays."""
    library = tmp_path / "library"
    for folder in ("library", "library/dashboards", "library/rules", "own", "own/dashboards"):
        (tmp_path / folder).mkdir()
    for key in ("one", "two", "three"):
        (library / "dashboards" / f"{key}.yaml").write_text(DASHBOARD.replace("mine", key).replace("Mine", key))
    (library / "rules" / "one.yaml").write_text(RULE.replace("mine", "one"))
    (tmp_path / "own/dashboards/x.yaml").write_text(DASHBOARD.replace("mine", "one").replace("Mine", "Another"))
    (tmp_path / "own/dashboards/y.json").write_text(json.dumps({**RAW_DASHBOARD, "name": "two"}))

    documents = load(tmp_path / "own", NUMBERS, library=library)

    assert sorted((each.document.key, each.document.title) for each in documents.dashboards) == [
        ("one", "Another"),
        ("three", "three"),
    ]
    assert [(each.kind, each.key, each.title) for each in documents.raw] == [(Kind.DASHBOARD, "two", "Raw")]
    assert [each.document.key for each in documents.rules] == ["one"], "another kind's key is no concern"


def test_two_own_objects_cannot_have_one_key_or_one_title(write: Write) -> None:
    write("dashboards/a.yaml", DASHBOARD)
    write("dashboards/b.yaml", DASHBOARD)
    write("dashboards/c.yaml", DASHBOARD.replace("key: mine", "key: other"))
    write("rules/a.yaml", RULE)
    message = complaint()
    assert 'dashboards/b.yaml:1: key: "mine": another dashboard has this key, in dashboards/a.yaml' in message
    assert 'dashboards/c.yaml:2: title: "Mine": another dashboard has this title, in dashboards/a.yaml' in message
    assert "rules/a.yaml" not in message


def test_what_is_left_out_has_to_be_there(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "a.yaml").write_text(RULE)
    assert load(None, NUMBERS, library=tmp_path, exclude={Kind.ALERT_RULE: ("mine",)}) == Documents()
    with pytest.raises(UserError, match="exclude: mime: no such alert-rule; did you mean mine"):
        load(None, NUMBERS, library=tmp_path, exclude={Kind.ALERT_RULE: ("mime",)})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"id": "019"}, "id: set by SigNoz: omit it"),
        ({"schemaVersion": "v5"}, 'schemaVersion: "v5": allowed: v6'),
        ({"name": "My Board"}, 'name: "My Board": allowed: 1 to 63'),
        ({"widgets": []}, "a dashboard in the format before SigNoz 0.135"),
        ({"spec": {**RAW_DASHBOARD["spec"], "panels": {"q": {}}}}, 'no panel "p"; allowed: q'),
        ({"spec": {}}, "spec: display: missing"),
    ],
)
def test_json_of_the_api_is_checked_before_it_is_sent(write: Write, change: dict[str, Any], words: str) -> None:
    write("dashboards/raw.json", json.dumps({**RAW_DASHBOARD, **change}, indent=2))
    message = complaint()
    assert words in message
    assert "dashboards/raw.json" in message


def test_json_of_the_api_is_passed_on_as_it_is(write: Write) -> None:
    """Braces in it are SigNoz' own, not a template's."""
    channel = {"name": "on-call", "webhook_configs": [{"url": "https://example.com", "send_resolved": True}]}
    body = {**RAW_DASHBOARD, "image": "{{ nothing }}"}
    write("dashboards/raw.json", json.dumps(body, indent="\t"))
    write("channels/on-call.json", json.dumps(channel))
    assert [(each.kind, each.body, each.source) for each in own().raw] == [
        (Kind.DASHBOARD, body, "dashboards/raw.json"),
        (Kind.CHANNEL, channel, "channels/on-call.json"),
    ]


def test_numbers_of_the_settings_reach_the_documents(write: Write) -> None:
    write("rules/mine.yaml", RULE.replace("above: 10", "above: {{ thresholds.page_ms / 1000 }}"))
    [rule] = own().rules
    assert rule.document.thresholds[0].above == 0.8


@pytest.mark.parametrize(
    ("text", "comparisons"),
    [
        ("", []),
        ("name = 'agent_turn' has_error=true", [("name", "=", ("agent_turn",)), ("has_error", "=", (True,))]),
        ("a.b IN $x OR NOT (c NOT EXISTS)", [("a.b", "in", (Variable("x"),)), ("c", "not exists", ())]),
        ("x NOT IN ['a', \"it's\"]", [("x", "not in", ("a", "it's"))]),
        ("d BETWEEN 1 AND -2.5e3 AND e > 0", [("d", "between", (1.0, -2500.0)), ("e", ">", (0.0,))]),
        (
            "has(body.tags, 'x') AND a LIKE '%AND b = 1%'",
            [("body.tags", "has", ("x",)), ("a", "like", ("%AND b = 1%",))],
        ),
        ("k8s.pod-name CONTAINS 'p' 'free text'", [("k8s.pod-name", "contains", ("p",))]),
    ],
)
def test_filters_are_read_as_signoz_reads_them(text: str, comparisons: list[tuple[Any, ...]]) -> None:
    assert parse_filter(text).comparisons == [Comparison(*each) for each in comparisons]


@pytest.mark.parametrize(
    "text", ["a =", "a", "= 1", "(a = 1", "a = 1)", "a = 1 OR", "a NOT = 1", "a BETWEEN 1", "a ! 1"]
)
def test_broken_filters_are_refused(text: str) -> None:
    with pytest.raises(FilterError):
        parse_filter(text)


def test_an_aggregations_condition_is_read_too() -> None:
    """`countIf(...)` names keys that the contract has to know of."""
    found = parse_aggregate("p95If(lk.e2e_latency, name = 'agent_turn' AND note = 'a, b')")
    assert found.keys == ("lk.e2e_latency",)
    assert found.condition
    assert [each.key for each in found.condition.comparisons] == ["name", "note"]


def test_variables_join_the_filter_of_every_query_that_follows_them() -> None:
    """Also where the filter has an OR; not where the signal or the panel does not know the key."""
    document = Dashboard.model_validate(
        {
            "key": "k",
            "title": "T",
            "variables": [
                {"name": "service", "key": "resource.service.name"},
                {"name": "tenant", "key": "attribute.tenant", "signals": ["traces"]},
            ],
            "sections": [
                {
                    "title": "S",
                    "panels": [
                        {"title": "1", "queries": [_spans("a = 1 OR b = 2")]},
                        {"title": "2", "queries": [_spans("")], "without": ["tenant"]},
                        {"title": "3", "queries": [_spans("service.name = $service")]},
                        {
                            "title": "4",
                            "queries": [{"metric": "m", "time_aggregation": "avg", "space_aggregation": "avg"}],
                        },
                    ],
                }
            ],
        }
    )
    body = compile_dashboard(document, "here").body
    assert [query["filter"]["expression"] for query in _queries(body)] == [
        "(a = 1 OR b = 2) AND resource.service.name IN $service AND attribute.tenant IN $tenant",
        "resource.service.name IN $service",
        "service.name = $service AND attribute.tenant IN $tenant",
        "resource.service.name IN $service",
    ]


def _spans(where: str) -> dict[str, str]:
    return {"signal": "traces", "aggregate": "count()", "where": where}


def _queries(body: dict[str, Any]) -> list[dict[str, Any]]:
    plugins = [each["spec"]["queries"][0]["spec"]["plugin"] for each in body["spec"]["panels"].values()]
    return [
        inner["spec"] if "type" in inner else inner
        for each in plugins
        for inner in each["spec"].get("queries", [each["spec"]])
    ]


def test_a_metric_in_a_number_says_how_it_becomes_one_value() -> None:
    """SigNoz refuses it otherwise; the increases of an hour add up, of a gauge the last value counts."""
    counter = Query(metric="m", time_aggregation="increase", space_aggregation="sum")
    gauge = Query(metric="m", time_aggregation="avg", space_aggregation="max")
    chosen = gauge.model_copy(update={"reduce": "max"})

    def reduced(query: Query, panel: str) -> Any:
        return compile_queries([query], panel=panel)[0]["spec"]["aggregations"][0].get("reduceTo")

    assert [reduced(each, "number") for each in (counter, gauge, chosen)] == ["sum", "last", "max"]
    assert reduced(counter, "time_series") is None


def test_legends_name_group_keys_in_signoz_braces() -> None:
    [envelope] = compile_queries([Query(signal="traces", aggregate="count()", legend="{service.name} of {name}")])
    assert envelope["spec"]["legend"] == "{{service.name}} of {{name}}"


@given(st.lists(st.tuples(st.integers(1, 12), st.integers(1, 20)), max_size=40))
def test_panels_never_overlap_nor_leave_the_grid(sizes: list[tuple[int, int]]) -> None:
    """SigNoz refuses both; the order is that of the file."""
    places = place(sizes)
    taken: set[tuple[int, int]] = set()
    for (x, y), (width, height) in zip(places, sizes, strict=True):
        assert 0 <= x <= COLUMNS - width
        cells = {(column, row) for column in range(x, x + width) for row in range(y, y + height)}
        assert not cells & taken
        taken |= cells
    assert [(y, x) for x, y in places] == sorted((y, x) for x, y in places)


_titles = st.text(min_size=1, max_size=128)
_query = st.one_of(
    st.builds(
        lambda where: {"signal": "traces", "aggregate": "count()", "where": where}, st.sampled_from(["", "a = 1"])
    ),
    st.just({"signal": "logs", "aggregate": "p95(x)", "group_by": ["resource.service.name"], "order_by": "desc"}),
    st.just({"metric": "m", "time_aggregation": "rate", "space_aggregation": "sum", "limit": 5}),
    st.just({"metric": "m", "space_aggregation": "p95"}),
    st.just({"sql": "SELECT 1"}),
)
_panels = st.builds(
    lambda kind, query, width, height, decimals: {
        "kind": kind,
        "queries": [query],
        "width": width,
        "height": height,
        "decimals": decimals,
    },
    st.sampled_from(["time_series", "bar", "number", "table", "pie", "histogram"]),
    _query,
    st.integers(1, 12),
    st.integers(1, 20),
    st.integers(0, 4),
)


@given(st.lists(st.tuples(st.lists(st.tuples(_titles, _panels), min_size=1, max_size=8)), min_size=1, max_size=4))
def test_every_valid_document_becomes_a_dashboard_that_signoz_would_take(drawn: list[Any]) -> None:
    """One query a panel, every panel placed once, keys and names within the server's bounds."""
    seen: set[str] = set()
    sections = []
    for number, (panels,) in enumerate(drawn):
        fresh = [{**panel, "title": title} for title, panel in panels if not (title in seen or seen.add(title))]
        if fresh:
            sections.append({"title": f"S{number}", "panels": fresh})
    document = Dashboard.model_validate({"key": "k", "title": "T", "sections": sections})
    body = compile_dashboard(document, "here").body
    spec = body["spec"]
    placed = [item["content"]["$ref"] for layout in spec["layouts"] for item in layout["spec"]["items"]]
    assert sorted(placed) == sorted(f"#/spec/panels/{key}" for key in spec["panels"])
    assert len(placed) == sum(len(section["panels"]) for section in sections)
    for key, panel in spec["panels"].items():
        assert re.fullmatch(r"[a-zA-Z0-9_.-]{1,75}", key)
        [query] = panel["spec"]["queries"]
        request = {"signoz/NumberPanel": "scalar", "signoz/TablePanel": "scalar", "signoz/PieChartPanel": "scalar"}
        assert query["kind"] == request.get(panel["spec"]["plugin"]["kind"], "time_series")
    assert json.loads(json.dumps(body)) == body


def test_references_know_what_each_query_is_about() -> None:
    """The contract asks whether that span has that attribute, not only whether any has."""
    document = yaml.safe_load(DASHBOARD)
    document["sections"][0]["panels"] += [
        {
            "title": "P",
            "queries": [{"promql": 'sum by (node) (rate(a_total{x=~"$service"}[5m])) / count({"b.c"} > 0.7)'}],
        },
        {
            "title": "Q",
            "queries": [
                {"sql": "SELECT attributes_number['lk.x'] FROM signoz_traces.t WHERE name IN ('u', 'v') AND $service"}
            ],
        },
        {
            "title": "R",
            "queries": [
                {
                    "metric": "m.n",
                    "time_aggregation": "avg",
                    "space_aggregation": "avg",
                    "where": "k = 'name'",
                    "group_by": ["attribute.host.name"],
                }
            ],
        },
        {
            "title": "L",
            "kind": "list",
            "columns": ["attribute.lk.y"],
            "queries": [{"signal": "traces", "where": "name = 'w'", "order_by": "attribute.lk.z desc"}],
        },
        {"title": "O", "queries": [_spans("name = 'u' OR lk.q = 1")]},
    ]
    found = references([compile_dashboard(Dashboard.model_validate(document), "file.yaml")])
    short = {(each.signal, str(each.sort), each.name, each.of) for each in found}
    metrics = ("a_total", "b.c")
    assert {each for each in short if each[2] not in ("service.name", "name")} == {
        ("traces", "span", "agent_turn", ()),
        ("metrics", "metric", "a_total", ()),
        ("metrics", "metric", "b.c", ()),
        ("metrics", "key", "node", metrics),
        ("metrics", "key", "x", metrics),
        ("traces", "attribute", "lk.x", ()),
        ("traces", "span", "u", ()),
        ("traces", "span", "v", ()),
        ("metrics", "metric", "m.n", ()),
        ("metrics", "key", "k", ("m.n",)),
        ("metrics", "attribute", "host.name", ("m.n",)),
        ("traces", "span", "w", ()),
        ("traces", "attribute", "lk.y", ("w",)),
        ("traces", "attribute", "lk.z", ("w",)),
        ("traces", "field", "timestamp", ()),
        ("traces", "key", "lk.q", ()),
    } - {("traces", "field", "timestamp", ())}
    assert any("panel 'R', query A" in str(each) for each in found)


def test_references_are_found_in_what_signoz_pages_made() -> None:
    """There a list's columns stand at the panel alone, and conditions inside of aggregations."""
    shown = {"kind": "signoz/ListPanel", "spec": {"selectFields": [{"name": "lk.y", "fieldContext": "attribute"}]}}
    [listed] = compile_queries([Query(signal="traces", where="name = 'w'")], panel="list")
    [counted] = compile_queries([Query(signal="traces", aggregate="countIf(lk.z > 1)", where="name = 'v'")])

    def panel(plugin: dict[str, Any], query: dict[str, Any]) -> dict[str, Any]:
        asked = {"kind": "signoz/BuilderQuery", "spec": query["spec"]}
        spec = {"display": {"name": "P"}, "plugin": plugin, "queries": [{"kind": "raw", "spec": {"plugin": asked}}]}
        return {"kind": "Panel", "spec": spec}

    body = {"spec": {"panels": {"p": panel(shown, listed), "q": panel({"kind": "x", "spec": {}}, counted)}}}
    found = references([ContentObject(Kind.DASHBOARD, "k", "T", body, "dashboards/k.json")])
    assert {(each.name, each.of) for each in found} >= {("lk.y", ("w",)), ("lk.z", ("v",))}


def test_references_are_found_in_the_bodies_of_rules() -> None:
    envelopes = compile_queries([Query(signal="traces", aggregate="avg(lk.x)", where="name = 'llm_node'")])
    body = {"condition": {"compositeQuery": {"queries": envelopes}}}
    found = references([ContentObject(Kind.ALERT_RULE, "k", "T", body, "rules/k.yaml")])
    assert [(each.sort, each.name, each.of) for each in found if each.name != "name"] == [
        (Sort.KEY, "lk.x", ("llm_node",)),
        (Sort.SPAN, "llm_node", ()),
    ]
