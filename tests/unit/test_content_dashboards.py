"""The shipped dashboards and saved views: what they ask, and what SigNoz is sent for them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from signoz.content.build import numbers
from signoz.content.compile import COLORS, compile_dashboard
from signoz.content.filters import parse_filter
from signoz.content.loader import Documents, load
from signoz.content.schema import Dashboard, Panel, Query, SavedView, Section, Threshold, Variable
from stacks.settings.roles.content import Thresholds
from stacks.settings.targets import Targets
from tests.content_references import Sort, references

NEEDED = {
    *("voice-core-latency", "cost-tracking", "system-health", "call-quality", "agent-overview", "latency-percentiles"),
    *("component-breakdown", "call-statistics", "target-compliance", "audio-quality", "resources"),
    "prometheus-workers",
}
SCRAPED = ("voice_agent_", "lk_agents_")


@pytest.fixture(scope="module")
def library() -> Documents:
    return load(None, numbers(Thresholds(), Targets()))


def _panels(document: Dashboard) -> Iterator[Panel]:
    return (panel for section in document.sections for panel in section.panels)


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
    found = load(tmp_path, numbers(Thresholds(), Targets()), library=None)
    assert (len(found.dashboards), len(found.views)) == (1, 1)
