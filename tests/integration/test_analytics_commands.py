"""`turnscope analytics` on a local stack: what was lost is found, and sent again.

The tests of this module build on each other, in order: events go in, some are lost, found and sent again.
"""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from analytics.plan.build import plan_analytics
from analytics.plan.model import AnalyticsPlan
from cloudwatch.clients import ClientFactory, client_factory
from core.errors import UserError
from core.events import SESSION_ANALYTICS, VOICE_METRICS
from tests.generated_calls import generate
from tests.integration.conftest import NO_LIFECYCLES, Checkout
from tests.machine import LIMIT_SECONDS

EVENTS = 400
ANALYTICS = f"  turnscope:analytics: {{buffer_seconds: 60, {NO_LIFECYCLES}}}\n"
QUERY = "Cost/Per tenant and month"
RANGE = ("--from", "-24h")
WITHOUT_ID = {"_event_type": VOICE_METRICS, "_session_id": "call-of-an-older-agent", "total_latency": 1.5}
REFUSED = {"_event_type": VOICE_METRICS, "_session_id": "call-of-a-broken-agent", "total_latency": "fast"}


@dataclass
class Stack:
    checkout: Checkout
    client: ClientFactory
    plan: AnalyticsPlan
    log_group: str

    @property
    def bucket(self) -> str:
        return self.plan.data_bucket.name(self.client("sts").get_caller_identity()["Account"])

    def files(self, event: str) -> list[str]:
        pages = self.client("s3").get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=f"{event}/")
        return [each["Key"] for page in pages for each in page.get("Contents", ())]

    def put(self, documents: list[dict[str, Any]]) -> None:
        """As lines that were written just now."""
        logs, stream = self.client("logs"), f"stream-{time.monotonic_ns()}"
        logs.create_log_stream(logGroupName=self.log_group, logStreamName=stream)
        now_ms = int(time.time() * 1000)
        lines = [{"timestamp": now_ms, "message": json.dumps(each)} for each in documents]
        logs.put_log_events(logGroupName=self.log_group, logStreamName=stream, logEvents=lines)

    def check(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        run = self.checkout.turnscope_here("analytics", "check", "local", *RANGE, "--json", *arguments)
        assert run.exit_code in (0, 1), run.stderr
        assert run.exception is None or isinstance(run.exception, SystemExit), run.exception
        return run.exit_code, json.loads(run.stdout)

    def total(self, figure: str) -> int:
        _, found = self.check()
        return sum(hour[figure] for hour in found["hours"])

    def replay(self, *arguments: str) -> str:
        run = self.checkout.turnscope_here("analytics", "replay", "local", *RANGE, "--yes", *arguments)
        assert run.exit_code == 0, (run.stderr, run.exception)
        return run.stdout

    def answer(self) -> list[dict[str, Any]]:
        run = self.checkout.turnscope_here("analytics", "query", "local", QUERY, "--json")
        assert run.exit_code == 0, (run.stderr, run.exception)
        return json.loads(run.stdout)


def test_commands_run_as_a_user_runs_them(stack: Stack) -> None:
    """In processes of their own, on the stack before anything is in it; below they run in this process."""
    check = stack.checkout.turnscope("analytics", "check", "local", *RANGE)
    assert (check.returncode, "There are no events" in check.stdout) == (0, True), check.stdout + check.stderr
    replay = stack.checkout.turnscope("analytics", "replay", "local", *RANGE, "--yes")
    assert (replay.returncode, "Nothing to send" in replay.stdout) == (0, True), replay.stderr
    query = stack.checkout.turnscope("analytics", "query", "local", QUERY, "--json")
    assert (query.returncode, json.loads(query.stdout)) == (0, []), query.stderr


@pytest.fixture(scope="module")
def stack(checkout: Checkout) -> Stack:
    checkout.change("  turnscope:lab:", f"{ANALYTICS}  turnscope:lab:")
    run = checkout.turnscope("up", "local", "--yes")
    assert run.returncode == 0, run.stdout + run.stderr
    settings = checkout.settings
    plan = plan_analytics("local", settings)
    assert plan
    return Stack(checkout, client_factory(settings), plan, settings.log_group_name(next(iter(settings.agents))))


def eventually(holds: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + LIMIT_SECONDS
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.5)


def recent() -> list[dict[str, Any]]:
    """Events that happened within the last minutes."""
    now = datetime.datetime.now(datetime.UTC)
    found = generate(EVENTS, seed=5, end=now, days=1)
    for number, event in enumerate(found):
        event["_timestamp"] = (now - datetime.timedelta(milliseconds=500 * number)).isoformat()
    moment = (now - datetime.timedelta(minutes=1)).isoformat()
    return [*found, {**WITHOUT_ID, "_timestamp": moment}, {**REFUSED, "_timestamp": moment}]


def test_events_that_just_happened_are_on_the_way_and_then_complete(stack: Stack) -> None:
    stack.put(recent())
    code, found = stack.check()
    assert (code, found["complete"]) == (0, True), "too young to be missed"
    assert sum(hour["in_log"] for hour in found["hours"]) == EVENTS + 1
    eventually(lambda: stack.total("in_bucket") == EVENTS + 1, "not everything was delivered")
    code, found = stack.check()
    assert code == 0
    assert {key: sum(hour[key] for hour in found["hours"]) for key in ("missing", "on_the_way", "duplicates")} == {
        "missing": 0, "on_the_way": 0, "duplicates": 0,
    }  # fmt: skip


def test_a_refused_line_is_counted_with_its_reason_and_not_missed(stack: Stack) -> None:
    eventually(lambda: stack.total("rejected") == 1, "nothing was refused")
    _, found = stack.check()
    (rejected,) = found["rejected"]
    assert (rejected["about"], rejected["number"]) == ("total_latency", 1)
    assert found["rejected_in_log"] == 1


def test_what_the_bucket_lost_is_missed_and_sent_again_once(stack: Stack) -> None:
    before = stack.answer()
    for key in stack.files(SESSION_ANALYTICS):
        stack.client("s3").delete_object(Bucket=stack.bucket, Key=key)
    assert stack.answer() == []
    # Not at once: for a while an event counts as on its way.
    eventually(lambda: stack.check()[0] == 1, "nothing is missed")
    code, found = stack.check()
    lost = sum(hour["missing"] for hour in found["hours"])
    assert (code, found["complete"]) == (1, False)
    assert lost == sum(hour["in_log"] for hour in found["hours"] if hour["event"] == SESSION_ANALYTICS) > 0
    assert stack.check("--event", VOICE_METRICS)[0] == 0

    assert f"{lost} events" in stack.replay("--dry-run")
    assert stack.total("missing") == lost, "a dry run sends nothing"
    assert f"Sent {lost} events" in stack.replay()
    eventually(lambda: stack.total("missing") == 0, "what was sent again did not arrive")
    assert stack.answer() == before
    assert stack.total("duplicates") == 0
    assert "Nothing to send" in stack.replay()


def test_sending_all_again_changes_no_answer(stack: Stack) -> None:
    """Also a line without an id: sent again it has the same, made from its text."""
    before = stack.answer()
    assert f"Sent {EVENTS + 1} events" in stack.replay("--all")
    eventually(lambda: stack.total("duplicates") == EVENTS + 1, "not every event came a second time")
    assert stack.answer() == before
    assert stack.total("in_bucket") == EVENTS + 1
    assert stack.check()[0] == 0


def test_nothing_is_asked_of_a_stack_without_analytics(stack: Stack) -> None:
    good = stack.checkout.stack_file.read_text()
    stack.checkout.change(ANALYTICS, "")
    run = stack.checkout.turnscope_here("analytics", "check", "local")
    stack.checkout.stack_file.write_text(good)
    assert isinstance(run.exception, UserError)
    assert run.exception.exit_code == 2
    assert "has no analytics" in str(run.exception)
