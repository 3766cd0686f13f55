"""The plugin's translation: what the engine says reaches the bridge in its terms, and back without a trace."""

import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import provider_pb2 as pb

from tests.unit.test_toolchain_archives import ASSET
from toolchain import translate
from toolchain.archives import ARCHIVE, SIGNATURE, UNKNOWN, zip_path
from toolchain.tokens import PACKAGES, urn_type

AWS = PACKAGES["aws"]
FUNCTION = "aws:lambda/function:Function"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
SECRET_KEY = translate.SECRET


def urn(token: str) -> str:
    return f"urn:pulumi:dev::proj::turnscope:cloudwatch:Alarms${token}::it"


def struct(values: dict[str, Any]) -> Struct:
    return ParseDict(values, Struct())


def code(text: str) -> dict[str, Any]:
    return {SIGNATURE: ARCHIVE, "assets": {"main.py": {SIGNATURE: ASSET, "text": text}}, "hash": "e" * 64}


def check(folder: Path, token: str, news: dict[str, Any], olds: dict[str, Any] | None = None) -> tuple[Any, Any]:
    """The request as the bridge gets it, and the engine's answer from a bridge that accepts everything."""
    request = pb.CheckRequest(urn=urn(token), news=struct(news), olds=struct(olds or {}), randomSeed=b"\1\2\3\4")
    exchange = translate.request(AWS, "Check", request, folder)
    answer = pb.CheckResponse()
    answer.inputs.CopyFrom(request.news)
    translate.answer(AWS, exchange, answer)
    return MessageToDict(request), MessageToDict(answer.inputs)


def test_archive_reaches_the_bridge_as_a_file_and_the_engine_as_itself(tmp_path: Path) -> None:
    """The state must hold the archive that the program gave, or every later `up` shows a change."""
    request, inputs = check(tmp_path, FUNCTION, {"name": "f", "code": code("x")})
    seen = request["news"]
    assert seen["functionName"] == "f"
    assert "code" not in seen
    assert "name" not in seen
    assert Path(seen["filename"]).read_bytes()
    assert Path(seen["filename"]) == zip_path(seen["sourceCodeHash"], tmp_path)
    assert inputs == {"name": "f", "code": code("x"), "sourceCodeHash": seen["sourceCodeHash"]}


