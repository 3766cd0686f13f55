"""What is wrong with settings, one line each: where, key, value, what is allowed.

No line holds what might be a secret: values are shown only where no secret can stand, and never those of unknown
keys, which may be misspelt ones.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from core.errors import UserError
from core.names import NAMESPACE
from core.secrets.generated import GENERATED
from core.secrets.reference import SecretRef, property_path
from core.secrets.values import set_command
from stacks.settings import kinds
from stacks.settings.documents import Document, Location, Problem, dotted
from stacks.settings.schema import Node, allowed, holds_secret, is_secret, node_at, resolved

REFERENCE = "docs/reference/settings.md"
OVERRIDABLE = ("targets", "alarms")
"""Sections that an agent overrides for itself, key by key."""
PROVIDERS = ("aws", "docker")
"""Namespaces of the providers that the program makes with explicit arguments: the engine hands them nothing else."""
SETTING_OF = {
    "aws:region": "region",
    "aws:profile": "aws.profile",
    "aws:allowedAccountIds": "aws.account_ids",
    "aws:assumeRole": "aws.assume_role",
    "aws:assumeRoles": "aws.assume_role",
    "aws:defaultTags": "tags",
    "docker:host": "signoz.docker_host",
    "docker:registryAuth": "signoz.images.login",
}
"""What takes the place of a provider's key."""
CREDENTIALS = ("aws:accessKey", "aws:secretKey", "aws:token")
LONGEST_VALUE_CHARACTERS = 60
STACK_FILE_KEYS = ("config", "encryptionsalt", "encryptedkey", "secretsprovider", "environment")
"""What Pulumi keeps in a stack's file (pulumi.com/docs/iac/concepts/projects/stack-settings-file/)."""


def raise_if_any(
    problems: Iterable[Problem], subject: str, more: str = f"Every setting, with its range: {REFERENCE}"
) -> None:
    """One `UserError` with all problems, by file and line, and where to read `more`."""
    listed = sorted(dict.fromkeys(problems), key=lambda problem: (problem.file, problem.line or 0))
    if listed:
        count = f"{len(listed)} problem{'s' if len(listed) > 1 else ''}"
        lines = "\n".join(f"  {problem}" for problem in listed)
        raise UserError(f"{count} in {subject}:\n{lines}\n{more}")


def stack_file_problems(document: Document) -> Iterator[Problem]:
    """Mistakes around the settings: a missing `config`, keys that belong to nobody, near-miss namespaces."""

    def at(location: Location, text: str) -> Problem:
        return Problem(document.file, document.lines.get(location), f"{dotted(location)}: {text}")

    top = document.data
    if not isinstance(top, dict):
        yield Problem(document.file, None, f"{_kind(top)}: allowed: a mapping with the key config")
        return
    for key in top:
        if key not in STACK_FILE_KEYS:
            # A setting outside `config:` is the likelier slip than a misspelt key of Pulumi's.
            home = (
                f" it belongs under config, as {NAMESPACE}:{key}" if node_at((key,)) else nearest(key, STACK_FILE_KEYS)
            )
            yield at((key,), f"unknown key;{home}")
    config = top.get("config")
    if "config" not in top:
        yield Problem(document.file, None, f"config: missing: the settings, as {NAMESPACE}:<key>")
    elif config is not None and not isinstance(config, dict):
        yield at(("config",), f"{_kind(config)}: allowed: a mapping of {NAMESPACE}:<key> to values")
    for key in config if isinstance(config, dict) else ():
        if hint := wrong_namespace(key):
            yield Problem(document.file, document.lines["config", key], f"{key}: {hint}")


def secrets_in_base(document: Document) -> Iterator[Problem]:
    """Secrets in the base file, encrypted or not: Pulumi decrypts only the stack's own file."""
    for location, line in document.lines.items():
        if kinds.is_secret(kinds.kind_at(location)) and (value := _at(document.data, location)) is not None:
            yield Problem(document.file, line, f"{dotted(location)}: {_shown(value, True)}: {_allowed(location)}")


def wrong_namespace(key: str) -> str | None:
    """What is wrong with a key of Pulumi's configuration; other programs' namespaces are fine."""
    namespace, colon, name = key.partition(":")
    if not colon:
        return f"no namespace; did you mean {NAMESPACE}:{key}?"
    if namespace in PROVIDERS:
        return f"no effect, because the settings configure this provider; allowed: {_in_place_of(key)}"
    if namespace != NAMESPACE and difflib.get_close_matches(namespace.lower(), [NAMESPACE], 1, cutoff=0.7):
        return f"unknown namespace; did you mean {NAMESPACE}:{name}?"
    return None


