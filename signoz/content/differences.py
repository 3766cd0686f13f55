"""What differs between two bodies, in words. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

SHOWN_CHARACTERS = 120
ABSENT = "(not there)"


class _Absent:
    """No value, which is not null."""


_NOTHING = _Absent()


@dataclass(frozen=True)
class Difference:
    """One place: `path` as in `spec.panels[0].title`; both values as short JSON, or `(not there)`."""

    path: str
    deployed: str
    found: str

    def __str__(self) -> str:
        return f"{self.path}: {self.deployed} -> {self.found}"


def differences(deployed: Any, found: Any) -> list[Difference]:
    """Every place where the two differ, the smallest that can be named; in the order of the paths."""
    return list(_differences(deployed, found, ""))


def _differences(deployed: Any, found: Any, path: str) -> Iterator[Difference]:
    if isinstance(deployed, dict) and isinstance(found, dict):
        for key in sorted({*deployed, *found}, key=str):
            below = f"{path}.{key}" if path else str(key)
            yield from _differences(deployed.get(key, _NOTHING), found.get(key, _NOTHING), below)
    elif isinstance(deployed, list) and isinstance(found, list):
        for index in range(max(len(deployed), len(found))):
            before, after = (each[index] if index < len(each) else _NOTHING for each in (deployed, found))
            yield from _differences(before, after, f"{path}[{index}]")
    elif deployed != found:
        yield Difference(path or "(all)", _shown(deployed), _shown(found))


def _shown(value: Any) -> str:
    if value is _NOTHING:
        return ABSENT
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 3]}..."
