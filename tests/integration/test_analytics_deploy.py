"""The life of a stack with analytics: made, unchanged, grown, refused to shrink, deleted with and without its data.

Real engine and provider, the emulator as the account. The tests of this module build on each other, in order.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from analytics.plan.model import AnalyticsPlan
from cloudwatch.clients import client_factory
from lab import emulator
from tests.integration.conftest import Checkout, by_hand, make_checkout
from tests.machine import free_port
from turnscope.deployment.leftovers import leftovers

ACCOUNT = "123456789012"
SELECTED = "-s local --color never"
QUIET: dict[str, Any] = {"buffer_seconds": 60, "rejected_days": None, "results_days": None}


def write_stack(checkout: Checkout, port: int, **analytics: Any) -> None:
    settings = {
        "environment": "local",
        "owner": "tests",
        "agents": {"voice-agent": {}},
        "alarms": {"period_seconds": 60, "datapoints_to_alarm": 1, "no_data_minutes": None},
        "lab": {"aws_port": port},
        "analytics": {**QUIET, **analytics},
    }
    config = {f"turnscope:{key}": value for key, value in settings.items()}
    checkout.stack_file.write_text(yaml.safe_dump({"config": config}))


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[Checkout]:
    made = make_checkout(tmp_path_factory.mktemp("analytics"))
    write_stack(made, port)
    yield made
    emulator.stop(made.root / ".turnscope" / "local")


def up(checkout: Checkout) -> str:
    run = checkout.turnscope("up", "local", "--yes")
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def plan_of(checkout: Checkout) -> AnalyticsPlan:
    plan = checkout.plan.analytics
    assert plan
    return plan


def glue_columns(checkout: Checkout, event: str) -> dict[str, str]:
    table = client_factory(checkout.settings)("glue").get_table(DatabaseName=plan_of(checkout).database, Name=event)
    return {each["Name"]: each["Type"] for each in table["Table"]["StorageDescriptor"]["Columns"]}


def changed(output: str, kind: str) -> set[str]:
    lines = [line.split() for line in output.splitlines() if line.strip().startswith(kind)]
    return {line[2] for line in lines if "athena" not in line[1].lower()}


def test_up_makes_everything_and_connects_it(stack: Checkout) -> None:
    up(stack)
    plan, client = plan_of(stack), client_factory(stack.settings)
    present = set(leftovers(stack.plan, client))
    assert {f"bucket {bucket.name(ACCOUNT)}" for bucket in plan.buckets} <= present
    assert {f"delivery stream {stream.name}" for stream in plan.streams} <= present
    assert {f"role {role.name}" for role in plan.roles} <= present
    assert {f"Glue database {plan.database}", f"workgroup {plan.workgroup.name}"} <= present
    for table in plan.tables:
        assert glue_columns(stack, table.event) == {column.name: column.type for column in table.columns}
    filters = client("logs").describe_subscription_filters(logGroupName=plan.subscriptions[0].log_group_name)
    assert {each["filterName"] for each in filters["subscriptionFilters"]} == {each.name for each in plan.subscriptions}


def test_firehose_has_what_the_plan_says(stack: Checkout) -> None:
    """As the API returns it: the order of the steps, the table as schema, and the keys that are columns by another
    name."""
    plan, firehose = plan_of(stack), client_factory(stack.settings)("firehose")
    for stream in plan.streams:
        described = firehose.describe_delivery_stream(DeliveryStreamName=stream.name)["DeliveryStreamDescription"]
        destination = described["Destinations"][0]["ExtendedS3DestinationDescription"]
        steps = [each["Type"] for each in destination["ProcessingConfiguration"]["Processors"]]
        assert steps == ["Decompression", "CloudWatchLogProcessing", "Lambda", "AppendDelimiterToRecord"]
        conversion = destination["DataFormatConversionConfiguration"]
        assert conversion["SchemaConfiguration"]["TableName"] == stream.event
        reader = conversion["InputFormatConfiguration"]["Deserializer"]["OpenXJsonSerDe"]
        assert reader["ColumnToJsonKeyMappings"]["occurred_at"] == "_timestamp"
        assert (destination["Prefix"], destination["ErrorOutputPrefix"]) == (stream.prefix, stream.error_prefix)


def test_nobody_outside_reads_the_buckets(stack: Checkout) -> None:
    s3 = client_factory(stack.settings)("s3")
    for bucket in plan_of(stack).buckets:
        name = bucket.name(ACCOUNT)
        assert all(s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"].values())
        [rule] = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
        assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
        owner = s3.get_bucket_ownership_controls(Bucket=name)["OwnershipControls"]["Rules"]
        assert owner == [{"ObjectOwnership": "BucketOwnerEnforced"}]
        [statement] = json.loads(s3.get_bucket_policy(Bucket=name)["Policy"])["Statement"]
        assert statement["Effect"] == "Deny"


def test_a_second_up_and_a_refresh_change_nothing(stack: Checkout) -> None:
    assert "is up to date" in up(stack)
    run = by_hand(stack, f"refresh --preview-only --expect-no-changes {SELECTED}")
    assert run.returncode == 0, run.stdout + run.stderr


def test_an_added_field_changes_its_table_in_place(stack: Checkout, port: int) -> None:
    """Replaced, the table would be gone for a moment, and with it Firehose's schema."""
    write_stack(stack, port, extra_fields={"voice_metrics": {"room_size": {"type": "integer"}}})
    out = up(stack)
    assert changed(out, "updated") == {"analytics-catalogue-voice_metrics", "analytics-record-validation-function"}
    assert changed(out, "replaced") == set()
    assert glue_columns(stack, "voice_metrics")["room_size"] == "bigint"


