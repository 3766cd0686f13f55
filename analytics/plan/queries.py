"""Athena queries from `templates/athena/*.sql.j2`, each checked before anyone needs it.

A template starts with `-- name: Folder/Name` and `-- description: ...`, comments that stay in what is deployed. What
templates share (reading each event once, prices, percentiles) is in macros beside them.
"""

from __future__ import annotations

import functools
import importlib.metadata
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from analytics.plan.model import EventTable, NamedQuery
from core.checked import EVERY_TIME, Checked, of_files
from core.events import EVENTS, FAILED_CLOSE_REASONS
from core.templating import TEMPLATES_FOLDER, Templates, decimal
from stacks.settings.model import Prices, SavedQueries
from stacks.settings.targets import Targets

SUFFIX = ".sql.j2"

NAME_MAXIMUM_CHARACTERS = 128
DESCRIPTION_MAXIMUM_CHARACTERS = 1024
QUERY_MAXIMUM_BYTES = 262_144
"""docs.aws.amazon.com/athena/latest/APIReference/API_CreateNamedQuery.html."""

STAGE_BUCKET = "STAGE_BUCKET"
"""What a reader replaces in a query that writes into a bucket of theirs."""

_Columns: TypeAlias = tuple[tuple[str, tuple[tuple[str, str], ...]], ...]

_HEADER = re.compile(r"-- name: (?P<name>\S.*)\n-- description: (?P<description>\S.*)\n")


class _NotKeptError(Exception):
    """A template reads an event that the stack does not keep."""


@dataclass(frozen=True)
class _ExportedField:
    """A field of an event: how SQL reads it, and its name as a column of its own."""

    expression: str
    is_list: bool
    is_envelope: bool

    @property
    def name(self) -> str:
        return self.expression.replace(".", "_")


@dataclass(frozen=True)
class _Table:
    """A table as templates name it."""

    name: str
    fields: tuple[_ExportedField, ...]

    @property
    def properties(self) -> tuple[_ExportedField, ...]:
        """The fields of the event itself, without lists."""
        return tuple(field for field in self.fields if not (field.is_list or field.is_envelope))


class _Tables(dict[str, _Table]):
    def __missing__(self, event: str) -> _Table:
        if event in EVENTS:
            raise _NotKeptError(event)
        raise ValueError(f"there is no event {event!r}; allowed: {', '.join(EVENTS)}")


def plan_named_queries(
    stack: str,
    tables: Sequence[EventTable],
    database: str,
    prices: Prices,
    targets: Targets,
    numbers: SavedQueries,
    checked: Checked = EVERY_TIME,
) -> tuple[NamedQuery, ...]:
    """Every template that reads only `tables`, as a query named `<stack>/<Folder>/<Name>`, in the order of their keys
    (file names). Pure, apart from reading the templates.

    Raises `ValueError` that names the template and the place for one that Athena would refuse.
    """
    columns = tuple((table.event, tuple(column_types(table).items())) for table in tables)
    context: dict[str, Any] = {
        "stack": stack,
        "stage_bucket": STAGE_BUCKET,
        "tables": _Tables({table.event: _table(database, table) for table in tables}),
        "prices": {
            kind: [{"model": model, **price.model_dump()} for model, price in getattr(prices, kind).items()]
            for kind in ("llm", "stt", "tts")
        },
        "failed_close_reasons": list(FAILED_CLOSE_REASONS),
        "targets": targets.model_dump(),
        **numbers.model_dump(),
    }
    planned = (_plan(file, context, database, columns, checked) for file in TEMPLATES.names(SUFFIX))
    return tuple(query for query in planned if query)


def column_types(table: EventTable) -> dict[str, str]:
    """A table's columns, with those that its folders give, by name: Hive's types."""
    return {**{column.name: column.type for column in table.columns}, **dict.fromkeys(table.partition_keys, "string")}


def quoted(value: str) -> str:
    """A text literal of SQL."""
    return "'" + value.replace("'", "''") + "'"


TEMPLATES = Templates(TEMPLATES_FOLDER / "athena", {"decimal": decimal, "quoted": quoted})


def _table(database: str, table: EventTable) -> _Table:
    columns = {column.json_key: column.name for column in table.columns}
    fields = []
    for field in table.fields:
        key, dot, below = field.path.partition(".")
        fields.append(_ExportedField(f"{columns[key]}{dot}{below}", field.type == "array", key.startswith("_")))
    return _Table(f"{database}.{table.event}", tuple(fields))


def _plan(
    file: str, context: Mapping[str, Any], database: str, columns: _Columns, checked: Checked
) -> NamedQuery | None:
    try:
        sql = TEMPLATES.render(file, context)
    except _NotKeptError:
        return None
    header = _HEADER.match(sql)
    if header is None:
        raise ValueError(f"{file}: must start with the lines -- name: ... and -- description: ...")
    name, description = f"{context['stack']}/{header['name']}", header["description"]
    for what, length, maximum in (
        ("a name has at most {} characters", len(name), NAME_MAXIMUM_CHARACTERS),
        ("a description has at most {} characters", len(description), DESCRIPTION_MAXIMUM_CHARACTERS),
        ("a query has at most {} bytes", len(sql.encode()), QUERY_MAXIMUM_BYTES),
    ):
        if length > maximum:
            raise ValueError(f"{file}: {what.format(maximum)}, this one {length}")
    try:
        checked.check(lambda: _check(sql, database, columns), _checker(), sql, database, repr(columns))
    except ValueError as error:
        raise ValueError(f"{file}, as rendered: {error}") from error
    return NamedQuery(file.removesuffix(SUFFIX), name, description, sql)


@functools.lru_cache(maxsize=256)
def _check(sql: str, database: str, columns: _Columns) -> None:
    from analytics.plan import athena_sql  # here: its parser takes longer to load than a plan whose queries are known

    athena_sql.read(sql, {database: {table: dict(of) for table, of in columns}})


@functools.cache
def _checker() -> str:
    return of_files([Path(__file__).with_name("athena_sql.py")]) + importlib.metadata.version("sqlglot")
