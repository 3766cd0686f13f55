"""The collector's secret files. Pure.

The collector takes an empty credential as it is, and an empty Firehose key accepts every request: so each is checked
here, once its value is known and before anything is deployed.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from core.errors import UserError
from core.secrets import placeholders
from core.secrets.reference import SecretRef
from signoz.plan.files import rendered_file
from signoz.plan.model import File
from signoz.roles.collector.config import (
    CLICKHOUSE_PASSWORD,
    FIREHOSE_ACCESS_KEY,
    LANGFUSE_CREDENTIALS,
    SECRETS_FOLDER,
    TOKENS,
    Generation,
)
from signoz.roles.migrator import USER
from stacks.settings.roles.signoz import SigNozSettings

MINIMUM_CREDENTIAL_CHARACTERS = 16


def credential_files(settings: SigNozSettings, generation: Generation) -> list[File]:
    """Tokens, ClickHouse's password, and the keys of what is switched on."""
    own, current = settings.collector, generation is Generation.CURRENT
    password = placeholders.url_part(settings.clickhouse.password)
    files = [
        # A classic collector does not read it again.
        _composed(TOKENS, _TokenFile(tuple(own.tokens), generation), tuple(own.tokens.values()), watched=current),
        rendered_file(f"{SECRETS_FOLDER}/{CLICKHOUSE_PASSWORD}", password, owner=USER),
    ]
    if (langfuse := own.langfuse) and langfuse.public_key and langfuse.secret_key:
        files.append(_composed(LANGFUSE_CREDENTIALS, _langfuse_file, (langfuse.public_key, langfuse.secret_key)))
    if own.firehose:
        files.append(_composed(FIREHOSE_ACCESS_KEY, _firehose_file, (own.firehose.access_key,)))
    return files


def token_file(tokens: Mapping[str, str], generation: Generation = Generation.CURRENT) -> str:
    """The content of the token file: one token a line, no line end after the last. `tokens`: name -> token.

    The collector takes every line for a token, an empty one too: a final line end, or an empty token, would let in
    whoever sends `Authorization: Bearer ` with nothing behind it. Two names of one token are refused too, as to remove
    either would revoke nothing. Raises `UserError`, which shows names and no token.
    """
    if not tokens:
        raise UserError("collector tokens: none; allowed: at least one")
    if generation is Generation.CLASSIC and len(tokens) > 1:
        raise UserError(
            f"collector tokens: {', '.join(tokens)}; allowed: one, because the collector of SigNoz 0.75 takes one token"
        )
    names: dict[str, str] = {}
    for name, token in tokens.items():
        if (other := names.setdefault(credential(f"collector token {name}", token), name)) != name:
            raise UserError(f"collector tokens {other} and {name} are the same; allowed: a token of its own per name")
    return "\n".join(names)


def langfuse_credentials(public_key: str, secret_key: str) -> str:
    """The content of the file with Langfuse's credentials, for basic authentication. Raises `UserError`."""
    pair = f"{credential('Langfuse public_key', public_key)}:{credential('Langfuse secret_key', secret_key)}"
    return base64.b64encode(pair.encode()).decode()


def credential(name: str, value: str) -> str:
    """A secret that is fit for a file that the collector reads. Raises `UserError`, which does not show it."""
    if not re.fullmatch(r"[A-Za-z0-9._~+/-]+=*", value) or len(value) < MINIMUM_CREDENTIAL_CHARACTERS:
        raise UserError(
            f"{name}: {'not usable' if value else 'empty'}; allowed: {MINIMUM_CREDENTIAL_CHARACTERS} or more letters, "
            "digits and . _ ~ + / - with = at the end"
        )
    return value


@dataclass(frozen=True)
class _Composed:
    """Makes a file's text out of the values of secrets by path; equal for equal files, as plans are compared."""

    make: Callable[[Sequence[str]], str]
    paths: tuple[str, ...]

    def __call__(self, values: Mapping[str, str]) -> str:
        return self.make([values[path] for path in self.paths])


def _composed(
    name: str, make: Callable[[Sequence[str]], str], references: Sequence[SecretRef], *, watched: bool = False
) -> File:
    secrets = tuple((reference.path, reference) for reference in references)
    compose = _Composed(make, tuple(path for path, _ in secrets))
    path = f"{SECRETS_FOLDER}/{name}"
    return File(path, "", mode="0400", owner=USER, secrets=secrets, compose=compose, watched=watched)


@dataclass(frozen=True)
class _TokenFile:
    """Equal for equal names, as `_Composed` must be."""

    names: tuple[str, ...]
    generation: Generation

    def __call__(self, tokens: Sequence[str]) -> str:
        return token_file(dict(zip(self.names, tokens, strict=True)), self.generation)


def _langfuse_file(keys: Sequence[str]) -> str:
    return langfuse_credentials(*keys)


def _firehose_file(keys: Sequence[str]) -> str:
    return credential("Firehose access_key", *keys)
