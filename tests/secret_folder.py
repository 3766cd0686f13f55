"""The folder of a container's secret files on the Docker host."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def replace_secret_files(folder: Path, files: Mapping[str, str], owner_id: int | None = None) -> None:
    """Write files (name -> content) readable by their owner alone; `owner_id` is the user id in the container.

    Each is renamed into place, so that a program watching the folder never reads half of one: an empty token file,
    in the moment between emptying and writing it, would be one empty token, which the collector accepts.
    """
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    for name, content in files.items():
        if not content or content != content.strip():
            raise ValueError(f"{name}: empty, or with blanks or line ends around its content")
        part = folder / f".{name}.part"
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "w") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if owner_id is not None:
            os.chown(part, owner_id, -1)
        part.replace(folder / name)
