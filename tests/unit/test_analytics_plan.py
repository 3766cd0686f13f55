"""The analytics' plan: what would go wrong on AWS, in Athena, or with the data, without anyone noticing."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.plan.build import STACK_MAXIMUM_CHARACTERS, plan_analytics
from analytics.plan.model import AnalyticsPlan
from analytics.plan.schema import columns, refused_changes, refused_table_changes
from cloudwatch.plan.build import plan_cloudwatch
from cloudwatch.plan.model import MetricStat
from core.environments import Environment
from core.errors import UserError
from core.events import EVENTS, Field, FieldType
from lab import plan_source
from stacks.settings.analytics import ExtraFields, Lifecycle
from tests.stack_settings import validate
from tests.unit.conftest import MINIMAL, ROOT, MakePlan, settings_with
from turnscope.deployment.schema_guard import TABLE, refuse_schema_changes
from turnscope.plan_table import as_data, summary
from turnscope.plans import StackPlan

RELEASED = json.loads(Path(__file__).with_name("test_analytics_released_columns.json").read_text())
ACCOUNT = "123456789012"
PROD = {
    "environment": "prod",
    "protect": True,
    "notifications": {"critical": {"emails": ["oncall@example.com"]}},
}
COPY = {"bucket_arn": "arn:aws:s3:::copy"}


def analytics(over: dict[str, Any] | None = None, stack: str = "dev", **settings: Any) -> AnalyticsPlan:
    found = plan_analytics(stack, settings_with(**settings, analytics=over or {}))
    assert found
    return found


def problems(over: dict[str, Any], **settings: Any) -> str:
    with pytest.raises(UserError) as caught:
        validate({**MINIMAL, **settings, "analytics": over}, source=Path("test"))
    return str(caught.value)


# What feeds what


def test_firehoses_own_log_is_never_subscribed() -> None:
    """It would feed the stream with its own errors, for ever."""
    plan = analytics(agents={"a": {}, "b": {}})
    subscribed = {each.log_group_name for each in plan.subscriptions}
    assert subscribed == {"/aws/livekit/a", "/aws/livekit/b"}
    assert subscribed.isdisjoint({plan.error_log_group, plan.validation_log_group})


def test_no_log_group_has_more_than_the_two_filters_that_aws_allows() -> None:
    plan = analytics(agents={"a": {}, "b": {}})
    groups = [each.log_group_name for each in plan.subscriptions]
    assert max(map(groups.count, groups)) <= 2
    assert len(EVENTS) <= 2, "a third event needs another way than a filter of its own"


def test_every_event_goes_into_its_own_stream_table_and_prefix() -> None:
    plan = analytics()
    for each in plan.subscriptions:
        stream = next(stream for stream in plan.streams if stream.key == each.stream_key)
        assert each.pattern == stream.event
        assert stream.prefix.startswith(plan.table(stream.event).prefix)
    prefixes = [table.prefix for table in plan.tables] + ["errors/"]
    assert not any(a != b and a.startswith(b) for a in prefixes for b in prefixes)


@pytest.mark.parametrize("by_agent", [False, True])
def test_athena_looks_where_firehose_writes(by_agent: bool) -> None:
    """The projection's template and the stream's prefix name the same folders."""
    plan = analytics({"partition_by_agent": by_agent}, agents={"a": {}, "b": {}})
    for stream, table in zip(plan.streams, plan.tables, strict=True):
        written = stream.prefix.replace("!{timestamp:yyyy/MM/dd/HH}", "HOUR")
        written = written.replace("!{partitionKeyFromLambda:agent_name}", "AGENT")
        read = table.location_template.replace("${datehour}", "HOUR").replace("${agent_name}", "AGENT")
        assert read == written
        assert ("AGENT" in written) == by_agent


def test_a_partition_exists_for_every_agent_and_for_those_nobody_named() -> None:
    plan = analytics({"partition_by_agent": True}, agents={"a": {}, "b": {}})
    assert all(table.by_agent == ("a", "b", "other") for table in plan.tables)


def test_partitions_by_agent_stay_below_what_firehose_keeps_open() -> None:
    """500 of a stream at once; around a full hour two hours of every agent are open, and of those nobody named."""
    agents = {f"agent-{number}": {} for number in range(249)}
    plan = analytics({"partition_by_agent": True}, agents=agents)
    assert all(len(table.by_agent) * 2 == 500 for table in plan.tables)
    found = problems({"partition_by_agent": True}, agents=agents | {"another": {}})
    assert "partition_by_agent: allowed with at most 249 agents, here 250" in found


# The schema


@pytest.mark.parametrize("event", EVENTS)
def test_released_columns_stay_as_they_are(event: str) -> None:
    """Rows with them are in buckets. Add to the list what is new; never change or delete a line of it."""
    now = {column.name: column.type for column in columns(EVENTS[event])}
    assert refused_changes(RELEASED[event], now) == []
    assert refused_changes(now, RELEASED[event]) == [], "new columns: write them into the list, too"


TYPES: st.SearchStrategy[FieldType] = st.sampled_from(("string", "number", "integer", "boolean"))
PATHS = st.from_regex(r"[a-d](\.[a-d]){0,2}", fullmatch=True)


@st.composite
def field_lists(draw: st.DrawFn) -> list[Field]:
    """Fields of which none lies below another."""
    paths = sorted(draw(st.sets(PATHS, min_size=1, max_size=8)))
    fitting = [path for path in paths if not any(other.startswith(f"{path}.") for other in paths)]
    return [Field(path, draw(TYPES), "", "") for path in fitting]


def types(fields: list[Field]) -> dict[str, str]:
    return {column.name: column.type for column in columns(fields)}


@given(field_lists(), st.data())
def test_a_table_may_gain_any_field_and_lose_or_change_none(fields: list[Field], data: st.DataObject) -> None:
    """However deep in a struct the field lies."""
    one = data.draw(st.sampled_from(fields))
    without = [each for each in fields if each != one]
    other = replace(one, type="string" if one.type != "string" else "integer")
    changed = [other if each == one else each for each in fields]
    assert refused_changes(types(without), types(fields)) == []
    assert len(refused_changes(types(fields), types(without))) == 1
    assert len(refused_changes(types(fields), types(changed))) == 1


def test_a_changed_layout_of_files_is_refused() -> None:
    """Files written before would lie where Athena no longer looks."""
    before, after = (analytics({"partition_by_agent": by_agent}).tables[0].as_deployed() for by_agent in (False, True))
    assert "partition_by_agent" in refused_table_changes(before, after)[0]
    assert refused_table_changes(before, before) == []


def test_the_command_line_refuses_before_anything_is_touched_and_names_everything() -> None:
    extra = {"voice_metrics": {"room.size": {"type": "integer"}, "floor": {"type": "string"}}}
    plan = analytics({"extra_fields": extra})
    state = [{"type": TABLE, "outputs": {"name": table.event, **table.as_deployed()}} for table in plan.tables]
    refuse_schema_changes(plan, state)
    changed = {"voice_metrics": {"room.size": {"type": "number"}}}
    with pytest.raises(UserError) as caught:
        refuse_schema_changes(analytics({"extra_fields": changed}), state)
    assert caught.value.exit_code == 2
    assert "table voice_metrics: room.size: bigint became double" in str(caught.value)
    assert "table voice_metrics: floor: removed" in str(caught.value)
    refuse_schema_changes(plan, [{**each, "delete": True} for each in state])


def test_extra_fields_become_columns_behind_the_shipped_ones() -> None:
    extra = {"voice_metrics": {"room.size": {"type": "integer", "meaning": "People"}}}
    table = analytics({"extra_fields": extra}).table("voice_metrics")
    assert [column.type for column in table.columns[-1:]] == ["struct<size:bigint>"]
    assert {column.name: column.type for column in table.columns[:-1]} == RELEASED["voice_metrics"]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("tenant", "the event already has this field"),
        ("llm", "llm.ttft is nested in it"),
        ("tenant.id", "tenant is a field"),
        ("occurred_at", "is a column of every table"),
        ("order.x", "order is a reserved word"),
        ("Floor", "lower-case letters"),
    ],
)
def test_an_extra_field_that_no_table_can_hold_is_refused(path: str, reason: str) -> None:
    assert reason in problems({"extra_fields": {"voice_metrics": {path: {"type": "string"}}}})


def test_every_shipped_event_can_have_extra_fields() -> None:
    assert set(ExtraFields.model_fields) == set(EVENTS)


def test_no_column_needs_quotes_in_sql() -> None:
    for table in analytics().tables:
        names = [column.name for column in table.columns]
        assert all(re.fullmatch("[a-z][a-z0-9_]*", name) for name in names)
        assert set(names).isdisjoint(table.partition_keys)


# What is kept, moved and deleted


@pytest.mark.parametrize(
    ("environment", "keep_data", "kept"),
    [
        ("dev", None, False),
        ("dev", True, True),
        ("staging", None, True),
        ("staging", False, False),
        ("prod", None, True),
        ("prod", True, True),
    ],
)
def test_data_is_emptied_at_teardown_only_where_it_may_be(environment: str, keep_data: bool | None, kept: bool) -> None:
    settings = PROD if environment == "prod" else {"environment": environment}
    bucket = analytics({"keep_data": keep_data}, **settings).data_bucket
    assert bucket.keep is kept
    assert bucket.empty_on_delete is not kept
    assert bucket.protect is (environment == "prod")


def test_prod_cannot_give_its_data_up() -> None:
    assert "keep_data: allowed: true or null, in environment prod" in problems({"keep_data": False}, **PROD)


@pytest.mark.parametrize("environment", ["dev", "staging"])
def test_versions_are_kept_where_data_is(environment: str) -> None:
    bucket = analytics(environment=environment).data_bucket
    assert bucket.versioned is (environment == "staging")
    assert bool(bucket.noncurrent_days) is bucket.versioned, "old versions would be kept, and paid for, for ever"


@given(
    st.builds(
        dict,
        warm_days=st.none() | st.integers(30, 200),
        cold_days=st.none() | st.integers(1, 300),
        expire_days=st.none() | st.integers(1, 500),
    )
)
def test_whatever_lifecycle_is_accepted_s3_accepts_too(days: dict[str, int | None]) -> None:
    """S3's rules: in order, 30 days in STANDARD_IA before the next class, deleted last; and nothing is paid for twice
    by being deleted before its class' minimum."""
    try:
        life = Lifecycle.model_validate(days)
    except ValueError:
        return
    steps = [each for each in (life.warm_days, life.cold_days, life.expire_days) if each]
    assert all(a < b for a, b in pairwise(steps))
    if life.warm_days:
        assert all(later - life.warm_days >= 30 for later in steps[1:])
    if life.cold_days and life.expire_days:
        assert life.expire_days - life.cold_days >= 90


