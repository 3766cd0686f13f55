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
    agent: Annotated[str | None, typer.Option(help="The agent. Default: the first agent of the stack.")] = None,
    form: Annotated[Format, typer.Option("--format", help="Output format: shell, dotenv or json.")] = Format.SHELL,
    token: Annotated[str | None, typer.Option(help="Name of the collector token. Default: the first by name.")] = None,
    protocol: Annotated[Protocol, typer.Option(help="Protocol of the agent's exporter.")] = Protocol.HTTP,
) -> None:
    """Print the environment variables of an agent, including the token."""
    from turnscope.agent_environment import FORMATS
    from turnscope.agent_gateway import environment_of

    print(FORMATS[form](environment_of(deployment_of(stack), agent, protocol, token=token)), end="")
