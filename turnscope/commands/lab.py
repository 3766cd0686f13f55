"""`turnscope lab`: the local stack's AWS emulator."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from core.errors import UserError
from turnscope.console import console
from turnscope.lab_extra import require_lab
from turnscope.options import Json, LocalStack, deployment_of, project_and_settings

if TYPE_CHECKING:
    from core.project import Project
    from stacks.settings.model import Settings

lab = typer.Typer(help="The local stack: its AWS emulator, and recorded calls.", no_args_is_help=True)


@lab.command()
def start(stack: LocalStack = "local") -> None:
    """Start the AWS emulator; up also starts it."""
    from lab import emulator
    from stacks.settings.model import Lab

    project, settings = _local(stack)
    require_lab()
    port = (settings.lab or Lab()).aws_port
    running = emulator.start(project.stack_directory(stack), port, project=project.root, stack=stack)
    console.print(f"lab: AWS is emulated at {running.url} (process {running.pid}, log {running.log_path})")


@lab.command()
def stop(stack: LocalStack = "local") -> None:
    """Stop the AWS emulator; the next up starts a new, empty one."""
    from lab import emulator

    project, _ = _local(stack)
    stopped = emulator.stop(project.stack_directory(stack))
    console.print("lab: stopped." if stopped else "lab: the AWS emulator was not running.")


@lab.command()
def status(stack: LocalStack = "local") -> None:
    """Show whether the AWS emulator runs, with its address."""
    from lab import emulator

    project, _ = _local(stack)
    running = emulator.status(project.stack_directory(stack))
    if running is None:
        raise UserError(f"lab: the AWS emulator is not running; start it with `turnscope up {stack}`.", exit_code=1)
    console.print(f"lab: AWS is emulated at {running.url} (process {running.pid}, log {running.log_path})")


@lab.command()
def send(
    log: Annotated[
        str | None,
        typer.Argument(help="The name of a recording, or a file of JSON log lines. Default: all recordings."),
    ] = None,
    stack: Annotated[str, typer.Option(help="A stack of environment local.")] = "local",
    agent: Annotated[
        str | None, typer.Option(help="The agent that the calls are of. Default: the first agent.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Send recorded calls of a real agent; print what CloudWatch and SigNoz made of them.

    Each call's log goes to CloudWatch; its traces, metrics and logs go to SigNoz by OTLP through the gateway. A log
    file of your own goes to CloudWatch alone. A half that the stack does not have receives nothing.
    """
    from lab.send import print_next, print_report
    from lab.send import send as send_log
    from simulate.telemetry import fresh_trace_ids
    from turnscope.recorded_calls import print_signoz, recorded_calls, send_recorded_calls

    project, settings = _local(stack)
    calls = recorded_calls(log)
    trace_ids = fresh_trace_ids(calls)
    if settings.cloudwatch is None:
        if not calls:
            raise UserError(
                f"{log}: allowed: a recorded call, because stack {stack} has no CloudWatch (turnscope:cloudwatch is "
                "null), and a log file has no traces for SigNoz."
            )
        name = agent or next(iter(settings.agents))
        sent = {"agent": name, "signoz": send_recorded_calls(deployment_of(stack), calls, name, trace_ids)}
        if as_json:
            print(json.dumps(sent, indent=2))
        else:
            print_signoz(sent["signoz"], stack, console)
        return
    report = send_log(project, stack, settings, log, agent, trace_ids)
    if not as_json:
        print_report(report, console)
    report["signoz"] = send_recorded_calls(deployment_of(stack), calls, report["agent"], trace_ids)
    if as_json:
        print(json.dumps(report, indent=2))
        return
    print_signoz(report["signoz"], stack, console)
    print_next(report, console)


def _local(stack: str) -> tuple[Project, Settings]:
    from lab.guard import refuse_outside_local

    project, settings = project_and_settings(stack)
    refuse_outside_local(str(settings.environment))
    return project, settings
