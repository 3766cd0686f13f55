"""Arguments and options that several commands share, and what they mean."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from turnscope.console import console

if TYPE_CHECKING:
    from core.project import Project
    from stacks.settings.model import Settings
    from turnscope.deployment.deployment import Deployment

# A command imports what touches the engine, AWS or the emulator when it runs, so that `--help` answers at once.

Stack = Annotated[
    str, typer.Argument(help="The stack: local, dev, staging, prod, or a file stacks/Pulumi.<stack>.yaml.")
]
LocalStack = Annotated[str, typer.Argument(help="A stack of environment local.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not prompt; CI=true has the same effect.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Refresh = Annotated[
    bool,
    typer.Option(
        "--refresh",
        help="First compare the state with the existing resources, to find changes made by hand, also in SigNoz.",
    ),
]

Recover = Annotated[
    bool,
    typer.Option(
        "--recover",
        help="The last run was killed, on this or another machine: release its lock, and find what it created.",
    ),
]


class What(StrEnum):
    """Which texts `turnscope render` prints."""

    COLLECTOR = "collector"
    ALERTMANAGER = "alertmanager"
    CLICKHOUSE = "clickhouse"
    GATEWAY = "gateway"
    CONTENT = "content"
    INSIGHTS = "insights"
    USER_DATA = "user-data"
    ALL = "all"


def assumes_yes(yes: bool) -> bool:
    """Whether questions are answered with yes: by option, or in CI."""
    return yes or os.environ.get("CI", "").lower() in ("1", "true")


def deployment_of(stack: str, yes: bool = False, *, recover: bool = False) -> Deployment:
    """The stack of this project, to work on. Raises `UserError` for bad settings."""
    from turnscope.deployment.deployment import Deployment

    project, settings = project_and_settings(stack)
    return Deployment(project, stack, settings, console, assume_yes=assumes_yes(yes), recover=recover)


def project_and_settings(stack: str) -> tuple[Project, Settings]:
    """The project around the current folder, and the stack's settings. Raises `UserError`."""
    from core.project import find_project
    from stacks.settings.loading import load

    project = find_project()
    return project, load(stack, project.root)
