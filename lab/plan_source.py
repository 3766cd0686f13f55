"""The plan of a stack, for the emulator's worker: read from the stack's files, again when they change."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

from cloudwatch.plan.model import CloudWatchPlan

PLAN_SOURCE = "lab.plan_source:load"
"""Names `load`, for a command line."""

Loader = Callable[[Path, str], CloudWatchPlan | None]

_plans: dict[tuple[Path, str], tuple[dict[Path, int], CloudWatchPlan]] = {}


def load(project: Path, stack: str) -> CloudWatchPlan:
    """The plan of `stack` in the project of directory `project`. Raises `UserError` for bad settings."""
    files = _changed_at(project)
    known = _plans.get((project, stack))
    if known is None or known[0] != files:
        # Imported here: the server answers before settings and templates are loaded.
        from cloudwatch.plan.build import plan_cloudwatch
        from stacks.settings.loading import load as load_settings

        known = (files, plan_cloudwatch(stack, load_settings(stack, project)))
        _plans[(project, stack)] = known
    return known[1]


def by_name(name: str) -> Loader:
    """The loader that `name` ("module:function") names."""
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


def _changed_at(project: Path) -> dict[Path, int]:
    # Every settings file: a stack's own and the one that all begin from.
    return {path: path.stat().st_mtime_ns for path in sorted((project / "stacks").glob("*.yaml"))}
