"""The local stack's AWS emulator as a process, through boto3 alone: its life, and each thing that moto lacks."""

from __future__ import annotations

import http.server
import ipaddress
import json
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from core.errors import UserError
from lab import emulator
from lab.emulator import Emulator
from lab.state_dir import StateDir
from tests.machine import free_port

REGION = "eu-central-1"
ACCOUNT = "123456789012"

Client = Callable[[str], Any]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """One emulator for all tests that only use its API; they do not share names."""
    directory = tmp_path_factory.mktemp("emulator")
    yield emulator.start(directory, free_port())
    emulator.stop(directory)


@pytest.fixture(scope="module")
def client(running: Emulator) -> Client:
    session: Any = boto3.Session("lab", "lab", region_name=REGION)
    return lambda service: session.client(service, endpoint_url=running.url)


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "aws"
    emulator.stop(tmp_path / "aws")


# --- Life -----------------------------------------------------------------------------------------------------


def test_a_second_start_finds_the_running_emulator(directory: Path) -> None:
    """Two `make up` must not make two emulators, or the second would deploy to an empty one."""
    port = free_port()
    with ThreadPoolExecutor() as pool:
        starts = [pool.submit(emulator.start, directory, port) for _ in range(4)]
        while not all(each.done() for each in starts):
            emulator.status(directory)  # must not get in their way
        started = {each.result() for each in starts}
    assert started == {emulator.status(directory)}


def test_only_loopback_is_served(directory: Path) -> None:
    """Whoever shares the network must not reach the emulator: it takes any credentials."""
    port = emulator.start(directory, free_port()).port
    for family, _, _, _, address in socket.getaddrinfo(socket.gethostname(), port, type=socket.SOCK_STREAM):
        if not ipaddress.ip_address(address[0]).is_loopback:
            with socket.socket(family) as probe:
                probe.settimeout(1)
                assert probe.connect_ex(address) != 0
    with socket.socket() as probe:
        probe.settimeout(1)
        assert probe.connect_ex(("127.0.0.2", port)) != 0


def test_a_killed_emulator_is_not_running_and_the_next_is_another_instance(directory: Path) -> None:
    """What was deployed to a killed emulator is gone: the caller must be able to tell."""
    port = free_port()
    first = emulator.start(directory, port)
    os.kill(first.pid, signal.SIGKILL)
    os.waitpid(first.pid, 0)
    assert emulator.status(directory) is None
    second = emulator.start(directory, port)
    assert second.instance_id != first.instance_id


def test_stopping_again_is_no_error(directory: Path) -> None:
    emulator.start(directory, free_port())
    assert emulator.stop(directory)
    assert not emulator.stop(directory)
    assert emulator.status(directory) is None


def test_a_stopped_emulators_port_is_free_at_once(directory: Path) -> None:
    """`make down` and `make up` follow one another without a pause."""
    port = free_port()
    for _ in range(3):
        emulator.start(directory, port)
        emulator.stop(directory)


