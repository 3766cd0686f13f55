"""From stack files, or from the running engine, to validated settings.

A stack's own file lies over `stacks/base.yaml`; mappings merge key by key, lists and scalars replace. Encrypted
values become `SecretRef`s here, so nothing past this module holds one. All problems are reported in one
`UserError`, a line each.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from core.errors import UserError
from core.names import NAMESPACE, PRIVATE
from core.secrets.reference import SecretRef, location_of, property_path
from stacks.settings.documents import Document, Location, Problem, read, shown
from stacks.settings.host_gateway import with_host_defaults
from stacks.settings.kinds import is_nullable, is_secret, is_text, kind_at
from stacks.settings.local import with_local_defaults
from stacks.settings.missing import with_placeholders
from stacks.settings.model import Settings
from stacks.settings.problems import (
    OVERRIDABLE,
    raise_if_any,
    secrets_in_base,
    setting_problems,
    stack_file_problems,
    wrong_namespace,
)

DIRECTORY = "stacks"
INHERITED = "(stacks/base.yaml)"
"""What `Pulumi.yaml` declares as the default of settings that the stack may leave to `base.yaml`.

The engine asks for a default, lest the key be required in every stack's file, and hands it over like a value that
the stack did set. A real value would hide that of `base.yaml`; this one can be distinguished.
"""


def stack_file(stack: str, project: Path) -> Path:
    """Where a stack's settings are; Pulumi reads the same file (`stackConfigDir: stacks`)."""
    return project / DIRECTORY / f"Pulumi.{stack}.yaml"


def stacks(project: Path) -> list[str]:
    """The stacks that have a file, by name."""
    files = (project / DIRECTORY).glob("Pulumi.*.yaml")
    return sorted(path.name.removeprefix("Pulumi.").removesuffix(".yaml") for path in files)


def load(stack: str, project: Path) -> Settings:
    """A stack's settings from its files, without engine or network.

    Raises `UserError` naming every problem with its file, line, key, value and what is allowed.
    """
    own = _own(stack, project)
    return validated(f"the settings of stack {stack}", own, _base(project), private=project / PRIVATE / stack)


def load_with(stack: str, project: Path, values: Mapping[str, Any]) -> Settings:
    """The same where the stack's own file also had these values, by property path. Raises `UserError` as `load`."""
    own = _own(stack, project)
    for path, value in values.items():
        own.data = _placed(own.data, location_of(path), value)
    return validated(f"the settings of stack {stack}", own, _base(project), private=project / PRIVATE / stack)


def _placed(node: Any, location: Location, value: Any) -> Any:
    """`node` with a value at a location; sections and lists on the way are made."""
    if not location:
        return value
    key, *below = location
    if isinstance(key, int):
        items = list(node) if isinstance(node, list) else []
        items += [None] * (key + 1 - len(items))
        items[key] = _placed(items[key], tuple(below), value)
        return items
    section = dict(node) if isinstance(node, Mapping) else {}
    return section | {key: _placed(section.get(key), tuple(below), value)}


def raw_settings(stack: str, project: Path) -> dict[str, Any]:
    """A stack's file over the base, unchecked: for what works on settings that are not complete yet."""
    base = _base(project).data
    return merge(base if isinstance(base, dict) else {}, _own(stack, project).data)


def _own(stack: str, project: Path) -> Document:
    """The settings in a stack's own file. Raises `UserError` where there is no such file."""
    path = stack_file(stack, project)
    if not path.is_file():
        known = stacks(project)
        near = difflib.get_close_matches(stack, known, 1)
        hint = f" Did you mean {near[0]}?" if near else ""
        listed = ", ".join(known) or "none"
        raise UserError(f"There is no stack {stack!r}: {shown(path)} does not exist.{hint} Stacks here: {listed}.")
    document, subject = read(path), f"the settings of stack {stack}"
    prefix = f"{NAMESPACE}:"
    problems = [replace(each, text=each.text.removeprefix(f"config.{prefix}")) for each in document.problems]
    problems += stack_file_problems(document)
    config = document.data.get("config") if isinstance(document.data, dict) else None
    if not isinstance(config, dict):
        raise_if_any(problems, subject)
    own = Document(document.file, {}, problems=problems)
    for key, value in (config or {}).items():
        if key.startswith(prefix):
            name = key.removeprefix(prefix)
            own.data[name] = value if isinstance(value, (dict, list)) else _of_text(name, _text_of(value))
    for (top, *below), line in document.lines.items():
        if top == "config" and below and str(below[0]).startswith(prefix):
            own.lines[str(below[0]).removeprefix(prefix), *below[1:]] = line
    return own


