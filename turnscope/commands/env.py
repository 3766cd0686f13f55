"""`turnscope env`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from turnscope.agent_environment import Protocol
from turnscope.options import Stack, deployment_of


class Format(StrEnum):
    SHELL = "shell"
    DOTENV = "dotenv"
    JSON = "json"


def env(
    stack: Stack,
    agent: Annotated[str | None, typer.Option(help="The agent's name. Default: the first of the stack.")] = None,
    form: Annotated[Format, typer.Option("--format", help="shell, dotenv or json.")] = Format.SHELL,
    protocol: Annotated[Protocol, typer.Option(help="How the agent sends.")] = Protocol.HTTP,
) -> None:
    """Print what an agent needs in its environment, token included."""
    from turnscope.agent_environment import FORMATS
    from turnscope.agent_gateway import environment_of

    print(FORMATS[form](environment_of(deployment_of(stack), agent, protocol)), end="")
