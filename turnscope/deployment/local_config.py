"""The configuration that the engine runs a local stack with: its file, with this machine's salt."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml


def write_config(stack_file: Path, directory: Path, overrides: Mapping[str, Any]) -> Path:
    """Write it into `directory`, this machine's files of the stack, with the salt that the engine left there.

    `overrides` are keys (`namespace:key`) with the values that they have instead.
    """
    path = directory / stack_file.name
    salt = (yaml.safe_load(path.read_text()) or {}).get("encryptionsalt") if path.exists() else None
    text = stack_file.read_text()
    if overrides:
        stored = yaml.safe_load(text)
        text = yaml.safe_dump({**stored, "config": {**stored["config"], **overrides}}, sort_keys=False)
    if salt and "encryptionsalt:" not in text:
        text = f"{text.rstrip()}\nencryptionsalt: {salt}\n"
    directory.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path
