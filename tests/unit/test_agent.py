"""The agent package without LiveKit: what it writes of a call, where it sends, and that it harms nobody."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import pickle
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from turnscope_agent import call, correlation, job, reporting
from turnscope_agent.destinations import Destinations, Protocol, destinations
from turnscope_agent.providers import Options

from core import event_reference, events
from tests.unit.conftest import ROOT

HEARD = {
    "end_of_turn_delay": 0.5,
    "transcription_delay": 0.2,
    "stt_metadata": {"model_name": "nova-3", "model_provider": "Deepgram"},
}
ANSWERED = {
    "e2e_latency": 0.9,
    "llm_node_ttft": 0.3,
    "tts_node_ttfb": 0.1,
    "llm_metadata": {"model_name": "gpt-4o-mini", "model_provider": "api.openai.com"},
    "tts_metadata": {"model_name": "eleven_turbo_v2_5", "model_provider": "ElevenLabs"},
}


def usage(kind: str, model: str, **amounts: float) -> SimpleNamespace:
    nothing = {"input_tokens": 0, "output_tokens": 0, "audio_duration": 0.0, "characters_count": 0}
    return SimpleNamespace(type=f"{kind}_usage", model=model, provider=f"{kind} of {model}", **{**nothing, **amounts})


class Session:
    """Emits as LiveKit does: a handler's exception reaches the agent."""

    def __init__(self) -> None:
        self.handlers: dict[str, Callable[[Any], None]] = {}
        self.current_speech: Any = SimpleNamespace(id="speech_1", _interrupt_source=None)
        kinds = {"llm": "gpt-4o-mini", "stt": "nova-3", "tts": "eleven_turbo_v2_5"}
        self.usage = SimpleNamespace(model_usage=[usage(kind, model) for kind, model in kinds.items()])

    def on(self, event: str, handler: Callable[[Any], None]) -> None:
        self.handlers[event] = handler

    def emit(self, event: str, **fields: Any) -> None:
        self.handlers[event](SimpleNamespace(**fields))

    def message(self, role: str, metrics: dict[str, Any], interrupted: bool = False) -> None:
        item = SimpleNamespace(type="message", role=role, metrics=metrics, interrupted=interrupted)
        self.emit("conversation_item_added", item=item)

    def tools(self, *calls: tuple[str, str | None, float]) -> None:
        """Calls of tools, each with how it ended (None for no output) and the seconds that it took."""
        zipped = [
            (
                SimpleNamespace(name=name, created_at=1000.0),
                SimpleNamespace(is_error=ended == "failed", created_at=1000.0 + seconds) if ended else None,
            )
            for name, ended, seconds in calls
        ]
        self.emit("function_tools_executed", zipped=lambda: zipped)

    def close(self) -> None:
        self.emit("close", reason=SimpleNamespace(value="user_initiated"))


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    reporting._reported.clear()
    yield
    reporting._reported.clear()


@pytest.fixture
def session() -> Session:
    return Session()


@pytest.fixture
def observed(session: Session) -> call.Call:
    return call.Call(session, "room-1", agent="receptionist", tenant="acme")


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def paths(document: dict[str, Any], above: str = "") -> set[str]:
    """Every field of a line: objects by their fields, an array also by those of its entries."""
    found: set[str] = set()
    for key, value in document.items():
        if isinstance(value, dict):
            found |= paths(value, f"{above}{key}.")
        else:
            found.add(f"{above}{key}")
            for each in value if isinstance(value, list) else ():
                found |= paths(each, f"{above}{key}[].")
    return found


def schema_paths(event: str) -> set[str]:
    """The same, of the schema."""
    fields = events.EVENTS[event]
    return {path for field in fields for path in (field.path, *(f"{field.path}[].{item.path}" for item in field.items))}


NOTED_BY_THE_APPLICATION = {"discovered_signals.team_size", "discovered_signals.monthly_volume"}
"""What no agent can know by itself."""


PUBLISHED = {
    event: jsonschema.Draft202012Validator(
        json.loads((ROOT / event_reference.FOLDER / f"{event}.schema.json").read_text())
    )
    for event in events.EVENTS
}


def assert_of_the_schema(*documents: dict[str, Any]) -> None:
    """By the published files; and no null, which they allow to others."""
    for document in documents:
        PUBLISHED[document["_event_type"]].validate(document)
        assert "null" not in re.sub(r'"(\\.|[^"\\])*"', "", json.dumps(document))


