"""Placeholders that stand for secrets in rendered texts until these are deployed. Pure.

`{secret:<path>}` becomes the secret's value, `{sha256:<path>}` the hex SHA-256 of it, `{url:<path>}` the value as a
part of a URL, `{shell:<path>}` as one quoted word of a shell; the path is the secret's in the stack's configuration.
`{deployed:account_id}` becomes the AWS account's ID, which is no secret, but known to the deployment alone.
A text with its placeholders left in is the masked text.

A body is a text, or mappings and lists of texts (and of other values, which stay what they are) to any depth.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import urllib.parse
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from core.secrets.reference import SecretRef

Secrets = tuple[tuple[str, SecretRef], ...]
"""Path in placeholders -> the secret that it stands for, each once."""

HIDDEN = "[secret]"
"""In place of a value that is, or may be, a secret and has no placeholder."""

ACCOUNT_ID = SecretRef("account_id")
"""The AWS account's ID; whoever reads secrets of a plan gives its value."""
ACCOUNT_ID_PLACEHOLDER = f"{{deployed:{ACCOUNT_ID.path}}}"

_PLACEHOLDER = re.compile(r"\{(?P<kind>secret|sha256|url|shell|deployed):(?P<path>[A-Za-z0-9_./\[\]-]+)\}")


def value_of(reference: SecretRef) -> str:
    """The placeholder of the secret's value."""
    return f"{{secret:{reference.path}}}"


def sha256_of(reference: SecretRef) -> str:
    """The placeholder of the secret's SHA-256, in hex, where a program takes it in place of the value."""
    return f"{{sha256:{reference.path}}}"


def url_part(reference: SecretRef) -> str:
    """The placeholder of the secret's value as a part of a URL."""
    return f"{{url:{reference.path}}}"


def shell_word(reference: SecretRef) -> str:
    """The placeholder of the secret's value as one quoted word of a shell."""
    return f"{{shell:{reference.path}}}"


def secrets_in(body: Any) -> Secrets:
    """Each secret that `body` has placeholders of, sorted by path."""
    paths = sorted({found["path"] for text in texts(body) for found in _PLACEHOLDER.finditer(text)})
    return tuple((path, SecretRef(path)) for path in paths)


def fill(body: Any, values: Mapping[str, str]) -> Any:
    """`body` with every placeholder replaced; `values` are the secrets by path. Raises `KeyError` for a missing one."""

    def filled(placeholder: re.Match[str]) -> str:
        value = values[placeholder["path"]]
        match placeholder["kind"]:
            case "sha256":
                return hashlib.sha256(value.encode()).hexdigest()
            case "url":
                return urllib.parse.quote(value, safe="")
            case "shell":
                return shlex.quote(value)
            case _:
                return value

    return with_texts(body, lambda text: _PLACEHOLDER.sub(filled, text))


def without_secrets(message: str, values: Iterable[str]) -> str:
    """`message` with every one of `values` that it repeats hidden, also as JSON and Go quote them."""
    written = {
        each
        for value in values
        for each in (value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1])
        if each
    }
    if not written:
        return message
    # The longest first, or the rest of one that begins with another would stay.
    found = re.compile("|".join(map(re.escape, sorted(written, key=len, reverse=True))))
    return found.sub(HIDDEN, message)


def texts(body: Any) -> Iterator[str]:
    """Every text in a body; keys of mappings are none."""
    if isinstance(body, str):
        yield body
    elif isinstance(body, Mapping):
        for value in body.values():
            yield from texts(value)
    elif isinstance(body, (list, tuple)):
        for value in body:
            yield from texts(value)


def with_texts(body: Any, change: Callable[[str], str]) -> Any:
    """A body with every text changed; tuples become lists, as JSON has them."""
    if isinstance(body, str):
        return change(body)
    if isinstance(body, Mapping):
        return {key: with_texts(value, change) for key, value in body.items()}
    if isinstance(body, (list, tuple)):
        return [with_texts(value, change) for value in body]
    return body