def test_changed_code_is_a_change_and_unchanged_code_is_none(tmp_path: Path) -> None:
    """In a Diff the engine sends archives without content: the recorded hashes have to tell."""
    _, old = check(tmp_path, FUNCTION, {"name": "f", "code": code("1")})
    _, new = check(tmp_path, FUNCTION, {"name": "f", "code": code("2")})

    def diff(news: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        elided = {SIGNATURE: ARCHIVE, "hash": "e" * 64}
        request = pb.DiffRequest(
            urn=urn(FUNCTION), olds=struct({**old, "code": elided}), news=struct({**news, "code": elided}),
            old_inputs=struct({**old, "code": elided}),
        )  # fmt: skip
        translate.request(AWS, "Diff", request, tmp_path)
        assert request.old_inputs == request.olds
        return MessageToDict(request.olds), MessageToDict(request.news)

    olds, news = diff(old)
    assert olds == news
    olds, news = diff(new)
    assert {key for key in olds if olds[key] != news[key]} == {"filename", "sourceCodeHash"}


def test_state_without_a_recorded_hash_is_read(tmp_path: Path) -> None:
    """A state that the released provider wrote has no hash; the next update gives it one."""
    request = pb.ReadRequest(urn=urn(FUNCTION), properties=struct({"code": {SIGNATURE: ARCHIVE, "hash": "e"}}))
    translate.request(AWS, "Read", request, tmp_path)
    assert "filename" not in request.properties.fields


def test_a_state_that_no_create_recorded_is_read_as_of_the_current_schema(tmp_path: Path) -> None:
    """The bridge would upgrade it from version 0, which the Docker provider's migration does not survive."""
    volume = "urn:pulumi:local::turnscope::docker:index/volume:Volume::v"
    request = pb.ReadRequest(id="data", urn=volume, properties=struct({"name": "data"}))
    translate.request(PACKAGES["docker"], "Read", request, tmp_path)
    fields = request.properties.fields
    assert fields["volumeId"].string_value == "data"
    assert fields["__meta"].string_value == '{"schema_version": "1"}'

    recorded = struct({"name": "data", "volumeId": "data", "__meta": "as it was"})
    request = pb.ReadRequest(id="data", urn=volume, properties=recorded)
    translate.request(PACKAGES["docker"], "Read", request, tmp_path)
    assert request.properties == struct({"name": "data", "volumeId": "data", "__meta": "as it was"})


@pytest.mark.parametrize("unknown", [UNKNOWN, code(UNKNOWN)])
def test_archive_that_is_not_known_yet_stays_unknown(tmp_path: Path, unknown: Any) -> None:
    """A preview must not write a file with the placeholder in it."""
    request, inputs = check(tmp_path, FUNCTION, {"code": unknown})
    assert request["news"]["filename"] == request["news"]["sourceCodeHash"] == UNKNOWN
    assert inputs["code"] == unknown
    assert not list(tmp_path.iterdir())


def test_secret_archive_stays_secret(tmp_path: Path) -> None:
    """The engine's wrapper comes back as it was, so that the state stays encrypted."""
    wrapped = {SIGNATURE: SECRET_KEY, "value": code("x")}
    request, inputs = check(tmp_path, FUNCTION, {"code": wrapped})
    assert Path(request["news"]["filename"]).exists()
    assert inputs["code"] == wrapped


def test_secrets_elsewhere_are_not_touched(tmp_path: Path) -> None:
    """Only names change; a secret's wrapper reaches the bridge, which knows it."""
    secret = {SIGNATURE: SECRET_KEY, "value": "hush"}
    request, inputs = check(tmp_path, FUNCTION, {"environment": {"variables": {"TOKEN": secret}}})
    assert request["news"]["environment"]["variables"]["TOKEN"] == secret
    assert inputs["environment"]["variables"]["TOKEN"] == secret


def test_created_state_has_the_archive_and_no_file_name(tmp_path: Path) -> None:
    """A path of this machine's cache in the state would be a diff on every other machine."""
    request = pb.CreateRequest(urn=urn(FUNCTION), properties=struct({"code": code("x"), "sourceCodeHash": "AAAA"}))
    exchange = translate.request(AWS, "Create", request, tmp_path)
    answer = pb.CreateResponse(id="f", properties=request.properties)
    translate.answer(AWS, exchange, answer)
    assert MessageToDict(answer.properties) == {"code": code("x"), "sourceCodeHash": "AAAA"}


def test_answers_name_properties_as_the_program_does(tmp_path: Path) -> None:
    """A diff and a failed check speak of `name`, not of Terraform's `alarm_name`; ignore_changes goes the other way."""
    request = pb.DiffRequest(urn=urn(ALARM), ignoreChanges=["name", "tags.a"])
    exchange = translate.request(AWS, "Diff", request, tmp_path)
    assert list(request.ignoreChanges) == ["alarmName", "tags.a"]
    assert urn_type(request.urn) == "aws:index/cloudwatchMetricAlarm:CloudwatchMetricAlarm"
    answer = pb.DiffResponse(replaces=["alarmName"], diffs=["alarmName", "tags"])
    answer.detailedDiff["alarmName"].kind = pb.PropertyDiff.UPDATE_REPLACE
    answer.detailedDiff["tags.a"].kind = pb.PropertyDiff.ADD
    translate.answer(AWS, exchange, answer)
    assert list(answer.replaces) == ["name"]
    assert list(answer.diffs) == ["name", "tags"]
    assert {key: value.kind for key, value in answer.detailedDiff.items()} == {
        "name": pb.PropertyDiff.UPDATE_REPLACE,
        "tags.a": pb.PropertyDiff.ADD,
    }
    failed = pb.CheckResponse(failures=[pb.CheckFailure(property="alarmName", reason="too long")])
    translate.answer(AWS, exchange, failed)
    assert failed.failures[0].property == "name"


def test_name_is_made_up_once(tmp_path: Path) -> None:
    """Without a name a resource gets one, and keeps it at the next `up`."""
    _, first = check(tmp_path, ALARM, {"period": 60})
    assert first["name"].startswith("it-")
    _, second = check(tmp_path, ALARM, {"period": 60}, olds={"name": "it-1234567"})
    assert second["name"] == "it-1234567"
    _, given = check(tmp_path, ALARM, {"name": "mine"}, olds={"name": "it-1234567"})
    assert given["name"] == "mine"


def test_policy_written_as_an_object_is_json_for_terraform(tmp_path: Path) -> None:
    """The same object gives the same text, in whatever order its keys arrive."""
    role = "aws:iam/role:Role"
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole"}]}
    request, _ = check(tmp_path, role, {"assumeRolePolicy": document})
    text = request["news"]["assumeRolePolicy"]
    assert json.loads(text) == document
    request, _ = check(tmp_path, role, {"assumeRolePolicy": dict(reversed(document.items()))})
    assert request["news"]["assumeRolePolicy"] == text
    request, _ = check(tmp_path, role, {"assumeRolePolicy": {"Statement": UNKNOWN}})
    assert request["news"]["assumeRolePolicy"] == UNKNOWN


@pytest.mark.parametrize("tags", ['{"tags": {"a": "b"}}', {"tags": {"a": "b"}}])
def test_provider_settings_become_lists_once(tmp_path: Path, tags: Any) -> None:
    """Translating what was translated before (as in the old inputs of a DiffConfig) changes nothing."""
    message = pb.CheckRequest(
        urn=urn("pulumi:providers:aws"), news=struct({"defaultTags": tags, "region": "eu-west-1"})
    )
    translate.request(AWS, "CheckConfig", message, tmp_path)
    once = MessageToDict(message.news)
    value = once["defaultTags"]
    assert (json.loads(value) if isinstance(value, str) else value) == [{"tags": {"a": "b"}}]
    translate.request(AWS, "CheckConfig", message, tmp_path)
    assert MessageToDict(message.news) == once


def test_other_packages_and_resources_pass_unchanged(tmp_path: Path) -> None:
    """`code` of another resource is no archive of a function."""
    request, inputs = check(tmp_path, "aws:sns/topic:Topic", {"code": code("x"), "name": "t"})
    assert request["news"] == {"code": code("x"), "name": "t"} == inputs
    message = pb.CheckRequest(urn=urn("docker:index/container:Container"))
    translate.request(AWS, "Check", message, tmp_path)
    assert urn_type(message.urn) == "docker:index/container:Container"


LIFECYCLE = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"


def test_a_block_inside_a_list_is_a_list_for_the_bridge_and_an_object_again_in_its_answer(tmp_path: Path) -> None:
    """The program sees one shape, Terraform another."""
    rules = [{"id": "data", "filter": {"prefix": "x/"}, "expiration": {"days": 3}}, {"id": "none"}]
    request, inputs = check(tmp_path, LIFECYCLE, {"bucket": "b", "rules": rules})
    assert request["news"]["rules"] == [
        {"id": "data", "filters": [{"prefix": "x/"}], "expirations": [{"days": 3}]},
        {"id": "none"},
    ]
    assert inputs == {"bucket": "b", "rules": rules}


def test_blocks_that_a_state_lacks_are_empty_for_the_bridge(tmp_path: Path) -> None:
    """Absent they would be taken for a change of every rule, at every `up`."""
    rules = [{"id": "data", "filter": {"prefix": ""}}]
    request = pb.DiffRequest(urn=urn(LIFECYCLE), olds=struct({"rules": rules}), news=struct({"rules": rules}))
    translate.request(AWS, "Diff", request, tmp_path)
    [old], [new] = (MessageToDict(each)["rules"] for each in (request.olds, request.news))
    assert (old["expirations"], old["filters"]) == ([], [{"prefix": ""}])
    assert "expirations" not in new


def test_a_difference_in_a_block_is_named_as_the_program_wrote_it(tmp_path: Path) -> None:
    request = pb.DiffRequest(urn=urn(LIFECYCLE), news=struct({"rules": []}))
    exchange = translate.request(AWS, "Diff", request, tmp_path)
    answer = pb.DiffResponse(diffs=["rules[0].filters[0].prefix", "rules[12].expirations", "bucket"])
    translate.answer(AWS, exchange, answer)
    assert list(answer.diffs) == ["rules[0].filter.prefix", "rules[12].expiration", "bucket"]


def test_a_table_without_partition_indexes_says_so_and_is_not_replaced(tmp_path: Path) -> None:
    table = "aws:glue/catalogTable:CatalogTable"
    request = pb.DiffRequest(urn=urn(table), olds=struct({"name": "t"}), news=struct({"name": "t"}))
    translate.request(AWS, "Diff", request, tmp_path)
    assert MessageToDict(request.olds) == {"name": "t", "partitionIndices": []}
    assert MessageToDict(request.news) == {"name": "t"}
