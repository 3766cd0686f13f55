"""The lab's Firehose, without an emulator: batches of log events, processors, prefixes, Parquet, and what fails."""

from __future__ import annotations

import base64
import contextlib
import datetime
import gzip
import http.server
import io
import json
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import settings as examples
from hypothesis import strategies as st

pytest.importorskip("moto")

import pyarrow.parquet as pq

from analytics.plan.schema import columns
from core.errors import UserError
from core.events import EVENTS, SESSION_ANALYTICS, VOICE_METRICS, Field
from lab.emulator import Emulator
from lab.firehose import PROGRESS_PATH, http_endpoint, subscriptions, wait_delivered
from lab.firehose import stream as stream_module
from lab.firehose.conversion import Conversion, ConversionError
from lab.firehose.functions import Deployed, FunctionError, Functions
from lab.firehose.http_endpoint import HttpEndpoint
from lab.firehose.output import Destination
from lab.firehose.prefixes import PrefixError, evaluate
from lab.firehose.processing import LAMBDA_ATTEMPTS, Processors
from lab.firehose.records import Failure, Record
from lab.firehose.stream import Stream

MOMENT = datetime.datetime(2026, 3, 10, 23, 59, 58, tzinfo=datetime.UTC)
MOMENT_MS = int(MOMENT.timestamp() * 1000)
ARN = "arn:aws:firehose:eu-central-1:123456789012:deliverystream/s"
FUNCTION = "arn:aws:lambda:eu-central-1:123456789012:function:check:$LATEST"
UNPACK = [
    {"Type": "Decompression", "Parameters": [{"ParameterName": "CompressionFormat", "ParameterValue": "GZIP"}]},
    {
        "Type": "CloudWatchLogProcessing",
        "Parameters": [{"ParameterName": "DataMessageExtraction", "ParameterValue": "true"}],
    },
]
CHECK = [
    {"Type": "Lambda", "Parameters": [{"ParameterName": "LambdaArn", "ParameterValue": FUNCTION}]},
    {"Type": "AppendDelimiterToRecord"},
]
COLUMNS = {event: {each.name: each.type for each in columns(fields)} for event, fields in EVENTS.items()}
KEYS = {event: {each.name: each.json_key for each in columns(fields)} for event, fields in EVENTS.items()}


def record(data: bytes, **over: Any) -> Record:
    return Record(data, MOMENT_MS, data, **over)


def events(*messages: str) -> list[dict[str, Any]]:
    return [{"id": number, "timestamp": MOMENT_MS, "message": message} for number, message in enumerate(messages)]


def uncalled(arn: str, event: Mapping[str, Any]) -> Mapping[str, Any]:
    raise AssertionError


# --- Batches of log events ------------------------------------------------------------------------------------


@examples(max_examples=30)
@given(st.lists(st.text() | st.integers(1, 500_000).map("x".__mul__), max_size=8))
@example(["x" * 500_000] * 3)
def test_every_log_event_that_is_sent_comes_out_again(messages: list[str]) -> None:
    """Through as many batches as it takes; a record of Firehose has at most 1,000 KiB."""
    sent = list(subscriptions.records("1", "filter", "group", "stream", events(*messages)))
    assert all(len(gzip.decompress(each)) <= 1000 * 1024 for each in sent)
    left, failed = Processors(UNPACK, ARN, uncalled).run([record(each) for each in sent])
    assert not failed
    assert b"".join(each.data for each in left) == "".join(f"{each}\n" for each in messages).encode()


def test_a_filter_lets_its_own_through() -> None:
    found = subscriptions.matching("voice_metrics", events('{"_event_type": "voice_metrics"', "other"))
    assert [each["id"] for each in found] == [0]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"not gzip", "decompression-failed"),
        (gzip.compress(b"{}" * 1000, mtime=0)[:-9], "decompression-failed"),
        (gzip.compress(b"not json", mtime=0), "processing-failed"),
        (gzip.compress(b'{"messageType": "DATA_MESSAGE", "logEvents": [1]}', mtime=0), "processing-failed"),
    ],
)
def test_what_cannot_be_unpacked_fails_alone(data: bytes, kind: str) -> None:
    good = next(subscriptions.records("1", "f", "g", "s", events("line")))
    left, (failure,) = Processors(UNPACK, ARN, uncalled).run([record(good), record(data), record(good)])
    assert [each.data for each in left] == [b"line\n"] * 2
    assert failure.kind == kind
    assert base64.b64decode(failure.content["rawData"]) == data
    assert failure.content["errorMessage"]


