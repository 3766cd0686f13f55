"""Structures as text for reviewers: YAML with a line for what is short and flat, and a line each for all else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml

LONGEST_FLAT = 110
"""Characters; of a longer list each entry has a line of its own, so that a difference shows what came or went."""


class Json(dict[str, Any]):
    """A text that is JSON, by what it says."""


def readable(data: Any) -> str:
    """Keys keep their order; no line is wrapped."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_mapping(self, tag: str, mapping: Any, flow_style: bool | None = None) -> yaml.MappingNode:
        return super().represent_mapping(tag, mapping, flow_style=_flat(mapping, mapping.values()))

    def represent_sequence(self, tag: str, sequence: Any, flow_style: bool | None = None) -> yaml.SequenceNode:
        return super().represent_sequence(tag, sequence, flow_style=_flat(sequence, sequence))


_Dumper.add_representer(Json, lambda dumper, data: dumper.represent_mapping("!json", data))


def _flat(data: Any, entries: Iterable[Any]) -> bool:
    return len(repr(data)) <= LONGEST_FLAT and not any(isinstance(entry, (dict, list)) for entry in entries)