def test_importing_needs_nothing_but_python() -> None:
    """An agent's image holds neither the toolkit's dependencies, nor, while it is built, LiveKit."""
    absent = (
        "livekit",
        "opentelemetry",
        "pydantic",
        "pulumi",
        "boto3",
        "cloudwatch",
        "core",
        "stacks",
        "grpc",
        "requests",
    )
    code = f"import sys\nfor name in {absent}: sys.modules[name] = None\nimport turnscope_agent"
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(ROOT / "agent")})


def test_the_agent_writes_every_field_of_the_event_schema_but_those_it_cannot_know(
    session: Session, observed: call.Call, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(correlation, "trace_id", lambda: "0af7651916cd43dd8448eb211c80319c")
    session.message("user", HEARD)
    session.message("assistant", ANSWERED)
    session.tools(("book", "done", 0.2))
    session.close()
    turn, ended = lines(capsys)
    assert paths(turn) == schema_paths("voice_metrics")
    assert paths(ended) == schema_paths("session_analytics") - NOTED_BY_THE_APPLICATION
    assert_of_the_schema(turn, ended)
    assert turn["llm"]["provider"] == "api.openai.com"


def test_what_the_application_notes_is_in_the_schema_too(
    session: Session, observed: call.Call, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in NOTED_BY_THE_APPLICATION:
        observed.note(path.removeprefix("discovered_signals."), 8)
    session.close()
    (ended,) = lines(capsys)
    assert {path for path in paths(ended) if path.startswith("discovered_signals.")} == NOTED_BY_THE_APPLICATION
    assert schema_paths("session_analytics") >= NOTED_BY_THE_APPLICATION
    assert_of_the_schema(ended)


SECONDS = st.none() | st.just(-1.0) | st.floats(0, 1e6)
METADATA = st.none() | st.fixed_dictionaries(
    {}, optional={"model_name": st.none() | st.text(), "model_provider": st.none() | st.text()}
)
MESSAGES = st.tuples(
    st.sampled_from(["user", "assistant"]),
    st.fixed_dictionaries(
        {},
        optional={
            **dict.fromkeys(("e2e_latency", "llm_node_ttft", "tts_node_ttfb"), SECONDS),
            **dict.fromkeys(("end_of_turn_delay", "transcription_delay"), SECONDS),
            **dict.fromkeys(("llm_metadata", "tts_metadata", "stt_metadata"), METADATA),
        },
    ),
    st.booleans(),
)
TOOLS = st.tuples(st.text(), st.none() | st.sampled_from(["done", "failed"]), st.floats(-1, 1e6))
USAGES = st.builds(
    lambda kind, model, amounts: usage(kind, model, **amounts),
    st.sampled_from(["llm", "stt", "tts", "eot"]),
    st.text(),
    st.fixed_dictionaries(
        {},
        optional={
            **dict.fromkeys(("input_tokens", "output_tokens", "characters_count"), st.integers(0, 10**9)),
            "audio_duration": st.floats(0, 1e9),
        },
    ),
)


@given(
    agent=st.none() | st.text(),
    tenant=st.none() | st.text() | st.integers(),
    messages=st.lists(MESSAGES, max_size=4),
    tools=st.lists(TOOLS, max_size=3),
    usages=st.lists(USAGES, max_size=4),
    signals=st.dictionaries(st.sampled_from(["intent", "will_buy"]), st.text() | st.booleans()),
)
def test_whatever_livekit_reports_the_lines_are_of_the_schema(
    agent: str | None,
    tenant: Any,
    messages: list[tuple[str, dict[str, Any], bool]],
    tools: list[tuple[str, str | None, float]],
    usages: list[SimpleNamespace],
    signals: dict[str, str | bool],
) -> None:
    """Each of LiveKit's own types; what is unknown is left out, and no field is written that the schema does not
    have, apart from the application's own signals."""
    session = Session()
    session.usage.model_usage = usages
    observed = call.Call(session, "room-1", agent=agent, tenant=tenant)
    with contextlib.redirect_stdout(io.StringIO()) as output:
        for message in messages:
            session.message(*message)
        session.tools(*tools)
        for name, value in signals.items():
            observed.note(name, value)
        session.close()
    *turns, ended = written = [json.loads(line) for line in output.getvalue().splitlines()]
    assert ended["turns"] == len(turns)
    assert_of_the_schema(*written)
    for document in written:
        unknown = paths(document) - schema_paths(document["_event_type"])
        assert unknown <= {f"discovered_signals.{name}" for name in signals}


@given(st.lists(TOOLS, max_size=30))
def test_a_session_has_the_totals_of_all_its_tool_calls(tools: list[tuple[str, str | None, float]]) -> None:
    """Metrics are made of the totals alone, however many calls there are; a call without an output failed."""
    session = Session()
    observed = call.Call(session, "room-1")
    with contextlib.redirect_stdout(io.StringIO()) as output:
        session.tools(*tools)
        session.close()
    ended = json.loads(output.getvalue())
    assert observed
    assert ended["tool_calls_total"] == len(ended["tool_calls"]) == len(tools)
    assert ended["tool_failures_total"] == sum(ending != "done" for _, ending, _ in tools)


def test_every_line_has_an_id_of_its_own(
    session: Session, observed: call.Call, capsys: pytest.CaptureFixture[str]
) -> None:
    """What makes sending a line twice harmless: equal turns are two, a line that is sent again is one."""
    for _ in range(3):
        session.message("assistant", ANSWERED)
    session.close()
    found = lines(capsys)
    assert len({each["_event_id"] for each in found}) == len(found) == 4


def test_a_tenant_stands_in_the_lines_from_when_it_is_known(
    session: Session, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Many a call is put through before anyone knows whose it is. A text in any case: a number would be refused."""
    observed = call.Call(session, "room-1")
    monkeypatch.setattr(call, "current_call", lambda: observed)
    session.message("assistant", ANSWERED)
    call.set_tenant("acme")
    session.message("assistant", ANSWERED)
    call.set_tenant(7)  # type: ignore[arg-type]
    session.close()
    assert [each.get("tenant") for each in lines(capsys)] == [None, "acme", "7"]


@pytest.mark.parametrize(
    ("service", "dispatched", "agent"),
    [("receptionist", "survey", "receptionist"), ("", "survey", "survey"), ("", "", None)],
)
def test_an_agents_name_is_the_one_that_its_telemetry_carries(
    monkeypatch: pytest.MonkeyPatch, service: str, dispatched: str, agent: str | None
) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", service)
    assert call._agent_name(SimpleNamespace(job=SimpleNamespace(agent_name=dispatched))) == agent


def test_what_was_not_measured_is_left_out_and_never_zero(
    session: Session, observed: call.Call, capsys: pytest.CaptureFixture[str]
) -> None:
    """A speech-to-speech model has no STT and TTS; LiveKit says -1 for a time to first token that there was not."""
    session.message("assistant", {"e2e_latency": 0.7, "llm_node_ttft": -1.0})
    session.usage.model_usage = []
    session.close()
    turn, ended = lines(capsys)
    assert turn["total_latency"] == 0.7
    assert not {"eou", "llm", "tts", "stt"} & turn.keys()
    assert not any(key.endswith(("_model", "_provider")) for key in ended["metrics_summary"])
    assert ended["metrics_summary"]["llm_tokens"] == 0


@pytest.mark.parametrize(
    ("source", "by_caller"), [("audio_activity", True), ("user_turn", True), ("programmatic", False), (None, True)]
)
def test_only_callers_interrupt(
    session: Session, observed: call.Call, capsys: pytest.CaptureFixture[str], source: str | None, by_caller: bool
) -> None:
    """What the program cuts short, such as the answer that runs when the call ends, is no interruption."""
    session.current_speech._interrupt_source = source
    session.message("assistant", ANSWERED, interrupted=True)
    session.close()
    turn, ended = lines(capsys)
    assert (turn["interrupted"], ended["interruptions"]) == (by_caller, int(by_caller))


def test_a_session_ends_once_and_counts_the_lines_it_wrote(
    session: Session, observed: call.Call, capsys: pytest.CaptureFixture[str]
) -> None:
    for metrics in ({}, ANSWERED, {"e2e_latency": float("nan")}, {"e2e_latency": 1.0, "llm_metadata": 3}, ANSWERED):
        session.message("assistant", metrics)
    session.close()
    session.close()
    found = lines(capsys)
    assert [each["_event_type"] for each in found] == ["voice_metrics", "voice_metrics", "session_analytics"]
    assert found[-1]["turns"] == 2


def test_telemetry_never_raises_into_the_agent_and_complains_once(
    session: Session, observed: call.Call, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        session.handlers["conversation_item_added"](None)
        session.handlers["function_tools_executed"](None)
    complaints = [record.message for record in caplog.records if record.name == "turnscope_agent"]
    assert len([message for message in complaints if "_on_item" in message]) == 1
    assert len([message for message in complaints if "_on_tools" in message]) == 1


AMOUNTS = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), max_size=5)


@given(AMOUNTS)
def test_usage_of_several_models_adds_up_and_is_named_after_the_largest(amounts: list[tuple[int, int]]) -> None:
    models = [
        usage("llm", f"model-{number}", input_tokens=read, output_tokens=written)
        for number, (read, written) in enumerate(amounts)
    ]
    found = call.usage_summary([*models, usage("eot", "turn-detector")])
    assert found["llm_tokens"] == sum(map(sum, amounts))
    largest = max((sum(each) for each in amounts), default=0)
    model = f"model-{[sum(each) for each in amounts].index(largest)}" if amounts else None
    assert (found.get("llm_model"), found.get("llm_provider")) == (model, model and f"llm of {model}")


ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://signoz.example.com:4318"}
KEYS = {"LANGFUSE_PUBLIC_KEY": "pk", "LANGFUSE_SECRET_KEY": "sk"}
ALL_BY_HTTP = dict.fromkeys(("traces", "metrics", "logs"), Protocol.HTTP)


@pytest.mark.parametrize(
    ("environment", "otlp"),
    [
        ({}, {}),
        (ENDPOINT, ALL_BY_HTTP),
        ({**ENDPOINT, "OTEL_SDK_DISABLED": "true"}, {}),
        ({**ENDPOINT, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, dict.fromkeys(ALL_BY_HTTP, Protocol.GRPC)),
        ({**ENDPOINT, "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL": "grpc"}, {**ALL_BY_HTTP, "logs": Protocol.GRPC}),
        ({**ENDPOINT, "OTEL_LOGS_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"}, {"traces": Protocol.HTTP}),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://localhost:4318/v1/traces"}, {"traces": Protocol.HTTP}),
        ({**ENDPOINT, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, {}),
        (KEYS, {}),
    ],
)
def test_signals_go_where_opentelemetrys_variables_say(environment: dict[str, str], otlp: dict[str, Protocol]) -> None:
    assert destinations(environment).otlp == otlp


@pytest.mark.parametrize(
    ("environment", "problems"),
    [
        ({}, 1),
        (ENDPOINT, 0),
        (KEYS, 0),
        ({"OTEL_SDK_DISABLED": "true"}, 0),
        ({f"OTEL_{each}_EXPORTER": "none" for each in ("TRACES", "METRICS", "LOGS")}, 0),
        ({**ENDPOINT, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, 3),
    ],
)
def test_silence_is_warned_of_only_where_nobody_asked_for_it(environment: dict[str, str], problems: int) -> None:
    assert len(destinations(environment).problems) == problems


def test_langfuse_needs_both_keys_and_shows_neither() -> None:
    assert destinations({"LANGFUSE_PUBLIC_KEY": "pk"}).langfuse is None
    found = destinations({**KEYS, "LANGFUSE_HOST": "https://us.cloud.langfuse.com/"})
    assert found.langfuse is not None
    assert found.langfuse.endpoint == "https://us.cloud.langfuse.com/api/public/otel/v1/traces"
    assert found.langfuse.headers["Authorization"] == "Basic cGs6c2s="
    assert "cGs6c2s=" not in repr(found)
    assert isinstance(found, Destinations)


def warm(process: Any) -> str:
    return f"warm {process}"


@pytest.mark.parametrize("hook", ["setup_fnc", "prewarm_fnc"])
def test_the_applications_own_prewarm_still_runs_and_reaches_another_process(
    hook: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LiveKit pickles the hook into every job process."""
    monkeypatch.setattr(job, "install", lambda options: None)
    server = job.setup(SimpleNamespace(**{hook: warm}), allow_pii=False)
    arrived = pickle.loads(pickle.dumps(getattr(server, hook)))  # noqa: S301 (made one line above)
    assert arrived.args == (Options(allow_pii=False), warm)
    assert arrived("up") == "warm up"


def test_setup_of_something_else_says_what_it_takes() -> None:
    with pytest.raises(TypeError, match="AgentServer"):
        job.setup(object())


@pytest.mark.parametrize(
    ("argument", "variable", "allowed"),
    [(None, None, True), (None, "0", False), (None, "1", True), (True, "0", True), (False, "1", False)],
)
def test_content_is_exported_as_livekit_decides_it(
    monkeypatch: pytest.MonkeyPatch, argument: bool | None, variable: str | None, allowed: bool
) -> None:
    monkeypatch.delenv("LIVEKIT_TELEMETRY_ALLOW_PII", raising=False)
    if variable is not None:
        monkeypatch.setenv("LIVEKIT_TELEMETRY_ALLOW_PII", variable)
    assert Options(argument).content_allowed is allowed


def test_opentelemetrys_complaints_come_once_per_kind(caplog: pytest.LogCaptureFixture) -> None:
    handler = reporting._FirstOfEachKind()
    for seconds in (1, 2, 4):
        handler.emit(
            logging.LogRecord("opentelemetry.exporter", 30, "", 0, "no answer, retrying in %s s", (seconds,), None)
        )
    (record,) = caplog.records
    assert "retrying in 1 s" in record.message
