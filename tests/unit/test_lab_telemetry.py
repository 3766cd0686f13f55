"""Recorded calls sent to a stack's SigNoz: what goes over the wire, the wait for the store, and every message."""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, cast

import httpx
import pytest
from rich.console import Console

from core.errors import UserError
from core.roles import Role
from lab import telemetry as sending
from lab.send import _in_checkout, _sent_by, print_next
from lab.telemetry_store import Counts, Stored, TelemetryStore, query
from signoz.docker_host import DockerHost
from signoz.plan.model import SigNozPlan
from simulate import recording, telemetry
from simulate.telemetry import Call
from stacks.settings.loading import load
from tests.unit.conftest import ROOT, settings_with
from turnscope.agent_environment import Gateway, agent_environment
from turnscope.deployment.deployment import Deployment
from turnscope.plans import plan_stack
from turnscope.recorded_calls import print_signoz, recorded_calls, send_recorded_calls

TOKEN = "t0ken/with+signs=="
ENVIRONMENT = agent_environment(Gateway("localhost", TOKEN), service_name="concierge", environment="local")
CALL = telemetry.recorded("slow-llm")
TRACES = telemetry.fresh_trace_ids(["slow-llm"])
LOG = "Its last log lines:\n  exporting failed: no such table\nMore: docker logs it."

Answer = Callable[[httpx.Request], httpx.Response]


def export(answer: Answer, *, send_seconds: float = 30) -> None:
    sending.export(CALL, ENVIRONMENT, send_seconds=send_seconds, transport=httpx.MockTransport(answer))


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "POLL_SECONDS", 0)


# --- The wire


def test_a_call_is_sent_as_an_agents_exporter_does() -> None:
    """In the order of the recording, to the signal's path, with the token of `turnscope env`."""
    seen: list[httpx.Request] = []

    def accept(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"partialSuccess": {}})

    export(accept)
    assert [str(each.url) for each in seen] == [f"https://localhost:4318/v1/{each.signal}" for each in CALL.requests]
    assert {each.headers["Authorization"] for each in seen} == {f"Bearer {TOKEN}"}
    assert {each.headers["Content-Type"] for each in seen} == {"application/json"}
    assert [json.loads(each.content) for each in seen] == [each.document for each in CALL.requests]


def test_a_busy_collector_is_asked_again() -> None:
    answers = iter([httpx.Response(503), httpx.Response(429), *[httpx.Response(200)] * len(CALL.requests)])
    export(lambda _: next(answers))
    assert next(answers, None) is None


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda _: httpx.Response(401, text="Unauthorized"), r"did not accept the call's traces: 401 Unauthorized"),
        (lambda _: httpx.Response(503, text="full"), r"did not accept the call's traces: 503 full"),
        (lambda _: httpx.Response(200, json={"partialSuccess": {"rejectedSpans": "3"}}), "rejected a part .* traces"),
    ],
)
def test_what_is_not_accepted_is_said(answer: Answer, words: str) -> None:
    with pytest.raises(UserError, match=words) as raised:
        export(answer, send_seconds=0)
    assert raised.value.exit_code == 1
    assert TOKEN not in str(raised.value)


def test_a_gateway_that_is_away_is_named() -> None:
    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused", request=request)

    with pytest.raises(UserError, match=r"https://localhost:4318 does not answer: connection refused"):
        export(away)


# --- The wait


@dataclass
class FakeStore:
    """Answers in turn; the last one again and again."""

    answers: list[Stored]
    asked: list[Call] = field(default_factory=list)

    def stored(self, call: Call) -> Stored:
        self.asked.append(call)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def collector_log(self) -> str:
        return LOG


ALL = Stored(Counts.of(CALL), 10, 2.27)
NOTHING = Stored(Counts(0, 0, 0), 0, None)
WITHOUT_LOGS = Stored(replace(ALL.counts, log_records=0), 10, 2.27)
SAMPLED = Stored(replace(ALL.counts, spans=7), 1, 1.0)


