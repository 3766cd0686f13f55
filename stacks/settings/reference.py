"""Files that restate the settings for editors, readers and Pulumi, generated from the model.

Of `Pulumi.yaml` only the `config` section is generated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from core.names import NAMESPACE
from stacks.settings.loading import DIRECTORY, INHERITED
from stacks.settings.problems import PROVIDERS, REFERENCE, STACK_FILE_KEYS, described
from stacks.settings.schema import Node, allowed, is_secret, is_section, nullable, resolved, settings_schema, type_name

BASE_SCHEMA = f"{DIRECTORY}/settings.schema.json"
STACK_SCHEMA = f"{DIRECTORY}/stack.schema.json"
PULUMI_PROJECT = "Pulumi.yaml"
# What editors' YAML support is surest of.
DIALECT = "http://json-schema.org/draft-07/schema#"


def render(project: Path) -> dict[Path, str]:
    """Each generated file's path below `project` and what should be in it."""
    pulumi_project = project / PULUMI_PROJECT
    return {
        Path(BASE_SCHEMA): _json(base_file_schema()),
        Path(STACK_SCHEMA): _json(stack_file_schema()),
        Path(REFERENCE): reference_page(),
        Path(PULUMI_PROJECT): with_config_section(pulumi_project.read_text(encoding="utf-8")),
    }


def base_file_schema() -> Node:
    """The JSON schema of `base.yaml`: any part of the settings, without secrets."""
    return {"$schema": DIALECT, "title": "Settings that all stacks share", **_partial(settings_schema(), secrets=False)}


def stack_file_schema() -> Node:
    """The JSON schema of a `Pulumi.<stack>.yaml`: any part of the settings, and what else Pulumi keeps there."""
    schema = _partial(settings_schema(), secrets=True)
    agents = schema["properties"]["agents"]
    # null removes an agent of base.yaml.
    agents["additionalProperties"] = {"anyOf": [agents["additionalProperties"], {"type": "null"}]}
    config = {
        "description": "The stack's overrides of base.yaml.",
        "type": "object",
        "properties": {f"{NAMESPACE}:{key}": node for key, node in schema["properties"].items()},
        # Keys of the engine and of other programs, such as pulumi:tags; those of our providers would have no effect.
        "patternProperties": {f"^(?!({'|'.join((NAMESPACE, *PROVIDERS))}):)[^:]+:.+$": {}},
        "additionalProperties": False,
    }
    return {
        "$schema": DIALECT,
        "title": "Settings of a stack",
        "type": "object",
        "properties": {**{key: {} for key in STACK_FILE_KEYS}, "config": config},
        "required": ["config"],
        "additionalProperties": False,
        "$defs": schema["$defs"],
    }


def _partial(node: Node, *, secrets: bool) -> Node:
    """The schema of one file: what is required may stand in the other one, sections' defaults say nothing."""
    if is_secret(node):
        if secrets:
            return {**node, "description": described(node)}
        nothing = {"type": "null"} if nullable(node) else {"not": {}}
        return {**nothing, "description": f"{described(node)} Allowed only in a stack's own file."}
    result: Node = {}
    for keyword, value in node.items():
        if keyword in ("properties", "$defs"):
            result[keyword] = {name: _partial(entry, secrets=secrets) for name, entry in value.items()}
        elif keyword == "anyOf":
            result[keyword] = [_partial(option, secrets=secrets) for option in value]
        elif keyword == "items" or (keyword == "additionalProperties" and isinstance(value, dict)):
            result[keyword] = _partial(value, secrets=secrets)
        elif keyword == "description":
            result[keyword] = described(node)
        elif keyword not in ("required", "title", "minProperties") and not (keyword == "default" and is_section(node)):
            result[keyword] = value
    return result


def reference_page() -> str:
    """The reference page: every setting with type, default, range and description."""
    sections = settings_schema()["properties"]
    alone = [_row((key,), node) for key, node in sections.items() if not is_section(node)]
    parts = [_INTRODUCTION, "## Top level", "", *_table([row for row in alone if row])]
    for key, node in sections.items():
        if not is_section(node):
            continue
        empty = " The default is `null`, for none." if nullable(node) else ""
        count = f" Allowed: {allowed(node)}." if "maxProperties" in resolved(node) else ""
        parts += [
            "",
            f"## `{key}`",
            "",
            f"{described(resolved(node))}{empty}{count}",
            "",
            *_table(list(_rows(node, ()))),
        ]
    return "\n".join(parts) + "\n"


