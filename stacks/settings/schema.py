"""The settings as a JSON schema, and what a part of it allows in words.

Messages, the editors' schemas and the reference page all read this one description, so they agree.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from stacks.settings.descriptions import described_schema
from stacks.settings.documents import Location
from stacks.settings.model import Settings

Node = dict[str, Any]


@cache
def settings_schema() -> Node:
    """The JSON schema of the settings as a whole, that is of the stack's file merged over `base.yaml`."""
    schema = described_schema(Settings)
    for node in [schema, *schema["$defs"].values()]:
        for entry in node.get("properties", {}).values():
            _name_entries(entry)
    return schema


def _name_entries(node: Node) -> None:
    """Restates a mapping whose names must match a pattern: as `patternProperties` it would let others pass."""
    if "patternProperties" in node:
        [(pattern, entry)] = node.pop("patternProperties").items()
        node["propertyNames"]["pattern"] = pattern
        node["additionalProperties"] = entry


def node_at(location: Location) -> Node | None:
    """The schema of the value at a location; None where no setting can stand."""
    node: Node | None = settings_schema()
    for part in location:
        node = child(resolved(node), part)
        if node is None:
            return None
    return node


def child(node: Node, part: str | int) -> Node | None:
    """The schema of one entry of a mapping or list."""
    if isinstance(part, int):
        return node.get("items")
    named = node.get("properties", {}).get(part)
    others = node.get("additionalProperties")
    return named or (others if isinstance(others, dict) else None)


def resolved(node: Node) -> Node:
    """A node with its reference followed, and without null: what a value must be if there is one."""
    if "$ref" in node:
        target = settings_schema()["$defs"][node["$ref"].rpartition("/")[2]]
        return {**target, **{key: value for key, value in node.items() if key != "$ref"}}
    if "anyOf" in node:
        inner = next(option for option in node["anyOf"] if option.get("type") != "null")
        return {**resolved(inner), **{key: value for key, value in node.items() if key != "anyOf"}}
    return node


def nullable(node: Node) -> bool:
    return any(option.get("type") == "null" for option in node.get("anyOf", []))


def is_secret(node: Node | None) -> bool:
    """Whether a setting must be encrypted."""
    return node is not None and "secure" in resolved(node).get("properties", {})


def holds_secret(node: Node | None) -> bool:
    """Whether a setting, or any below it, must be encrypted."""
    if node is None:
        return False
    inner = resolved(node)
    below = [*inner.get("properties", {}).values(), inner.get("additionalProperties"), inner.get("items")]
    return is_secret(node) or any(holds_secret(each) for each in below if isinstance(each, dict))


def is_section(node: Node) -> bool:
    """Whether a value is a mapping, apart from an encrypted value, which only looks like one."""
    return resolved(node).get("type") == "object" and not is_secret(node)


def type_name(node: Node) -> str:
    """A value's type: JSON Schema's, and YAML's mapping and list."""
    inner = resolved(node)
    if is_secret(node):
        return "secret"
    if inner["type"] == "array":
        return f"list of {type_name(inner['items'])}"
    if inner.get("format") == "date":
        return "date"
    return "mapping" if inner["type"] == "object" else str(inner["type"])


def allowed(node: Node) -> str:
    """What a value may be, whole: its type, range and null."""
    return _allowed(resolved(node)) + (", or null" if nullable(node) else "")


def _allowed(node: Node) -> str:
    if "patternErrorMessage" in node:
        return node["patternErrorMessage"]
    if "enum" in node:
        return ", ".join(map(str, node["enum"]))
    if is_secret(node):
        return "encrypted in the stack's own file"
    match node["type"]:
        case "integer" | "number":
            step = f"multiples of {node['multipleOf']}" if "multipleOf" in node else "integers"
            return _range(node) + (f", {step}" if node["type"] == "integer" else "")
        case "string":
            if node.get("format") == "date":
                return "a date, YYYY-MM-DD"
            return f"a string of {node['minLength']} to {node['maxLength']} characters"
        case "boolean":
            return "true or false"
        case "array":
            return f"a list{_count(node, 'minItems', 'maxItems')}, each {_allowed(resolved(node['items']))}"
        case _:
            return f"a mapping{_count(node, 'minProperties', 'maxProperties') or ' of'} keys to values"


def _range(node: Node) -> str:
    if "exclusiveMinimum" in node:
        return f"above {node['exclusiveMinimum']}, at most {node['maximum']}"
    return f"{node['minimum']} to {node['maximum']}"


def _count(node: Node, least: str, most: str) -> str:
    if least in node:
        return f" of {node[least]} to {node[most]}"
    return f" of at most {node[most]}" if most in node else ""