def send(monkeypatch: pytest.MonkeyPatch, *answers: Stored, wait_seconds: float = 60) -> list[dict[str, Any]]:
    monkeypatch.setattr(sending, "export", lambda call, environment, *, address: None)
    return sending.send(
        ["slow-llm"], ENVIRONMENT, FakeStore(list(answers)), trace_ids=TRACES, wait_seconds=wait_seconds
    )


def test_the_report_waits_until_the_store_has_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    (found,) = send(monkeypatch, NOTHING, WITHOUT_LOGS, SAMPLED, ALL)
    assert found["recording"] == "slow-llm"
    assert {key: found[key] for key in found["sent"]} == found["sent"]
    assert found["sent"] == {"spans": len(CALL.spans), "metric_points": len(CALL.points), "log_records": 1}
    assert (found["turns"], found["e2e_latency_p95_seconds"]) == (10, 2.27)


@pytest.mark.parametrize(
    ("found", "missing"), [(NOTHING, "spans, metric points, log records"), (WITHOUT_LOGS, "log records")]
)
def test_what_does_not_arrive_is_named_with_the_collectors_log(
    monkeypatch: pytest.MonkeyPatch, found: Stored, missing: str
) -> None:
    with pytest.raises(UserError) as raised:
        send(monkeypatch, found, wait_seconds=0)
    assert raised.value.exit_code == 1
    assert f"call slow-llm, but SigNoz' store has none of its {missing} yet" in str(raised.value)
    assert LOG in str(raised.value)


