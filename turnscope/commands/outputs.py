"""`turnscope outputs`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from turnscope.options import Json, Stack, deployment_of
from turnscope.printing import print_outputs


def outputs(
    stack: Stack,
    show_secrets: Annotated[bool, typer.Option("--show-secrets", help="Print secrets in plain text.")] = False,
    as_json: Json = False,
) -> None:
    """Print the outputs of a deployed stack."""
    found = deployment_of(stack).outputs(show_secrets=show_secrets)
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        print_outputs(found)
