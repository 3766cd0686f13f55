"""Bodies of content as they are recorded, with placeholders, and as the API has them. Pure.

Placeholders are those of secrets (`core.secrets.placeholders`) and `{id:<kind>/<key>}`, for the identifier that the
server gave an object. What is recorded in the stack's state keeps them, so that a preview can show it and no secret is
in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from core.secrets.placeholders import HIDDEN, fill, secrets_in, texts, with_texts
from signoz.content.model import Kind

_ID = re.compile(r"\{id:(?P<name>[a-z-]+/[A-Za-z0-9._-]+)\}")
_SECRET_FIELDS = re.compile(
    r"(?i)api_url|(webhook_)?url|\w*(key|token|password|secret|credentials)(_id)?|authorization|chat_id"
)
"""Fields of an Alertmanager receiver that are, or may hold, a secret: prometheus.io/docs/alerting/latest/configuration
(`<secret>`), and every address, as many services put the token into it."""
_PUBLIC_FIELDS = frozenset({"title_link", "icon_url", "image_url", "thumb_url", "client_url"})


def as_text(body: Any) -> str:
    """JSON with sorted keys: the same text for the same body. Numbers stay what they are, which the engine's own
    values would not (it has no integers)."""
    return json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def ids_in(body: Any) -> tuple[str, ...]:
    """The objects that a body refers to, by `<kind>/<key>`, each once."""
    return tuple(sorted({found["name"] for text in texts(body) for found in _ID.finditer(text)}))


def filled(body: Any, secrets: Mapping[str, str], ids: Mapping[str, str]) -> Any:
    """`body` with every placeholder replaced. Raises `KeyError` for one whose value is not given."""
    identified = with_texts(body, lambda text: _ID.sub(lambda placeholder: ids[placeholder["name"]], text))
    return fill(identified, secrets)


def masked(kind: Kind, recorded: Any, desired: Any, actual: Any, ids: Mapping[str, str]) -> Any:
    """`actual`, which the server has in place of `desired`, as it may be recorded and shown.

    `desired` is `recorded` with its placeholders filled. Where both agree, the placeholders come back. A text that was
    a secret, or is in a field of a channel that may hold one, is hidden.
    """
    known = {value: f"{{id:{name}}}" for name, value in ids.items()}
    return _masked(kind, recorded, desired, actual, known, field="")


def hide(kind: Kind, body: Any, replacement: Callable[[str], str] = lambda _: HIDDEN, field: str = "") -> Any:
    """`body`, which somebody else wrote, without what may be a secret; `replacement` is given the field's name."""
    if isinstance(body, dict):
        return {key: hide(kind, value, replacement, key) for key, value in body.items()}
    if isinstance(body, list):
        return [hide(kind, value, replacement, field) for value in body]
    return replacement(field) if isinstance(body, str) and body and _may_be_secret(kind, field) else body


def _may_be_secret(kind: Kind, field: str) -> bool:
    return kind is Kind.CHANNEL and field not in _PUBLIC_FIELDS and bool(_SECRET_FIELDS.fullmatch(field))


def _masked(kind: Kind, recorded: Any, desired: Any, actual: Any, known: Mapping[str, str], field: str) -> Any:
    if desired == actual and recorded is not None:
        return recorded
    if isinstance(actual, dict):
        before, wanted = (each if isinstance(each, dict) else {} for each in (recorded, desired))
        return {
            key: _masked(kind, before.get(key), wanted.get(key), value, known, key) for key, value in actual.items()
        }
    if isinstance(actual, list):
        before, wanted = (each if isinstance(each, list) else [] for each in (recorded, desired))
        return [
            _masked(
                kind,
                before[index] if index < len(before) else None,
                wanted[index] if index < len(wanted) else None,
                value,
                known,
                field,
            )
            for index, value in enumerate(actual)
        ]
    if isinstance(actual, str):
        was_secret = isinstance(recorded, str) and bool(secrets_in(recorded))
        return HIDDEN if actual and (was_secret or _may_be_secret(kind, field)) else known.get(actual, actual)
    return actual
