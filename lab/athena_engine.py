"""lab: stands in for Athena on the local stack. It answers Athena's SQL from the stack's own files, with DuckDB.

Tables are read as Athena reads them: Glue's definition (columns, partition projection) over the Parquet files in the
bucket. A file outside the projection is not seen; a column of another type than the table's, or one that no table has,
is an error. Queries are translated from Trino's dialect to DuckDB's. Nothing is as in Athena about how fast a query is,
what it reads and where its result is kept.
"""

from __future__ import annotations

import datetime
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from sqlglot import exp

from analytics.operations.engine import Answer
from analytics.plan import athena_sql
from cloudwatch.clients import ClientFactory
from core.environments import Environment
from core.errors import UserError
from lab.guard import refuse_outside_local
from lab.hive_types import arrow_type

_S3 = re.compile(r"s3://(?P<bucket>[^/]+)/(?P<key>.*)")
_DATE_DIGITS = {"yyyy": r"\d{4}", "MM": r"\d\d", "dd": r"\d\d", "HH": r"\d\d"}


@dataclass(frozen=True)
class Result:
    """A query's answer. UNLOAD answers with no rows."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class Projection:
    """What a key of the partition projection may be
    (docs.aws.amazon.com/athena/latest/ug/partition-projection-supported-types.html)."""

    pattern: str
    first: str | None = None
    """The first of a range that ends now."""
    date_format: str | None = None


@dataclass(frozen=True)
class Table:
    """A table as Glue defines it."""

    database: str
    name: str
    columns: Mapping[str, str]
    """Name -> Hive's type, without the partition keys."""
    location_template: str
    """`s3://bucket/voice_metrics/${datehour}/`."""
    projections: Mapping[str, Projection]
    """By partition key."""

    @property
    def prefix(self) -> str:
        """What every file's address begins with."""
        return self.location_template.partition("$")[0]

    def partition(self, address: str, now: datetime.datetime) -> dict[str, str] | None:
        """The partition keys of a file, by its address; None for a file that is in no partition of the projection."""
        template = re.escape(self.location_template.rstrip("/"))
        for key, projection in self.projections.items():
            template = template.replace(re.escape(f"${{{key}}}"), f"(?P<{key}>{projection.pattern})", 1)
        # Names that begin like this are hidden, for Athena as for Hive.
        match = re.fullmatch(rf"{template}/(?![_.])[^/]+", address)
        if match is None:
            return None
        for key, projection in self.projections.items():
            if projection.first and match[key] < projection.first:
                return None
            if projection.date_format and match[key] > now.strftime(projection.date_format):
                return None
        return match.groupdict()


@dataclass(frozen=True)
class File:
    """A file of a table: its S3 address, and how to get what is in it."""

    address: str
    read: Callable[[], bytes]