def test_data_only_moves_to_classes_that_athena_reads() -> None:
    life = {"warm_days": 30, "cold_days": 60, "expire_days": 150}
    bucket = analytics({"lifecycle": life}).data_bucket
    assert [(each.days, each.storage_class) for each in bucket.transitions] == [(30, "STANDARD_IA"), (60, "GLACIER_IR")]
    assert dict(bucket.expire_days_by_prefix) == {"errors/": 30}


@pytest.mark.parametrize(
    ("over", "settings", "words"),
    [
        ({"lifecycle": {"warm_days": 29}}, {}, "30 to 36500"),
        ({"lifecycle": {"warm_days": 30, "cold_days": 59}}, {}, "at least 60"),
        ({"lifecycle": {"cold_days": 30, "expire_days": 119}}, {}, "at least 120"),
        ({"lifecycle": {"warm_days": 30, "expire_days": 59}}, {}, "at least 60"),
        ({"buffer_mib": 63}, {}, "64 to 128"),
        ({"buffer_seconds": 59}, {}, "60 to 900"),
        ({"scan_limit_mib": 9}, {}, "10 to"),
        ({"buffer_seconds": 900, "delivery_delay_minutes": 44}, {}, "at least 45"),
        ({"events": ["voice_metrics", "voice_metrics"]}, {}, "each event once"),
        ({"replication": COPY}, {}, "versioning: true"),
        ({"replication": COPY, "encryption": "stack-key", "versioning": True}, {}, "kms_key_arn: missing"),
        ({"partition_by_agent": True}, {"agents": {"other": {}}}, "without an agent named other"),
    ],
)
def test_traps_are_refused_with_what_is_allowed(over: dict[str, Any], settings: dict[str, Any], words: str) -> None:
    assert words in problems(over, **settings)


