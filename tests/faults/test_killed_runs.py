"""`kill -9` at random moments of `up` and `teardown`: the next command converges, nothing is orphaned or made twice.

The AWS emulator lives on, as an account does. TURNSCOPE_FAULT_AGENTS and TURNSCOPE_FAULT_KILLS choose the size;
TURNSCOPE_FAULT_SEED repeats a run.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from cloudwatch.clients import client_factory
from lab import emulator
from tests.integration.conftest import STACK, Checkout, make_checkout

AGENTS = int(os.environ.get("TURNSCOPE_FAULT_AGENTS", "20"))
KILLS = int(os.environ.get("TURNSCOPE_FAULT_KILLS", "10"))
SEED = int(os.environ.get("TURNSCOPE_FAULT_SEED") or time.time())


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    made = make_checkout(tmp_path_factory.mktemp("killed"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    agents = ", ".join(f"agent-{number:03}: {{}}" for number in range(AGENTS))
    made.stack_file.write_text(STACK.format(port=port, agents=agents))
    yield made
    emulator.stop(made.root / ".turnscope" / "local")


def account(checkout: Checkout) -> Counter[str]:
    """Everything in the emulated account that a stack creates, by kind and name: a name twice counts twice."""
    client = client_factory(checkout.settings)
    found: Counter[str] = Counter()

    def count(kind: str, service: str, operation: str, key: str, *names: str, **arguments: Any) -> None:
        api = client(service)
        pages = (
            api.get_paginator(operation).paginate(**arguments)
            if api.can_paginate(operation)
            else [getattr(api, operation)(**arguments)]
        )
        found.update(f"{kind} {' '.join(each[name] for name in names)}" for page in pages for each in page[key])

    count("log group", "logs", "describe_log_groups", "logGroups", "logGroupName")
    count("metric filter", "logs", "describe_metric_filters", "metricFilters", "logGroupName", "filterName")
    token: dict[str, str] = {}
    while True:
        answer = client("logs").describe_query_definitions(maxResults=1000, **token)
        found.update(f"saved query {each['name']}" for each in answer["queryDefinitions"])
        if not answer.get("nextToken"):
            break
        token = {"nextToken": answer["nextToken"]}
    count("alarm", "cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName", AlarmTypes=["MetricAlarm"])
    count("alarm", "cloudwatch", "describe_alarms", "CompositeAlarms", "AlarmName", AlarmTypes=["CompositeAlarm"])
    count("dashboard", "cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName")
    count("topic", "sns", "list_topics", "Topics", "TopicArn")
    count("subscription", "sns", "list_subscriptions", "Subscriptions", "Endpoint")
    identity = client("sts").get_caller_identity()["Account"]
    count("budget", "budgets", "describe_budgets", "Budgets", "BudgetName", AccountId=identity)
    return found


def killed(checkout: Checkout, command: str, after: int) -> bool:
    """Start a command and kill it, and the engine, once it has printed `after` operations. False: it ended first."""
    process = subprocess.Popen(
        [sys.executable, "-m", "turnscope", command, "local", "--yes"],
        cwd=checkout.root,
        env={**os.environ, "PYTHONPATH": str(checkout.root), "CI": ""},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout
    seen = 0
    for line in process.stdout:
        seen += line.startswith(("  created", "  deleted"))
        if seen >= after:
            break
    else:
        assert process.wait() == 0
        return False
    listed = subprocess.run(
        ["pgrep", "-P", str(process.pid), "-f", "pulumi"], capture_output=True, text=True, check=False
    )
    process.kill()
    for engine in listed.stdout.split():
        os.kill(int(engine), signal.SIGKILL)
    process.stdout.close()
    process.wait()
    return True


def done(checkout: Checkout, *arguments: str) -> str:
    run = checkout.turnscope(*arguments, "local", "--yes", timeout_seconds=1200)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


@pytest.mark.parametrize("round_", range(KILLS))
def test_a_killed_command_is_continued_by_the_next(checkout: Checkout, round_: int) -> None:
    moment = random.Random(SEED + round_)  # noqa: S311
    done(checkout, "up")
    whole = account(checkout)
    assert set(whole.values()) == {1}, f"seed {SEED}: twice: {[name for name, number in whole.items() if number > 1]}"
    operations = sum(whole.values())

    killed(checkout, "teardown", moment.randint(1, operations))
    if moment.random() < 0.5:
        done(checkout, "up")
        assert account(checkout) == whole, f"seed {SEED}"
        killed(checkout, "teardown", moment.randint(1, operations))
    assert "no resources of this stack are left" in (out := done(checkout, "teardown")) or "has no resources" in out
    # The tear-down stops the emulator: a fresh one, to be filled.
    killed(checkout, "up", moment.randint(1, operations))
    if moment.random() < 0.5:
        killed(checkout, "up", moment.randint(1, operations))
    done(checkout, "up")
    assert account(checkout) == whole, f"seed {SEED}"
    assert "is up to date" in done(checkout, "up"), f"seed {SEED}"


def test_settings_that_changed_after_the_kill_leave_no_orphan(checkout: Checkout) -> None:
    """Who killed a run because an agent had a wrong name gets rid of the wrong agent's resources."""
    done(checkout, "teardown")
    right = checkout.stack_file.read_text()
    checkout.change("agent-000", "misspelt")
    killed(checkout, "up", 40)
    checkout.stack_file.write_text(right)
    done(checkout, "up")
    assert not [name for name in account(checkout) if "misspelt" in name]


def test_a_teardown_after_a_killed_first_up_leaves_nothing(checkout: Checkout) -> None:
    done(checkout, "teardown")
    killed(checkout, "up", 40)
    before = account(checkout)
    assert before
    assert "no resources of this stack are left" in done(checkout, "teardown")
