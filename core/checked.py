"""Texts that passed a check, remembered by content: parsing a query again costs more than all the rest of a plan."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path


def digest(*parts: str | bytes) -> str:
    """A digest of texts and bytes, each with its length."""
    made = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        made.update(f"{len(content)}:".encode() + content)
    return made.hexdigest()


def of_files(paths: Iterable[Path]) -> str:
    """A digest of the content of files: what a check is made of, so that another version of it checks again."""
    return digest(*(path.read_bytes() for path in paths))


@dataclass
class Checked:
    """Runs a check once for each content; in `file` across processes, a digest a line. Without a file, always."""

    file: Path | None = None
    _known: set[str] | None = field(default=None, init=False)

    def check(self, run: Callable[[], object], *content: str) -> None:
        """`run()`, which raises where the content is wrong, unless the same content has passed it."""
        key = digest(*content)
        if self.file is None or key not in self._passed():
            run()
            self._add(key)

    def _passed(self) -> set[str]:
        if self._known is None:
            self._known = set()
            with suppress(OSError):
                self._known = set(self.file.read_text().split()) if self.file else set()
        return self._known

    def _add(self, key: str) -> None:
        if self.file:
            self._passed().add(key)
            with suppress(OSError):  # a folder that cannot be written: checked again next time
                self.file.parent.mkdir(parents=True, exist_ok=True)
                with self.file.open("a") as file:
                    file.write(f"{key}\n")


EVERY_TIME = Checked()