# Names, alarms, and what is shown


@pytest.mark.parametrize("stack", ["dev", "My.Feature_1", "x" * STACK_MAXIMUM_CHARACTERS])
def test_names_are_as_aws_wants_them(stack: str) -> None:
    plan = analytics({"versioning": True, "replication": COPY}, stack=stack)
    for bucket in plan.buckets:
        assert re.fullmatch("[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", bucket.name(ACCOUNT))
    assert re.fullmatch("[a-z0-9_]{1,255}", plan.database)
    assert all(re.fullmatch(r"[\w+=,.@-]{1,64}", role.name) for role in plan.roles)
    assert all(re.fullmatch(r"[a-zA-Z0-9_.-]{1,64}", stream.name) for stream in plan.streams)


def test_a_stack_whose_name_does_not_fit_into_a_buckets_is_refused() -> None:
    with pytest.raises(UserError, match=f"at most {STACK_MAXIMUM_CHARACTERS} characters"):
        analytics(stack="x" * (STACK_MAXIMUM_CHARACTERS + 1))


def test_alarms_watch_this_stacks_delivery_speak_and_have_a_page(make_plan: MakePlan) -> None:
    plan, agents = analytics(), make_plan()
    watched = {dict(stat.metric.dimensions).popitem() for alarm in plan.alarms for stat in alarm.stats}
    assert watched == {("DeliveryStreamName", stream.name) for stream in plan.streams} | {
        ("FunctionName", plan.validation_function)
    }
    names = [alarm.name for alarm in (*plan.alarms, *agents.alarms, *agents.composite_alarms)]
    assert len(set(names)) == len(names)
    for alarm in plan.alarms:
        page = ROOT / "docs" / "runbooks" / Path(alarm.runbook_url).name
        assert page.is_file()
        assert page.read_text().startswith(f"# {page.stem}\n")
        assert alarm.runbook_url in alarm.description
        assert alarm.notifies


