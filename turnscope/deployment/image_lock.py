"""A stack's lock, `stacks/<stack>.lock.yaml`: the digest that each of its images' tags had when `turnscope lock` ran.

A tag can be moved to other content; a digest cannot.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import yaml

from core.errors import UserError
from signoz.plan.images import Digests
from signoz.plan.model import Image

HEADER = "# Written by `turnscope lock`: what each image's tag pointed at. Commit it.\n"
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
"""With the algorithm that registries use: github.com/opencontainers/image-spec/blob/main/descriptor.md#sha-256."""


def lock_file(stack: str, project: Path) -> Path:
    return project / "stacks" / f"{stack}.lock.yaml"


def read_lock(stack: str, project: Path) -> Digests:
    """Repository and tag -> digest; empty for a stack without a lock. Raises `UserError` for a file that is not one."""
    path = lock_file(stack, project)
    if not path.is_file():
        return {}
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not YAML: {error}") from None
    images = found.get("images") if isinstance(found, dict) else None
    if not isinstance(images, dict):
        raise UserError(f"{path}: allowed: `images`, a mapping of image:tag to digest; write it with `turnscope lock`.")
    for reference, digest in images.items():
        if not isinstance(digest, str) or not DIGEST.fullmatch(digest):
            raise UserError(f"{path}: {reference}: allowed: sha256: and 64 hexadecimal digits.")
    return images


def write_lock(stack: str, project: Path, digests: Digests) -> Path:
    """Write the lock, sorted by image; returns its path."""
    path = lock_file(stack, project)
    path.write_text(HEADER + yaml.safe_dump({"images": dict(digests)}, width=1000, sort_keys=True), encoding="utf-8")
    return path


def lock(stack: str, project: Path, images: Iterable[Image], docker_config: Path) -> Path:
    """Write the stack's lock for `images` (`signoz.plan.images.registry_images`); returns its path.

    `docker_config` is Docker's config.json. Raises `UserError` as `image_registry.Registries.digests` does; nothing is
    written then.
    """
    # Here: it loads an HTTP client, and every plan reads a lock.
    from turnscope.deployment.image_registry import Registries, docker_logins, registry_client

    logins = docker_logins(docker_config)
    with registry_client() as client:
        return write_lock(stack, project, Registries(client, logins).digests(images))