class LabAthena:
    """The tables of a stack in DuckDB, as they were when this was made."""

    def __init__(
        self,
        tables: Sequence[Table],
        files: Callable[[Table], Iterable[File]],
        write: Callable[[str, str, bytes], None] | None = None,
        now: datetime.datetime | None = None,
    ) -> None:
        """Raises `UserError` for a file that is not as its table says.

        Args:
            files: what lies below a table's prefix.
            write: puts a file into a folder, by their S3 address and name, for UNLOAD.
            now: what `current_timestamp` is; the real time by default.
        """
        self._now = now
        self._write = write
        self._schema: dict[str, dict[str, dict[str, str]]] = {}
        self._duckdb = duckdb.connect(":memory:")
        self._duckdb.execute("set timezone = 'UTC'")
        for table in tables:
            rows = _rows(table, files(table), now or datetime.datetime.now(datetime.UTC))
            self._duckdb.register("arrived", rows)
            self._duckdb.execute(f'create schema if not exists "{table.database}"')
            name = f'"{table.database}"."{table.name}"'
            self._duckdb.execute(f"create table {name} as select * from arrived")  # noqa: S608 (Glue's own names)
            self._duckdb.unregister("arrived")
            keys = dict.fromkeys(table.projections, "string")
            self._schema.setdefault(table.database, {})[table.name] = {**table.columns, **keys}
        self._duckdb.execute("set enable_external_access = false")

    def run(self, sql: str) -> Result:
        """Run a query, or UNLOAD one.

        Raises `UserError`: for a query that is not Athena's SQL or reads what is not there (exit code 2), and for one
        that fails (exit code 1).
        """
        try:
            statement = athena_sql.read(sql, self._schema)
        except ValueError as error:
            raise UserError(f"lab: Athena would reject this query: {error}") from None
        select = statement.select.transform(_at, self._now, copy=False) if self._now else statement.select
        try:
            answer = self._duckdb.sql(select.sql(dialect="duckdb", copy=False))
            if statement.unload_to:
                self._unload(answer.to_arrow_table(), statement.unload_to)
                return Result((), ())
            return Result(tuple(answer.columns), tuple(answer.fetchall()))
        except duckdb.Error as error:
            raise UserError(f"lab: DuckDB, which replaces Athena, failed: {error}", exit_code=1) from None

    def _unload(self, rows: pa.Table, to: str) -> None:
        if self._write is None:
            raise UserError(f"lab: UNLOAD to {to}: allowed: a bucket that exists")
        content = io.BytesIO()
        pq.write_table(rows, content, compression="snappy")
        self._write(f"{to.rstrip('/')}/", "part-0.parquet", content.getvalue())


def connect(client: ClientFactory, environment: str, database: str, now: datetime.datetime | None = None) -> LabAthena:
    """The tables of a Glue database, with the files that are in the bucket now.

    Raises `UserError` outside environment `local`, and where the database is not there.
    """
    refuse_outside_local(environment)
    glue, s3 = client("glue"), client("s3")
    try:
        pages = list(glue.get_paginator("get_tables").paginate(DatabaseName=database))
    except glue.exceptions.EntityNotFoundException:
        raise UserError(f"lab: There is no Glue database {database}: run `turnscope up` first.") from None

    def files(table: Table) -> Iterable[File]:
        bucket, prefix = _split(table.prefix)
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for each in page.get("Contents", ()):
                key = each["Key"]
                yield File(f"s3://{bucket}/{key}", lambda key=key: s3.get_object(Bucket=bucket, Key=key)["Body"].read())

    def write(folder: str, name: str, content: bytes) -> None:
        bucket, prefix = _split(folder)
        try:
            if s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1).get("Contents"):
                raise UserError(f"lab: HIVE_PATH_ALREADY_EXISTS, as Athena says: {folder}: allowed: an empty folder")
            s3.put_object(Bucket=bucket, Key=f"{prefix}{name}", Body=content)
        except s3.exceptions.NoSuchBucket:
            raise UserError(f"lab: {folder}: allowed: a bucket that exists") from None

    return LabAthena([table(each) for page in pages for each in page["TableList"]], files, write, now)


def table(described: Mapping[str, Any]) -> Table:
    """A table from Glue's description of it (https://docs.aws.amazon.com/glue/latest/webapi/API_Table.html).

    Raises `UserError` for one without partition projection.
    """
    parameters = described["Parameters"]
    if parameters.get("projection.enabled") != "true":
        raise UserError(f"lab: table {described['Name']}: allowed: with partition projection")
    return Table(
        database=described["DatabaseName"],
        name=described["Name"],
        columns={column["Name"]: column["Type"] for column in described["StorageDescriptor"]["Columns"]},
        location_template=parameters["storage.location.template"],
        projections={key["Name"]: _projection(key["Name"], parameters) for key in described["PartitionKeys"]},
    )


