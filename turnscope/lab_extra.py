"""The extra `lab`, which only a stack of environment local needs and a production environment does not have."""

from __future__ import annotations

import sys
from importlib.util import find_spec

from core.errors import UserError

PACKAGES = ("duckdb", "flask", "flask_cors", "moto", "pyarrow")
"""As they are imported, one for each requirement of the extra in pyproject.toml."""


def require_lab() -> None:
    """Raise `UserError` (exit code 2) where a package of the extra is missing; imports none of them."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise UserError(
            f"A stack of environment local needs the extra `lab`, and {sys.prefix} lacks {', '.join(missing)}. "
            "Install it: make setup (or pip install --require-hashes -r requirements-dev.lock)."
        )
