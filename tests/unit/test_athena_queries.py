"""The Athena queries: each is one that Athena takes, and its figures are those of the events.

Figures come from `tests.athena_figures`, plain Python over the same events; the SQL runs through the lab's Athena over
Parquet files.
"""

from __future__ import annotations

import dataclasses
import datetime
import io
import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from moto import mock_aws
from sqlglot import exp

from analytics.plan import athena_sql, queries
from analytics.plan.model import EventTable, NamedQuery
from analytics.plan.queries import STAGE_BUCKET, column_types, plan_named_queries
from core.errors import UserError
from core.events import EVENTS, SESSION_ANALYTICS, VOICE_METRICS, Field
from lab.athena_engine import LabAthena, connect, table
from stacks.settings.model import LlmPrice, Prices, SavedQueries, SttPrice, TtsPrice
from stacks.settings.targets import Targets
from tests.athena_figures import ANSWERS, UNLOADED, Event, Given, assert_same, moment
from tests.athena_lab import (
    BUCKET,
    DATABASE,
    address,
    event_tables,
    glue_description,
    lab_athena,
    parquet,
    records,
)
from tests.generated_calls import EXPENSIVE_TIMES, generate

NOW = datetime.datetime(2026, 6, 17, 15, 30, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
DAY = datetime.timedelta(days=1)
EXPENSIVE_DAY = (NOW - 3 * DAY).date()
TABLES = event_tables()
CALLS, TURNS = (next(each for each in TABLES if each.event == event) for event in (SESSION_ANALYTICS, VOICE_METRICS))
NUMBERS = SavedQueries()
TARGETS = Targets()
PRICES = Prices.model_validate(
    {
        "llm": {
            "gpt-4o-mini": {"input_usd_per_million_tokens": 0.15, "output_usd_per_million_tokens": 0.6},
            "gpt-4o": {"input_usd_per_million_tokens": 2.5, "output_usd_per_million_tokens": 10},
            "gpt-4.1-mini": {"input_usd_per_million_tokens": 1e-7, "output_usd_per_million_tokens": 1.6},
        },
        "stt": {"nova-3": {"usd_per_minute": 0.0043}},
        "tts": {"eleven_turbo_v2_5": {"usd_per_thousand_characters": 0.3}},
    }
)


def planned(
    tables: Sequence[EventTable] = TABLES,
    prices: Prices = PRICES,
    targets: Targets = TARGETS,
    numbers: SavedQueries = NUMBERS,
) -> dict[str, NamedQuery]:
    found = plan_named_queries("dev", tables, DATABASE, prices, targets, numbers)
    return {query.name.removeprefix("dev/"): query for query in found}


def datehour(when: datetime.datetime) -> str:
    return when.strftime("%Y/%m/%d/%H")


def folder(event: Event) -> str:
    """A file of each day, which lies where its oldest record arrived: an hour before midnight for what came with it."""
    when = moment(event)
    return datehour(when - HOUR if when.hour == 0 else when.replace(hour=12))


def delivered(events: Iterable[Event], replayed: Iterable[Event] = ()) -> dict[str, bytes]:
    """Files of events, and of some that came a second time, an hour ago."""
    folders: dict[tuple[str, str], list[Event]] = defaultdict(list)
    for event in events:
        folders[event["_event_type"], folder(event)].append(event)
    for event in replayed:
        folders[event["_event_type"], datehour(NOW - HOUR)].append(event)
    tables = {each.event: each for each in TABLES}
    return {address(tables[event], where): parquet(tables[event], of) for (event, where), of in folders.items()}


def given(events: Sequence[Event], prices: Prices = PRICES, tables: Sequence[EventTable] = TABLES) -> Given:
    return Given(events, tables, prices, TARGETS, NUMBERS, NOW)


@dataclasses.dataclass(frozen=True)
class Month:
    """A month and a half of calls, with what Firehose and a replay do to them."""

    given: Given
    athena: LabAthena
    written: dict[str, bytes]


@pytest.fixture(scope="module")
def month() -> Month:
    events = generate(4000, seed=5, end=NOW, days=45, agents=("receptionist", "sales"), expensive_day=EXPENSIVE_DAY)
    written: dict[str, bytes] = {}
    return Month(given(events), lab_athena(TABLES, delivered(events, events[::7]), NOW, written), written)


def run_all(events: Sequence[Event], files: dict[str, bytes], prices: Prices = PRICES) -> None:
    """Every query over `files` answers what `events` say."""
    athena, of = lab_athena(TABLES, files, NOW), given(events, prices)
    for name, query in planned(prices=prices).items():
        if name in ANSWERS:
            assert_same(name, records(athena.run(query.sql)), ANSWERS[name](of))


# -- figures -----------------------------------------------------------------------------------------------------------


def test_every_query_says_what_it_answers_and_has_figures_to_be_held_against() -> None:
    found = planned()
    assert set(found) == set(ANSWERS) | set(UNLOADED)
    assert all("?" in query.description for query in found.values())
    assert all(query.sql.startswith(f"-- name: {name}\n-- description: ") for name, query in found.items())


@pytest.mark.parametrize("name", ANSWERS)
def test_a_query_answers_what_the_events_say(month: Month, name: str) -> None:
    """Each event once, though every seventh is in the bucket twice."""
    expected = ANSWERS[name](month.given)
    assert expected
    assert_same(name, records(month.athena.run(planned()[name].sql)), expected)


@pytest.mark.parametrize("name", UNLOADED)
def test_an_export_writes_what_the_events_say_as_parquet(month: Month, name: str) -> None:
    sql = planned()[name].sql.replace(STAGE_BUCKET, "stage")
    assert month.athena.run(sql).rows == ()
    (content,) = (content for key, content in month.written.items() if f"/{name.split()[-1]}/" in key)
    assert all(key.startswith("s3://stage/turnscope/dev/") for key in month.written)
    found = pq.read_table(io.BytesIO(content)).to_pylist()
    assert_same(name, found, UNLOADED[name](month.given))


def test_rankings_begin_with_the_highest(month: Month) -> None:
    for name, column in (("Cost/Most expensive calls", "total_usd"), ("Latency/Slowest calls", "p95_seconds")):
        values = [row[column] for row in records(month.athena.run(planned()[name].sql))]
        assert len(values) == NUMBERS.row_limit
        assert values == sorted(values, reverse=True)


def test_the_expensive_day_is_an_anomaly(month: Month) -> None:
    rows = records(month.athena.run(planned()["Cost/Anomalies"].sql))
    assert len(rows) == 31
    assert EXPENSIVE_DAY in [row["day"] for row in rows if row["anomaly"]]


# -- what events may be like -------------------------------------------------------------------------------------------


def event(event_type: str, identity: str, when: datetime.datetime = NOW - DAY, **fields: Any) -> Event:
    required = {"_event_type": event_type, "_event_id": identity, "_timestamp": when.isoformat(), "_session_id": "call"}
    return {**required, **fields}


def session(identity: str, when: datetime.datetime = NOW - DAY, **fields: Any) -> Event:
    return event(SESSION_ANALYTICS, identity, when, duration_seconds=60.0, turns=3, **fields)


def test_nothing_in_the_bucket_is_no_rows() -> None:
    athena = lab_athena(TABLES, {}, NOW)
    for name, query in planned().items():
        if name in ANSWERS:
            assert athena.run(query.sql).rows == (), name


def test_one_day_of_history_is_no_anomaly() -> None:
    events = generate(200, seed=1, end=NOW, days=1, expensive_day=NOW.date())
    run_all(events, delivered(events))
    athena = lab_athena(TABLES, delivered(events), NOW)
    assert not any(row["anomaly"] for row in records(athena.run(planned()["Cost/Anomalies"].sql)))


USUAL = (1000, 1200, 800, 1000, 1200, 800, 1000)
"""Characters spoken each day: the mean is 1000, the standard deviation 163."""


@pytest.mark.parametrize(
    ("characters", "anomaly"),
    [
        ((*USUAL, 1480), False),
        ((*USUAL, 1500), True),
        # No deviation at all: a quarter more than usual is still asked for.
        ((*[1000] * 7, 1240), False),
        ((*[1000] * 7, 1260), True),
        # Three days are no usage to compare with, four are.
        ((1000, 1000, 1000, 9000), False),
        ((1000, 1000, 1000, 1000, 9000), True),
        # A day without a call is a day that cost nothing; only seven days count.
        ((1000, 0, 1000, 0, 1000, 0, 1000, 1500), False),
        ((90_000, *[1000] * 7, 1500), True),
    ],
)
def test_an_anomaly_is_three_deviations_and_a_quarter_above_the_week_before(
    characters: Sequence[int], anomaly: bool
) -> None:
    days = range(len(characters) - 1, -1, -1)
    summaries = ({"tts_model": "eleven_turbo_v2_5", "tts_characters": number} for number in characters)
    events = [
        session(f"{day} days ago", NOW - day * DAY, metrics_summary=summary)
        for day, summary in zip(days, summaries, strict=True)
        if summary["tts_characters"]
    ]
    rows = records(lab_athena(TABLES, delivered(events), NOW).run(planned()["Cost/Anomalies"].sql))
    assert [row["day"] for row in rows] == [(NOW - day * DAY).date() for day in reversed(days)]
    assert rows[0]["anomaly"] is anomaly


def test_events_with_nothing_but_what_is_required_are_counted() -> None:
    """Null structs and lists, tools without a name or an outcome, quotes in names; nothing fails, nothing is lost."""
    uses = [{"tool": "book"}, {"tool": "book", "success": False}, {"success": True}]
    events = [
        event(VOICE_METRICS, "a turn"),
        event(VOICE_METRICS, "another", llm={"ttft": 0.4}, eou={}, interrupted=True, tenant='a "tenant"'),
        session("a call", tenant="O'Hara"),
        session("unused", tool_calls=[], metrics_summary={}),
        session("used", tool_calls=[{**use, "duration_seconds": 0.5} for use in uses]),
        session("tokens only", metrics_summary={"llm_model": "gpt-4o", "llm_output_tokens": 1_000_000}),
        session("audio only", metrics_summary={"stt_provider": "deepgram", "stt_audio_seconds": 60.0}),
    ]
    run_all(events, delivered(events))
    rows = records(lab_athena(TABLES, delivered(events), NOW).run(planned()["Tools/Success"].sql))
    assert [(row["calls"], row["failures"], row["success_percent"]) for row in rows] == [(2, 1, 0.0)]


def test_a_models_price_is_found_whatever_its_name() -> None:
    """Settings refuse such names; a query must still hold each as the text that it is."""
    name = "it's 'quoted'; \"twice\" \\ % {{ x }}"
    prices = Prices.model_construct(
        llm={name: LlmPrice(input_usd_per_million_tokens=1, output_usd_per_million_tokens=2)},
        stt={name: SttPrice(usd_per_minute=3)},
        tts={name: TtsPrice(usd_per_thousand_characters=4)},
    )
    amounts = {"llm_input_tokens": 10**6, "llm_output_tokens": 10**6, "stt_audio_seconds": 60.0, "tts_characters": 1000}
    summary = {**amounts, **{f"{kind}_model": name for kind in ("llm", "stt", "tts")}}
    events = [session("a call", metrics_summary=summary)]
    run_all(events, delivered(events), prices)
    (row,) = records(lab_athena(TABLES, delivered(events), NOW).run(planned(prices=prices)["Cost/Per month"].sql))
    assert [float(row[column]) for column in ("llm_usd", "stt_usd", "tts_usd", "total_usd")] == [3, 3, 4, 10]


def test_without_prices_every_model_is_unpriced() -> None:
    events = generate(300, seed=2, end=NOW, days=20)
    run_all(events, delivered(events), Prices())


def test_an_old_event_that_is_sent_again_does_not_come_back() -> None:
    """A replay arrives today; what counts is when a call was."""
    old = session("old", NOW - 60 * DAY, tenant="old")
    rows = lab_athena(TABLES, delivered([], [old]), NOW).run(planned()["Business/Calls per tenant and day"].sql).rows
    assert rows == ()


@pytest.mark.parametrize(
    ("name", "since"),
    [
        ("Cost/Per month", datetime.datetime(2025, 7, 1)),
        ("Business/Qualified leads per week", datetime.datetime(2026, 3, 30)),
        ("Business/Calls per tenant and day", datetime.datetime(2026, 5, 18)),
    ],
)
def test_a_window_begins_with_a_whole_month_week_or_day(name: str, since: datetime.datetime) -> None:
    """Twelve months with the running one, twelve weeks, thirty days and today."""
    table = dataclasses.replace(CALLS, first_hour="2025/01/01/00")
    for when, calls in ((since, [1]), (since - datetime.timedelta(milliseconds=1), [])):
        files = {address(table, datehour(when)): parquet(table, [session("edge", when)])}
        found = records(lab_athena([table], files, NOW).run(planned([table])[name].sql))
        assert [row["calls"] for row in found] == calls


def test_a_time_that_cannot_be_read_counts_at_the_hour_of_arrival() -> None:
    odd = {**session("odd"), "_timestamp": "yesterday, at tea time"}
    files = {address(CALLS, datehour(NOW - 2 * DAY)): parquet(CALLS, [odd])}
    (row,) = records(lab_athena(TABLES, files, NOW).run(planned()["Business/Calls per tenant and day"].sql))
    assert row["day"] == (NOW - 2 * DAY).date()


def test_rows_without_an_id_are_not_taken_for_one_another() -> None:
    files = {address(CALLS, datehour(NOW)): parquet(CALLS, [{**session("x", NOW), "_event_id": None}] * 3)}
    (row,) = records(lab_athena(TABLES, files, NOW).run(planned()["Business/Calls per tenant and day"].sql))
    assert row["calls"] == 3


def test_files_of_an_older_schema_are_read_with_nothing_where_fields_were_added() -> None:
    """Columns, and fields of structs; beside files of today's."""
    older = dataclasses.replace(
        CALLS,
        columns=tuple(
            dataclasses.replace(each, type="struct<llm_tokens:bigint>") if each.name == "metrics_summary" else each
            for each in CALLS.columns
        ),
    )
    before = session("before", metrics_summary={"llm_tokens": 5})
    after = session("after", tenant="acme", metrics_summary={"llm_tokens": 6, "llm_model": "gpt-4o"})
    files = {
        address(CALLS, datehour(NOW - DAY), "older.parquet"): parquet(
            older, [before], without=["tenant", "tool_calls"]
        ),
        address(CALLS, datehour(NOW - DAY), "newer.parquet"): parquet(CALLS, [after]),
    }
    run_all([before, after], files)


# -- what every template keeps -----------------------------------------------------------------------------------------

SCHEMA = {DATABASE: {table.event: column_types(table) for table in TABLES}}


@pytest.mark.parametrize("name", [*ANSWERS, *UNLOADED])
def test_a_query_reads_only_its_windows_folders_and_once(name: str) -> None:
    """A bound on `datehour` that Athena knows before it lists files: an expression without columns and subqueries."""
    select = athena_sql.read(planned()[name].sql, SCHEMA).select
    (read,) = (each for each in select.find_all(exp.Table) if each.db)
    around = read.find_ancestor(exp.Select)
    assert around is not None
    (bound,) = (each for each in around.args["where"].find_all(exp.GTE) if each.this.name == "datehour")
    assert not any(bound.expression.find_all(exp.Column, exp.Query))
    used = Counter(each.name for each in select.find_all(exp.Table))
    assert set(used.values()) == {1}, "what a WITH names is worked out, and read, as often as it is used"


@pytest.mark.parametrize("name", [*ANSWERS, *UNLOADED])
def test_no_division_drops_its_rest(name: str) -> None:
    """Trino divides whole numbers to a whole number, and decimals to few digits."""
    for division in athena_sql.read(planned()[name].sql, SCHEMA).select.find_all(exp.Div):
        assert any(side.is_type(exp.DType.DOUBLE) for side in (division.left, division.right)), division.sql()


def test_a_stack_without_an_event_has_no_query_on_it() -> None:
    only_calls = planned(event_tables([SESSION_ANALYTICS]))
    assert set(only_calls) == {
        name for name, query in planned().items() if f"{DATABASE}.{VOICE_METRICS}" not in query.sql
    }
    assert 0 < len(only_calls) < len(planned())


def test_exports_hold_the_fields_that_the_settings_add() -> None:
    extra = {SESSION_ANALYTICS: [Field("crm.stage", "string", "", ""), Field("rating", "number", "", "")]}
    tables = event_tables(extra=extra)
    rated = session("rated", crm={"stage": "won"}, rating=4.5)
    files = {address(tables[1], datehour(NOW)): parquet(tables[1], [rated])}
    written: dict[str, bytes] = {}
    athena = lab_athena(tables, files, NOW, written)
    (row,) = records(athena.run(planned(tables)["Export/Amplitude calls"].sql))
    assert json.loads(row["event_properties"]).items() >= {"crm_stage": "won", "rating": 4.5}.items()
    athena.run(planned(tables)["Export/Snowflake calls"].sql)
    (content,) = written.values()
    (exported,) = pq.read_table(io.BytesIO(content)).to_pylist()
    assert (exported["crm_stage"], exported["rating"]) == ("won", 4.5)


def test_a_stack_partitioned_by_agent_has_the_same_figures() -> None:
    tables = event_tables(by_agent=("receptionist", "other"))
    events = [session("ours", agent="receptionist"), session("theirs", agent="stranger")]
    where = datehour(NOW - DAY)
    files = {
        address(tables[1], f"agent_name={folder}/{where}"): parquet(tables[1], [each])
        for each, folder in zip(events, ("receptionist", "other"), strict=True)
    }
    athena = lab_athena(tables, files, NOW)
    for name, query in planned(tables).items():
        if name in ANSWERS:
            assert_same(name, records(athena.run(query.sql)), ANSWERS[name](given(events, tables=tables)))


# -- what goes wrong loudly --------------------------------------------------------------------------------------------

HEADER = "-- name: A/B\n-- description: What?\n"
READ = f"from {DATABASE}.session_analytics"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER + "select 1\nfrom calls", "no table calls; allowed: turnscope_dev.voice_metrics"),
        (HEADER + f"select tenat {READ}", r"bad\.sql\.j2, as rendered: Column 'tenat' could not be resolved. Line: 3"),
        (HEADER + f"select metrics_summary.llm_modl {READ}", "metrics_summary has no field llm_modl; allowed: llm_tok"),
        (HEADER + f"select s.discovered_signals.size {READ} as s", "discovered_signals has no field size; allowed: te"),
        (HEADER + f"select count(* {READ}", "bad.sql.j2, as rendered: .*Line: 3"),
        (HEADER + f"drop table {DATABASE}.session_analytics", "allowed: one SELECT, or one UNLOAD"),
        (HEADER + f"select 1 {READ}; select 2", "allowed: one SELECT, or one UNLOAD"),
        (HEADER + f"unload (select 1 as x {READ}) to 's3://b/x/' with (format = 'CSV')", "allowed: format = 'PARQUET'"),
        (HEADER + "select {{ nothing }}", r"bad\.sql\.j2, line 3: 'nothing' is undefined"),
        (HEADER + "select 1 {{ tables.sessions.name }}", "there is no event 'sessions'; allowed: voice_metrics"),
        ("select 1", r"bad\.sql\.j2: must start with the lines -- name: "),
        (
            HEADER.replace("A/B", "A" * 128) + "select 1",
            "bad.sql.j2: a name has at most 128 characters, this one 132",
        ),
        (HEADER.replace("What?", "W" * 1025) + "select 1", "a description has at most 1024 characters"),
        (HEADER + f"select '{'x' * 262_144}'", "a query has at most 262144 bytes"),
    ],
)
def test_a_bad_template_stops_the_plan_and_is_named(
    text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bad.sql.j2").write_text(text)
    monkeypatch.setattr(queries, "TEMPLATES", dataclasses.replace(queries.TEMPLATES, folder=tmp_path))
    with pytest.raises(ValueError, match=message):
        planned()


# -- the lab's Athena --------------------------------------------------------------------------------------------------


def test_the_lab_divides_as_trino_does() -> None:
    sql = f"select turns / 2 as half, -turns / 2 as other, turns / 2e0 as exact {READ}"
    files = {address(CALLS, datehour(NOW)): parquet(CALLS, [session("x")])}
    assert lab_athena(TABLES, files, NOW).run(sql).rows == ((1, -1, 1.5),)


def test_the_lab_sees_only_files_of_the_projection() -> None:
    """As Athena: nothing before its first hour, nothing after now, no hidden file, no folder of another layout."""
    content = parquet(CALLS, [session("x")])
    seen = ["2026/01/01/00", datehour(NOW)]
    unseen = ["2025/12/31/23", datehour(NOW + HOUR), "2026/01/01", "2026-01-01-00", "2026/01/01/00/deeper"]
    files = {address(CALLS, where): content for where in (*seen, *unseen)}
    files |= {address(CALLS, seen[0], name): content for name in ("_SUCCESS", ".part.crc")}
    rows = lab_athena(TABLES, files, NOW).run(f"select datehour {READ} order by 1").rows
    assert rows == tuple((where,) for where in seen)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("turns", pa.array([1.5]), "column turns is double, and int64 in the table"),
        ("metrics_summary", pa.array([{"llm_tokens": "5"}]), "column metrics_summary.llm_tokens is string, and int64"),
        ("tool_calls", pa.array([[{"success": "yes"}]]), r"column tool_calls\[\].success is string, and bool"),
    ],
)
def test_a_file_that_is_not_as_its_table_says_is_an_error(column: str, value: pa.Array, message: str) -> None:
    content = io.BytesIO()
    pq.write_table(pa.table({column: value}), content)
    with pytest.raises(UserError, match=rf"lab: s3://data/session_analytics/.*HIVE_BAD_DATA.*: {message}"):
        lab_athena(TABLES, {address(CALLS, datehour(NOW)): content.getvalue()}, NOW)


