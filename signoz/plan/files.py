"""A container's files: what they are before deployment, once their secrets are known, and to a reader. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from core.errors import UserError
from core.secrets import placeholders
from core.secrets.values import set_command
from signoz.plan.model import File


def rendered_file(path: str, text: str, *, owner: str = "0:0") -> File:
    """A file that names the secrets its text has placeholders of; with any, only its owner can read it."""
    secrets = placeholders.secrets_in(text)
    return File(path, text, mode="0400" if secrets else "0444", owner=owner, secrets=secrets)


def content(file: File, values: Mapping[str, str]) -> str:
    """The text with its secrets in it; `values` are those by the path that placeholders name.

    Raises `UserError`, which shows no value, for a secret that is empty: no protection at all, and most programs
    would not mind.
    """
    for path, value in values.items():
        if not value.strip():
            raise UserError(f"Secret {path} is empty; allowed: a value. Set it: {set_command(path)}")
    if file.compose:
        return file.compose(values)
    return placeholders.fill(file.text, values)


def masked(file: File) -> str:
    """The text with its placeholders left in."""
    return f"{placeholders.HIDDEN}\n" if file.compose else file.text