ROOM: dict[str, Any] = {"extra_fields": {"voice_metrics": {"room_size": {"type": "integer"}}}}
LOSSES: list[tuple[dict[str, Any], str]] = [
    ({}, "room_size: removed"),
    ({**ROOM, "partition_by_agent": True}, "partitioned by agent_name, datehour instead of datehour"),
    ({"extra_fields": {"voice_metrics": {"room_size": {"type": "string"}}}}, "room_size: bigint became string"),
]


def test_a_table_that_would_lose_something_is_refused_and_nothing_touched(stack: Checkout, port: int) -> None:
    """By every way in: `turnscope up` and `preview`, and the engine called by hand."""
    before = glue_columns(stack, "voice_metrics")
    for analytics, words in LOSSES:
        write_stack(stack, port, **analytics)
        for command in ("preview", "up"):
            run = stack.turnscope(command, "local", "--yes")
            assert run.returncode == 2, run.stdout + run.stderr
            assert f"table voice_metrics: {words}" in run.stderr
            assert "Traceback" not in run.stderr
    for command in ("preview", "up --yes --skip-preview"):
        run = by_hand(stack, f"{command} {SELECTED}")
        assert run.returncode != 0, run.stdout
        assert LOSSES[-1][1] in run.stdout + run.stderr
    assert glue_columns(stack, "voice_metrics") == before
    write_stack(stack, port, **ROOM)


def test_a_bucket_with_data_is_emptied_and_deleted_where_it_may_be(stack: Checkout) -> None:
    client = client_factory(stack.settings)
    name = plan_of(stack).data_bucket.name(ACCOUNT)
    client("s3").put_object(Bucket=name, Key="voice_metrics/2026/01/01/00/x.parquet", Body=b"x")
    asked = stack.turnscope("teardown", "local")
    assert asked.returncode == 2
    assert f"including all objects in bucket {name}" in asked.stdout
    run = stack.turnscope("teardown", "local", "--yes")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "no resources of this stack are left (" in run.stdout


def test_kept_data_outlives_the_stack_and_is_taken_up_again(stack: Checkout, port: int) -> None:
    write_stack(stack, port, keep_data=True, encryption="stack-key")
    up(stack)
    client = client_factory(stack.settings)
    bucket = plan_of(stack).data_bucket
    name, key = bucket.name(ACCOUNT), "voice_metrics/2026/01/01/00/x.parquet"
    client("s3").put_object(Bucket=name, Key=key, Body=b"x")
    asked = stack.turnscope("teardown", "local").stdout
    assert f"Kept: bucket {name}" in asked
    assert "Kept: KMS key" in asked

    # By hand: `turnscope teardown` ends the emulator, which would forget the bucket too.
    destroyed = by_hand(stack, f"destroy --yes --skip-preview {SELECTED}")
    assert destroyed.returncode == 0, destroyed.stdout + destroyed.stderr
    left = leftovers(stack.plan, client)
    assert left == [f"bucket {name}"]
    assert [each["Key"] for each in client("s3").list_objects_v2(Bucket=name)["Contents"]] == [key]
    assert all(client("s3").get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"].values())
    states = [
        client("kms").describe_key(KeyId=each["KeyId"])["KeyMetadata"]["KeyState"]
        for each in client("kms").list_keys()["Keys"]
    ]
    assert "Enabled" in states, "the key that reads the bucket is gone"

    assert "imported" in up(stack)
    assert [each["Key"] for each in client("s3").list_objects_v2(Bucket=name)["Contents"]] == [key]
    assert "is up to date" in up(stack)
    run = stack.turnscope("teardown", "local", "--yes")
    assert run.returncode == 0, run.stdout + run.stderr
    assert f"except the kept resources: bucket {name}" in run.stdout
