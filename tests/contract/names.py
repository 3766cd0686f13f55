"""Names in JSON documents, as queries write them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def paths(document: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """Every dotted path to a value, and to what is around it; what is in a list has no number."""
    for key, value in document.items():
        yield f"{above}{key}"
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, dict):
                yield from paths(inner, f"{above}{key}.")
