"""What people built in SigNoz, as files of the stack's own content."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from core.errors import UserError
from signoz.content.api.kinds import ENDPOINTS
from signoz.content.loader import FOLDERS
from signoz.content.model import Kind
from signoz.content.placeholders import hide

REPLACE_ME = "REPLACE ME"
"""In place of a secret, which no file has."""


class Reader(Protocol):
    """What is asked of `SigNozClient`."""

    def list(self, kind: Kind) -> list[tuple[str, dict[str, Any]]]: ...
    def read(self, kind: Kind, object_id: str) -> dict[str, Any] | None: ...


@dataclass(frozen=True)
class Exported:
    """An object as a file: `path` below the folder of the stack's own content."""

    path: str
    text: str
    deployed: bool


def exported(
    client: Reader, folders: Collection[str], deployed: Mapping[tuple[Kind, str], str], *, everything: bool
) -> list[Exported]:
    """Every object of these folders' kinds, by path; `deployed` (kind and identifier -> key) ones with `everything`.

    A text goes back into the API as it is, and stands for the same object there: its name is in it. A deployed
    object's file has its key for a name, so that it takes the shipped one's place.
    """
    found: dict[str, Exported] = {}
    for folder in folders:
        kind = FOLDERS[folder]
        for object_id, _ in sorted(client.list(kind), key=lambda listed: listed[0]):
            key = deployed.get((kind, object_id))
            body = client.read(kind, object_id) if everything or key is None else None
            if body is None:
                continue
            path = _free(f"{folder}/{key or slug(title_of(kind, body))}", found)
            text = json.dumps(_written(kind, body), ensure_ascii=False, indent=2) + "\n"
            found[path] = Exported(path, text, key is not None)
    return [found[path] for path in sorted(found)]


def write(files: Collection[Exported], folder: Path, *, force: bool) -> list[Path]:
    """The files that were new or changed. Raises `UserError`, before anything is written, where one is there with
    another text, unless `force` says to overwrite it."""
    wanted = {folder / each.path: each.text for each in files}
    changed = {path: text for path, text in wanted.items() if not path.is_file() or path.read_text() != text}
    if (taken := [path for path in changed if path.exists()]) and not force:
        listed = "\n".join(f"  {path}" for path in taken)
        raise UserError(
            f"No file was written: these files exist with a different content (--force overwrites them):\n{listed}"
        )
    for path, text in changed.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return list(changed)


def title_of(kind: Kind, body: Mapping[str, Any]) -> str:
    """What SigNoz shows."""
    if kind is Kind.ALERT_RULE:
        return str(body.get("alert") or "")
    spec = body.get("spec") or {}
    display = spec.get("display") or {}
    return str(spec.get("displayName") or display.get("name") or body.get("name") or "")


def slug(title: str) -> str:
    """A title as a file's name: ASCII, lower case, words joined by hyphens, 1 to 63 characters."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()
    return re.sub("[^a-z0-9]+", "-", plain.lower()).strip("-")[:63].strip("-") or "unnamed"


def _written(kind: Kind, body: Mapping[str, Any]) -> Any:
    kept = {name: value for name, value in body.items() if name not in ENDPOINTS[kind].own}
    return hide(kind, kept, lambda _: REPLACE_ME)


def _free(path: str, taken: Collection[str]) -> str:
    number, name = 1, f"{path}.json"
    while name in taken:
        number += 1
        name = f"{path}-{number}.json"
    return name
