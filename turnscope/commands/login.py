"""`turnscope login`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from turnscope.console import console
from turnscope.options import Json, Stack, deployment_of, project_and_settings


def login(
    stack: Stack,
    show_secrets: Annotated[bool, typer.Option("--show-secrets", help="Print the password in plain text.")] = False,
    as_json: Json = False,
) -> None:
    """Print how to sign in to the SigNoz UI of a stack."""
    from core.secrets.placeholders import HIDDEN
    from turnscope.deployment.secret_values import values
    from turnscope.sign_in import administrator

    _, settings = project_and_settings(stack)
    found = administrator(stack, settings)
    secret = found.password
    password = values(deployment_of(stack), [secret])[secret.path] if show_secrets else HIDDEN
    rows = {"url": found.url, "email": found.email, "password": password}
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    for name, value in rows.items():
        # Plain print: a terminal's width breaks no password, and markup eats none of it.
        print(f"{name:<10}{value}")
    if not show_secrets:
        console.print(f"`turnscope login {stack} --show-secrets` prints the password.")
