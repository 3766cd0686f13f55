"""The contract between content and telemetry: no dashboard, rule, view, saved query or metric filter names a span, an
attribute, a metric or a field that a real agent does not emit.

A real livekit-agents, the lowest supported and the newest, runs in voice mode through the rendered collector
configuration (`rich_agent.py`, `emission.py`).
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cloudwatch import insights
from cloudwatch.plan.build import plan_cloudwatch
from cloudwatch.plan.model import CloudWatchPlan
from core import events
from signoz.content.model import ContentPlan
from simulate.metrics import extract
from stacks.settings.loading import load
from stacks.settings.targets import EouDelay
from tests.content_references import Reference, Sort, references
from tests.contract.emission import Emission
from tests.contract.exceptions import EXCEPTIONS
from tests.contract.installed import assert_installed
from tests.contract.names import paths
from turnscope.plans import plan_stack

ROOT = Path(__file__).parents[2]
NOT_MINE = {"@timestamp", "@message", "@logStream", "@log"}
"""Fields that CloudWatch adds."""


@pytest.fixture(scope="module")
def content() -> ContentPlan:
    """With every target, so that the rules that need one are there too."""
    settings = load("local", ROOT)
    every = settings.targets.model_copy(
        update={
            "eou_delay": EouDelay(warning_seconds=1),
            "model_spend_per_day_usd": 100.0,
            "model_spend_per_tenant_and_day_usd": 10.0,
        }
    )
    signoz = plan_stack("local", settings.model_copy(update={"targets": every}), ROOT).signoz
    assert signoz
    return signoz.content


def _stored(reference: Reference, emission: Emission) -> bool:
    name = reference.name
    if reference.sort is Sort.FIELD:
        return True  # of every span or record
    if reference.sort is Sort.RESOURCE:
        return name in emission.resource
    if reference.signal == "logs":
        return name in emission.log_attributes | emission.resource
    found = emission.spans if reference.signal == "traces" else emission.metrics
    if reference.sort in (Sort.SPAN, Sort.METRIC):
        return name in found
    carriers = [found.get(each, set()) for each in reference.of] if reference.of else list(found.values())
    return any(name in each for each in carriers) or (reference.sort is Sort.KEY and name in emission.resource)


def _excused(reference: Reference, version: str) -> bool:
    return any(each.covers(reference.signal, reference.name, reference.of, version) for each in EXCEPTIONS)


@pytest.fixture(scope="module")
def plan() -> CloudWatchPlan:
    """Of one agent."""
    return plan_cloudwatch("local", load("local", ROOT))


def test_the_agent_is_the_installed_wheel(emission: Emission) -> None:
    assert_installed(emission.imported, emission.environment)


def test_saved_queries_read_fields_that_an_agent_logs(emission: Emission, plan: CloudWatchPlan) -> None:
    logged = {path for line in emission.lines for path in paths(line)}
    missing = {
        query.name: sorted(insights.parse(query.query).fields - logged - NOT_MINE) for query in plan.saved_queries
    }
    assert {name: fields for name, fields in missing.items() if fields} == {}


def test_every_metric_is_made_of_lines_that_an_agent_logs(emission: Emission, plan: CloudWatchPlan) -> None:
    """Calls of tools are counted by one filter for each position; this call has fewer than that."""
    lines = [json.dumps(line) for line in emission.lines]
    made = {each.metric_name for each in plan.metric_filters if any(extract(each, line, 0) for line in lines)}
    assert {each.metric_name for each in plan.metric_filters} - made == set()


@pytest.mark.parametrize("event_type", events.EVENTS)
def test_an_agents_events_have_every_field_of_the_schema(emission: Emission, event_type: str) -> None:
    """The Glue columns and the Athena queries are made from it."""
    schema = {field.path for field in events.EVENTS[event_type]}
    assert schema - emission.line_paths(event_type) == set()


def test_content_names_what_was_stored(emission: Emission, content: ContentPlan) -> None:
    """Each name on one of the spans or metrics that its query is about."""
    unknown = [
        str(each)
        for each in references(content.objects)
        if not _stored(each, emission) and not _excused(each, emission.livekit)
    ]
    assert unknown == [], "\n".join(unknown)


def test_every_exception_is_still_one(content: ContentPlan) -> None:
    """What no query names any more needs no excuse."""
    named = references(content.objects)
    assert [
        each for each in EXCEPTIONS if not any(each.covers(name.signal, name.name, name.of) for name in named)
    ] == []


def test_no_exception_is_emitted(emission: Emission) -> None:
    """What an agent emits after all needs no excuse either."""
    names = {name for spans in emission.spans.items() for name in (spans[0], *spans[1])} | emission.metrics.keys()
    assert [
        each.name
        for each in EXCEPTIONS
        if any(each.covers(each.signal, name, (each.of,), emission.livekit) for name in names if not each.of)
    ] == []