def test_what_arrives_in_part_is_shown_as_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack may sample."""
    calls = send(monkeypatch, SAMPLED, wait_seconds=0)
    assert f"7 of {len(CALL.spans)}" in printed({"calls": calls, "sign_in": "-"})


def test_a_call_is_sent_in_the_agents_name(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Call] = []
    monkeypatch.setattr(sending, "export", lambda call, environment, *, address: sent.append(call))
    store = FakeStore([ALL])
    sending.send(["slow-llm"], ENVIRONMENT, store, trace_ids=TRACES)
    assert store.asked == sent
    (call,) = sent
    text = json.dumps([each.document for each in call.requests])
    assert '{"key": "service.name", "value": {"stringValue": "concierge"}}' in text
    assert '"receptionist"}}, {"key": "telemetry.distro.name"' not in text


def test_both_halves_of_a_call_have_one_trace_id() -> None:
    """So that what a log line of CloudWatch names is found in SigNoz."""
    told = [json.loads(each.message) for each in _sent_by("concierge", recording.recorded("slow-llm"), TRACES)]
    again = CALL.sent_again(end_ns=1, resource={}, trace_ids=TRACES)
    assert {each["trace_id"] for each in told} == set(again.trace_ids) == set(TRACES.values())


@pytest.mark.parametrize("trace", ["ab" * 16, None, 3, ["a"], {}])
def test_a_log_of_ones_own_keeps_what_it_says_of_traces(trace: object) -> None:
    line = json.dumps({"timestamp": "2026-01-01T00:00:00+00:00", "trace_id": trace})
    (sent,) = _sent_by("concierge", recording.load(line), TRACES)
    assert json.loads(sent.message)["trace_id"] == trace


@pytest.mark.parametrize(
    ("log", "calls"), [(None, telemetry.names()), ("slow-llm", ("slow-llm",)), ("agent.log", ()), ("./slow-llm", ())]
)
def test_the_name_of_a_recording_names_its_call(log: str | None, calls: tuple[str, ...]) -> None:
    assert recorded_calls(log) == calls


# --- The store


def test_the_query_finds_a_call_by_its_traces_and_a_metric_by_name_and_time() -> None:
    text = query(CALL)
    (trace,) = CALL.trace_ids
    assert text.count(f"trace_id IN ('{trace}')") == 4
    # A histogram's points are counted once, not once for each bucket.
    assert "'lk.agents.turn.e2e_latency.count'" in text
    assert ".bucket" not in text
    assert "'lk.agents.usage.tts_characters'" in text
    assert {str(each.time_ms) for each in CALL.points} == set(
        text.partition("unix_milli IN (")[2].partition(")")[0].split(", ")
    )


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("142\t45\t1\t10\t2.25\n", Stored(Counts(142, 45, 1), 10, 2.25)),
        ("0\t0\t0\t0\tnan\n", Stored(Counts(0, 0, 0), 0, None)),
        ("0\t0\t0\t0\t\\N\n", Stored(Counts(0, 0, 0), 0, None)),
    ],
)
def test_the_store_is_asked_in_clickhouses_container_without_showing_the_password(
    monkeypatch: pytest.MonkeyPatch, signoz_plan: SigNozPlan, answer: str, expected: Stored
) -> None:
    ran: list[tuple[list[str], dict[str, str]]] = []

    def run(command: list[str], *, env: dict[str, str], **_: Any) -> subprocess.CompletedProcess[str]:
        ran.append((command, env))
        return subprocess.CompletedProcess(command, 0, answer, "")

    monkeypatch.setattr(subprocess, "run", run)
    host = DockerHost("unix:///var/run/docker.sock")
    assert TelemetryStore(host, signoz_plan, "s3cret").stored(CALL) == expected
    ((command, environment),) = ran
    assert signoz_plan.container(Role.CLICKHOUSE).name in command
    assert "s3cret" not in " ".join(command)
    assert tuple(command[4:6]) == ("--env", "CLICKHOUSE_PASSWORD")
    assert environment["CLICKHOUSE_PASSWORD"] == "s3cret"


@pytest.fixture(scope="module")
def signoz_plan() -> SigNozPlan:
    plan = plan_stack("local", load("local", ROOT), ROOT).signoz
    assert plan
    return plan


# --- What is printed


def printed(report: dict[str, Any] | None) -> str:
    text = io.StringIO()
    print_signoz(report, "local", Console(file=text, width=160))
    return " ".join(text.getvalue().split())


def test_a_stack_without_signoz_says_so() -> None:
    @dataclass
    class Half:
        settings: Any
        plan: Any = None

    half = Half(settings_with())
    half.plan = type("Plan", (), {"signoz": None})
    assert send_recorded_calls(cast(Deployment, half), ["slow-llm"], "concierge", TRACES) is None
    assert "Stack local has no SigNoz (turnscope:signoz): only CloudWatch received" in printed(None)


def test_a_log_file_of_ones_own_has_no_call() -> None:
    assert "a log file has no traces. `turnscope env local` prints" in printed({"calls": [], "sign_in": "-"})


def test_address_and_sign_in_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = send(monkeypatch, ALL)
    sign_in = "turnscope login local --show-secrets"
    text = printed({"calls": calls, "url": "https://localhost", "email": "admin@example.com", "sign_in": sign_in})
    assert f"slow-llm {len(CALL.spans)} {len(CALL.points)} 1 10 2.27 s" in text
    assert f"SigNoz: https://localhost, as admin@example.com; the password: {sign_in}" in text


@pytest.mark.parametrize("base", ["https://runbooks.example.com", "https://example.com/a/docs/runbooks"])
def test_a_runbook_of_the_checkout_is_named_by_its_path(base: str) -> None:
    assert _in_checkout(f"{base}/llm-ttft.md", ROOT) == "docs/runbooks/llm-ttft.md"
    assert _in_checkout(f"{base}/of-another-team.md", ROOT) is None


def test_red_alarms_are_listed_with_their_runbooks() -> None:
    alarms = [
        {
            "alarm": "llm-ttft",
            "state": "ALARM",
            "runbook": "https://x/llm-ttft.md",
            "runbook_file": "docs/runbooks/llm-ttft.md",
        },
        {"alarm": "errors", "state": "ALARM", "runbook": "https://x/errors.md", "runbook_file": None},
        {"alarm": "no-data", "state": "OK", "runbook": "https://x/no-data.md", "runbook_file": None},
    ]
    text = io.StringIO()
    print_next({"alarms": alarms, "next": {}}, Console(file=text, width=160))
    assert "  llm-ttft: docs/runbooks/llm-ttft.md\n  errors: https://x/errors.md\n" in text.getvalue()
    assert "no-data" not in text.getvalue()
