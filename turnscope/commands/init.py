"""`turnscope init`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from turnscope.console import console
from turnscope.options import Stack, Yes, assumes_yes

if TYPE_CHECKING:
    from turnscope.deployment.questions import Question


def init(stack: Stack, yes: Yes = False) -> None:
    """Ask for what only a stack's owner knows, and generate its passwords and tokens, encrypted in its file."""
    from core.project import find_project
    from stacks.settings.loading import load
    from stacks.settings.missing import missing_text, missing_values
    from turnscope.deployment.initialise import initialise

    project = find_project()
    ask = _ask if sys.stdin.isatty() and not assumes_yes(yes) else None
    done = initialise(project, stack, console, ask=ask, tell=lambda text: console.print(text, markup=False))
    lines = [f"set {path}" for path in done.answered] + [f"generated {path}" for path in done.generated]
    console.print("\n".join(lines) or f"Stack {stack} has all its secrets.", markup=False)
    if text := missing_text(stack, missing_values(load(stack, project.root))):
        console.print(f"\n{text}", markup=False)


def _ask(question: Question) -> str:
    from core.errors import UserError

    console.print(f"\n[bold]{question.path}[/bold]", highlight=False)
    console.print(question.text, markup=False, highlight=False)
    try:
        return console.input("Value (empty for none): ")
    except (KeyboardInterrupt, EOFError):
        raise UserError("\nInterrupted: no change was made.", exit_code=130) from None
