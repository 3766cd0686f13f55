"""The shipped dashboards and saved views: what they ask, and what SigNoz is sent for them."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from signoz.content.build import numbers
from signoz.content.compile import COLORS, compile_dashboard, compile_view
from signoz.content.filters import parse_filter
from signoz.content.loader import Documents, load
from signoz.content.schema import Dashboard, Panel, Query, SavedView, Section, Threshold, Variable
from stacks.settings.roles.content import Thresholds
from tests.content_references import Sort, references
from tests.golden_files import CheckGolden

NEEDED = {
    *("voice-core-latency", "cost-tracking", "system-health", "call-quality", "agent-overview", "latency-percentiles"),
    *("component-breakdown", "call-statistics", "target-compliance", "audio-quality", "resources"),
    "prometheus-workers",
}
SCRAPED = ("voice_agent_", "lk_agents_")
EVERYTHING = {
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


@pytest.fixture(scope="module")
def library() -> Documents:
    return load(None, numbers(Thresholds()))


def _panels(document: Dashboard) -> Iterator[Panel]:
    return (panel for section in document.sections for panel in section.panels)


def test_every_feature_of_the_schema_as_it_is_sent(golden: CheckGolden) -> None:
    body = compile_dashboard(Dashboard.model_validate(EVERYTHING), "test").body
    golden("content/everything.json", json.dumps(body, indent=2) + "\n")


def test_shipped_dashboards_as_they_are_sent(library: Documents, golden: CheckGolden) -> None:
    """A line per panel and query: what it asks, where it stands."""
    for each in library.dashboards:
        body = compile_dashboard(each.document, each.source).body
        golden(f"content/dashboards/{each.document.key}.txt", "\n".join(_told(body)) + "\n")


def test_shipped_views_as_they_are_sent(library: Documents, golden: CheckGolden) -> None:
    for each in library.views:
        body = compile_view(each.document, each.source).body
        golden(f"content/views/{each.document.key}.json", json.dumps(body, indent=2) + "\n")


def _told(body: dict[str, Any]) -> Iterator[str]:
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


def _holds(value: float, threshold: dict[str, Any]) -> bool:
    bound, operator = threshold["value"], threshold["operator"]
    if value == bound:
        return operator.endswith("or_equal")
    return value < bound if operator.startswith("below") else value > bound


@pytest.mark.parametrize("kind", ["number", "table"])
@pytest.mark.parametrize("order", list(itertools.permutations(range(5))))
def test_the_strictest_threshold_gives_the_colour(kind: str, order: tuple[int, ...]) -> None:
    """SigNoz takes the first that holds: 9 is beyond 5, and beyond 2 too."""
    thresholds = [
        {"value": 5, "color": "red"},
        {"value": 2, "color": "orange"},
        {"value": 2, "when": "below_or_equal", "color": "green"},
        {"value": 1, "when": "below", "color": "blue"},
        {"value": 0, "when": "below", "color": "red"},
    ]
    query = {"signal": "traces", "aggregate": "count()"}
    panel = {"title": "P", "kind": kind, "queries": [query], "thresholds": [thresholds[each] for each in order]}
    document = {"key": "k", "title": "T", "sections": [{"title": "S", "panels": [panel]}]}
    [built] = compile_dashboard(Dashboard.model_validate(document), "test").body["spec"]["panels"].values()
    sent = built["spec"]["plugin"]["spec"]["thresholds"]
    for value, color in ((9, "red"), (3, "orange"), (2, "green"), (0.5, "blue"), (-1, "red")):
        assert next(each for each in sent if _holds(value, each))["color"] == COLORS[color], value


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


def test_every_shipped_file_is_named_after_its_key(library: Documents) -> None:
    """A user who replaces one finds its key by the file's name."""
    for each in (*library.dashboards, *library.views):
        assert each.source.endswith(f"/{each.document.key}.yaml")
    assert {each.document.key for each in library.dashboards} == NEEDED


def test_every_panel_can_be_narrowed_down(library: Documents) -> None:
    """Every query follows the environment, and the service too where it knows one; the collector's own serves all."""
    for each in library.dashboards:
        for panel in _panels(each.document):
            for query in panel.queries:
                if query.formula or query.promql or (query.metric or "").startswith("otelcol_"):
                    continue
                names = {v.name for v in each.document.variables if (query.signal or "metrics") in v.signals}
                followed = names - {*panel.without}
                assert "environment" in followed, (each.document.key, panel.title)
                if not (query.metric or "").startswith(SCRAPED):
                    assert "service" in followed, (each.document.key, panel.title)


def _queries(library: Documents) -> Iterator[tuple[str, Query]]:
    for each in library.dashboards:
        yield from (
            (f"{each.document.key}, {panel.title}", query)
            for panel in _panels(each.document)
            for query in panel.queries
        )
    yield from ((each.document.key, query) for each in library.views for query in each.document.queries)


def test_percentiles_are_those_of_spans(library: Documents) -> None:
    """LiveKit's histograms begin at 5 s: a percentile of them is made up."""
    for where, query in _queries(library):
        assert not (query.space_aggregation or "").startswith("p"), where


def test_a_turns_duration_is_nobodys_latency(library: Documents) -> None:
    """It includes the whole answer as it is spoken; what the caller waited is lk.e2e_latency."""
    for where, query in _queries(library):
        if "duration_nano" in (query.aggregate or ""):
            named = {value for each in parse_filter(query.where).comparisons for value in each.values}
            assert "agent_turn" not in named, where


def test_calls_are_counted_by_sessions(library: Documents) -> None:
    """The span job_entrypoint ends after the last export, and is often lost: it serves for its own attributes only."""
    for where, query in _queries(library):
        if "job_entrypoint" in query.where:
            assert query.aggregate != "count()", where


def test_failed_tools_are_found_by_what_livekit_says(library: Documents) -> None:
    """LiveKit leaves the span's status unset, and a setting renames the span."""
    for where, query in _queries(library):
        assert "function_tool'" not in query.where, where
        if "execute_tool" in query.where:
            assert "has_error" not in query.where, where


def test_every_query_tells_its_names(library: Documents) -> None:
    """The contract sees every panel: none that asks for telemetry goes without a reference."""
    for each in library.dashboards:
        found = references([compile_dashboard(each.document, each.source)])
        told = {one.source for one in found if one.sort in (Sort.SPAN, Sort.METRIC, Sort.FIELD, Sort.RESOURCE)}
        for panel in _panels(each.document):
            assert any(f"panel {panel.title!r}" in source for source in told), (each.document.key, panel.title)


def test_the_guide_tells_every_field_and_every_object(library: Documents) -> None:
    """A field that nobody can read of is a field that nobody uses."""
    guide = (Path(__file__).parents[2] / "docs" / "how-to" / "content.md").read_text()
    fields = {
        name
        for model in (Dashboard, Section, Panel, Query, Threshold, Variable, SavedView)
        for name in model.model_fields
    }
    assert {name for name in fields if f"`{name}`" not in guide} == set()
    assert {
        each.document.key for each in (*library.dashboards, *library.views) if f"`{each.document.key}`" not in guide
    } == set()


def test_the_guides_examples_are_right(tmp_path: Path) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "how-to" / "content.md").read_text()
    dashboard, view = re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL)
    for folder, text in (("dashboards", dashboard), ("views", view)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "example.yaml").write_text(text)
    found = load(tmp_path, numbers(Thresholds()), library=None)
    assert (len(found.dashboards), len(found.views)) == (1, 1)
