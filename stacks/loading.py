"""From stack files, or from the running engine, to validated settings.

A stack's own file lies over `stacks/base.yaml`; mappings merge key by key, lists and scalars replace. Encrypted
values become `SecretRef`s here, so nothing past this module holds one. All problems of a file are reported in
one `UserError`, a line each.
"""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from cloudwatch.plan.model import SecretRef
from earshot.errors import UserError
from stacks.settings import Settings

NAMESPACE = "earshot"
DIRECTORY = "stacks"
REFERENCE = "docs/reference/settings.md"


def stack_file(stack: str, project: Path) -> Path:
    """Where a stack's settings are; Pulumi reads the same file (`stackConfigDir: stacks`)."""
    return project / DIRECTORY / f"Pulumi.{stack}.yaml"


def stacks(project: Path) -> list[str]:
    """The stacks that have a file, by name."""
    return sorted(path.name.removeprefix("Pulumi.").removesuffix(".yaml") for path in (project / DIRECTORY).glob("Pulumi.*.yaml"))


def load(stack: str, project: Path) -> Settings:
    """A stack's settings from its files, without engine or network.

    Raises `UserError` naming every problem with its key, value and what is allowed.
    """
    path = stack_file(stack, project)
    if not path.is_file():
        known = stacks(project)
        near = difflib.get_close_matches(stack, known, 1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise UserError(f"There is no stack {stack!r}: {path} does not exist.{hint} Stacks here: {', '.join(known) or 'none'}.")
    config = _mapping(_read_yaml(path), path).get("config") or {}
    prefix = f"{NAMESPACE}:"
    own = {key.removeprefix(prefix): value for key, value in _mapping(config, path).items() if key.startswith(prefix)}
    return validate(_merged_with_base(own, project), source=path)


def load_from_engine(project: Path) -> Settings:
    """The settings of the stack that the engine is running, so that `pulumi up -c` and `--config-file` count.

    The engine decrypts a structured value as a whole; the secrets in it are replaced by references at once.
    """
    config: dict[str, str] = json.loads(os.environ.get("PULUMI_CONFIG") or "{}")
    encrypted = set(json.loads(os.environ.get("PULUMI_CONFIG_SECRET_KEYS") or "[]"))
    own: dict[str, Any] = {}
    for key, text in config.items():
        namespace, _, name = key.partition(":")
        if namespace == NAMESPACE:
            own[name] = _references(yaml.safe_load(text), (name,), encrypted=key in encrypted)
    return validate(_merged_with_base(own, project), source=Path(f"the configuration of stack {os.environ.get('PULUMI_STACK')}"))


def secret_value(configuration: Mapping[str, Any], reference: SecretRef) -> str:
    """The value behind a reference, out of the decrypted configuration object of its first key's section."""
    node: Any = configuration
    for key in reference.path.split(".")[1:]:
        node = node[key]
    return str(node)


def validate(raw: Mapping[str, Any], *, source: Path) -> Settings:
    """Settings out of plain data; `UserError` with all problems, in the order of the keys."""
    try:
        return Settings.model_validate(_with_agents_alarms(raw))
    except ValidationError as error:
        lines = list(dict.fromkeys(_lines(error, raw)))
        count = f"{len(lines)} problem{'s' if len(lines) > 1 else ''}"
        listed = "\n".join(f"  {line}" for line in lines)
        raise UserError(f"{count} in {source}:\n{listed}\nEvery setting, with its range: {REFERENCE}") from None


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


def _merged_with_base(own: Mapping[str, Any], project: Path) -> dict[str, Any]:
    base = project / DIRECTORY / "base.yaml"
    below = _mapping(_read_yaml(base), base) if base.is_file() else {}
    return merge(below, _references(own, (), encrypted=False))


def _with_agents_alarms(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Each agent's `alarms` laid over the stack's, so that an agent names only what differs."""
    agents, shared = raw.get("agents"), raw.get("alarms")
    if not isinstance(agents, Mapping) or not (shared is None or isinstance(shared, Mapping)):
        return dict(raw)
    filled = {}
    for name, agent in cast(Mapping[str, Any], agents).items():
        agent = {} if agent is None else agent
        own = agent.get("alarms", {}) if isinstance(agent, Mapping) else None
        filled[name] = {**agent, "alarms": merge(shared or {}, own)} if isinstance(own, Mapping) else agent
    return {**raw, "agents": filled}


def _references(value: Any, path: tuple[str, ...], *, encrypted: bool) -> Any:
    """`value` with every encrypted leaf replaced by a `SecretRef`.

    In a file such a leaf is `{secure: ...}`. The engine hands over plain values with the whole section marked:
    then the settings model tells which leaves are secret.
    """
    if isinstance(value, Mapping):
        if set(value) == {"secure"}:
            return SecretRef(".".join(path))
        return {key: _references(entry, (*path, str(key)), encrypted=encrypted) for key, entry in value.items()}
    if encrypted and value is not None and _is_secret(path):
        return SecretRef(".".join(path))
    return value


def _is_secret(path: tuple[str, ...]) -> bool:
    field = _field(path)
    return field is not None and "SecretRef" in str(field.annotation)


def _field(path: tuple[str | int, ...]) -> FieldInfo | None:
    """The model field at a path; names of entries in a mapping and indexes of a list are passed over."""
    model: type[BaseModel] | None = Settings
    field: FieldInfo | None = None
    keys = iter(path)
    for key in keys:
        if model is None:
            return field
        if key not in model.model_fields:
            return None
        field = model.model_fields[str(key)]
        model = _inner_model(field)
        if get_origin(field.annotation) is dict:
            next(keys, None)
    return field


def _inner_model(field: FieldInfo) -> type[BaseModel] | None:
    def walk(annotation: Any) -> Iterator[type[BaseModel]]:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield annotation
        for argument in getattr(annotation, "__args__", ()):
            yield from walk(argument)

    return next(walk(field.annotation), None)


def _lines(error: ValidationError, raw: Mapping[str, Any]) -> Iterator[str]:
    for detail in error.errors(include_url=False):
        location = tuple(part for part in detail["loc"] if part != "[key]")
        if _inherited(location, raw):
            continue
        yield _line(location, detail)


def _inherited(location: tuple[str | int, ...], raw: Mapping[str, Any]) -> bool:
    """Whether an agent's alarm setting is really the stack's, which is reported under its own key."""
    if len(location) < 4 or location[0] != "agents" or location[2] != "alarms":
        return False
    own = raw["agents"][location[1]]
    return not (isinstance(own, Mapping) and location[3] in (own.get("alarms") or {}))


def _line(location: tuple[str | int, ...], detail: ErrorDetails) -> str:
    key = ".".join(map(str, location))
    if detail["type"] == "missing":
        return f"{key}: missing; {_described(location)}"
    if detail["type"] == "extra_forbidden":
        return f"{key}: unknown key;{_nearest(location)}"
    value = "[secret]" if _is_secret(tuple(map(str, location))) else json.dumps(detail["input"], default=str)
    if len(value) > 60:
        value = value[:57] + "..."
    return f"{key}: {value}: {_allowed(detail)}"


def _described(location: tuple[str | int, ...]) -> str:
    field = _field(location)
    return (field.description or "").replace("\n", " ") if field else "required"


def _nearest(location: tuple[str | int, ...]) -> str:
    parent = _field(location[:-1]) if len(location) > 1 else None
    model = Settings if len(location) == 1 else (_inner_model(parent) if parent else None)
    known = list(model.model_fields) if model else []
    near = difflib.get_close_matches(str(location[-1]), known, 1, cutoff=0.5)
    return f" did you mean {near[0]}?" if near else f" allowed: {', '.join(known)}"


def _allowed(detail: ErrorDetails) -> str:
    """What pydantic found, in the words of someone who edits a file."""
    context = detail.get("ctx") or {}
    match detail["type"]:
        case "earshot":
            return str(context["message"])
        case "greater_than":
            return f"allowed: above {context['gt']}"
        case "greater_than_equal":
            return f"allowed: {context['ge']} or more"
        case "less_than":
            return f"allowed: below {context['lt']}"
        case "less_than_equal":
            return f"allowed: at most {context['le']}"
        case "multiple_of":
            return f"allowed: multiples of {context['multiple_of']}"
        case "literal_error" | "enum":
            return f"allowed: {context['expected']}"
        case "float_parsing" | "float_type" | "finite_number":
            return "allowed: a number"
        case "int_parsing" | "int_type" | "int_from_float":
            return "allowed: a whole number"
        case "bool_parsing" | "bool_type":
            return "allowed: true or false"
        case "string_type":
            return "allowed: text"
        case "dict_type" | "model_type" | "model_attributes_type":
            return "allowed: a mapping of keys to values"
        case "tuple_type" | "list_type":
            return "allowed: a list"
        case "too_short":
            return f"allowed: at least {context['min_length']} entr{'y' if context['min_length'] == 1 else 'ies'}"
        case "too_long":
            return f"allowed: at most {context['max_length']} entries"
        case "date_from_datetime_parsing" | "date_parsing" | "date_type":
            return "allowed: a date, YYYY-MM-DD"
        case _:
            return detail["msg"]


class _UniqueKeyLoader(yaml.SafeLoader):
    """YAML takes the last of two equal keys in silence; a settings file should not."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)  # pyright: ignore[reportUnknownMemberType]
            if isinstance(key, (str, int)) and key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} appears twice", key_node.start_mark)
            seen.add(key if isinstance(key, (str, int)) else id(key))
        return super().construct_mapping(node, deep)


def _read_yaml(path: Path) -> object:
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeyLoader) or {}  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UserError(f"{path}{line}: not valid YAML: {error.problem}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not valid YAML: {error}") from None


def _mapping(value: object, path: Path) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UserError(f"{path}: allowed: a mapping of keys to values, found {type(value).__name__}")
    return cast(dict[str, Any], value)
