"""Events as the Parquet files that Firehose would have written, and the lab's Athena over them: without a bucket."""

from __future__ import annotations

import datetime
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from analytics.catalogue import parameters
from analytics.plan.model import EventTable
from analytics.plan.schema import columns
from core.events import EVENTS, Field
from lab.athena_engine import File, LabAthena, Result, Table, table
from lab.hive_types import arrow_type

BUCKET = "data"
DATABASE = "turnscope_dev"
ALL = tuple(EVENTS)


def event_tables(
    events: Iterable[str] = ALL, extra: Mapping[str, Sequence[Field]] | None = None, by_agent: tuple[str, ...] = ()
) -> tuple[EventTable, ...]:
    tables = []
    for event in events:
        fields = (*EVENTS[event], *(extra or {}).get(event, ()))
        tables.append(EventTable(event, fields, columns(fields), f"{event}/", "2026/01/01/00", by_agent))
    return tuple(tables)


def glue_description(of: EventTable) -> dict[str, Any]:
    """What Glue answers of a table that is deployed."""
    return {
        "DatabaseName": DATABASE,
        "Name": of.event,
        "Parameters": parameters(of, BUCKET),
        "PartitionKeys": [{"Name": key, "Type": "string"} for key in of.partition_keys],
        "StorageDescriptor": {"Columns": [{"Name": column.name, "Type": column.type} for column in of.columns]},
    }


def parquet(of: EventTable, events: Sequence[Mapping[str, Any]], without: Iterable[str] = ()) -> bytes:
    """A file of these events; one of an older schema lacks columns."""
    known = [column for column in of.columns if column.name not in without]
    arrays = {
        column.name: pa.array([event.get(column.json_key) for event in events], arrow_type(column.type))
        for column in known
    }
    content = io.BytesIO()
    pq.write_table(pa.table(arrays), content)
    return content.getvalue()


def address(of: EventTable, datehour: str, name: str = "part.parquet") -> str:
    return f"s3://{BUCKET}/{of.prefix}{datehour}/{name}"


def lab_athena(
    tables: Sequence[EventTable],
    files: Mapping[str, bytes],
    now: datetime.datetime | None = None,
    written: dict[str, bytes] | None = None,
) -> LabAthena:
    """Over `files` (address -> content); what UNLOAD writes goes to `written`."""

    def below(of: Table) -> Iterable[File]:
        return (File(name, lambda name=name: files[name]) for name in files if name.startswith(of.prefix))

    def write(folder: str, name: str, content: bytes) -> None:
        assert written is not None
        written[f"{folder}{name}"] = content

    return LabAthena([table(glue_description(each)) for each in tables], below, None if written is None else write, now)


def records(answer: Result) -> list[dict[str, Any]]:
    """An answer's rows by column."""
    return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]
