"""A hundred thousand events through the local stack: log group, Firehose, bucket, every Athena query.

The tests of this module build on each other, in order. What the queries must answer is worked out from the events
themselves (`tests.athena_figures`).
"""

from __future__ import annotations

import datetime
import io
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from analytics.plan.model import AnalyticsPlan
from analytics.plan.queries import STAGE_BUCKET
from cloudwatch.clients import ClientFactory, client_factory
from lab import athena_engine, emulator, firehose
from tests.athena_figures import ANSWERS, UNLOADED, Given, assert_same
from tests.athena_lab import records
from tests.generated_calls import generate
from tests.integration.conftest import NO_LIFECYCLES, Checkout
from tests.machine import LIMIT_SECONDS
from tests.poison import poison

EVENTS = 100_000
SEED = 20_260_617
DAYS = 45
PUT_EVENTS = 2000
PUT_BYTES = 900_000
"""PutLogEvents takes 10,000 events and 1 MiB, counting 26 bytes beside each."""

RAW_CHARACTERS = 64 * 1024
"""What is kept of a refused line."""


@dataclass
class Stack:
    """The deployed stack, and what went into it."""

    directory: Path
    """The emulator's."""
    client: ClientFactory
    plan: AnalyticsPlan
    log_group: str
    given: Given


BESIDES = (
    '{"message": "voice_metrics and session_analytics are sent", "level": "INFO", "name": "agent"}',
    "voice_metrics: not JSON at all, and no event",
    '{"message": "another line of the log", "level": "INFO"}',
)
"""What a log also holds: no event, no mistake."""


@pytest.fixture(scope="module")
def stack(checkout: Checkout) -> Stack:
    checkout.change(
        "  turnscope:lab:",
        f"  turnscope:analytics: {{buffer_seconds: 60, record_max_kib: 128, {NO_LIFECYCLES}}}\n  turnscope:lab:",
    )
    # Without the worker that makes metrics of log events: it is made for a laptop's few calls, and tested elsewhere.
    directory = checkout.root / ".turnscope" / "local"
    emulator.start(directory, emulator_port(checkout))
    run = checkout.turnscope("up", "local", "--yes")
    assert run.returncode == 0, run.stdout + run.stderr
    settings = checkout.settings
    plan = checkout.plan
    assert plan.cloudwatch is not None
    assert plan.analytics is not None
    now = datetime.datetime.now(datetime.UTC)
    expensive = (now - datetime.timedelta(days=2)).date()
    events = generate(EVENTS, seed=SEED, end=now, days=DAYS, agents=tuple(settings.agents), expensive_day=expensive)
    return Stack(
        directory,
        client_factory(settings),
        plan.analytics,
        plan.cloudwatch.agents[0].log_group.name,
        Given(events, plan.analytics.tables, settings.prices, settings.targets, settings.saved_queries, now),
    )


def emulator_port(checkout: Checkout) -> int:
    lab = checkout.settings.lab
    assert lab is not None
    return lab.aws_port