def test_a_control_message_is_no_record() -> None:
    """CloudWatch Logs sends one when a filter is made."""
    control = gzip.compress(json.dumps({"messageType": "CONTROL_MESSAGE", "logEvents": events("hello")}).encode())
    assert Processors(UNPACK, ARN, uncalled).run([record(control)]) == ([], [])


# --- The function ---------------------------------------------------------------------------------------------


def test_the_function_is_answered_for_each_record() -> None:
    answers = {
        b"ok": {
            "result": "Ok",
            "data": base64.b64encode(b"changed").decode(),
            "metadata": {"partitionKeys": {"k": "v"}},
        },
        b"drop": {"result": "Dropped"},
        b"fail": {"result": "ProcessingFailed"},
        b"what": {"result": "Something"},
    }

    def call(arn: str, event: Mapping[str, Any]) -> Mapping[str, Any]:
        assert (arn, event["deliveryStreamArn"]) == (FUNCTION, ARN)
        asked = {each["recordId"]: base64.b64decode(each["data"]) for each in event["records"]}
        found = [{"recordId": number, **answers[data]} for number, data in asked.items() if data in answers]
        return {"records": found[::-1]}

    left, failed = Processors(CHECK, ARN, call).run([record(data) for data in (*answers, b"forgotten")])
    assert [(each.data, each.keys, each.original) for each in left] == [(b"changed\n", {"k": "v"}, b"ok")]
    assert [base64.b64decode(each.content["rawData"]) for each in failed] == [b"fail", b"what", b"forgotten"]
    assert {each.kind for each in failed} == {"processing-failed"}


@pytest.mark.parametrize("failures", [1, LAMBDA_ATTEMPTS - 1, LAMBDA_ATTEMPTS])
def test_a_function_is_asked_again_before_its_records_fail(failures: int) -> None:
    calls = 0

    def call(arn: str, event: Mapping[str, Any]) -> Mapping[str, Any]:
        nonlocal calls
        calls += 1
        if calls <= failures:
            raise FunctionError("it broke")
        return {"records": [{**each, "result": "Ok"} for each in event["records"]]}

    left, failed = Processors(CHECK, ARN, call).run([record(b"a")])
    assert len(left) == (failures < LAMBDA_ATTEMPTS)
    assert [each.content["errorMessage"] for each in failed] == ["it broke"] * (1 - len(left))


@pytest.fixture
def functions() -> Iterator[Functions]:
    made = Functions("http://127.0.0.1:1")
    yield made
    made.end()


def deployed(source: str, **over: Any) -> Deployed:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(zipfile.ZipInfo("own.py"), source)  # without a time, which would make the same code another
    values = {"environment": (("NAME", "own"),), "region": "eu-central-1", "timeout_seconds": 30.0, **over}
    return Deployed(name="f", handler="own.run", code=content.getvalue(), **values)


def test_a_function_runs_as_deployed_and_apart(functions: Functions) -> None:
    """With its own environment and nothing of this process; what it prints is no answer; changed code is new code."""
    source = "import os, sys\ndef run(event, context): print('hello'); return [event, dict(os.environ), os.getpid()]"
    event, environment, process = functions.call(deployed(source), {"a": "\u2028"})
    assert event == {"a": "\u2028"}
    assert environment["NAME"] == "own"
    assert environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
    assert "PYTEST_CURRENT_TEST" not in environment
    assert functions.call(deployed(source), {})[2] == process
    assert functions.call(deployed("def run(event, context): return 2"), {}) == 2


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def run(event, context): raise KeyError('x')", "KeyError: 'x'"),
        ("import nothing_of_this_name", "ModuleNotFoundError"),
        ("import os\ndef run(event, context): os._exit(1)", "process ended"),
        ("import time\ndef run(event, context): time.sleep(60)", "timed out"),
    ],
)
def test_a_function_that_fails_says_how_and_is_run_again(functions: Functions, source: str, message: str) -> None:
    function = deployed(source, timeout_seconds=0.3 if "sleep" in source else 30.0)
    for _ in range(2):
        with pytest.raises(FunctionError, match=message):
            functions.call(function, {})


