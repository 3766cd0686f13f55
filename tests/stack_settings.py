"""Settings from plain data, without a project's files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stacks.settings.documents import Document
from stacks.settings.loading import validated
from stacks.settings.model import Settings


def validate(raw: Mapping[str, Any], *, source: Path) -> Settings:
    """Of data as in `base.yaml`; `source` is what messages call it. Raises `UserError` with every problem."""
    return validated(str(source), Document(str(source), dict(raw)), Document(str(source)))
