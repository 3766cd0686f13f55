"""The life of a local stack: real engine, real AWS provider, the emulator as the account.

The tests of this module build on each other, in order: a stack is made, changed and deleted.
"""

from __future__ import annotations

import json

from rich.console import Console

import toolchain
from cloudwatch.clients import client_factory
from core.project import Project
from tests.integration.conftest import Checkout, pulumi, succeeded
from turnscope.deployment.backend import engine_environment
from turnscope.deployment.leftovers import leftovers

WEBHOOK = "https://hooks.slack.example.com/services/T0/B0/verysecret"


def recorded(checkout: Checkout) -> dict[str, str]:
    """What the engine keeps: file -> text."""
    files = sorted((checkout.root / ".turnscope" / "state").rglob("*.json"))
    assert files
    return {str(path): path.read_text() for path in files}


def test_wrong_settings_are_refused_before_anything_is_touched(checkout: Checkout) -> None:
    good = checkout.stack_file.read_text()
    checkout.change("period_seconds: 60", "period_seconds: 61, datapoints: 1")
    run = checkout.turnscope("up", "local", "--yes")
    checkout.stack_file.write_text(good)
    assert run.returncode == 2
    assert "alarms.period_seconds" in run.stderr
    assert "alarms.datapoints" in run.stderr
    assert "Traceback" not in run.stderr
    assert not (checkout.root / ".turnscope").exists()


def test_up_makes_what_the_plan_says(checkout: Checkout) -> None:
    before = checkout.stack_file.read_bytes()
    out = succeeded(checkout.turnscope("up", "local", "--yes"))
    assert "lab: AWS is emulated" in out
    plan = checkout.plan.cloudwatch
    assert plan
    client = client_factory(checkout.settings)
    present = leftovers(checkout.plan, client)
    assert {f"alarm {each.name}" for each in (*plan.alarms, *plan.composite_alarms)} <= set(present)
    assert {f"dashboard {each.name}" for each in plan.dashboards} <= set(present)
    assert {f"saved query {each.name}" for each in plan.saved_queries} <= set(present)
    filters = client("logs").describe_metric_filters(logGroupName=plan.agents[0].log_group.name)["metricFilters"]
    assert {each["filterName"] for each in filters} == {each.name for each in plan.metric_filters}
    assert checkout.stack_file.read_bytes() == before, "the stack file in version control was changed"


def test_a_second_up_changes_nothing(checkout: Checkout) -> None:
    assert "is up to date" in succeeded(checkout.turnscope("up", "local", "--yes"))


def test_the_account_is_as_the_state_says(checkout: Checkout) -> None:
    """A refresh that finds a difference after our own `up` is a false drift for ever."""
    assert "Previewing refresh" in pulumi(checkout, "refresh --preview-only --expect-no-changes -s local --color never")


def test_a_real_agents_log_becomes_metrics_alarm_states_and_notifications(checkout: Checkout) -> None:
    report = json.loads(succeeded(checkout.turnscope("lab", "send", "slow-llm", "--json")))
    assert report["events"] == sum(report["recordings"].values())
    assert report["signoz"] is None
    metrics = {row["metric"]: row for row in report["metrics"] if not row["dimensions"]}
    assert metrics["TotalLatency"]["samples"] == metrics["LlmTimeToFirstToken"]["samples"] > 0
    assert metrics["TotalLatency"]["p95"] > 2
    states = {row["alarm"]: row["state"] for row in report["alarms"]}
    assert states["total-latency-critical"] == "ALARM"
    assert states["agent-unhealthy"] == "ALARM"
    subjects = [each["subject"] for each in report["notifications"]]
    assert any("agent-unhealthy" in subject for subject in subjects)
    assert not any("agent-degraded" in subject for subject in subjects), "the warning was not silenced"


def test_a_changed_target_changes_its_alarm_and_the_dashboards_that_draw_it(checkout: Checkout) -> None:
    checkout.change(
        "  turnscope:alarms:", "  turnscope:targets: {total_latency: {critical_seconds: 2.5}}\n  turnscope:alarms:"
    )
    out = succeeded(checkout.turnscope("up", "local", "--yes"))
    changed = {line.split()[2] for line in out.splitlines() if line.strip().startswith("updated")}
    assert changed == {
        "voice-agent-alarm-total-latency-critical",
        "dashboard-agent-voice-agent",
        "dashboard-overview",
    }


def test_pulumi_by_hand_finds_nothing_to_do(checkout: Checkout) -> None:
    out = pulumi(checkout, "preview -s local --expect-no-changes --color never")
    assert "unchanged" in out


def test_a_secret_is_nowhere_in_clear(checkout: Checkout) -> None:
    """Neither in the state, nor in what is printed, nor in the plan; but it reaches the parameter."""
    key = "'turnscope:notifications.critical.slack_webhook_url'"
    good = checkout.stack_file.read_text()
    pulumi(checkout, f"config set --secret --path {key} -s local", stdin=WEBHOOK)
    assert WEBHOOK not in checkout.stack_file.read_text()
    out = succeeded(checkout.turnscope("up", "local", "--yes"))
    listed = succeeded(checkout.turnscope("plan", "local", "--json")) + succeeded(
        checkout.turnscope("outputs", "local")
    )
    for text in (out, listed, *recorded(checkout).values()):
        assert "verysecret" not in text
    stored = client_factory(checkout.settings)("ssm").get_parameter(
        Name="/turnscope/turnscope-local-critical-slack/webhook-url", WithDecryption=True
    )
    assert stored["Parameter"]["Value"] == WEBHOOK
    assert stored["Parameter"]["Type"] == "SecureString"
    assert "is up to date" in succeeded(checkout.turnscope("up", "local", "--yes")), "the function shows a false change"
    checkout.stack_file.write_text(good)


def test_a_restarted_emulator_is_filled_again(checkout: Checkout) -> None:
    succeeded(checkout.turnscope("lab", "stop"))
    out = succeeded(checkout.turnscope("up", "local", "--yes"))
    assert "created" in out
    assert "is up to date" in succeeded(checkout.turnscope("up", "local", "--yes"))


def test_teardown_without_an_answer_deletes_nothing(checkout: Checkout) -> None:
    account, state = leftovers(checkout.plan, client_factory(checkout.settings)), recorded(checkout)
    run = checkout.turnscope("teardown", "local")
    assert run.returncode == 2
    assert "including every log event in /aws/livekit/voice-agent" in run.stdout
    assert leftovers(checkout.plan, client_factory(checkout.settings)) == account != []
    assert recorded(checkout) == state


def test_teardown_leaves_nothing(checkout: Checkout) -> None:
    settings = checkout.settings
    tools = toolchain.ensure(toolchain.AWS_PARTS, assume_yes=True, console=Console())
    environment = engine_environment(Project(checkout.root), settings.environment, tools.env)
    assert environment["PULUMI_BACKEND_URL"].startswith("file://")
    assert leftovers(checkout.plan, client_factory(settings))
    out = succeeded(checkout.turnscope("teardown", "local", "--yes"))
    assert "no resources of this stack are left" in out
    assert checkout.stack_file.exists()
    again = checkout.turnscope("teardown", "local", "--yes")
    assert "no resources" in succeeded(again)
