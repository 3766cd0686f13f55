"""Where a secret is, in place of its value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SecretRef:
    """A secret setting, by where it stands in the stack's configuration; its value is never in a plan."""

    path: str