def load_configuration(
    stack: str, config: Mapping[str, str], encrypted_keys: Collection[str], project: Path
) -> Settings:
    """The settings in a stack's configuration as the engine has it: `namespace:key` -> text, values decrypted.

    The engine decrypts a structured value as a whole: the secrets in those of `encrypted_keys` are replaced by
    references at once. Plain text beside an encrypted value cannot be distinguished from it here; `load` refuses it.
    """
    own = Document(f"configuration of stack {stack}", {})
    encrypted: set[str] = set()
    for key, text in config.items():
        namespace, _, name = key.partition(":")
        if hint := wrong_namespace(key):
            own.problems.append(Problem(own.file, None, f"{key}: {hint}"))
        if namespace == NAMESPACE and text != INHERITED:
            own.data[name] = _of_text(name, text)
            if key in encrypted_keys:
                encrypted.add(name)
    private = project / PRIVATE / stack
    return validated(f"the settings of stack {stack}", own, _base(project), encrypted, private=private)


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` upon `base`: mappings key by key, anything else replaces."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            merged[key] = merge(cast(Mapping[str, Any], below), cast(Mapping[str, Any], value))
        else:
            merged[key] = value
    return merged


def validated(
    subject: str, own: Document, base: Document, encrypted: Collection[str] = (), *, private: Path | None = None
) -> Settings:
    """The settings that `own` over `base` makes; sections in `encrypted` were decrypted by the engine; `private` is
    what this machine keeps of the stack. Raises `UserError` with every problem; `subject` is what the message is about.
    """
    problems = [*own.problems, *base.problems, *secrets_in_base(base)]
    below = {} if base.data is None else base.data
    if not isinstance(below, dict):
        problems.append(Problem(base.file, None, "allowed: a mapping of keys to values"))
        below = {}
    over = {name: _references(value, (name,), decrypted=name in encrypted) for name, value in own.data.items()}
    problems += _removed_in_vain(own, below, base.file)
    raw = _without_removed_agents(merge(below, over), own.data)
    if private and raw.get("environment") == "local":
        raw = with_local_defaults(raw, private)
    raw = with_host_defaults(with_placeholders(raw))
    try:
        settings = Settings.model_validate(_with_overrides(raw))
    except ValidationError as error:
        raise_if_any([*problems, *setting_problems(error, raw, (own, base), hidden=encrypted)], subject)
        raise
    raise_if_any(problems, subject)
    return settings


def _agents_removed_by(own: Mapping[str, Any]) -> list[str]:
    """Agents that a stack's file has as null."""
    agents = own.get("agents")
    return [name for name, agent in agents.items() if agent is None] if isinstance(agents, Mapping) else []


def _removed_in_vain(own: Document, base: Mapping[str, Any], base_file: str) -> Iterator[Problem]:
    """An agent without overrides, written as null, would be missing from the stack without a word."""
    known = base.get("agents")
    for name in _agents_removed_by(own.data):
        if not isinstance(known, Mapping) or name not in known:
            text = (
                f"agents.{name}: null: allowed: {{}}, for an agent without overrides; null removes an agent of "
                f"{base_file}, which has none of this name"
            )
            yield Problem(own.file, own.lines.get(("agents", name)), text)


def _without_removed_agents(raw: dict[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    removed = _agents_removed_by(own)
    if not removed:
        return raw
    return {**raw, "agents": {name: agent for name, agent in raw["agents"].items() if name not in removed}}


def _base(project: Path) -> Document:
    path = project / DIRECTORY / "base.yaml"
    return read(path) if path.is_file() else Document(shown(path))


def _text_of(value: object) -> str:
    """A scalar of a stack's file as Pulumi has it: every scalar right under `config` is text, null the empty one."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _of_text(name: str, text: str) -> Any:
    """The value of a key right under `config`: structures are JSON there; texts are not parsed any further."""
    kind = kind_at((name,))
    if text in ("", "null") and (kind is None or is_nullable(kind)):
        return None
    if kind is not None and is_text(kind):
        return text
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _with_overrides(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Each agent's `OVERRIDABLE` sections over the stack's, so that an agent names only what differs."""
    agents = raw.get("agents")
    if not isinstance(agents, Mapping):
        return dict(raw)
    filled = {name: _with_shared(raw, agent) for name, agent in cast(Mapping[str, Any], agents).items()}
    return {**raw, "agents": filled}


def _with_shared(raw: Mapping[str, Any], agent: Any) -> Any:
    """A section that is no mapping stays as it is, for validation to report."""
    if not isinstance(agent, Mapping):
        return agent
    filled: dict[str, Any] = dict(cast(Mapping[str, Any], agent))
    for section in OVERRIDABLE:
        shared, own = raw.get(section), filled.get(section, {})
        if isinstance(own, Mapping) and (shared is None or isinstance(shared, Mapping)):
            filled[section] = merge(cast(Mapping[str, Any], shared or {}), cast(Mapping[str, Any], own))
    return filled


def _references(value: Any, location: Location, *, decrypted: bool) -> Any:
    """`value` with every encrypted leaf replaced by a `SecretRef`.

    In a file such a leaf is `{secure: ...}`. The engine hands over plain values with the whole section marked:
    then the settings tell which leaves are secret.
    """
    if isinstance(value, dict):
        if set(value) == {"secure"} and isinstance(value["secure"], str):
            return SecretRef(property_path(location))
        return {key: _references(entry, (*location, key), decrypted=decrypted) for key, entry in value.items()}
    if isinstance(value, list):
        return [_references(entry, (*location, index), decrypted=decrypted) for index, entry in enumerate(value)]
    if decrypted and value is not None and is_secret(kind_at(location)):
        return SecretRef(property_path(location))
    return value
