"""JSON objects by kind and id, in one SQLite file, as SigNoz keeps its own."""

from __future__ import annotations

import datetime
import json
import secrets
import sqlite3
import threading
import time
import uuid
from pathlib import Path
from typing import Any

Object = dict[str, Any]


class Store:
    """Every method may be called from any thread; what returned is on disk."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = wal")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS object (kind TEXT, id TEXT, value TEXT, PRIMARY KEY (kind, id))"
        )

    def all(self, kind: str) -> list[Object]:
        """Oldest first."""
        with self._lock:
            rows = self._database.execute("SELECT value FROM object WHERE kind = ? ORDER BY rowid", (kind,)).fetchall()
        return [json.loads(value) for (value,) in rows]

    def get(self, kind: str, identifier: str) -> Object | None:
        with self._lock:
            row = self._database.execute(
                "SELECT value FROM object WHERE kind = ? AND id = ?", (kind, identifier)
            ).fetchone()
        return json.loads(row[0]) if row else None

    def add(self, kind: str, value: Object, identifier: str | None = None) -> Object:
        """The stored object: with an id and its times."""
        now = timestamp()
        stored = {**value, "id": identifier or _uuid7(), "createdAt": now, "updatedAt": now}
        self._write(kind, stored)
        return stored

    def replace(self, kind: str, old: Object, value: Object) -> Object:
        """`value` in the place of `old`, whose id and time of creation it keeps."""
        stored = {**value, "id": old["id"], "createdAt": old["createdAt"], "updatedAt": timestamp()}
        self._write(kind, stored)
        return stored

    def remove(self, kind: str, identifier: str) -> None:
        with self._lock:
            self._database.execute("DELETE FROM object WHERE kind = ? AND id = ?", (kind, identifier))

    def _write(self, kind: str, value: Object) -> None:
        with self._lock:
            self._database.execute(
                "INSERT INTO object VALUES (?, ?, ?) ON CONFLICT (kind, id) DO UPDATE SET value = excluded.value",
                (kind, value["id"], json.dumps(value)),
            )


def _uuid7() -> str:
    """Of version 7, as SigNoz' identifiers: the time in milliseconds first."""
    number = (int(time.time() * 1000) << 80) | (7 << 76) | (secrets.randbits(12) << 64) | (2 << 62)
    return str(uuid.UUID(int=number | secrets.randbits(62)))


def timestamp() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat().replace("+00:00", "Z")