_INTRODUCTION = f"""\
# Settings

<!-- Generated from stacks/settings/model.py; change it there. -->

Every number, name and address of a stack is a setting. See [how to change settings](../how-to/settings.md).

- **Files.** `{DIRECTORY}/base.yaml` holds the settings that all stacks share, with plain keys.
  `{DIRECTORY}/Pulumi.<stack>.yaml` holds each stack's overrides, under `config:`, each top-level key as
  `{NAMESPACE}:<key>`.
- **Merging.** The stack's file overrides the base: mappings merge key by key, lists and single values replace.
  A setting that is in neither file has the default in the table.
- **Agents.** An agent's `targets` and `alarms` override the stack's in the same way. In a stack's file, `null` removes
  an agent of the base.
- **Secrets** are encrypted in the stack's own file, by `pulumi config set --secret`. Plain text is rejected.
- **Units** are in the names. Settings are validated before anything is changed; one message reports all errors.

`Pulumi.yaml` declares the top-level keys to Pulumi. Where `pulumi config` shows `{INHERITED}`, the value comes from
`base.yaml`.
"""


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    header = ("Key", "Type", "Default", "Allowed", "Description")
    lines = [header, ("---",) * len(header), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]


def _rows(node: Node, above: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The rows of a section; mappings of free names show the name as `<name>`."""
    inner = resolved(node)
    entries = inner.get("additionalProperties")
    for key, entry in ({"<name>": entries} if isinstance(entries, dict) else inner["properties"]).items():
        if row := _row((*above, key), entry):
            yield row
        else:
            yield from _rows(entry, (*above, key))


def _row(key: tuple[str, ...], node: Node) -> tuple[str, ...] | None:
    """One setting's row; None for a section, which has rows of its own."""
    name = f"`{'.'.join(key)}`"
    if is_section(node):
        twin = _top_level_twin(node)
        link = f"[`{twin}`](#{twin})"
        return (
            (name, "mapping", f"the stack's {link}", f"as {link}", described(node)) if len(key) > 1 and twin else None
        )
    default = f"`{_literal(node['default'])}`" if "default" in node else "required"
    return (name, type_name(node), default, allowed(node), described(node))


def _top_level_twin(node: Node) -> str | None:
    """The top-level section of the same shape."""
    sections = settings_schema()["properties"].items()
    return next((key for key, other in sections if "$ref" in node and other.get("$ref") == node["$ref"]), None)


def _literal(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def with_config_section(pulumi_project: str) -> str:
    """The text of a `Pulumi.yaml` with its `config` section, which ends at the next top-level key, made new."""
    generated = "config:\n" + _CONFIG_COMMENT + _indented(yaml.safe_dump(_declarations(), sort_keys=False, width=110))
    kept, found = re.subn(
        r"^config:.*\n(?: .*\n|\n(?=[ \n]))*", lambda _: generated, pulumi_project, count=1, flags=re.M
    )
    return kept if found else pulumi_project.rstrip("\n") + "\n" + generated


_CONFIG_COMMENT = f"""\
  # Generated from stacks/settings/model.py; change it there. Pulumi would require a key without a default in every
  # stack's file. Therefore the default of a section is empty and that of other keys is {INHERITED}: the program
  # reads both as "not set". Keys that can be null, true or false have no type, because Pulumi's types would reject
  # null and that default.
"""


def _declarations() -> dict[str, dict[str, Any]]:
    declared: dict[str, dict[str, Any]] = {}
    for key, node in settings_schema()["properties"].items():
        if is_section(node) and not nullable(node):
            kind = {"type": "object", "default": {}}
        elif resolved(node)["type"] == "string":
            kind = {"type": "string", "default": INHERITED}
        else:
            kind = {"default": INHERITED}
        declared[key] = {"description": described(resolved(node)), **kind}
    return declared


def _indented(text: str) -> str:
    return "".join(f"  {line}\n" for line in text.splitlines())


def _json(schema: Node) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
