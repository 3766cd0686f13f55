"""Where a secret is, in place of its value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class SecretRef:
    """A secret setting, by where it is in the stack's configuration; its value is never in a plan."""

    path: str
    """As `property_path` writes it."""
    given: bool = True
    """False for a placeholder: the configuration does not have it yet."""


def property_path(location: tuple[str | int, ...]) -> str:
    """Keys of mappings and indexes of lists as `pulumi config set --path` takes them: a number without brackets is a
    mapping's key (https://www.pulumi.com/docs/iac/concepts/config/#structured-configuration).

    >>> property_path(("servers", 0, "token"))
    'servers[0].token'
    """
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
        elif re.fullmatch(r"[A-Za-z0-9_$/-]+", part):
            text += f".{part}" if text else part
        else:
            text += '["' + part.replace('"', '\\"') + '"]'
    return text


_PART = re.compile(r'\[(?P<index>[0-9]+)\]|\["(?P<quoted>(?:\\"|[^"])*)"\]|\.?(?P<key>[^.\[]+)')


def location_of(path: str) -> tuple[str | int, ...]:
    """What `property_path` made `path` of."""
    location: list[str | int] = []
    for found in _PART.finditer(path):
        match found.lastgroup:
            case "index":
                location.append(int(found["index"]))
            case "quoted":
                location.append(found["quoted"].replace('\\"', '"'))
            case _:
                location.append(found["key"])
    return tuple(location)


def value_at(configuration: Mapping[str, Any], path: str) -> Any:
    """What a configuration holds at a property path; None where it holds nothing.

    >>> value_at({"signoz": {"servers": [{"token": "a"}]}}, "signoz.servers[0].token")
    'a'
    """
    node: Any = configuration
    for part in location_of(path):
        if isinstance(node, Mapping) and isinstance(part, str):
            node = node.get(part)
        elif isinstance(node, list) and isinstance(part, int):
            node = node[part] if part < len(node) else None
        else:
            return None
    return node
