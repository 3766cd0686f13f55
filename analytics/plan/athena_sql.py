"""Athena's SQL, read before Athena reads it: does it parse, and does it name only columns that there are?

Athena's engine version 3 takes Trino's SQL (docs.aws.amazon.com/athena/latest/ug/engine-versions-reference-0003.html)
and UNLOAD around a SELECT (docs.aws.amazon.com/athena/latest/ug/unload.html).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import sqlglot
from sqlglot import exp
from sqlglot.errors import OptimizeError, ParseError, TokenError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify
from sqlglot.schema import MappingSchema

Schema: TypeAlias = Mapping[str, Mapping[str, Mapping[str, str]]]
"""Database -> table -> column -> Hive's type (`struct<ttft:double,model:string>`)."""

_UNLOAD = re.compile(
    r"""(?P<head>(?:\s*--[^\n]*\n)*\s*unload\s*\()
        (?P<select>.*)
        \)\s*to\s*'(?P<to>s3://[^'/]+/[^']*)'\s*with\s*\(\s*(?P<options>[^()]*)\)\s*""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
_OPTION = re.compile(r"\s*(?P<name>\w+)\s*=\s*'(?P<value>[^']*)'\s*")


@dataclass(frozen=True)
class Statement:
    """A query that was read: each column with its table, stars written out, types where they are known."""

    select: exp.Query
    unload_to: str | None = None
    """Where UNLOAD writes the rows, an S3 address; None for a plain query."""


def read(sql: str, schema: Schema) -> Statement:
    """Read a query, or an UNLOAD of one as Parquet.

    Raises `ValueError` that names the place where Athena would stop: a syntax that is not Trino's, or a table, a column
    or a field of a struct that `schema` lacks.
    """
    unload = _UNLOAD.fullmatch(sql)
    # Blank instead of cut off, so that places in messages are places in the query.
    text = re.sub(r"[^\n]", " ", unload["head"]) + unload["select"] if unload else sql
    if unload:
        _check_options(unload["options"])
    select = _parse(text)
    known = MappingSchema(dict(schema), dialect="hive")
    _check_tables(select, schema)
    try:
        qualified = qualify(select, schema=known, dialect="trino", quote_identifiers=False)
    except OptimizeError as error:
        raise ValueError(str(error)) from None
    typed = annotate_types(qualified, schema=known, dialect="trino")
    _check_struct_fields(typed)
    assert isinstance(typed, exp.Query)  # noqa: S101 (what qualify keeps)
    return Statement(typed, unload["to"] if unload else None)


def _parse(text: str) -> exp.Query:
    try:
        statements = sqlglot.parse(text, read="trino")
    except ParseError as error:
        first = error.errors[0]
        raise ValueError(f"{first['description']} Line: {first['line']}, Col: {first['col']}") from None
    except TokenError as error:
        raise ValueError(str(error)) from None
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise ValueError("allowed: one SELECT, or one UNLOAD of a SELECT to 's3://...' with (format = 'PARQUET', ...)")
    return statements[0]


def _check_options(options: str) -> None:
    found = [_OPTION.fullmatch(option) for option in options.split(",")]
    values = {match["name"].lower(): match["value"].upper() for match in found if match}
    if not all(found) or values.get("format") != "PARQUET":
        raise ValueError(f"UNLOAD ... with ({options.strip()}): allowed: format = 'PARQUET', compression = 'SNAPPY'")


def _check_tables(select: exp.Query, schema: Schema) -> None:
    defined = {each.alias for each in select.find_all(exp.CTE)}
    for table in select.find_all(exp.Table):
        if not table.db and table.name in defined:
            continue
        if table.name not in schema.get(table.db, {}):
            names = ", ".join(f"{database}.{name}" for database, tables in schema.items() for name in tables)
            raise ValueError(f"There is no table {table.sql(dialect='trino')}; allowed: {names}")


def _check_struct_fields(select: exp.Expr) -> None:
    for dot in select.find_all(exp.Dot):
        of = dot.this.type
        if of and of.is_type(exp.DType.STRUCT) and of.expressions and dot.is_type(exp.DType.UNKNOWN):
            names = ", ".join(field.name for field in of.expressions)
            raise ValueError(f"{dot.this.name} has no field {dot.expression.name}; allowed: {names}")
