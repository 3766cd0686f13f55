"""`turnscope preview`."""

from __future__ import annotations

from typing import Annotated

import typer

from turnscope.console import console
from turnscope.options import Refresh, Stack, Yes, deployment_of


def preview(
    stack: Stack,
    diff: Annotated[bool, typer.Option("--diff", help="Show every property that would change.")] = False,
    refresh: Refresh = False,
    yes: Yes = False,
) -> None:
    """Show the changes that up would make."""
    progress = deployment_of(stack, yes).preview(show_diff=diff, refresh=refresh)
    console.print(f"Stack [bold]{stack}[/bold], previewed: {progress.summary()}")