def test_delivery_is_late_only_after_several_buffers() -> None:
    plan = analytics({"buffer_seconds": 900, "delivery_delay_minutes": 45})
    late = [alarm for alarm in plan.alarms if "delayed" in alarm.key]
    assert {alarm.threshold for alarm in late} == {2700}
    assert all(isinstance(alarm.series[0], MetricStat) and alarm.series[0].statistic == "Maximum" for alarm in late)


def test_every_row_of_the_plan_says_something(make_plan: MakePlan) -> None:
    data = as_data(StackPlan(make_plan(analytics={}), analytics(), None), {})
    rows = [row for row in data["resources"] if row["kind"] not in ("role", "subscription")]
    assert {"bucket", "table", "delivery stream", "workgroup", "Athena query"} <= {row["kind"] for row in rows}
    assert all(summary(row) for row in rows if not row["kind"].endswith("(existing)"))


def test_a_stack_without_analytics_has_nothing_of_them(make_plan: MakePlan) -> None:
    assert plan_analytics("dev", settings_with()) is None
    assert not any("analytics" in alarm.name for alarm in make_plan(analytics={}).alarms)


def test_the_emulator_evaluates_the_alarms_on_the_analytics_too(tmp_path: Path, make_plan: MakePlan) -> None:
    (tmp_path / "stacks").mkdir()
    own = {f"turnscope:{key}": value for key, value in {**MINIMAL, "analytics": {}}.items()}
    (tmp_path / "stacks" / "base.yaml").write_text("{}\n")
    (tmp_path / "stacks" / "Pulumi.dev.yaml").write_text(json.dumps({"config": own}))
    watched = plan_source.load(tmp_path, "dev")
    assert set(watched.alarms) == {*analytics().alarms, *make_plan().alarms}


def test_the_budget_counts_what_the_analytics_cost() -> None:
    def services(**over: Any) -> tuple[str, ...]:
        settings = validate({**MINIMAL, "budget": {"monthly_limit_usd": 1}, **over}, source=Path("test"))
        budget = plan_cloudwatch("dev", settings).budget
        assert budget
        return budget.services

    assert set(services(analytics={})) - set(services()) == {
        "Amazon Kinesis Firehose",
        "Amazon Simple Storage Service",
        "AWS Glue",
        "Amazon Athena",
    }


def test_environments_are_those_of_the_settings() -> None:
    """A new environment must decide what it keeps."""
    assert set(Environment) == {"local", "dev", "staging", "prod"}
