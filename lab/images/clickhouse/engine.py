"""The embedded engine: one session, one statement at a time."""

from __future__ import annotations

import re
import tempfile
import threading
from pathlib import Path
from typing import Any

from .statements import SELECTS, Insert, local

SETTINGS = (
    "compatibility = '25.12'",
    "max_threads = 1",
    "allow_suspicious_low_cardinality_types = 1",
)
HISTOGRAM_QUANTILE = """\
CREATE OR REPLACE FUNCTION histogramQuantile AS (buckets, counts, quantile) -> arrayMap(
    (bucket, rank) -> multiIf(
        length(buckets) < 2, nan,
        bucket IN (0, length(buckets)), buckets[length(buckets) - 1],
        bucket = 1 AND buckets[1] <= 0, buckets[1],
        arrayPushFront(buckets, 0)[bucket] + (buckets[bucket] - arrayPushFront(buckets, 0)[bucket])
            * (rank - arrayPushFront(counts, 0)[bucket]) / (counts[bucket] - arrayPushFront(counts, 0)[bucket])),
    [arrayFirstIndex(count -> count >= quantile * counts[-1], counts)], [quantile * counts[-1]])[1]"""
"""What SigNoz' executable of this name computes: Prometheus' histogram_quantile, from upper bounds in rising order and
cumulative counts. An embedded engine runs no executables."""
Column = tuple[str, str]
"""Name and type."""


class Engine:
    """A ClickHouse engine over the data in `folder`; every method may be called from any thread."""

    def __init__(self, folder: Path) -> None:
        from chdb.session import Session  # pyright: ignore[reportMissingImports]

        self._inserts = folder / "tmp"
        self._inserts.mkdir(parents=True, exist_ok=True)
        for left in self._inserts.glob("*.native"):
            left.unlink()
        self._lock = threading.RLock()
        self._session: Any = Session(str(folder / "engine"))
        for setting in SETTINGS:
            self._session.query(f"SET {setting}")
        self._session.query(HISTOGRAM_QUANTILE)

    def close(self) -> None:
        """End the session when the statement under way is done; no other one can start."""
        self._lock.acquire()
        self._session.close()

    def run(self, sql: str, output_format: str = "TabSeparated") -> bytes:
        """A statement's result in `output_format`; nothing where one node has nothing to do."""
        statement = local(sql)
        if statement is None:
            return b""
        with self._lock:
            return bytes(self._session.query(statement, output_format).bytes())

    def read(self, sql: str) -> tuple[list[Column], list[bytes]]:
        """The columns of a reading statement, and its rows as blocks of FORMAT Native, one for each data packet."""
        statement = local(sql) or ""
        with self._lock:
            if SELECTS.match(statement):
                # A streamed result comes block by block; a whole one is all blocks in a row, with no marks between.
                parts = self._session.send_query(statement, "Native")
                blocks = [bytes(part.bytes()) for part in parts]
                return self._describe(f"({statement})"), [block for block in blocks if block]
            block = bytes(self._session.query(statement, "Native").bytes())
            names, types = self._lines(statement, "TabSeparatedRawWithNamesAndTypes")[:2]
            return list(zip(names, types, strict=True)), [block] if block else []

    def columns(self, insert: Insert) -> list[Column]:
        """The columns that an insert gives."""
        with self._lock:
            picked = insert.columns or self._insertable(insert.table)
            return self._describe(f"(SELECT {picked} FROM {insert.table})")  # noqa: S608 - the client's own names

    def insert(self, table: str, columns: list[Column], block: bytes) -> None:
        """Store a block of FORMAT Native."""
        names = ", ".join(f"`{name}`" for name, _ in columns)
        with tempfile.NamedTemporaryFile(dir=self._inserts, suffix=".native") as file, self._lock:
            file.write(block)
            file.flush()
            self._session.query(f"INSERT INTO {table} ({names}) FROM INFILE '{file.name}' FORMAT Native")

    def _insertable(self, table: str) -> str:
        """What a Distributed table takes: all but the columns that its local table got later, default now()."""
        late = [row[0] for row in self._lines(f"DESCRIBE TABLE {table}") if "now()" in row[3]]
        return f"* EXCEPT ({', '.join(late)})" if late else "*"

    def _describe(self, source: str) -> list[Column]:
        return [(row[0], row[1]) for row in self._lines(f"DESCRIBE TABLE {source}")]

    def _lines(self, sql: str, output_format: str = "TabSeparatedRaw") -> list[list[str]]:
        text = bytes(self._session.query(sql, output_format).bytes()).decode()
        return [line.split("\t") for line in text.splitlines()]


def error_code(error: Exception) -> int:
    """ClickHouse's code of an error; 1000 (POCO_EXCEPTION) where it has none."""
    found = re.search(r"Code: (\d+)", str(error))
    return int(found[1]) if found else 1000
