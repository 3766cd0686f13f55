"""`turnscope lock`."""

from __future__ import annotations

import os
from pathlib import Path

from core.errors import UserError
from turnscope.console import console
from turnscope.options import Stack, project_and_settings


def lock(stack: Stack) -> None:
    """Pin a stack's images by digest, as their registry reports it."""
    from core.releases import find_release
    from signoz.plan.images import registry_images
    from turnscope.deployment.image_lock import lock as write_lock

    project, settings = project_and_settings(stack)
    if not settings.signoz:
        raise UserError(f"Stack {stack} does not run SigNoz (turnscope:signoz), so it has no images to pin.")
    own = settings.signoz
    images = registry_images(own.images, find_release(own.release), own.gateway.image, {})
    config = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"
    console.print(f"Wrote {write_lock(stack, project.root, images.values(), config)}.")
