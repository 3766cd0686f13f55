"""Hive's types, as Glue's tables have them, as Arrow's."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from core.errors import UserError

_SCALARS = {
    "string": pa.string(),
    "double": pa.float64(),
    "bigint": pa.int64(),
    "boolean": pa.bool_(),
}


def arrow_type(text: str) -> pa.DataType:
    """Hive's type (`struct<ttft:double,model:string>`) as Arrow's. Raises `UserError` for one that no event has."""
    if text in _SCALARS:
        return _SCALARS[text]
    if text.startswith("array<"):
        return pa.list_(arrow_type(text[len("array<") : -1]))
    if text.startswith("struct<"):
        fields = [field.partition(":") for field in _between(text[len("struct<") : -1])]
        return pa.struct([(name, arrow_type(kind)) for name, _, kind in fields])
    raise UserError(f"lab: type {text}: allowed: {', '.join(_SCALARS)}, array<...>, struct<...>")


def _between(text: str) -> Iterable[str]:
    """`text` cut at its outer commas."""
    depth, start = 0, 0
    for index, character in enumerate(text):
        depth += {"<": 1, ">": -1}.get(character, 0)
        if character == "," and depth == 0:
            yield text[start:index]
            start = index + 1
    yield text[start:]