# --- Folders --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prefix", "folder"),
    [
        ("e/!{timestamp:yyyy/MM/dd/HH}/", "e/2026/03/10/23/"),
        ("e/", "e/2026/03/10/23/"),
        (
            "e/agent_name=!{partitionKeyFromLambda:agent_name}/!{timestamp:yyyy/MM/dd/HH}/",
            "e/agent_name=a b/2026/03/10/23/",
        ),
        (
            "errors/!{firehose:error-output-type}/!{timestamp:yyyy-MM-dd'T'HH:mm:ss}/",
            "errors/oops/2026-03-10T23:59:58/",
        ),
    ],
)
def test_prefixes_are_evaluated_in_utc(prefix: str, folder: str) -> None:
    assert evaluate(prefix, MOMENT, error_type="oops", keys={"agent_name": "a b"}) == folder


@pytest.mark.parametrize("prefix", ["!{partitionKeyFromLambda:other}/", "!{nothing:x}/", "!{timestamp:EEEE}/"])
def test_a_prefix_without_a_value_is_none(prefix: str) -> None:
    with pytest.raises(PrefixError):
        evaluate(prefix, MOMENT, keys={"agent_name": "a"})


# --- Parquet --------------------------------------------------------------------------------------------------


def values(field: Field) -> st.SearchStrategy[Any]:
    return {
        "string": st.text(),
        "number": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**300), 10**300),
        "integer": st.integers(-(2**63), 2**63 - 1),
        "boolean": st.booleans(),
        "array": st.lists(
            st.fixed_dictionaries(
                {}, optional={item.path: values(item) for item in field.items if item.type != "array"}
            ),
            max_size=3,
        )
        if field.items
        else st.nothing(),
    }[field.type]


def documents(event: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional={field.path: st.none() | values(field) for field in EVENTS[event]})


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for path, value in flat.items():
        *parents, name = path.split(".")
        holder = document
        for parent in parents:
            holder = holder.setdefault(parent, {})
        holder[name] = value
    return document


def at(row: Any, path: str) -> Any:
    for name in path.split("."):
        row = None if row is None else row[name]
    return row


@examples(max_examples=30)
@given(
    st.sampled_from(list(EVENTS)).flatmap(
        lambda event: st.tuples(st.just(event), st.lists(documents(event), min_size=1, max_size=4))
    )
)
def test_what_goes_in_as_json_comes_out_as_a_row(drawn: tuple[str, list[dict[str, Any]]]) -> None:
    event, found = drawn
    conversion = Conversion(COLUMNS[event], KEYS[event])
    rows = [conversion.row(json.dumps(nested(flat))) for flat in found]
    table = pq.read_table(io.BytesIO(conversion.parquet(rows)))
    names = {each.json_key: each.name for each in columns(EVENTS[event])}
    for row, flat in zip(table.to_pylist(), found, strict=True):
        for field in EVENTS[event]:
            key, dot, rest = field.path.partition(".")
            assert at(row, names[key] + dot + rest) == as_stored(flat.get(field.path), field)


def as_stored(value: Any, field: Field) -> Any:
    if value is not None and field.type == "array":
        return [{item.path: as_stored(each.get(item.path), item) for item in field.items} for each in value]
    return float(value) if value is not None and field.type == "number" else value


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"total_latency": "fast"}', "total_latency"),
        ('{"total_latency": true}', "total_latency"),
        ('{"total_latency": 1e999}', "total_latency"),
        ('{"interrupted": 1}', "interrupted"),
        ('{"llm": []}', "llm"),
        ('{"llm": {"model": 4}}', "llm.model"),
        ('{"agent": "\\ud800"}', "agent"),
        ('{"agent": "a", "Agent": "b"}', "twice"),
        ("[1]", "object"),
        ("{", "JSON"),
    ],
)
def test_a_line_that_does_not_fit_fails_alone(line: str, message: str) -> None:
    """With Firehose's own record of the failure, and the line as it was."""
    good = b'{"_session_id": "a", "unknown": 1}'
    objects, (failure,) = destination().objects([record(good + b"\n" + line.encode() + b"\n\n" + good)], tables)
    assert [each.records for each in objects] == [2]
    assert failure.kind == "format-conversion-failed"
    assert base64.b64decode(failure.content["rawData"]).decode() == line
    assert message in failure.content["lastErrorMessage"]
    assert failure.content["arrivalTimestamp"] == MOMENT_MS
    assert failure.content["dataCatalogTable"]["tableName"] == VOICE_METRICS


