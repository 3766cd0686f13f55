"""`turnscope init`."""

from __future__ import annotations

from turnscope.console import console
from turnscope.options import Stack


def init(stack: Stack) -> None:
    """Generate a stack's passwords and tokens, encrypted in its file."""
    from core.project import find_project
    from turnscope.deployment.initialise import initialise

    made = initialise(find_project(), stack, console)
    console.print("\n".join(f"generated {path}" for path in made) or f"Stack {stack} has all its secrets.")
