"""`turnscope settings`."""

from __future__ import annotations

from typing import Annotated

import typer

from core.errors import UserError
from turnscope.console import console


def settings(
    write: Annotated[
        bool, typer.Option("--write", help="Write the schemas, the reference pages and Pulumi.yaml.")
    ] = False,
) -> None:
    """Check or write the files generated from the settings and the events."""
    from core.project import find_project
    from turnscope import generated

    root = find_project().root
    if write:
        for path in generated.write(root):
            console.print(f"wrote {path}")
        return
    differences = generated.check(root)
    if differences:
        raise UserError("\n".join(differences) + "\nRun: turnscope settings --write", exit_code=1)
    console.print("The generated files are up to date.")