def _in_place_of(key: str) -> str:
    if setting := SETTING_OF.get(key):
        return f"{NAMESPACE}:{setting}"
    if key in CREDENTIALS:
        return f"credentials where the AWS CLI finds them, or {NAMESPACE}:aws.profile"
    return f"settings of {NAMESPACE} ({REFERENCE})"


def setting_problems(
    error: ValidationError,
    raw: Mapping[str, Any],
    sources: Sequence[Document],
    hidden: Collection[str],
) -> Iterator[Problem]:
    """The model's errors. `sources`, the uppermost first, tell file and line; sections in `hidden` show no values."""
    found = [(error_location(detail), detail) for detail in error.errors(include_url=False)]
    shared = {(location, detail["type"], detail["msg"]) for location, detail in found}
    for location, detail in found:
        taken_over = (
            location[0] == "agents"
            and location[2:3] in [(section,) for section in OVERRIDABLE]
            and not _has(raw, location)
        )
        # What an agent takes over from the stack is reported there, once.
        if taken_over and (location[2:], detail["type"], detail["msg"]) in shared:
            continue
        file, line = _source(location, sources)
        yield Problem(file, line, error_text(location, detail, concealed=location[0] in hidden))


def nearest(name: str, known: Collection[str]) -> str:
    """` did you mean ...?`, or all that is known."""
    near = difflib.get_close_matches(name.rpartition(":")[2], known, 1, cutoff=0.5)
    return f" did you mean {near[0]}?" if near else f" allowed: {', '.join(known)}"


def error_location(detail: ErrorDetails) -> Location:
    """Where an error of a model stands."""
    return tuple(part for part in detail["loc"] if part != "[key]")


def _allowed(location: Location) -> str:
    return _allowed_as(node_at(location) or {}, location)


def _allowed_as(node: Node, location: Location) -> str:
    how = f"; {set_command(property_path(location))}" if is_secret(node) else ""
    return f"allowed: {allowed(node)}{how}"


def _at(data: Any, location: Location) -> Any:
    for part in location:
        data = data[part]
    return data


def _has(raw: Any, location: Location) -> bool:
    for part in location:
        if not isinstance(raw, Mapping) or part not in raw:
            return False
        raw = raw[part]
    return True


def _source(location: Location, sources: Sequence[Document]) -> tuple[str, int | None]:
    """File and line of a setting, or of what is nearest around it: the file that set it last."""
    for length in range(len(location), 0, -1):
        for document in sources:
            if location[:length] in document.lines:
                return document.file, document.lines[location[:length]]
    return sources[0].file, None


def error_text(
    location: Location,
    detail: ErrorDetails,
    *,
    concealed: bool = False,
    node_at: Callable[[Location], Node | None] = node_at,
) -> str:
    """An error of a model in words; `node_at` is the schema of what stands at a location, that of the settings."""
    key, node, value = dotted(location), node_at(location), detail["input"]
    if detail["type"] == "extra_forbidden":
        parent = node_at(location[:-1]) or {}
        return f"{key}: unknown key;{nearest(str(location[-1]), resolved(parent).get('properties', {}))}"
    if node is None:
        return f"{key}: {detail['msg']}"
    if detail["type"] == "missing":
        path = property_path(location)
        generated = any(each == path or each.startswith(f"{path}.") for each in GENERATED)
        how = "; `turnscope init STACK` generates it" if generated else ""
        return f"{key}: missing: {described(resolved(node))} Allowed: {allowed(node)}{how}"
    if detail["loc"][-1] == "[key]":
        parent = resolved(node_at(location[:-1]) or {})
        return f"{key}: {json.dumps(location[-1])} as a name: allowed: {allowed(parent['propertyNames'])}"
    words = detail["msg"] if detail["type"] == "turnscope" else _allowed_as(node, location)
    return f"{key}: {_shown(value, concealed or holds_secret(node))}: {words}"


def described(node: Mapping[str, Any]) -> str:
    """A setting's description on one line, as a sentence."""
    text = " ".join(node.get("description", "").split())
    return text if text.endswith(".") else f"{text}."


def _shown(value: object, concealed: bool) -> str:
    if isinstance(value, SecretRef):
        return "[encrypted]"
    if isinstance(value, BaseModel):
        return "not set"  # only a section's default arrives as a model
    if isinstance(value, (dict, list)):
        return json.dumps(value) if not value else _kind(value)
    if concealed and value is not None:
        return "[not shown]"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= LONGEST_VALUE_CHARACTERS else text[: LONGEST_VALUE_CHARACTERS - 3] + "..."


def _kind(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case _:
            return "a string"
