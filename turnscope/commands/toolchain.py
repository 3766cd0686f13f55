"""`turnscope toolchain`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from turnscope.console import console
from turnscope.options import Yes, assumes_yes


def toolchain(
    status: Annotated[
        bool, typer.Option("--status", help="Only show which parts exist and which are missing.")
    ] = False,
    everything: Annotated[bool, typer.Option("--all", help="Also Docker, its plugin and the collector.")] = False,
    yes: Yes = False,
) -> None:
    """Find, download or build Pulumi and its plugins."""
    import toolchain as tools

    if not status:
        parts = tools.PARTS if everything else tools.AWS_PARTS
        found = tools.ensure(parts, assume_yes=assumes_yes(yes), console=console)
        console.print(f"Pulumi {found.version} ({found.source}): {found.pulumi}")
    table = Table(box=None, pad_edge=False)
    for column in ("part", "state", "where, or how to get it"):
        table.add_column(column, overflow="fold")
    for part in tools.status():
        table.add_row(part.name, part.state, str(part.where or part.how_to_get))
    console.print(table)
