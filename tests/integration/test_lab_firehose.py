"""The lab's Firehose in the emulator, on what the real engine deployed: log events in, Parquet and reasons out.

The tests of this module build on each other, in order.
"""

from __future__ import annotations

import base64
import datetime
import io
import json
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from analytics.operations import batches
from analytics.operations.comparison import Logged
from analytics.plan.model import AnalyticsPlan
from analytics.plan.record_schema import record_schema
from analytics.validation_function import HANDLER
from cloudwatch.clients import ClientFactory, client_factory
from core.events import SESSION_ANALYTICS, VOICE_METRICS
from lab import emulator, firehose
from stacks.settings.model import Settings
from tests.generated_calls import generate
from tests.integration.conftest import AGENT, Checkout
from tests.machine import LIMIT_SECONDS

ACCOUNT = "123456789012"
AGENTS = ("receptionist", "sales")
NOW = datetime.datetime.now(datetime.UTC)


@dataclass
class Stack:
    directory: Path
    settings: Settings
    client: ClientFactory
    plan: AnalyticsPlan

    def log(self, agent: str, *lines: str) -> None:
        """Put lines into an agent's log group, and wait until what they set off is over."""
        logs, group = self.client("logs"), self.settings.log_group_name(agent)
        name = f"{agent}-{time.time_ns()}"
        logs.create_log_stream(logGroupName=group, logStreamName=name)
        for start in range(0, len(lines), 1000):
            logs.put_log_events(
                logGroupName=group,
                logStreamName=name,
                logEvents=[
                    {"timestamp": time.time_ns() // 10**6, "message": each} for each in lines[start : start + 1000]
                ],
            )
        self.wait()

    def wait(self) -> None:
        firehose.wait_delivered(self.directory, LIMIT_SECONDS)

    def objects(self, prefix: str) -> dict[str, bytes]:
        s3, bucket = self.client("s3"), self.plan.data_bucket.name(ACCOUNT)
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        keys = [each["Key"] for page in pages for each in page.get("Contents", ())]
        return {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}

    def rows(self, event: str) -> list[dict[str, Any]]:
        found = self.objects(self.plan.table(event).prefix)
        assert all(key.endswith(".parquet") for key in found)
        return [row for each in found.values() for row in pq.read_table(io.BytesIO(each)).to_pylist()]

    def failures(self, event: str, kind: str) -> list[dict[str, Any]]:
        found = self.objects(f"errors/{event}/{kind}/")
        return [json.loads(line) for each in found.values() for line in each.splitlines()]

    def refused(self) -> list[dict[str, Any]]:
        found = self.objects(self.plan.rejected_prefix)
        return [json.loads(line) for each in found.values() for line in each.splitlines()]

    def stream(self, event: str) -> str:
        return next(each.name for each in self.plan.streams if each.event == event)

    def metric(self, namespace: str, name: str, dimension: tuple[str, str]) -> float:
        found = self.client("cloudwatch").get_metric_statistics(
            Namespace=namespace,
            MetricName=name,
            Dimensions=[{"Name": dimension[0], "Value": dimension[1]}],
            StartTime=NOW - datetime.timedelta(hours=1),
            EndTime=NOW + datetime.timedelta(hours=1),
            Period=7200,
            Statistics=["Sum"],
        )
        return sum(each["Sum"] for each in found["Datapoints"])


@pytest.fixture(scope="module")
def stack(checkout: Checkout) -> Iterator[Stack]:
    checkout.change(AGENT, "receptionist: {}, sales: {}")
    checkout.change("  turnscope:lab:", "  turnscope:analytics: {partition_by_agent: true}\n  turnscope:lab:")
    directory = checkout.root / ".turnscope" / "local"
    run = checkout.turnscope("up", "local", "--yes")
    assert run.returncode == 0, run.stdout + run.stderr
    plan = checkout.plan.analytics
    assert plan
    yield Stack(directory, checkout.settings, client_factory(checkout.settings), plan)
    emulator.stop(directory)


def turn(session: str, **over: Any) -> str:
    event = {"_event_type": VOICE_METRICS, "_timestamp": NOW.isoformat(), "_session_id": session, **over}
    return json.dumps(event)


def test_every_event_becomes_one_row_in_its_agents_folder(stack: Stack) -> None:
    """Every field with its value, under its column; no line of another kind is among them, and nothing fails."""
    for number, agent in enumerate(AGENTS):
        events = [{**each, "agent": agent} for each in generate(3000, seed=number, end=NOW, agents=(agent,))]
        stack.log(agent, *map(json.dumps, events), '{"message": "voice_metrics are sent"}', "session_analytics too")
        for event in (VOICE_METRICS, SESSION_ANALYTICS):
            sent = [each for each in events if each["_event_type"] == event]
            rows = [row for row in stack.rows(event) if row["agent"] == agent]
            assert Counter(row["session_id"] for row in rows) == Counter(each["_session_id"] for each in sent)
            assert len({row["event_id"] for row in rows}) == len(sent)
            by_id = {row["event_id"]: row for row in rows}
            for each in sent:
                if "_event_id" in each:
                    row = by_id[each["_event_id"]]
                    assert row["occurred_at"] == each["_timestamp"]
                    for column in stack.plan.table(event).columns:
                        assert_holds(row[column.name], each.get(column.json_key))
    for event in (VOICE_METRICS, SESSION_ANALYTICS):
        folders = {key.split("/")[1] for key in stack.objects(f"{event}/")}
        assert folders == {f"agent_name={agent}" for agent in AGENTS}
        # The day of their arrival, which is another one where midnight is in between.
        days = {f"{moment:%Y/%m/%d}" for moment in (NOW, datetime.datetime.now(datetime.UTC))}
        assert {"/".join(key.split("/")[2:5]) for key in stack.objects(f"{event}/")} <= days
    assert not stack.objects("errors/")


def assert_holds(cell: Any, value: Any) -> None:
    """`cell` has every field of `value`; what it has beside is null."""
    if isinstance(cell, dict):
        for name, each in cell.items():
            assert_holds(each, (value or {}).get(name))
    elif isinstance(cell, list):
        for each, of in zip(cell, value, strict=True):
            assert_holds(each, of)
    else:
        assert cell == value


def test_poison_stops_nothing_and_is_kept_with_a_reason(stack: Stack) -> None:
    before = len(stack.rows(VOICE_METRICS))
    bad = {
        turn("poison")[:-3]: "not JSON",
        turn("poison", _session_id=None): "_session_id is missing",
        turn("poison", total_latency="fast"): "total_latency: expected a number, got string 'fast'",
        turn("poison", speech_id="x" * 1_000_000): "bytes; at most",
    }
    stack.log(AGENTS[0], turn("before"), *bad, turn("after"))
    assert len(stack.rows(VOICE_METRICS)) == before + 2
    found = stack.refused()
    assert len(found) == len(bad)
    for line, reason in bad.items():
        assert [reason in each["reason"] for each in found if each["raw"] == line[: 64 * 1024]] == [True]
    garbage = b"\x1f\x8b garbage"
    answer = stack.client("firehose").put_record_batch(
        DeliveryStreamName=stack.stream(VOICE_METRICS), Records=[{"Data": garbage}, {"Data": b"not gzip"}]
    )
    assert answer["FailedPutCount"] == 0
    stack.log(AGENTS[0], turn("later"))
    raw = [base64.b64decode(each["rawData"]) for each in stack.failures(VOICE_METRICS, "decompression-failed")]
    assert sorted(raw) == sorted([garbage, b"not gzip"])
    assert len(stack.rows(VOICE_METRICS)) == before + 3
    told = stack.client("logs").filter_log_events(logGroupName=stack.plan.error_log_group)["events"]
    assert {json.loads(each["message"])["errorCode"] for each in told} == {"Decompression.Failed"}


def test_events_that_are_sent_again_are_the_same_events(stack: Stack) -> None:
    """In the batches of `turnscope analytics replay`, through PutRecordBatch."""
    line = turn("again", agent="sales")
    stack.log("sales", line)
    group = stack.settings.log_group_name("sales")
    logged = Logged(VOICE_METRICS, "key", NOW, NOW, group, int(NOW.timestamp() * 1000), line)
    for record in batches.records([logged], account_id=ACCOUNT, subscription_filter="replay"):
        stack.client("firehose").put_record(
            DeliveryStreamName=stack.stream(VOICE_METRICS), Record={"Data": record.data}
        )
    stack.wait()
    first, second = (row["event_id"] for row in stack.rows(VOICE_METRICS) if row["session_id"] == "again")
    assert first == second


def test_delivery_goes_on_after_the_function_failed(stack: Stack) -> None:
    """What it failed over is kept as it came, to be sent again."""
    function, client = stack.plan.validation_function, stack.client("lambda")
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("handler.py", "def handler(event, context):\n    raise RuntimeError('broken')\n")
    client.update_function_code(FunctionName=function, ZipFile=content.getvalue())
    stack.log(AGENTS[0], turn("lost"))
    (failure,) = stack.failures(VOICE_METRICS, "processing-failed")
    assert "broken" in failure["errorMessage"]
    assert stack.metric("AWS/Lambda", "Errors", ("FunctionName", function)) > 0

    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.write(HANDLER, "handler.py")
        archive.writestr("schema.json", json.dumps(record_schema(stack.plan)))
    client.update_function_code(FunctionName=function, ZipFile=content.getvalue())
    stack.client("firehose").put_record(
        DeliveryStreamName=stack.stream(VOICE_METRICS), Record={"Data": base64.b64decode(failure["rawData"])}
    )
    stack.log(AGENTS[0], turn("found"))
    assert {"lost", "found"} <= {row["session_id"] for row in stack.rows(VOICE_METRICS)}


def test_a_line_that_no_longer_fits_the_table_is_kept_aside(stack: Stack) -> None:
    """Where the check lets it pass: here the table was changed by hand."""
    glue, database = stack.client("glue"), stack.plan.database
    table = glue.get_table(DatabaseName=database, Name=SESSION_ANALYTICS)["Table"]
    columns = table["StorageDescriptor"]["Columns"]
    changed = [{**each, "Type": "string"} if each["Name"] == "turns" else each for each in columns]
    known = ("Name", "Parameters", "PartitionKeys", "StorageDescriptor", "TableType")
    given = {name: table[name] for name in known}
    given["StorageDescriptor"] = {**given["StorageDescriptor"], "Columns": changed}
    glue.update_table(DatabaseName=database, TableInput=given)
    before = len(stack.rows(SESSION_ANALYTICS))
    stack.log(AGENTS[0], turn("s", _event_type=SESSION_ANALYTICS, turns=3), turn("s", _event_type=SESSION_ANALYTICS))
    (failure,) = stack.failures(SESSION_ANALYTICS, "format-conversion-failed")
    assert "turns" in failure["lastErrorMessage"]
    assert json.loads(base64.b64decode(failure["rawData"]))["turns"] == 3
    assert len(stack.rows(SESSION_ANALYTICS)) == before + 1


def test_the_streams_metrics_count_what_happened(stack: Stack) -> None:
    """The alarms on the delivery are about them."""
    for event, failed in ((VOICE_METRICS, 0), (SESSION_ANALYTICS, 1)):
        stream = ("DeliveryStreamName", stack.stream(event))
        rows = len(stack.rows(event))
        assert stack.metric("AWS/Firehose", "DeliveryToS3.Records", stream) == rows
        assert stack.metric("AWS/Firehose", "SucceedConversion.Records", stream) == rows
        assert stack.metric("AWS/Firehose", "FailedConversion.Records", stream) == failed
        assert stack.metric("AWS/Firehose", "IncomingRecords", stream) > 0
        assert stack.metric("AWS/Firehose", "DeliveryToS3.DataFreshness", stream) > 0


def test_buckets_have_the_lifecycles_of_the_plan(stack: Stack) -> None:
    s3 = stack.client("s3")
    for bucket in stack.plan.buckets:
        found = s3.get_bucket_lifecycle_configuration(Bucket=bucket.name(ACCOUNT))["Rules"]
        days = {each["Filter"].get("Prefix", ""): each.get("Expiration", {}).get("Days") for each in found}
        assert days == {"": bucket.expire_days, **dict(bucket.expire_days_by_prefix)}
        assert {each["Status"] for each in found} == {"Enabled"}


def test_a_filter_is_changed_where_a_log_group_has_no_room_for_another(stack: Stack) -> None:
    """A log group has a filter for each event, as many as it may have: a change must not look like a third."""
    logs, group = stack.client("logs"), stack.settings.log_group_name("receptionist")

    def described() -> dict[str, dict[str, Any]]:
        found = logs.describe_subscription_filters(logGroupName=group)["subscriptionFilters"]
        return {each["filterName"]: each for each in found}

    first, second = described().values()
    for pattern in ("something_else", second["filterPattern"]):
        logs.put_subscription_filter(
            logGroupName=group,
            filterName=second["filterName"],
            filterPattern=pattern,
            destinationArn=second["destinationArn"],
            roleArn=second["roleArn"],
        )
        now = described()
        assert now[second["filterName"]]["filterPattern"] == pattern
        assert now[first["filterName"]] == first
    with pytest.raises(logs.exceptions.LimitExceededException):
        logs.put_subscription_filter(
            logGroupName=group, filterName="third", filterPattern="", destinationArn=first["destinationArn"]
        )


def test_an_emulator_that_is_stopped_delivers_first(stack: Stack) -> None:
    """Also what is refused, which the function writes through the emulator itself."""
    logs, group = stack.client("logs"), stack.settings.log_group_name("sales")
    logs.create_log_stream(logGroupName=group, logStreamName="last")
    now_ms = time.time_ns() // 10**6
    lines = (turn("last"), turn("last", total_latency="fast"))
    events = [{"timestamp": now_ms, "message": line} for line in lines]
    logs.put_log_events(logGroupName=group, logStreamName="last", logEvents=events)
    emulator.stop(stack.directory)
    last = [line for line in (stack.directory / "emulator.log").read_text().splitlines() if " delivered " in line][-1]
    assert "delivered 1 records, 0 failed" in last