def batches(lines: Sequence[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for line in lines:
        length = len(line.encode()) + 26
        if batch and (len(batch) == PUT_EVENTS or size + length > PUT_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(line)
        size += length
    yield batch


def put(stack: Stack, stream: str, lines: Sequence[str]) -> None:
    logs = stack.client("logs")
    logs.create_log_stream(logGroupName=stack.log_group, logStreamName=stream)
    for batch in batches(lines):
        now_ms = int(time.time() * 1000)
        answer = logs.put_log_events(
            logGroupName=stack.log_group,
            logStreamName=stream,
            logEvents=[{"timestamp": now_ms, "message": line} for line in batch],
        )
        assert "rejectedLogEventsInfo" not in answer


def bucket(stack: Stack, purpose: str) -> str:
    account = stack.client("sts").get_caller_identity()["Account"]
    return {each.key: each for each in stack.plan.buckets}[purpose].name(account)


def objects(stack: Stack, prefix: str) -> list[str]:
    pages = stack.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket(stack, "data"), Prefix=prefix)
    return [each["Key"] for page in pages for each in page.get("Contents", ())]


def content(stack: Stack, purpose: str, key: str) -> bytes:
    return stack.client("s3").get_object(Bucket=bucket(stack, purpose), Key=key)["Body"].read()


def delivered(stack: Stack) -> Counter[str]:
    """Rows in the bucket, by event."""
    rows: Counter[str] = Counter()
    for table in stack.plan.tables:
        for key in objects(stack, table.prefix):
            rows[table.event] += pq.read_metadata(io.BytesIO(content(stack, "data", key))).num_rows
    return rows


def refused(stack: Stack) -> list[dict[str, str]]:
    keys = objects(stack, stack.plan.rejected_prefix)
    return [json.loads(line) for key in keys for line in content(stack, "data", key).decode().split("\n") if line]


def undelivered(stack: Stack) -> list[str]:
    """Why Firehose could not deliver, of what it could not: each reason once."""
    keys = [key for table in stack.plan.tables for key in objects(stack, f"errors/{table.event}/")]
    records = [json.loads(line) for key in keys for line in content(stack, "data", key).decode().splitlines()]
    return sorted({each.get("errorMessage") or each["lastErrorMessage"] for each in records})


def test_what_goes_in_comes_out(stack: Stack) -> None:
    """As many of each event as were put: nothing lost, nothing twice, and poison stops nothing."""
    bad = [each.line for of_event in poison().values() for each in of_event]
    lines = [json.dumps(event) for event in stack.given.events]
    middle = len(lines) // 2
    put(stack, "agent-1", [*lines[:middle], *bad, *BESIDES, *lines[middle:]])
    expected = Counter(event["_event_type"] for event in stack.given.events)
    assert expected.total() == EVENTS
    firehose.wait_delivered(stack.directory, LIMIT_SECONDS)
    assert undelivered(stack) == []
    assert delivered(stack) == expected
    stack.given = Given(
        stack.given.events,
        stack.given.tables,
        stack.given.prices,
        stack.given.targets,
        stack.given.numbers,
        datetime.datetime.now(datetime.UTC),
    )


def test_poisoned_lines_are_kept_with_a_reason(stack: Stack) -> None:
    lines = poison()
    found = refused(stack)
    assert Counter(record["event"] for record in found) == {event: len(each) for event, each in lines.items()}
    for record in found:
        assert record["reason"]
        assert len(record["raw"]) <= RAW_CHARACTERS
        # The time in a line differs from one call of poison() to the next; its ends do not.
        assert any(record["raw"][:20] == each.line[:20] for each in lines[record["event"]])
    assert Counter(record["field"] for record in found) == Counter(
        each.field for of_event in lines.values() for each in of_event
    )


@pytest.fixture(scope="module")
def athena(stack: Stack) -> athena_engine.LabAthena:
    return athena_engine.connect(stack.client, "local", stack.plan.database, stack.given.now)


@pytest.fixture(scope="module")
def saved(stack: Stack) -> dict[str, str]:
    """The SQL of the workgroup's queries, as they are deployed."""
    client = stack.client("athena")
    workgroup = stack.plan.workgroup.name
    ids = client.list_named_queries(WorkGroup=workgroup)["NamedQueryIds"]
    described = [client.get_named_query(NamedQueryId=each)["NamedQuery"] for each in ids]
    assert {each["Database"] for each in described} == {stack.plan.database}
    return {each["Name"].removeprefix("local/"): each["QueryString"] for each in described}


def test_every_query_is_deployed(saved: dict[str, str]) -> None:
    assert set(saved) == set(ANSWERS) | set(UNLOADED)


@pytest.mark.parametrize("name", ANSWERS)
def test_a_deployed_query_answers_what_the_events_say(
    stack: Stack, athena: athena_engine.LabAthena, saved: dict[str, str], name: str
) -> None:
    expected = ANSWERS[name](stack.given)
    assert expected
    assert_same(name, records(athena.run(saved[name])), expected)


@pytest.mark.parametrize("name", UNLOADED)
def test_a_deployed_export_writes_what_the_events_say(
    stack: Stack, athena: athena_engine.LabAthena, saved: dict[str, str], name: str
) -> None:
    stage = bucket(stack, "results")
    athena.run(saved[name].replace(STAGE_BUCKET, stage))
    prefix = f"turnscope/local/{name.split()[-1]}/"
    (written,) = stack.client("s3").list_objects_v2(Bucket=stage, Prefix=prefix)["Contents"]
    found = pq.read_table(io.BytesIO(content(stack, "results", written["Key"]))).to_pylist()
    assert_same(name, found, UNLOADED[name](stack.given))