def tables(schema: Mapping[str, Any]) -> Mapping[str, str]:
    return COLUMNS[schema["TableName"]]


def destination(**over: Any) -> Destination:
    configuration = {
        "BucketARN": "arn:aws:s3:::data",
        "Prefix": "e/!{timestamp:yyyy/MM/dd/HH}/",
        "ErrorOutputPrefix": "errors/!{firehose:error-output-type}/!{timestamp:HH}/",
        "DataFormatConversionConfiguration": {
            "Enabled": True,
            "SchemaConfiguration": {"DatabaseName": "d", "TableName": VOICE_METRICS},
            "InputFormatConfiguration": {
                "Deserializer": {"OpenXJsonSerDe": {"ColumnToJsonKeyMappings": KEYS[VOICE_METRICS]}}
            },
        },
        **over,
    }
    return Destination("s", "3", configuration)


def test_records_of_each_partition_are_an_object_of_the_hour_of_the_oldest() -> None:
    late = datetime.datetime(2026, 3, 11, tzinfo=datetime.UTC)
    line = b'{"_session_id": "a"}\n'
    found = [
        Record(line, int(moment.timestamp() * 1000), line, {"agent": agent})
        for agent, moment in (("a", late), ("a", MOMENT), ("b", late))
    ]
    prefix = "e/agent=!{partitionKeyFromLambda:agent}/!{timestamp:yyyy/MM/dd/HH}/"
    objects, failed = destination(Prefix=prefix).objects(found, tables)
    assert not failed
    assert {each.key.rpartition("/")[0]: each.records for each in objects} == {
        "e/agent=a/2026/03/10/23": 2,
        "e/agent=b/2026/03/11/00": 1,
    }
    assert all(each.key.rpartition("/")[2].startswith("s-3-") and each.key.endswith(".parquet") for each in objects)
    (unnamed,) = destination(Prefix=prefix).objects([record(line)], tables)[1]
    assert unnamed.kind == "processing-failed"


def test_failures_of_a_kind_are_an_object() -> None:
    failed = [Failure(kind, MOMENT_MS, {"n": n}) for n, kind in enumerate(("x", "y", "x"))]
    found = {each.key.rpartition("/")[0]: each.content.splitlines() for each in destination().failures(failed)}
    assert found == {"errors/x/23": [b'{"n": 0}', b'{"n": 2}'], "errors/y/23": [b'{"n": 1}']}


def test_without_its_table_a_stream_loses_nothing() -> None:
    def none(schema: Mapping[str, Any]) -> Mapping[str, str]:
        raise LookupError("Table voice_metrics not found.")

    objects, failed = destination().objects([record(b"{}\n{}\n")], none)
    assert not objects
    assert [each.content["lastErrorMessage"] for each in failed] == ["Table voice_metrics not found."] * 2


# --- A stream at work -----------------------------------------------------------------------------------------


class FakeAccount:
    def __init__(self, destination: Callable[[], Destination | None]) -> None:
        self._destination = destination
        self.objects: dict[str, bytes] = {}
        self.metrics: dict[str, float] = {}
        self.broken = 0
        self.to: HttpEndpoint | None = None

    def destination(self, stream: str) -> Destination | None:
        return self._destination()

    def endpoint(self, stream: str) -> HttpEndpoint | None:
        return self.to

    def columns(self, schema: Mapping[str, Any], /) -> Mapping[str, str]:
        return tables(schema)

    def call(self, function_arn: str, event: Mapping[str, Any], /) -> Mapping[str, Any]:
        raise AssertionError

    def put_object(self, bucket: str, key: str, content: bytes) -> None:
        assert bucket == "data"
        if self.broken:
            self.broken -= 1
            raise LookupError("no such bucket")
        self.objects[key] = content

    def put_metrics(self, stream: str, values: Mapping[str, tuple[float, str]]) -> None:
        for name, (value, _) in values.items():
            self.metrics[name] = self.metrics.get(name, 0) + value

    def log_failures(self, destination: Destination, stream_arn: str, failed: object) -> None:
        pass


