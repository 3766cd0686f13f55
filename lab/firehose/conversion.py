"""JSON lines as Parquet, by a Glue table: Firehose's record format conversion with the OpenX JSON SerDe. Pure.

Sources: docs.aws.amazon.com/firehose/latest/dev/record-format-conversion.html,
docs.aws.amazon.com/firehose/latest/APIReference/API_OpenXJsonSerDe.html. AWS' own makes text of a number, and a number
of text, where it can; here a value of another type never fits, so that no such event looks well on a laptop.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lab.hive_types import arrow_type

_Fit = Callable[[Any, str], Any]


class ConversionError(ValueError):
    """A line that does not fit the table."""


class Conversion:
    """How lines become rows.

    `columns` maps a column's name to its Hive type, `keys` a column's name to its JSON key where they differ.
    Raises `UserError` for a type that no event has.
    """

    def __init__(
        self, columns: Mapping[str, str], keys: Mapping[str, str] | None = None, compression: str = "SNAPPY"
    ) -> None:
        types = {name: arrow_type(kind) for name, kind in columns.items()}
        self._schema = pa.schema(list(types.items()))
        self._fits = [((keys or {}).get(name, name), _fit(kind)) for name, kind in types.items()]
        self._compression = "NONE" if compression == "UNCOMPRESSED" else compression

    def row(self, line: str) -> tuple[Any, ...]:
        """The values of a line, in the order of the columns. Raises `ConversionError`."""
        try:
            document = json.loads(line, object_pairs_hook=_lower)
        except (ValueError, RecursionError) as error:
            raise ConversionError(f"not JSON: {error}") from None
        if not isinstance(document, dict):
            raise ConversionError("not a JSON object")
        return tuple([fit(document.get(key), key) for key, fit in self._fits])

    def parquet(self, rows: Sequence[tuple[Any, ...]]) -> bytes:
        """A file of `rows`, of which there is at least one."""
        values = zip(*rows, strict=True)
        columns = [pa.array(each, column.type) for each, column in zip(values, self._schema, strict=True)]
        content = io.BytesIO()
        pq.write_table(pa.Table.from_arrays(columns, schema=self._schema), content, compression=self._compression)
        return content.getvalue()


def _lower(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = {key.lower(): value for key, value in pairs}
    if len(document) < len(pairs):
        raise ValueError("a key is there twice")
    return document


def _fit(kind: pa.DataType) -> _Fit:
    if pa.types.is_struct(kind):
        return _fit_struct([(each.name, _fit(each.type)) for each in kind])
    if pa.types.is_list(kind):
        return _fit_list(_fit(kind.value_type))
    if pa.types.is_boolean(kind):
        return _fit_scalar("boolean", lambda value: isinstance(value, bool))
    if pa.types.is_string(kind):
        return _fit_scalar("text", _is_text)
    if pa.types.is_integer(kind):
        return _fit_scalar("whole number", lambda value: type(value) is int and -(2**63) <= value < 2**63)
    fit = _fit_scalar("number", lambda value: type(value) in (int, float) and abs(value) <= sys.float_info.max)
    # Arrow makes no decimal number of a whole one that it would have to round.
    return lambda value, at: None if value is None else float(fit(value, at))


def _is_text(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:  # half a surrogate pair
        return False
    return True


def _fit_scalar(name: str, fits: Callable[[Any], bool]) -> _Fit:
    def fit(value: Any, at: str) -> Any:
        if value is None or fits(value):
            return value
        raise ConversionError(f"{at}: {json.dumps(value)[:60]} is no {name}")

    return fit


def _fit_struct(fields: list[tuple[str, _Fit]]) -> _Fit:
    def fit(value: Any, at: str) -> Any:
        if value is None:
            return None
        if not isinstance(value, dict):
            raise ConversionError(f"{at}: {json.dumps(value)[:60]} is no object")
        return {name: each(value.get(name), f"{at}.{name}") for name, each in fields}

    return fit


def _fit_list(item: _Fit) -> _Fit:
    def fit(value: Any, at: str) -> Any:
        if value is None:
            return None
        if not isinstance(value, list):
            raise ConversionError(f"{at}: {json.dumps(value)[:60]} is no list")
        return [item(each, f"{at}[]") for each in value]

    return fit
