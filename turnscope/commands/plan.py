"""`turnscope plan`."""

from __future__ import annotations

import dataclasses
import json

from rich.markup import escape
from rich.table import Table

from turnscope.console import console
from turnscope.options import Json, Stack, project_and_settings


def plan(stack: Stack, as_json: Json = False) -> None:
    """Print the resources that a stack would have, without engine or network."""
    from stacks.settings.missing import missing_text, missing_values
    from turnscope.plan_table import as_data, counted, omitted_text, summary, targets_summary
    from turnscope.plans import plan_stack

    project, settings = project_and_settings(stack)
    planned = plan_stack(stack, settings, project.root)
    missing = missing_values(settings)
    found = {**as_data(planned, settings.agents), "missing": [dataclasses.asdict(each) for each in missing]}
    if as_json:
        print(json.dumps(found, indent=2))
        return
    console.print("\n[bold]targets[/bold]")
    targets = Table.grid(padding=(0, 2))
    for name, agent in settings.agents.items():
        targets.add_row("", escape(name), escape(targets_summary(agent.targets)))
    console.print(targets)
    for kind in found["counts"]:
        console.print(f"\n[bold]{kind}[/bold]")
        table = Table.grid(padding=(0, 2))
        for row in found["resources"]:
            if row["kind"] == kind:
                table.add_row("", escape(row["name"]), escape(summary(row)))
        console.print(table)
    console.print(f"\n{len(found['resources'])} in stack {stack}: {counted(found['counts'])}")
    if text := omitted_text(planned.content.omitted):
        console.print(f"\n{text}", markup=False)
    if missing:
        console.print(f"\n{missing_text(stack, missing)}", markup=False)