def _projection(key: str, parameters: Mapping[str, str]) -> Projection:
    kind = parameters[f"projection.{key}.type"]
    if kind == "enum":
        values = parameters[f"projection.{key}.values"].split(",")
        return Projection("|".join(re.escape(value) for value in values))
    first, _, last = parameters[f"projection.{key}.range"].partition(",")
    if kind != "date" or last != "NOW":
        raise UserError(f"lab: projection of {key}: allowed: enum, or date with a range that ends NOW")
    date_format = parameters[f"projection.{key}.format"]
    pattern = re.escape(date_format)
    for letters, digits in _DATE_DIGITS.items():
        pattern = pattern.replace(letters, digits)
        date_format = date_format.replace(letters, {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H"}[letters])
    return Projection(pattern, first, date_format)


def _split(address: str) -> tuple[str, str]:
    match = _S3.fullmatch(address)
    if match is None:
        raise UserError(f"lab: {address}: allowed: s3://BUCKET/KEY")
    return match["bucket"], match["key"]


def _at(node: exp.Expr, now: datetime.datetime) -> exp.Expr:
    if isinstance(node, exp.CurrentTimestamp):
        return exp.cast(exp.Literal.string(now.isoformat()), exp.DType.TIMESTAMPTZ)
    return node


# -- files as rows -----------------------------------------------------------------------------------------------------


def _rows(of: Table, files: Iterable[File], now: datetime.datetime) -> pa.Table:
    types = {name: arrow_type(text) for name, text in of.columns.items()}
    schema = pa.schema([*types.items(), *((key, pa.string()) for key in of.projections)])
    parts = []
    for file in files:
        keys = of.partition(file.address, now)
        if keys is None:
            continue
        content = pq.ParquetFile(io.BytesIO(file.read())).read()
        try:
            columns = [_column(content, name, kind) for name, kind in types.items()]
        except _OtherTypeError as error:
            raise UserError(f"lab: {file.address}: HIVE_BAD_DATA, as Athena says: {error}", exit_code=1) from None
        columns += [pa.repeat(pa.scalar(keys[key], pa.string()), content.num_rows) for key in of.projections]
        parts.append(pa.Table.from_arrays(columns, schema=schema))
    return pa.concat_tables(parts) if parts else schema.empty_table()


class _OtherTypeError(Exception):
    pass


def _column(content: pa.Table, name: str, kind: pa.DataType) -> pa.Array:
    if name not in content.column_names:
        return pa.nulls(content.num_rows, kind)
    return _as(content.column(name).combine_chunks(), kind, name)


def _as(array: pa.Array, kind: pa.DataType, name: str) -> pa.Array:
    """`array` as `kind`: what a file lacks (a field that was added since) is null, what the table lacks is left out."""
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    if array.type == kind:
        return array
    if pa.types.is_null(array.type):
        return pa.nulls(len(array), kind)
    if pa.types.is_struct(kind) and pa.types.is_struct(array.type):
        here = {field.name: index for index, field in enumerate(array.type)}
        children = [
            _as(array.field(here[field.name]), field.type, f"{name}.{field.name}")
            if field.name in here
            else pa.nulls(len(array), field.type)
            for field in kind
        ]
        return pa.StructArray.from_arrays(children, fields=list(kind), mask=array.is_null())
    if pa.types.is_list(kind) and pa.types.is_list(array.type):
        values = _as(array.values, kind.value_type, f"{name}[]")
        return pa.ListArray.from_arrays(array.offsets, values, type=kind, mask=array.is_null())
    raise _OtherTypeError(f"column {name} is {array.type}, and {kind} in the table")


class LabEngine:
    """The answers of a local stack: DuckDB over the files in the emulator's bucket, as they are at each query."""

    def __init__(self, client: ClientFactory, database: str) -> None:
        self._client, self._database = client, database

    def run(self, sql: str) -> Answer:
        """Run a query. Raises `UserError` for one that fails."""
        found = connect(self._client, str(Environment.LOCAL), self._database).run(sql)
        return Answer(found.columns, found.rows)