def test_a_port_of_another_program_is_the_users_to_free(directory: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(UserError, match=r"turnscope:lab\.aws_port"):
            emulator.start(directory, other.getsockname()[1])


def test_a_port_of_another_checkouts_emulator_names_that_checkout(directory: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    port = emulator.start(other, free_port(), project=tmp_path, stack="mine").port
    try:
        with pytest.raises(UserError, match=rf"stack mine in the checkout {tmp_path} .* turnscope:lab\.aws_port"):
            emulator.start(directory, port)
    finally:
        emulator.stop(other)
    assert emulator.status(directory) is None


def test_a_port_of_an_emulator_without_a_stack_names_its_files(directory: Path, running: Emulator) -> None:
    with pytest.raises(UserError, match=f"whose files are in {running.log_path.parent} .*process {running.pid}"):
        emulator.start(directory, running.port)


def test_a_running_emulator_keeps_its_port(directory: Path) -> None:
    emulator.start(directory, free_port())
    with pytest.raises(UserError, match=r"turnscope:lab\.aws_port"):
        emulator.start(directory, free_port())


def test_waiting_for_an_ended_emulator_ends_too(directory: Path) -> None:
    emulator.start(directory, free_port())
    emulator.stop(directory)
    with pytest.raises(UserError, match="0 of 1"):
        emulator.wait_processed(directory, "/g", 1, 600)


def test_a_failed_start_shows_the_last_lines_of_the_log(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho no module named moto\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(emulator.sys, "executable", str(broken))
    with pytest.raises(UserError, match="no module named moto"):
        emulator.start(directory, free_port())


def test_an_interrupted_start_leaves_no_process(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while the emulator comes up: the port must be free for the next try."""

    def interrupt(_: Emulator) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(emulator, "_answers", interrupt)
    with pytest.raises(KeyboardInterrupt):
        emulator.start(directory, free_port())
    assert not StateDir(directory).server_runs()


# --- What moto lacks ------------------------------------------------------------------------------------------


def test_query_definitions_are_made_changed_found_by_prefix_and_deleted(client: Client) -> None:
    logs = client("logs")
    made = logs.put_query_definition(name="q/slow turns", queryString="fields @message", logGroupNames=["g"])
    logs.put_query_definition(name="other", queryString="fields @message")
    logs.put_query_definition(
        queryDefinitionId=made["queryDefinitionId"], name="q/slow turns", queryString="limit 5", logGroupNames=["g"]
    )
    (found,) = logs.describe_query_definitions(queryDefinitionNamePrefix="q/")["queryDefinitions"]
    assert (found["queryDefinitionId"], found["queryString"]) == (made["queryDefinitionId"], "limit 5")
    assert found["logGroupNames"] == ["g"]
    logs.delete_query_definition(queryDefinitionId=made["queryDefinitionId"])
    assert not logs.describe_query_definitions(queryDefinitionNamePrefix="q/")["queryDefinitions"]
    with pytest.raises(logs.exceptions.ResourceNotFoundException):
        logs.delete_query_definition(queryDefinitionId=made["queryDefinitionId"])


def test_a_metric_filter_put_again_replaces_the_one_of_its_name(client: Client) -> None:
    """Else a changed filter would go on extracting the old metric."""
    logs = client("logs")
    logs.create_log_group(logGroupName="/filters")
    for value in ("$.old", "$.new"):
        logs.put_metric_filter(
            logGroupName="/filters",
            filterName="f",
            filterPattern="{ $.a = 1 }",
            metricTransformations=[{"metricName": "M", "metricNamespace": "N", "metricValue": value}],
        )
    (found,) = logs.describe_metric_filters(logGroupName="/filters")["metricFilters"]
    assert found["metricTransformations"][0]["metricValue"] == "$.new"
    logs.delete_log_group(logGroupName="/filters")
    assert not logs.describe_metric_filters(logGroupName="/filters")["metricFilters"]


def put_alarm(cloudwatch: Any, name: str, **changes: Any) -> None:
    alarm = {
        "AlarmName": name,
        "Namespace": "N",
        "MetricName": "M",
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 1.0,
        "ComparisonOperator": "GreaterThanThreshold",
    }
    cloudwatch.put_metric_alarm(**{**alarm, **changes})


def test_a_new_alarm_has_no_data_and_a_changed_one_keeps_its_state(client: Client) -> None:
    """A deployment must not set alarms back to OK."""
    cloudwatch = client("cloudwatch")

    def state() -> str:
        return cloudwatch.describe_alarms(AlarmNames=["kept"])["MetricAlarms"][0]["StateValue"]

    put_alarm(cloudwatch, "kept")
    assert state() == "INSUFFICIENT_DATA"
    cloudwatch.set_alarm_state(AlarmName="kept", StateValue="ALARM", StateReason="tried")
    put_alarm(cloudwatch, "kept", Threshold=2.0)
    assert state() == "ALARM"


def test_a_composite_alarm_keeps_its_suppressor(client: Client) -> None:
    cloudwatch = client("cloudwatch")
    put_alarm(cloudwatch, "child")
    cloudwatch.put_composite_alarm(
        AlarmName="parent",
        AlarmRule='ALARM("child")',
        ActionsSuppressor="child",
        ActionsSuppressorWaitPeriod=60,
        ActionsSuppressorExtensionPeriod=120,
    )
    (found,) = cloudwatch.describe_alarms(AlarmNames=["parent"], AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
    assert found["AlarmRule"] == 'ALARM("child")'
    assert (found["ActionsSuppressor"], found["ActionsSuppressorWaitPeriod"]) == ("child", 60)
    assert found["ActionsSuppressorExtensionPeriod"] == 120
    assert found["StateValue"] == "INSUFFICIENT_DATA"


def test_statistics_are_of_exactly_the_dimensions_asked_for(client: Client) -> None:
    cloudwatch = client("cloudwatch")
    tts = [{"Name": "kind", "Value": "tts"}]
    data = [{"Value": float(value), "Dimensions": []} for value in range(1, 101)] + [
        {"Value": 900.0, "Dimensions": tts}
    ]
    cloudwatch.put_metric_data(
        Namespace="Exact", MetricData=[{"MetricName": "M", "Timestamp": 1_800_000_061, **each} for each in data]
    )

    def points(dimensions: list[dict[str, str]]) -> list[dict[str, Any]]:
        return cloudwatch.get_metric_statistics(
            Namespace="Exact",
            MetricName="M",
            Dimensions=dimensions,
            StartTime=1_800_000_000,
            EndTime=1_800_000_120,
            Period=60,
            Statistics=["SampleCount", "Maximum"],
            ExtendedStatistics=["p95"],
        )["Datapoints"]

    (point,) = points([])
    assert (point["SampleCount"], point["Maximum"], point["ExtendedStatistics"]) == (100.0, 100.0, {"p95": 95.0})
    assert point["Timestamp"].timestamp() == 1_800_000_060
    assert [each["Maximum"] for each in points(tts)] == [900.0]


def test_an_athena_work_group_is_updated_and_keeps_the_rest(client: Client) -> None:
    athena = client("athena")
    athena.create_work_group(
        Name="w",
        Configuration={
            "BytesScannedCutoffPerQuery": 20_000_000,
            "ResultConfiguration": {
                "OutputLocation": "s3://a/",
                "EncryptionConfiguration": {"EncryptionOption": "SSE_S3"},
            },
        },
    )
    athena.update_work_group(
        WorkGroup="w",
        Description="d",
        ConfigurationUpdates={
            "RemoveBytesScannedCutoffPerQuery": True,
            "ResultConfigurationUpdates": {"OutputLocation": "s3://b/"},
        },
    )
    group = athena.get_work_group(WorkGroup="w")["WorkGroup"]
    assert "BytesScannedCutoffPerQuery" not in group["Configuration"]
    assert group["Configuration"]["ResultConfiguration"] == {
        "OutputLocation": "s3://b/",
        "EncryptionConfiguration": {"EncryptionOption": "SSE_S3"},
    }
    assert group["Description"] == "d"
    with pytest.raises(ClientError):
        athena.update_work_group(WorkGroup="absent")


def test_an_athena_named_query_is_deleted(client: Client) -> None:
    athena = client("athena")
    made = athena.create_named_query(Name="n", Database="d", QueryString="SELECT 1")["NamedQueryId"]
    athena.delete_named_query(NamedQueryId=made)
    assert made not in athena.list_named_queries()["NamedQueryIds"]
    with pytest.raises(ClientError):
        athena.delete_named_query(NamedQueryId=made)


def test_bucket_lifecycle_rules_are_read_back_as_they_were_put(client: Client) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket="lifecycles", CreateBucketConfiguration={"LocationConstraint": REGION})
    rules = [
        {
            "ID": "expire",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "Expiration": {"Days": 30},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 7, "NewerNoncurrentVersions": 2},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
        },
        {
            "ID": "tier",
            "Status": "Disabled",
            "Filter": {"And": {"Prefix": "turns/", "Tags": [{"Key": "a", "Value": "b"}], "ObjectSizeGreaterThan": 5}},
            "Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}, {"Days": 90, "StorageClass": "GLACIER"}],
            "NoncurrentVersionTransitions": [{"NoncurrentDays": 1, "StorageClass": "GLACIER"}],
        },
    ]
    s3.put_bucket_lifecycle_configuration(Bucket="lifecycles", LifecycleConfiguration={"Rules": rules})
    assert s3.get_bucket_lifecycle_configuration(Bucket="lifecycles")["Rules"] == rules
    s3.delete_bucket_lifecycle(Bucket="lifecycles")
    with pytest.raises(ClientError, match="NoSuchLifecycleConfiguration"):
        s3.get_bucket_lifecycle_configuration(Bucket="lifecycles")


def test_a_glue_column_has_a_comment_only_if_it_was_given_one(client: Client) -> None:
    glue = client("glue")
    glue.create_database(DatabaseInput={"Name": "d"})
    glue.create_table(
        DatabaseName="d",
        TableInput={
            "Name": "t",
            "PartitionKeys": [{"Name": "hour", "Type": "string", "Comment": ""}],
            "StorageDescriptor": {
                "Columns": [{"Name": "a", "Type": "int", "Comment": ""}, {"Name": "b", "Type": "int", "Comment": "c"}]
            },
        },
    )
    table = glue.get_table(DatabaseName="d", Name="t")["Table"]
    assert table["PartitionKeys"] == [{"Name": "hour", "Type": "string"}]
    assert [each.get("Comment") for each in table["StorageDescriptor"]["Columns"]] == [None, "c"]


def test_a_budget_has_subscribers_changes_and_tags(client: Client) -> None:
    budgets = client("budgets")
    notification = {"NotificationType": "ACTUAL", "ComparisonOperator": "GREATER_THAN", "Threshold": 80.0}
    subscribers = [{"SubscriptionType": "EMAIL", "Address": "a@example.com"}]

    def budget(amount: str) -> dict[str, Any]:
        limit = {"Amount": amount, "Unit": "USD"}
        return {"BudgetName": "b", "BudgetType": "COST", "TimeUnit": "MONTHLY", "BudgetLimit": limit}

    budgets.create_budget(
        AccountId=ACCOUNT,
        Budget=budget("10"),
        NotificationsWithSubscribers=[{"Notification": notification, "Subscribers": subscribers}],
        ResourceTags=[{"Key": "stack", "Value": "local"}],
    )
    budgets.update_budget(AccountId=ACCOUNT, NewBudget=budget("20"))
    assert budgets.describe_budget(AccountId=ACCOUNT, BudgetName="b")["Budget"]["BudgetLimit"]["Amount"] == "20"
    listed = budgets.describe_subscribers_for_notification(AccountId=ACCOUNT, BudgetName="b", Notification=notification)
    assert listed["Subscribers"] == subscribers
    arn = f"arn:aws:budgets::{ACCOUNT}:budget/b"
    assert budgets.list_tags_for_resource(ResourceARN=arn)["ResourceTags"] == [{"Key": "stack", "Value": "local"}]
    budgets.untag_resource(ResourceARN=arn, ResourceTagKeys=["stack"])
    assert not budgets.list_tags_for_resource(ResourceARN=arn)["ResourceTags"]
    with pytest.raises(budgets.exceptions.NotFoundException):
        budgets.describe_subscribers_for_notification(
            AccountId=ACCOUNT, BudgetName="b", Notification={**notification, "Threshold": 99.0}
        )


def test_a_function_keeps_its_logging_configuration(client: Client, tmp_path: Path) -> None:
    role = client("iam").create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    functions = client("lambda")
    functions.create_function(
        FunctionName="f",
        Role=role,
        Runtime="python3.12",
        Handler="index.handler",
        Code={"ZipFile": b"PK\x05\x06" + bytes(18)},
        LoggingConfig={"LogFormat": "JSON", "LogGroup": "/mine"},
    )
    assert functions.get_function_configuration(FunctionName="f")["LoggingConfig"]["LogGroup"] == "/mine"
    functions.update_function_configuration(FunctionName="f", LoggingConfig={"LogFormat": "Text"})
    assert functions.get_function_configuration(FunctionName="f")["LoggingConfig"] == {
        "LogFormat": "Text",
        "LogGroup": "/aws/lambda/f",
    }


def test_a_message_reaches_this_machine_and_nothing_else(client: Client, running: Emulator) -> None:
    """A local experiment must not page anyone, nor need Docker for a function."""
    received: list[dict[str, Any]] = []

    class Endpoint(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    sns = client("sns")
    topic = sns.create_topic(Name="deliveries")["TopicArn"]
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endpoint) as endpoint:
        threading.Thread(target=endpoint.serve_forever, daemon=True).start()
        for protocol, address in (
            ("http", f"http://127.0.0.1:{endpoint.server_port}/secret/hook"),
            ("https", "https://events.pagerduty.invalid/secret/enqueue"),
            ("lambda", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:absent"),
            ("email", "oncall@example.com"),
        ):
            sns.subscribe(TopicArn=topic, Protocol=protocol, Endpoint=address)
        sns.publish(TopicArn=topic, Subject="s", Message="m")
        endpoint.shutdown()
    assert [(each["Subject"], each["Message"]) for each in received] == [("s", "m")]
    log = running.log_path.read_text()
    assert "lab: Lambda functions are not invoked: absent" in log
    assert "lab: not sent outside this machine: https of topic deliveries" in log
    assert "secret" not in log
