"""`turnscope lab`: the local stack's AWS emulator."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from core.errors import UserError
from turnscope.console import console
from turnscope.lab_extra import require_lab
from turnscope.options import Json, LocalStack, project_and_settings

if TYPE_CHECKING:
    from core.project import Project
    from stacks.settings.model import Settings

lab = typer.Typer(help="The AWS emulator of the local stack.", no_args_is_help=True)


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
        str | None, typer.Option(help="The agent whose log group receives the log. Default: the first agent.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Send a real agent's log; print metrics and alarm states."""
    from lab.send import print_report
    from lab.send import send as send_log

    project, settings = _local(stack)
    report = send_log(project, stack, settings, log, agent)
    if as_json:
        print(json.dumps(report, indent=2))
    else:
        print_report(report, console)


def _local(stack: str) -> tuple[Project, Settings]:
    from lab.guard import refuse_outside_local

    project, settings = project_and_settings(stack)
    refuse_outside_local(str(settings.environment))
    return project, settings
