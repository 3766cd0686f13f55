"""What a local stack needs no settings for, because this machine decides it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.secrets import generated as generated_secrets

LAB_IMAGES_MARK = "lab-images"
"""A file in the stack's private folder: no image registry answered when the stack was last deployed."""
LAB_DOCKER_VERSION = "20.10.24"
"""Docker Engine of Debian 12, which the lab's machines run (https://packages.debian.org/bookworm/docker.io)."""


def with_local_defaults(raw: Mapping[str, Any], private: Path) -> dict[str, Any]:
    """Raw settings of environment local, with references to secrets that are derived on this machine, the Docker that
    the lab's machines have, and lab images where no registry answered (`private` is the stack's folder below
    `.turnscope`)."""
    filled = dict(raw)
    for reference in generated_secrets.missing(filled):
        filled = generated_secrets.put(filled, reference)
    host = filled.get("host")
    if isinstance(host, Mapping):
        filled["host"] = {"docker_version": LAB_DOCKER_VERSION, **host}
    signoz = filled.get("signoz")
    if isinstance(signoz, Mapping) and (private / LAB_IMAGES_MARK).exists():
        images = signoz.get("images") or {}
        if isinstance(images, Mapping):
            filled["signoz"] = {**signoz, "images": {"source": "lab", **images}}
    return filled
