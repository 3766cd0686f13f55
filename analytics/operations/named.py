"""The stack's named queries, as they are deployed."""

from __future__ import annotations

import csv
import difflib
import io
import json
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from botocore.exceptions import ClientError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from analytics.operations.engine import Answer, mebibytes
from analytics.operations.retry_policy import patiently
from analytics.operations.target import Target
from analytics.plan.queries import STAGE_BUCKET
from core.errors import UserError


@dataclass(frozen=True)
class Named:
    name: str
    """`Folder/Name`."""
    description: str
    sql: str

    @property
    def folder(self) -> str:
        return self.name.partition("/")[0]


def deployed(target: Target) -> list[Named]:
    """In the order of their names. Raises `UserError` where the workgroup is not there, or can't be read."""
    athena, workgroup = target.client("athena"), target.plan.workgroup.name
    prefix = f"{target.plan.stack}/"
    try:
        athena.get_work_group(WorkGroup=workgroup)
        pages = athena.get_paginator("list_named_queries").paginate(WorkGroup=workgroup)
        ids = [each for page in pages for each in page["NamedQueryIds"]]
        found = [patiently(partial(athena.get_named_query, NamedQueryId=each))["NamedQuery"] for each in ids]
    except ClientError as error:
        raise UserError(
            f"Athena's workgroup {workgroup} could not be read (run `turnscope up {target.plan.stack}` first): {error}",
            exit_code=1,
        ) from None
    return sorted(
        (
            Named(each["Name"].removeprefix(prefix), each.get("Description", ""), each["QueryString"])
            for each in found
            if each["Name"].startswith(prefix)
        ),
        key=lambda each: each.name,
    )


def find(queries: list[Named], name: str) -> Named:
    """By `Folder/Name`, or by `Name` alone, in any case. Raises `UserError` with the nearest names."""
    wanted = name.lower()
    found = [each for each in queries if wanted in (each.name.lower(), each.name.partition("/")[2].lower())]
    if len(found) == 1:
        if STAGE_BUCKET in found[0].sql:
            raise UserError(
                f"{found[0].name} writes to your own bucket: replace {STAGE_BUCKET} with its name, in the Athena "
                "console (docs/how-to/analytics-export.md)."
            )
        return found[0]
    names = [each.name for each in found or queries]
    nearest = difflib.get_close_matches(name, names, n=3, cutoff=0.4) or names
    raise UserError(f"There is no unique query {name!r}; allowed: {', '.join(nearest)}.")


def print_list(queries: list[Named], stack: str, console: Console) -> None:
    table = Table("query", "question", box=None, pad_edge=False)
    table.columns[1].overflow = "fold"
    for each in queries:
        table.add_row(escape(each.name), escape(each.description))
    console.print(table)
    if queries:
        console.print(f'\nRun one: turnscope analytics query {stack} "{queries[0].name}"', markup=False)


def list_data(queries: list[Named]) -> list[dict[str, str]]:
    return [{"folder": each.folder, "name": each.name, "description": each.description} for each in queries]


def print_answer(answer: Answer, console: Console) -> None:
    table = Table(*answer.columns, box=None, pad_edge=False)
    for column, values in zip(table.columns, zip(*answer.rows, strict=True) if answer.rows else (), strict=False):
        if all(isinstance(value, (int, float, Decimal)) and not isinstance(value, bool) for value in values):
            column.justify = "right"
    for row in answer.rows:
        table.add_row(*(escape(_shown(value)) for value in row))
    console.print(table)
    scanned = "" if answer.scanned_bytes is None else f", {mebibytes(answer.scanned_bytes)} read"
    rows = "1 row" if len(answer.rows) == 1 else f"{len(answer.rows)} rows"
    console.print(f"\n{rows}{scanned}", markup=False)


def as_json(answer: Answer) -> str:
    return json.dumps(
        answer.records(),
        indent=2,
        ensure_ascii=False,
        default=lambda value: float(value) if isinstance(value, Decimal) else str(value),
    )


def as_csv(answer: Answer) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(answer.columns)
    writer.writerows(["" if value is None else value for value in row] for row in answer.rows)
    return text.getvalue()


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,.4f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
