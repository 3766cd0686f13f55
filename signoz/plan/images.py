"""Which image a role's container is made from. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from core.environments import Environment
from core.errors import UserError
from core.releases import Release
from core.roles import Role
from signoz.plan.model import Image
from stacks.settings.roles.images import Images

Digests = Mapping[str, str]
"""Repository and tag, as in `Image.reference` without a digest -> digest (`sha256:...`)."""


def registry_images(images: Images, release: Release, gateway: str | None, digests: Digests) -> Mapping[Role, Image]:
    """Each role's image, pinned where `digests` has it. `gateway` is an image that settings name instead."""
    found = {role: _image(images, role, *release.images[role]) for role in release.roles}
    found[Role.SETUP] = found[Role.CLICKHOUSE]  # it has a shell, and is there anyway
    if gateway:
        found[Role.GATEWAY] = _named(gateway)
    return {
        role: image if image.digest else Image(image.repository, image.tag, digests.get(image.reference))
        for role, image in found.items()
    }


def image_of(
    images: Images,
    release: Release,
    environment: Environment,
    gateway: str | None,
    digests: Digests,
    *,
    lab_image: Callable[[Role], Image] | None = None,
) -> Callable[[Role], Image]:
    """Role -> image, by the settings; with `images.source: lab` what `lab_image` says, except for a server that
    the settings name.

    Raises `UserError` for lab images outside environment local, or without `lab_image`.
    """
    if images.source == "lab":
        if environment != Environment.LOCAL or lab_image is None:
            raise UserError("signoz.images.source: lab; allowed: registry, except in environment local.")
        own = _named(images.server) if images.server else None
        servers = (Role.SIGNOZ, Role.QUERY_SERVICE)
        return lambda role: own if own and role in servers else lab_image(role)
    return registry_images(images, release, gateway, digests).__getitem__


def _image(images: Images, role: Role, repository: str, tag: str) -> Image:
    if role is Role.SIGNOZ and images.edition == "community":
        repository = f"{repository}-community"
    return Image(f"{images.registry}/{repository}" if images.registry else repository, tag)


def _named(reference: str) -> Image:
    name, _, digest = reference.partition("@")
    repository, _, tag = name.rpartition(":")
    return Image(repository, tag, digest or None)
