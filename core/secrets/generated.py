"""Secrets that nobody needs to choose: passwords and tokens between the parts of a stack.

A local stack derives them from this machine's passphrase, so nothing has to be stored and `make up` needs no
questions. Any other stack gets random ones once, encrypted in its file (`turnscope init STACK`).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, cast

from core.secrets.reference import SecretRef, location_of, value_at

GENERATED = (
    "signoz.jwt_secret",
    "signoz.root_user.password",
    "signoz.clickhouse.password",
    "signoz.collector.tokens.default",
    "signoz.collector.firehose.access_key",
)
"""Where they are in the configuration."""

OPTIONAL = ("signoz.root_user", "signoz.collector.firehose")
"""Sections whose secrets are wanted only where they are there."""

_CLASSES = "aA1-"
"""SigNoz asks a password for lower and upper case, a digit and a special character; randomness may lack one."""


def derived(passphrase: str, reference: SecretRef) -> str:
    """A local stack's secret: the same for the same passphrase and place, and telling nothing about another's."""
    digest = hmac.digest(passphrase.encode(), reference.path.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).decode().rstrip("=") + _CLASSES


def random_secret() -> str:
    """256 random bits as 47 characters, of every class that a password may be asked for."""
    return secrets.token_urlsafe(32) + _CLASSES


def missing(raw: Mapping[str, Any]) -> list[SecretRef]:
    """The generated secrets that a stack's raw settings want and do not have; none without a `signoz` section."""
    if not isinstance(raw.get("signoz"), Mapping):
        return []
    return [SecretRef(path) for path in GENERATED if _wanted(raw, path) and value_at(raw, path) is None]


def _wanted(raw: Mapping[str, Any], path: str) -> bool:
    """The administrator is optional: classic releases have none. So is Firehose. A stack with tokens of other names
    needs no other. Who runs a ClickHouse of their own knows its password."""
    if path == "signoz.clickhouse.password" and value_at(raw, "signoz.clickhouse.external"):
        return False
    if path.startswith("signoz.collector.tokens."):
        return not value_at(raw, "signoz.collector.tokens")
    section = path.rpartition(".")[0]
    return section not in OPTIONAL or isinstance(value_at(raw, section), Mapping)


def put(raw: Mapping[str, Any], reference: SecretRef) -> dict[str, Any]:
    """`raw` with the reference at its own place; sections on the way are made. What stands in the way of one stays, for
    validation to report."""

    def at(node: Any, keys: Sequence[str]) -> Any:
        if not keys:
            return reference
        if node is not None and not isinstance(node, Mapping):
            return node
        section: dict[str, Any] = dict(cast(Mapping[str, Any], node or {}))
        section[keys[0]] = at(section.get(keys[0]), keys[1:])
        return section

    return at(raw, [str(key) for key in location_of(reference.path)])
