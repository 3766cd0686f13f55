"""What the emulator's worker follows of a stack's plan: read from the stack's files, again when they change."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cloudwatch.plan.model import AgentPlan, CompositeAlarm, MetricAlarm

PLAN_SOURCE = "lab.plan_source:load"
"""Names `load`, for a command line."""


@dataclass(frozen=True)
class Watched:
    """Log groups to read and alarms to evaluate, those on what Firehose delivers among them."""

    region: str
    agents: tuple[AgentPlan, ...]
    alarms: tuple[MetricAlarm, ...]
    composite_alarms: tuple[CompositeAlarm, ...]


Loader = Callable[[Path, str], Watched | None]

_plans: dict[tuple[Path, str], tuple[dict[Path, int], Watched]] = {}


def load(project: Path, stack: str) -> Watched:
    """The plan of `stack` in the project of directory `project`. Raises `UserError` for bad settings."""
    files = _changed_at(project)
    known = _plans.get((project, stack))
    if known is None or known[0] != files:
        # Imported here: the server answers before settings and templates are loaded.
        from analytics.plan.build import plan_analytics
        from cloudwatch.plan.build import plan_cloudwatch
        from forwarding.plan.build import plan_forwarding
        from stacks.settings.loading import load as load_settings

        settings = load_settings(stack, project)
        watched = Watched(settings.region, (), (), ())
        if settings.cloudwatch:
            plan = plan_cloudwatch(stack, settings)
            others = (plan_analytics(stack, settings), plan_forwarding(stack, settings))
            alarms = (*plan.alarms, *(alarm for part in others if part for alarm in part.alarms))
            watched = Watched(plan.region, plan.agents, alarms, plan.composite_alarms)
        known = (files, watched)
        _plans[(project, stack)] = known
    return known[1]


def by_name(name: str) -> Loader:
    """The loader that `name` ("module:function") names."""
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


def _changed_at(project: Path) -> dict[Path, int]:
    # Every settings file: a stack's own and the one that all begin from.
    return {path: path.stat().st_mtime_ns for path in sorted((project / "stacks").glob("*.yaml"))}
