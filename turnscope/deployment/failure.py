"""What a run that failed says to the user."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pulumi.automation.errors import CommandError

from turnscope.deployment.progress import COLOUR_CODES, EngineProgress

ENGINE_LINES_SHOWN = 15
NAMES_SHOWN = 3
EXISTS = re.compile(r"already ?exists|already in use|EntityAlreadyExists|ResourceConflict", re.IGNORECASE)


def failure_text(stack: str, progress: EngineProgress, error: CommandError, sources: Mapping[str, str]) -> str:
    """Which resources failed and why, or the engine's own words, and the next command.

    `sources`: for resources that a user's file describes, that file.
    """
    lines = [f"Stack {stack} was not completed: {progress.summary()}"]
    named: dict[str, list[str]] = {}
    for resource, message in progress.failures:
        written = f" ({sources[resource]})" if resource in sources else ""
        named.setdefault(message, []).append(f"{resource or stack}{written}")
    for message, names in named.items():
        others = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
        lines.append(f"  {', '.join(names[:NAMES_SHOWN])}{others}: {_indented(message)}")
    if not progress.failures:
        lines.append(_indented(engine_words(error)))
    if any(EXISTS.search(message) for _, message in progress.failures):
        lines.append(
            f"If an earlier run of stack {stack} created what exists already and was killed: "
            f"`turnscope up {stack} --recover` finds it by name and records it."
        )
    lines.append(f"Created resources are recorded. Fix the cause, then run `turnscope up {stack}` again.")
    return "\n".join(lines)


def engine_words(error: CommandError) -> str:
    """The last lines that the engine itself wrote, without the automation layer's frame."""
    text = COLOUR_CODES.sub("", str(error))
    text = re.sub(r"\n\s*(code|stdout|stderr): ?", "\n", text)
    lines = [line for line in text.splitlines() if line.strip()]
    return "\n".join(lines[-ENGINE_LINES_SHOWN:])


def _indented(text: str) -> str:
    return text.replace("\n", "\n    ")
