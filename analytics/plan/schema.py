"""Glue columns of the events, from their one schema (`core.events`).

A table's columns are the events' top-level keys; what is nested stays nested (`llm.ttft` is field `ttft` of column
`llm`, a struct), so that one JSON key is one column and a new field never moves an old one. Names that begin with an
underscore are written without it, and `_timestamp` is `occurred_at` (`timestamp` is a type): no query needs quotes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.events import Field

_TYPES = {"string": "string", "number": "double", "integer": "bigint", "boolean": "boolean"}
_NAMES = {"_timestamp": "occurred_at"}


@dataclass(frozen=True)
class Column:
    """A column of a Glue table. `type` is Hive's spelling: `double`, `struct<ttft:double,model:string>`."""

    name: str
    type: str
    json_key: str
    """The event's key that fills it."""
    meaning: str


def columns(fields: Sequence[Field]) -> tuple[Column, ...]:
    """The columns of an event, in the order in which its fields were added.

    >>> [each.type for each in columns([Field("llm.ttft", "number", "s", ""), Field("llm.model", "string", "", "")])]
    ['struct<ttft:double,model:string>']
    """
    keys: dict[str, list[Field]] = {}
    for field in fields:
        keys.setdefault(field.path.split(".")[0], []).append(field)
    return tuple(
        Column(
            _NAMES.get(key, key.removeprefix("_")),
            hive_type(key, found),
            key,
            found[0].meaning if found[0].path == key else f"Fields below {key}",
        )
        for key, found in keys.items()
    )


def hive_type(prefix: str, fields: Sequence[Field]) -> str:
    """The type of the key `prefix`, which `fields` are of or are below."""
    only = fields[0]
    if only.path == prefix:
        if only.type == "array":
            return f"array<{_struct('', only.items)}>"
        return _TYPES[only.type]
    return _struct(f"{prefix}.", fields)


def _struct(prefix: str, fields: Sequence[Field]) -> str:
    keys: dict[str, list[Field]] = {}
    for field in fields:
        keys.setdefault(field.path.removeprefix(prefix).split(".")[0], []).append(field)
    return f"struct<{','.join(f'{key}:{hive_type(prefix + key, found)}' for key, found in keys.items())}>"


def refused_changes(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Why a table with column types `before` cannot become `after` (name -> Hive type); empty where it can.

    Columns, and fields of structs, may be added. Athena reads Parquet columns by name: one that is gone or has
    another type would leave or break what was written before (docs.aws.amazon.com/athena/latest/ug/
    handling-schema-updates-chapter.html).
    """
    problems = []
    for name, old in _leaves(before).items():
        new = _leaves(after).get(name)
        if new is None:
            problems.append(f"{name}: removed; rows written before have it, and queries on them would fail")
        elif new != old:
            problems.append(f"{name}: {old} became {new}; rows written before hold {old}, and would not be read")
    return problems


def refused_table_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """As `refused_changes`, for a Glue table's properties as the engine has them (`storageDescriptor`,
    `partitionKeys`)."""
    keys_before, keys_after = ([key["name"] for key in table.get("partitionKeys") or ()] for table in (before, after))
    problems = refused_changes(_types(before), _types(after))
    if keys_before and keys_before != keys_after:
        problems.append(
            f"partitioned by {', '.join(keys_after)} instead of {', '.join(keys_before)}; files written before lie "
            "elsewhere, and would not be found (turnscope:analytics.partition_by_agent)"
        )
    return problems


def _types(table: Mapping[str, Any]) -> dict[str, str]:
    columns = (table.get("storageDescriptor") or {}).get("columns") or ()
    return {column["name"]: column["type"] for column in columns}


def _leaves(types: Mapping[str, str]) -> dict[str, str]:
    return {name: kind for column, text in types.items() for name, kind in _flat(column, text)}


def _flat(name: str, text: str) -> list[tuple[str, str]]:
    if text.startswith("array<"):
        return _flat(f"{name}[]", text[len("array<") : -1])
    if not text.startswith("struct<"):
        return [(name, text)]
    found: list[tuple[str, str]] = []
    depth, start = 0, len("struct<")
    for index, character in enumerate(text):
        depth += {"<": 1, ">": -1}.get(character, 0)
        if (character == "," and depth == 1) or index == len(text) - 1:
            key, _, kind = text[start:index].partition(":")
            found += _flat(f"{name}.{key}", kind)
            start = index + 1
    return found
