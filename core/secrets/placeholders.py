"""Marks that stand for secrets in rendered text until it is deployed.

`{secret:<path>}` becomes the secret's value, `{sha256:<path>}` the hex SHA-256 of it, `{url:<path>}` the value as a
part of a URL, `{shell:<path>}` as one quoted word of a shell; the path says where the value stands in the stack's
configuration. A text with its marks left in is the masked text.
"""

from __future__ import annotations

import hashlib
import re
import shlex
import urllib.parse
from collections.abc import Mapping

from core.secrets.reference import SecretRef
from signoz.plan.model import File

_MARK = re.compile(r"\{(?P<form>secret|sha256|url|shell):(?P<path>[A-Za-z0-9_./-]+)\}")


def value_of(reference: SecretRef) -> str:
    """The mark that becomes the secret's value."""
    return f"{{secret:{reference.path}}}"


def sha256_of(reference: SecretRef) -> str:
    """The mark that becomes the secret's SHA-256, in hex, where a program takes it in place of the value."""
    return f"{{sha256:{reference.path}}}"


def url_part(reference: SecretRef) -> str:
    """The mark that becomes the secret's value as a part of a URL."""
    return f"{{url:{reference.path}}}"


def shell_word(reference: SecretRef) -> str:
    """The mark that becomes the secret's value as one quoted word of a shell."""
    return f"{{shell:{reference.path}}}"


def secrets_in(text: str) -> tuple[tuple[str, SecretRef], ...]:
    """Each secret that `text` has marks of, once, by its path."""
    paths = sorted({found["path"] for found in _MARK.finditer(text)})
    return tuple((path, SecretRef(path)) for path in paths)


def fill(text: str, values: Mapping[str, str]) -> str:
    """`text` with every mark replaced; `values` are the secrets by path. Raises `KeyError` for one that is missing."""

    def filled(mark: re.Match[str]) -> str:
        value = values[mark["path"]]
        match mark["form"]:
            case "sha256":
                return hashlib.sha256(value.encode()).hexdigest()
            case "url":
                return urllib.parse.quote(value, safe="")
            case "shell":
                return shlex.quote(value)
            case _:
                return value

    return _MARK.sub(filled, text)


def marked_file(path: str, text: str, *, owner: str = "0:0") -> File:
    """A file that names the secrets marked in its text, and that only its owner can read if there are any."""
    secrets = secrets_in(text)
    return File(path, text, mode="0400" if secrets else "0444", owner=owner, secrets=secrets)