@pytest.mark.parametrize("sql", ["select nothing", "select 1 from nowhere.nothing", "drop table x", "select ("])
def test_the_lab_refuses_what_athena_would(sql: str) -> None:
    with pytest.raises(UserError, match="lab: Athena would reject this query: ") as raised:
        lab_athena(TABLES, {}, NOW).run(sql)
    assert raised.value.exit_code == 2


def test_a_query_reads_no_file_of_this_machine(tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("a\n1\n")
    with pytest.raises(UserError):
        lab_athena(TABLES, {}, NOW).run(f"select * from read_csv('{tmp_path}/secret.csv')")  # noqa: S608


def test_a_table_without_partition_projection_is_refused() -> None:
    description = glue_description(CALLS)
    description["Parameters"]["projection.enabled"] = "false"
    with pytest.raises(UserError, match="lab: table session_analytics: allowed: with partition projection"):
        table(description)


@mock_aws
def test_tables_and_files_are_found_through_glue_and_s3() -> None:
    """What is deployed and delivered, page by page; an export goes back into a bucket."""

    def client(service: str) -> Any:
        return boto3.client(service, region_name="us-west-1", aws_access_key_id="x", aws_secret_access_key="x")

    glue, s3 = client("glue"), client("s3")
    with pytest.raises(UserError, match="There is no Glue database turnscope_dev: run `turnscope up` first"):
        connect(client, "local", DATABASE)
    glue.create_database(DatabaseInput={"Name": DATABASE})
    for each in TABLES:
        description = glue_description(each)
        description.pop("DatabaseName")
        glue.create_table(DatabaseName=DATABASE, TableInput=description)
    for bucket in (BUCKET, "stage"):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "us-west-1"})
    for hour in range(3):
        key = address(CALLS, datehour(NOW - hour * HOUR)).removeprefix(f"s3://{BUCKET}/")
        s3.put_object(Bucket=BUCKET, Key=key, Body=parquet(CALLS, [session(f"{hour}", NOW - hour * HOUR)]))
    athena = connect(client, "local", DATABASE, NOW)
    assert athena.run(f"select count(*) {READ}").rows == ((3,),)
    export = planned()["Export/Snowflake calls"].sql
    with pytest.raises(UserError, match="lab: s3://STAGE_BUCKET/turnscope/dev/calls/: allowed: a bucket that exists"):
        athena.run(export)
    athena.run(export.replace(STAGE_BUCKET, "stage"))
    with pytest.raises(UserError, match=r"HIVE_PATH_ALREADY_EXISTS.*: allowed: an empty folder"):
        athena.run(export.replace(STAGE_BUCKET, "stage"))
    (key,) = (each["Key"] for each in s3.list_objects_v2(Bucket="stage")["Contents"])
    assert key.startswith("turnscope/dev/calls/")
    assert pq.read_table(io.BytesIO(s3.get_object(Bucket="stage", Key=key)["Body"].read())).num_rows == 3


