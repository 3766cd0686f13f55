"""Where a secret is, in place of its value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class SecretRef:
    """A secret setting, by where it is in the stack's configuration; its value is never in a plan."""

    path: str


def value_at(configuration: Mapping[str, Any], path: str) -> Any:
    """What a configuration holds at a dotted path, whose numbers count in lists; None where it holds nothing.

    >>> value_at({"signoz": {"tokens": ["a", "b"]}}, "signoz.tokens.1")
    'b'
    """
    node: Any = configuration
    for key in path.split("."):
        if isinstance(node, Mapping):
            node = node.get(key)
        elif isinstance(node, list):
            node = node[int(key)] if key.isdigit() and int(key) < len(node) else None
        else:
            return None
    return node
