"""Lab things run for environment `local` only."""

from __future__ import annotations

from core.errors import UserError


def refuse_outside_local(environment: str) -> None:
    """Raise `UserError` unless `environment` is `local`: an emulator must never stand in for a real account."""
    if environment != "local":
        raise UserError(
            f"The AWS emulator runs only for a stack with environment local; this stack has {environment}. "
            "Use the AWS account of the stack, or a stack whose turnscope:environment is local."
        )
