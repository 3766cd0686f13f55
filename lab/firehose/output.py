"""What a stream writes: objects of its records, and of those that failed. Pure.

An object's folder is that of its oldest record
(docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html, docs.aws.amazon.com/firehose/latest/dev/s3-object-name.html).
"""

from __future__ import annotations

import datetime
import gzip
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import UserError
from lab.firehose.conversion import Conversion, ConversionError
from lab.firehose.prefixes import PrefixError, evaluate
from lab.firehose.records import Failure, Record, conversion_failure, processing_failure

ERROR_FOLDERS = "!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd/HH}/"
"""Where failures go below the prefix of a stream without an error prefix."""

Columns = Callable[[Mapping[str, Any]], Mapping[str, str]]
"""Columns (name -> Hive type) of the table that a schema's configuration names. Raises `LookupError`."""


@dataclass(frozen=True)
class Object:
    key: str
    content: bytes
    records: int
    """Rows, where it is Parquet."""


@dataclass(frozen=True)
class Destination:
    """An extended S3 destination as the API has it, of a stream in a version."""

    stream: str
    version: str
    configuration: Mapping[str, Any]

    @property
    def bucket(self) -> str:
        return self.configuration["BucketARN"].rpartition(":")[2]

    def objects(self, records: Sequence[Record], columns: Columns) -> tuple[list[Object], list[Failure]]:
        """One object for each partition."""
        conversion = self.configuration.get("DataFormatConversionConfiguration") or {}
        converts = conversion.get("Enabled", bool(conversion))
        objects: list[Object] = []
        failed: list[Failure] = []
        for keys, part in _partitions(records).items():
            try:
                prefix = evaluate(self.configuration.get("Prefix", ""), _oldest(part), keys=dict(keys))
            except PrefixError as error:
                failed += [processing_failure(each, "DynamicPartitioning.MissingKey", str(error)) for each in part]
                continue
            if converts:
                content, rows, unfit = _parquet(part, conversion, columns)
                failed += unfit
                if rows:
                    objects.append(Object(self._key(prefix, ".parquet"), content, rows))
            else:
                content = b"".join(each.data for each in part)
                packed = self.configuration.get("CompressionFormat") == "GZIP"
                key = self._key(prefix, ".gz" if packed else "")
                objects.append(Object(key, gzip.compress(content) if packed else content, len(part)))
        return objects, failed

    def failures(self, failed: Iterable[Failure]) -> list[Object]:
        """One object for each kind, a JSON object on each line."""
        by_kind: dict[str, list[Failure]] = defaultdict(list)
        for each in failed:
            by_kind[each.kind].append(each)
        prefix = self.configuration.get("ErrorOutputPrefix") or self.configuration.get("Prefix", "") + ERROR_FOLDERS
        return [
            Object(
                self._key(evaluate(prefix, _oldest(found), error_type=kind)),
                b"".join(each.line for each in found),
                len(found),
            )
            for kind, found in by_kind.items()
        ]

    def _key(self, prefix: str, extension: str = "") -> str:
        now = datetime.datetime.now(datetime.UTC)
        return f"{prefix}{self.stream}-{self.version}-{now:%Y-%m-%d-%H-%M-%S}-{uuid.uuid4()}{extension}"


def _partitions(records: Iterable[Record]) -> dict[tuple[tuple[str, str], ...], list[Record]]:
    parts: dict[tuple[tuple[str, str], ...], list[Record]] = defaultdict(list)
    for record in records:
        parts[tuple(sorted(record.keys.items()))].append(record)
    return parts


def _oldest(of: Iterable[Record | Failure]) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(min(each.arrived_ms for each in of) / 1000, datetime.UTC)


def _parquet(
    records: Sequence[Record], configuration: Mapping[str, Any], columns: Columns
) -> tuple[bytes, int, list[Failure]]:
    """A file of the lines that fit, how many they are, and the others."""
    table = configuration.get("SchemaConfiguration") or {}
    lines = [(line, record.arrived_ms) for record in records for line in record.data.split(b"\n") if line.strip()]
    serde = (configuration.get("InputFormatConfiguration") or {}).get("Deserializer", {}).get("OpenXJsonSerDe") or {}
    parquet = (configuration.get("OutputFormatConfiguration") or {}).get("Serializer", {}).get("ParquetSerDe") or {}
    try:
        conversion = Conversion(
            columns(table), serde.get("ColumnToJsonKeyMappings"), parquet.get("Compression", "SNAPPY")
        )
    except (LookupError, UserError) as error:
        code = "DataFormatConversion.InvalidSchema"
        return b"", 0, [conversion_failure(line, at_ms, code, str(error), table) for line, at_ms in lines]
    rows: list[tuple[Any, ...]] = []
    failed: list[Failure] = []
    for line, at_ms in lines:
        try:
            rows.append(conversion.row(line.decode()))
        except (ConversionError, UnicodeDecodeError) as error:
            failed.append(conversion_failure(line, at_ms, "DataFormatConversion.MalformedData", str(error), table))
    return conversion.parquet(rows) if rows else b"", len(rows), failed
