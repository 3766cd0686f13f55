"""What a local stack needs no settings for, because this machine decides it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.secrets import generated as generated_secrets

LAB_IMAGES_MARK = "lab-images"
"""A file in the stack's private folder: no image registry answered when the stack was last deployed."""


def with_local_defaults(raw: Mapping[str, Any], private: Path) -> dict[str, Any]:
    """Raw settings of environment local, with references to secrets that are derived on this machine, and lab images
    where no registry answered (`private` is the stack's folder below `.turnscope`)."""
    filled = dict(raw)
    for reference in generated_secrets.missing(filled):
        filled = generated_secrets.put(filled, reference)
    signoz = filled.get("signoz")
    if isinstance(signoz, Mapping) and (private / LAB_IMAGES_MARK).exists():
        images = signoz.get("images") or {}
        if isinstance(images, Mapping):
            filled["signoz"] = {**signoz, "images": {"source": "lab", **images}}
    return filled
