"""The quick look at the model's annotations says of every setting what its JSON schema says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from stacks.settings import kinds, schema
from stacks.settings.documents import Location
from stacks.settings.schema import Node, resolved, settings_schema


def locations(node: Node, above: Location = ()) -> Iterator[Location]:
    inner = resolved(node)
    entries: dict[str | int, Node] = dict(inner.get("properties", {}))
    if isinstance(inner.get("additionalProperties"), dict):
        entries["any-name"] = inner["additionalProperties"]
    if "items" in inner:
        entries[0] = inner["items"]
    for part, entry in entries.items():
        yield (*above, part)
        if not schema.is_secret(entry):
            yield from locations(entry, (*above, part))


EVERY = list(locations(settings_schema()))


def test_all_kinds_of_values_are_among_the_settings() -> None:
    nodes = [schema.node_at(location) or {} for location in EVERY]
    assert any(map(schema.is_secret, nodes))
    assert any(map(schema.nullable, nodes))
    assert any(isinstance(location[-1], int) for location in EVERY)
    assert any("any-name" in location for location in EVERY)


@pytest.mark.parametrize("location", EVERY, ids=lambda location: ".".join(map(str, location)))
def test_kind_and_schema_agree(location: Location) -> None:
    node, kind = schema.node_at(location), kinds.kind_at(location)
    assert node is not None
    assert kinds.is_secret(kind) == schema.is_secret(node)
    assert kinds.is_nullable(kind) == schema.nullable(node)
    assert kinds.is_text(kind) == (resolved(node)["type"] == "string")


@pytest.mark.parametrize(
    "location", [("regiom",), ("owner", "name"), ("agents", 0), ("notifications", "critical", "x")]
)
def test_where_no_setting_can_stand_there_is_no_kind(location: Location) -> None:
    assert kinds.kind_at(location) is None
    assert schema.node_at(location) is None