def test_a_stream_that_is_stopped_delivers_what_it_has() -> None:
    account = FakeAccount(destination)
    stream = Stream(ARN, account)
    stream.put([b'{"_session_id": "a"}\n', b'{"agent": 4}\n'])
    stream.stop(60)
    assert vars(stream.progress) == {"pending": 0, "delivered": 1, "failed": 1}
    assert sorted(key.split("/")[0] for key in account.objects) == ["e", "errors"]
    expected = {"IncomingRecords": 2, "DeliveryToS3.Records": 1, "SucceedConversion.Records": 1}
    assert {name: account.metrics[name] for name in expected} == expected
    assert account.metrics["FailedConversion.Records"] == 1


def test_a_bucket_that_fails_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "FLUSH_SECONDS", 0.01)
    monkeypatch.setattr(stream_module, "RETRY_SECONDS", 0.01)
    account = FakeAccount(destination)
    account.broken = 2
    stream = Stream(ARN, account)
    stream.put([b'{"_session_id": "a"}\n'])
    while stream.progress.pending:
        time.sleep(0.01)
    assert len(account.objects) == 1
    stream.stop(60)


def test_records_of_a_stream_that_is_gone_hold_nobody_up() -> None:
    stream = Stream(ARN, FakeAccount(lambda: None))
    stream.put([b"x"])
    stream.stop(60)
    assert stream.progress.pending == 0


def test_lists_of_objects_become_lists_of_structs() -> None:
    conversion = Conversion(COLUMNS[SESSION_ANALYTICS], KEYS[SESSION_ANALYTICS])
    row = conversion.row('{"tool_calls": [{"tool": "a", "unknown": 1}, null], "turns": 2}')
    found = pq.read_table(io.BytesIO(conversion.parquet([row]))).to_pylist()[0]
    assert found["tool_calls"] == [{"tool": "a", "success": None, "duration_seconds": None}, None]
    with pytest.raises(ConversionError, match="tool_calls"):
        conversion.row('{"tool_calls": [1]}')


# --- An HTTP endpoint -----------------------------------------------------------------------------------------

KEY = "the key of the stream"


class Endpoint(http.server.BaseHTTPRequestHandler):
    """Answers with `codes`, the last for ever; keeps what came with the right key."""

    codes: list[int]
    accepted: list[bytes]
    requests: int
    body: Callable[[str], dict[str, Any]]

    def do_POST(self) -> None:
        found, kind = json.loads(self.rfile.read(int(self.headers["Content-Length"]))), type(self)
        kind.requests += 1
        code = kind.codes.pop(0) if len(kind.codes) > 1 else kind.codes[0]
        if self.headers["X-Amz-Firehose-Access-Key"] != KEY:
            code = 401
        if code == 200:
            assert self.headers["X-Amz-Firehose-Request-Id"] == found["requestId"]
            kind.accepted += [base64.b64decode(each["data"]) for each in found["records"]]
        text = json.dumps(kind.body(found["requestId"])).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:
        pass


def answered(request: str) -> dict[str, Any]:
    return {"requestId": request, "timestamp": MOMENT_MS}


@contextlib.contextmanager
def endpoint(
    *codes: int, key: str = KEY, body: Callable[[str], dict[str, Any]] = answered, retry_seconds: float = 60
) -> Iterator[tuple[type[Endpoint], FakeAccount, Stream]]:
    """A server that answers with `codes`, and a stream that sends to it."""
    handler = type(
        "Handler", (Endpoint,), {"codes": list(codes), "accepted": [], "requests": 0, "body": staticmethod(body)}
    )
    with http.server.HTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        account = FakeAccount(destination)
        configuration = {
            "EndpointConfiguration": {"Url": f"http://127.0.0.1:{server.server_port}/x", "AccessKey": key},
            "RetryOptions": {"DurationInSeconds": retry_seconds},
        }
        account.to = HttpEndpoint(configuration, ARN, Path("no-such-file"))
        stream = Stream(ARN, account)
        yield handler, account, stream
        stream.stop(60)
        server.shutdown()


