"""Glue columns without a comment.

AWS leaves `Comment` out of a column that has none. Clients that send an empty one (Terraform's provider does,
for every column) read nothing back.
https://docs.aws.amazon.com/glue/latest/webapi/API_Column.html

moto returns the empty text, which a provider takes for a change of the partition keys: it replaces the table.
"""

from __future__ import annotations

from typing import Any

from moto.glue.models import FakeTable

_as_dict = FakeTable.as_dict


def _without_empty_comments(columns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in column.items() if not (k == "Comment" and v == "")} for column in columns]


def as_dict(self: FakeTable, version: str | None = None) -> dict[str, Any]:
    table = _as_dict(self, version)
    if "PartitionKeys" in table:
        table["PartitionKeys"] = _without_empty_comments(table["PartitionKeys"])
    storage = table.get("StorageDescriptor")
    if storage and "Columns" in storage:
        table["StorageDescriptor"] = {**storage, "Columns": _without_empty_comments(storage["Columns"])}
    return table


def install() -> None:
    FakeTable.as_dict = as_dict
