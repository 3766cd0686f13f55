"""Files in the repository that are generated: what restates the settings, and the references of events and quotas.

`write` makes them; `check` tells what is stale.
"""

from __future__ import annotations

import difflib
import json
from pathlib import Path

from core import event_reference
from core.events import EVENTS
from simulate import recording
from stacks.settings import reference
from turnscope import quota_reference

EXAMPLE = "healthy"
"""The recording that the example lines are from."""


def render(project: Path) -> dict[Path, str]:
    """Each generated file's path below `project` and what should be in it."""
    return {**reference.render(project), **event_reference.files(_examples()), **quota_reference.files()}


def write(project: Path) -> list[Path]:
    """Brings the generated files up to date; returns those that changed."""
    changed = []
    for path, text in render(project).items():
        if _content(project / path) != text:
            (project / path).parent.mkdir(parents=True, exist_ok=True)
            (project / path).write_text(text, encoding="utf-8")
            changed.append(path)
    return changed


def check(project: Path) -> list[str]:
    """What `write` would change, as the lines of a unified diff; empty when all is up to date."""
    lines: list[str] = []
    for path, text in render(project).items():
        found = _content(project / path)
        lines += difflib.unified_diff(found.splitlines(), text.splitlines(), f"a/{path}", f"b/{path}", lineterm="")
    return lines


def _examples() -> dict[str, str]:
    """The first line of each event."""
    lines = [each.message for each in recording.recorded(EXAMPLE)]
    return {event: next(line for line in lines if json.loads(line).get("_event_type") == event) for event in EVENTS}


def _content(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""
