"""Turnscope beside Terraform: the same CloudWatch resources, the same AWS provider, the same emulator.

    .venv/bin/python benchmarks/deploy.py [--agents N] [--runs N] [--without-terraform]

A stack without SigNoz and analytics in a copy of the project; each round makes it, deploys it again without changes and
deletes it, first with Turnscope, then with Terraform (`terraform` on PATH). The emulator runs before the clock starts.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from cloudwatch.plan.model import CloudWatchPlan, CompositeAlarm, MathExpression, MetricAlarm, MetricStat  # noqa: E402
from stacks.settings.loading import load  # noqa: E402
from tests.integration.conftest import Checkout, make_checkout  # noqa: E402
from toolchain import aws_provider  # noqa: E402

STACK = """\
config:
  turnscope:environment: local
  turnscope:owner: benchmark
  turnscope:lab: {{aws_port: {port}}}
  turnscope:agents: {{{agents}}}
"""
STEPS = ("up", "no-op", "tear-down")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--agents", type=int, default=1)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--without-terraform", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        checkout = project(Path(folder) / "project", arguments.agents)
        plan = checkout.plan.cloudwatch
        assert plan  # noqa: S101 - the stack's file says so
        resources = terraform_resources(plan)
        total = sum(len(each) for each in resources.values())
        print(f"{arguments.agents} agents, {total} resources, {arguments.runs} runs, {os.cpu_count()} processors")
        sides: dict[str, Callable[[], dict[str, float]]] = {"turnscope": lambda: turnscope_round(checkout)}
        if not arguments.without_terraform:
            terraform = Path(folder) / "terraform"
            write_terraform(terraform, resources, checkout)
            sides["terraform"] = lambda: terraform_round(terraform, checkout)
        seconds: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
        for _ in range(arguments.runs):
            for name, play in sides.items():
                seconds[name].append(play())
        report(seconds)


def project(root: Path, agents: int) -> Checkout:
    root.mkdir(parents=True)
    checkout = make_checkout(root)
    # Neither SigNoz nor analytics, which Terraform would have to be given too.
    for path in (root / "stacks").glob("Pulumi.*.yaml"):
        path.unlink()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    names = ", ".join(f"agent-{number:03}: {{}}" for number in range(1, agents + 1))
    checkout.stack_file.write_text(STACK.format(port=port, agents=names))
    return checkout


def turnscope_round(checkout: Checkout) -> dict[str, float]:
    timed(checkout, "lab", "start")
    return {
        "up": timed(checkout, "up", "local", "--yes"),
        "no-op": timed(checkout, "up", "local", "--yes"),
        "tear-down": timed(checkout, "teardown", "local", "--yes"),
    }


def timed(checkout: Checkout, *arguments: str) -> float:
    started = time.monotonic()
    run = checkout.turnscope(*arguments, timeout_seconds=3600)
    if run.returncode != 0:
        sys.exit(run.stdout + run.stderr)
    return time.monotonic() - started


def terraform_round(folder: Path, checkout: Checkout) -> dict[str, float]:
    with emulated(checkout):
        return {
            "up": terraform(folder, "apply", "-auto-approve"),
            "no-op": terraform(folder, "apply", "-auto-approve"),
            "tear-down": terraform(folder, "destroy", "-auto-approve"),
        }


@contextmanager
def emulated(checkout: Checkout) -> Iterator[None]:
    timed(checkout, "lab", "start")
    try:
        yield
    finally:
        timed(checkout, "lab", "stop")


def terraform(folder: Path, *arguments: str) -> float:
    started = time.monotonic()
    run = subprocess.run(
        ["terraform", *arguments, "-input=false", "-no-color"],
        cwd=folder,
        env={**os.environ, "TF_CLI_CONFIG_FILE": str(folder / "terraform.rc"), "CHECKPOINT_DISABLE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode != 0:
        sys.exit(run.stdout + run.stderr)
    return time.monotonic() - started


def write_terraform(folder: Path, resources: dict[str, dict[str, Any]], checkout: Checkout) -> None:
    provider = aws_provider.find(os.environ)
    if provider is None or shutil.which("terraform") is None:
        sys.exit("terraform and terraform-provider-aws are needed, or --without-terraform.")
    binaries = folder / "provider"
    binaries.mkdir(parents=True)
    (binaries / "terraform-provider-aws").symlink_to(provider)
    (folder / "terraform.rc").write_text(
        f'provider_installation {{\n  dev_overrides {{ "hashicorp/aws" = "{binaries}" }}\n  direct {{}}\n}}\n'
    )
    settings = load("local", checkout.root)
    port = settings.lab.aws_port if settings.lab else 0
    services = ("cloudwatch", "logs", "sns", "sts", "iam")
    configuration = {
        "terraform": {"required_providers": {"aws": {"source": "hashicorp/aws"}}},
        "provider": {
            "aws": {
                "region": settings.region, "access_key": "local", "secret_key": "local", "max_retries": 2,
                "skip_credentials_validation": True, "skip_metadata_api_check": True,
                "endpoints": dict.fromkeys(services, f"http://127.0.0.1:{port}"),
                "default_tags": {"tags": {"Project": "turnscope", "Stack": "local", "Owner": "benchmark"}},
            }
        },
        "resource": resources,
    }  # fmt: skip
    (folder / "main.tf.json").write_text(json.dumps(configuration))


def terraform_resources(plan: CloudWatchPlan) -> dict[str, dict[str, Any]]:
    """The plan's resources as Terraform's JSON syntax has them: type -> name -> arguments."""
    found: dict[str, dict[str, Any]] = {}

    def add(kind: str, name: str, arguments: dict[str, Any]) -> str:
        key = "".join(letter if letter.isalnum() else "_" for letter in f"r_{name}")
        escaped = json.loads(json.dumps(arguments).replace("${", "$${").replace("%{", "%%{"))
        found.setdefault(kind, {})[key] = {name: each for name, each in escaped.items() if each is not None}
        return key

    topics = {}
    for topic in plan.topics:
        topics[topic.severity] = add("aws_sns_topic", topic.name, {"name": topic.name})
    for agent in plan.agents:
        group = agent.log_group
        key = add("aws_cloudwatch_log_group", group.name, {"name": group.name,
                  "retention_in_days": group.retention_days})  # fmt: skip
        for each in agent.metric_filters:
            transformation = {"name": each.metric_name, "namespace": each.namespace, "value": each.value,
                              "unit": each.unit, "dimensions": dict(each.dimensions) or None}  # fmt: skip
            add("aws_cloudwatch_log_metric_filter", f"{agent.name}_{each.key}", {
                "name": each.name, "log_group_name": group.name, "pattern": each.pattern,
                "metric_transformation": [{name: part for name, part in transformation.items() if part is not None}],
                "depends_on": [f"aws_cloudwatch_log_group.{key}"],
            })  # fmt: skip
        made: dict[str, str] = {}
        for alarm in agent.alarms:
            made[alarm.name] = add("aws_cloudwatch_metric_alarm", alarm.name, metric_alarm(alarm))
        for composite in agent.composite_alarms:
            before = [f"aws_cloudwatch_metric_alarm.{made[name]}" for name in composite.alarm_names]
            add("aws_cloudwatch_composite_alarm", composite.name, composite_alarm(composite) | {"depends_on": before})
    for query in plan.saved_queries:
        text = {"query_string": query.query, "log_group_names": list(query.log_group_names)}
        add("aws_cloudwatch_query_definition", query.name, {"name": query.name, **text})
    for dashboard in plan.dashboards:
        add("aws_cloudwatch_dashboard", dashboard.name,
            {"dashboard_name": dashboard.name, "dashboard_body": json.dumps(dashboard.body)})  # fmt: skip
    return found


def metric_alarm(alarm: MetricAlarm) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "alarm_name": alarm.name, "alarm_description": alarm.description,
        "comparison_operator": str(alarm.comparison), "threshold": alarm.threshold,
        "evaluation_periods": alarm.evaluation_periods, "datapoints_to_alarm": alarm.datapoints_to_alarm,
        "treat_missing_data": str(alarm.missing_data), "threshold_metric_id": alarm.band_id,
    }  # fmt: skip
    single = alarm.series[0] if len(alarm.series) == 1 else None
    if isinstance(single, MetricStat):
        percentile = single.statistic.startswith("p")
        return arguments | {
            "namespace": single.metric.namespace, "metric_name": single.metric.name,
            "dimensions": dict(single.metric.dimensions) or None, "period": single.period_seconds,
            "extended_statistic": single.statistic if percentile else None,
            "statistic": None if percentile else single.statistic,
        }  # fmt: skip
    returned = {alarm.watched, alarm.band_id}
    return arguments | {"metric_query": [metric_query(each, each.id in returned) for each in alarm.series]}


def metric_query(each: MetricStat | MathExpression, returned: bool) -> dict[str, Any]:
    if isinstance(each, MathExpression):
        label = {"label": each.label} if each.label else {}
        return {"id": each.id, "expression": each.expression, "return_data": returned} | label
    metric = {"namespace": each.metric.namespace, "metric_name": each.metric.name, "stat": each.statistic,
              "period": each.period_seconds}  # fmt: skip
    if each.metric.dimensions:
        metric["dimensions"] = dict(each.metric.dimensions)
    return {"id": each.id, "metric": [metric], "return_data": returned}


def composite_alarm(alarm: CompositeAlarm) -> dict[str, Any]:
    return {"alarm_name": alarm.name, "alarm_description": alarm.description, "alarm_rule": alarm.rule}


def report(seconds: dict[str, list[dict[str, float]]]) -> None:
    print(f"{'seconds':<12}{'step':<12}{'minimum':>9}{'median':>9}{'maximum':>9}")
    for name, rounds in seconds.items():
        for step in STEPS:
            taken = [each[step] for each in rounds]
            print(f"{name:<12}{step:<12}{min(taken):>9.1f}{statistics.median(taken):>9.1f}{max(taken):>9.1f}")
    if len(seconds) == 2:
        for step in STEPS:
            pairs = zip(seconds["turnscope"], seconds["terraform"], strict=True)
            ratios = [ours[step] / theirs[step] for ours, theirs in pairs]
            middle = statistics.median(ratios)
            print(f"{'ratio':<12}{step:<12}{min(ratios):>9.2f}{middle:>9.2f}{max(ratios):>9.2f}")


if __name__ == "__main__":
    main()