def test_the_lab_stands_in_for_athena_only_where_aws_is_emulated() -> None:
    def client(service: str) -> Any:
        raise AssertionError(f"{service} was called")

    with pytest.raises(UserError, match="environment local"):
        connect(client, "prod", DATABASE)


# -- generated events --------------------------------------------------------------------------------------------------


def test_the_same_seed_makes_the_same_events_and_as_many_as_asked_for() -> None:
    first, again, other = (generate(1000, seed=seed, end=NOW) for seed in (1, 1, 2))
    assert first == again != other
    assert len(first) == len({each["_event_id"] for each in first}) == 1000
    sessions = {each["_session_id"] for each in first}
    assert len(sessions) == sum(each["_event_type"] == SESSION_ANALYTICS for each in first)


def test_generated_events_have_the_fields_of_the_schema_and_are_as_different_as_real_ones() -> None:
    events = generate(3000, seed=3, end=NOW, days=45, expensive_day=EXPENSIVE_DAY)
    types: dict[str, Any] = {"string": str, "number": (int, float), "integer": int, "boolean": bool, "array": list}
    for each in events:
        for field in EVENTS[each["_event_type"]]:
            value: Any = each
            for key in field.path.split("."):
                value = (value or {}).get(key)
            assert isinstance(value, types[field.type]) or (value is None and not field.required), field.path
    times = [moment(each) for each in events]
    assert NOW.replace(tzinfo=None) - 45 * DAY <= min(times) <= max(times) < NOW.replace(tzinfo=None)
    calls = [each for each in events if each["_event_type"] == SESSION_ANALYTICS]
    assert len({moment(call).date() for call in calls}) > 40
    assert {call["metrics_summary"]["llm_model"] for call in calls} > set(PRICES.llm)
    characters = defaultdict(list)
    for call in calls:
        characters[moment(call).date() == EXPENSIVE_DAY].append(call["metrics_summary"]["tts_characters"])
    usual, expensive = (math.fsum(characters[key]) / len(characters[key]) for key in (False, True))
    assert usual * EXPENSIVE_TIMES / 2 < expensive < usual * EXPENSIVE_TIMES * 2
