"""Tables only grow: what was deployed is compared with the plan before anything is touched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from analytics.plan.model import AnalyticsPlan
from analytics.plan.schema import refused_table_changes
from core.errors import UserError

TABLE = "aws:glue/catalogTable:CatalogTable"


def refuse_schema_changes(plan: AnalyticsPlan, state: Iterable[Mapping[str, Any]]) -> None:
    """Raises `UserError` (exit code 2) with every column that the plan's tables would lose or change, against those in
    the engine's `state`."""
    deployed = {
        each["outputs"]["name"]: each["outputs"]
        for each in state
        if each["type"] == TABLE and not each.get("delete") and each.get("outputs")
    }
    problems = [
        f"table {table.event}: {problem}"
        for table in plan.tables
        if table.event in deployed
        for problem in refused_table_changes(deployed[table.event], table.as_deployed())
    ]
    if problems:
        listed = "\n".join(f"  {problem}" for problem in problems)
        raise UserError(
            f"Tables of the analytics only grow; no resource was changed:\n{listed}\n"
            "Restore the field (core/events.py, or turnscope:analytics.extra_fields); add a field with a new meaning "
            "under a new name."
        )
