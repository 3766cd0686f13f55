"""JSON messages, and what counts as a number in them."""

from __future__ import annotations

import functools
import json
import math
import re
from typing import TypeGuard, cast

_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")


@functools.lru_cache(maxsize=64)
def json_object(message: str) -> dict[str, object] | None:
    """The message as a JSON object; None if it is anything else. Cached because many filters see one message."""
    try:
        document = json.loads(message, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, object]", document) if isinstance(document, dict) else None


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a JSON value is a finite number; `true` and `false` are none."""
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)


def parse_number(text: str) -> float | None:
    """The number that a text is, as filter patterns write numbers; None for another text."""
    if not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None