def delivered(stream: Stream, *data: bytes) -> dict[str, int]:
    stream.put(data)
    while stream.progress.pending:
        time.sleep(0.01)
    return vars(stream.progress)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "FLUSH_SECONDS", 0.01)
    monkeypatch.setattr(http_endpoint, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(http_endpoint, "RETRY_SECONDS", 0.5)


@pytest.mark.usefixtures("quick")
def test_a_request_that_fails_is_sent_again_until_it_is_accepted() -> None:
    with endpoint(503, 401, 200) as (handler, account, stream):
        assert delivered(stream, b"a", b"b") == {"pending": 0, "delivered": 2, "failed": 0}
    assert handler.accepted == [b"a", b"b"]
    assert handler.requests == 3
    assert account.objects == {}
    assert account.metrics["DeliveryToHttpEndpoint.Success"] == 1


@pytest.mark.usefixtures("quick")
def test_what_is_not_accepted_in_time_is_in_the_backup_as_it_came() -> None:
    with endpoint(200, key="wrong") as (handler, account, stream):
        assert delivered(stream, b"a", b"b") == {"pending": 0, "delivered": 0, "failed": 2}
    assert handler.accepted == []
    [(name, content)] = account.objects.items()
    assert http_endpoint.FAILED in name
    lines = [json.loads(line) for line in content.splitlines()]
    assert [base64.b64decode(each["rawData"]) for each in lines] == [b"a", b"b"]
    assert {each["errorCode"] for each in lines} == {"HttpEndpoint.DestinationException"}
    assert all(each["attemptsMade"] > 1 and "401" in each["errorMessage"] for each in lines)
    assert "wrong" not in content.decode()


@pytest.mark.usefixtures("quick")
def test_what_is_too_large_is_neither_sent_again_nor_backed_up() -> None:
    """So AWS documents it: a gateway that answers so loses log events."""
    with endpoint(413) as (handler, account, stream):
        assert delivered(stream, b"a")["failed"] == 1
    assert handler.requests == 1
    assert account.objects == {}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("body", [lambda _: {"requestId": "another", "timestamp": 1}, lambda request: {"id": request}])
def test_an_answer_in_another_format_is_no_success(body: Callable[[str], dict[str, Any]]) -> None:
    with endpoint(200, body=body, retry_seconds=0) as (_, account, stream):
        assert delivered(stream, b"a")["failed"] == 1
    assert len(account.objects) == 1


@pytest.mark.usefixtures("quick")
def test_nothing_is_sent_outside_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("httpx.post", lambda *_, **__: pytest.fail("sent"))
    account = FakeAccount(destination)
    account.to = HttpEndpoint({"EndpointConfiguration": {"Url": "https://signoz.example.com/x"}}, ARN, Path("none"))
    stream = Stream(ARN, account)
    assert delivered(stream, b"a")["failed"] == 1
    stream.stop(60)


# --- Waiting from outside ---------------------------------------------------------------------------------------


@contextlib.contextmanager
def emulator(monkeypatch: pytest.MonkeyPatch, *answers: dict[str, int]) -> Iterator[Callable[[float], None]]:
    """Gives `wait_delivered` on an emulator that answers with pending records by stream, the last answer for ever."""
    left = list(answers)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            pending = left.pop(0) if len(left) > 1 else left[0]
            self.send_response(200 if self.path == PROGRESS_PATH else 404)
            self.end_headers()
            counts = {f"{ARN}/{name}": {"pending": count} for name, count in pending.items()}
            self.wfile.write(json.dumps(counts).encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        running = Emulator(f"http://127.0.0.1:{server.server_port}", server.server_port, 1, "i", Path("log"))
        monkeypatch.setattr("lab.emulator.status", lambda directory: running)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield lambda seconds: wait_delivered(Path(), seconds)
        server.shutdown()
    assert left == [answers[-1]]


def test_waiting_ends_when_no_stream_has_records_left(monkeypatch: pytest.MonkeyPatch) -> None:
    with emulator(monkeypatch, {"a": 3, "b": 1}, {"a": 0, "b": 1}, {"a": 0, "b": 0}) as wait:
        wait(60)
    with emulator(monkeypatch, {}) as wait:
        wait(60)


def test_waiting_that_takes_too_long_names_the_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        emulator(monkeypatch, {"a": 3, "b": 0}) as wait,
        pytest.raises(UserError, match=r"Not delivered after 0 s: 3 records of a\.") as caught,
    ):
        wait(0)
    assert caught.value.exit_code == 1


def test_waiting_for_an_emulator_that_is_not_there_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="No AWS emulator runs in"):
        wait_delivered(tmp_path, 1)
    gone = Emulator("http://127.0.0.1:1", 1, 1, "i", tmp_path)
    monkeypatch.setattr("lab.emulator.status", lambda directory: gone)
    with pytest.raises(UserError, match="does not answer"):
        wait_delivered(tmp_path, 1)
