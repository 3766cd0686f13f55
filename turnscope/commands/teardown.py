"""`turnscope teardown`."""

from __future__ import annotations

from typing import Annotated

import typer

from turnscope.options import Recover, Stack, Yes, assumes_yes, deployment_of


def teardown(
    stack: Stack,
    confirm: Annotated[
        str | None, typer.Option("--confirm", help="The stack's name, as confirmation; required for staging.")
    ] = None,
    recover: Recover = False,
    yes: Yes = False,
) -> None:
    """Delete a stack, and check that no resources are left."""
    from turnscope.deployment.teardown import tear_down

    tear_down(deployment_of(stack, yes, recover=recover), confirmed=confirm, assume_yes=assumes_yes(yes))
