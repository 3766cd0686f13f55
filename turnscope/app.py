"""The command line: one module a command, in `turnscope.commands`."""

from __future__ import annotations

import sys

import typer
from rich.console import Console

from core.errors import UserError
from turnscope.commands import (
    analytics,
    content,
    env,
    events,
    init,
    lab,
    lock,
    login,
    outputs,
    plan,
    preview,
    render,
    settings,
    shell,
    size,
    teardown,
    toolchain,
    up,
)

app = typer.Typer(
    name="turnscope",
    help="Observability for voice agents, as code.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    # Panels take as long as everything else together, most of it the import of a Markdown parser.
    rich_markup_mode=None,
    context_settings={"max_content_width": 120},
)
for command in (
    up.up,
    preview.preview,
    teardown.teardown,
    outputs.outputs,
    plan.plan,
    size.size,
    render.render,
    env.env,
    login.login,
    init.init,
    lock.lock,
    toolchain.toolchain,
    shell.shell,
    settings.settings,
):
    app.command()(command)
app.add_typer(lab.lab, name="lab")
app.add_typer(analytics.analytics, name="analytics")
app.add_typer(content.content, name="content")
app.add_typer(events.events, name="events")


def main() -> None:
    """Run the command line; a `UserError` becomes its message and exit code."""
    try:
        app()
    except UserError as error:
        Console(stderr=True, highlight=False, soft_wrap=True, markup=False).print(str(error))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        Console(stderr=True).print("Interrupted.")
        sys.exit(130)
