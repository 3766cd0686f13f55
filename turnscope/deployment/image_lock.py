"""Pinning a stack's images: the digest that each tag has now, from the registry, into `stacks/<stack>.lock.yaml`.

A tag can be moved to other content; a digest cannot. Registry protocol: github.com/opencontainers/distribution-spec
(`HEAD /v2/<name>/manifests/<tag>`), docs.docker.com/reference/api/registry/auth (bearer tokens).
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from core.errors import UserError
from signoz.plan.images import Digests
from signoz.plan.model import Image

DOCKER_HUB = "registry-1.docker.io"
DOCKER_HUB_LOGIN = "https://index.docker.io/v1/"
"""What `docker login` calls Docker Hub."""
MANIFESTS = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
"""Lists of platforms first: their digest is good on every architecture."""
TIMEOUT_SECONDS = 20.0
HEADER = "# Written by `turnscope lock`: what each image's tag pointed at. Commit it.\n"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def lock_file(stack: str, project: Path) -> Path:
    return project / "stacks" / f"{stack}.lock.yaml"


def read_lock(stack: str, project: Path) -> Digests:
    """Repository and tag -> digest; empty where the stack has no lock. Raises `UserError` for a file that is none."""
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
        if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
            raise UserError(f"{path}: {reference}: allowed: sha256: and 64 hexadecimal digits.")
    return images


def write_lock(stack: str, project: Path, digests: Digests) -> Path:
    """Returns the file's path."""
    path = lock_file(stack, project)
    path.write_text(HEADER + yaml.safe_dump({"images": dict(sorted(digests.items()))}, width=1000), encoding="utf-8")
    return path


@dataclass(frozen=True)
class Registry:
    """Registries, as `docker pull` reaches them. `logins` are those of Docker's config.json, by registry."""

    client: httpx.Client
    logins: Mapping[str, tuple[str, str]]

    def digests(self, images: Iterable[Image]) -> Digests:
        """Each image's reference without digest -> digest. Raises `UserError`, exit code 1, for the first that no
        registry has."""
        found: dict[str, str] = {}
        for image in images:
            if image.lab:
                raise UserError(f"{image.reference} is built on this machine: only images of a registry are locked.")
            reference = f"{image.repository}:{image.tag}"
            if reference not in found:
                found[reference] = self._digest(image)
        return found

    def _digest(self, image: Image) -> str:
        host, name = registry_of(image.repository)
        url = f"{'http' if _on_this_machine(host) else 'https'}://{host}/v2/{name}/manifests/{image.tag}"
        try:
            answer = self._ask(url, {})
            if answer.status_code == httpx.codes.UNAUTHORIZED:
                answer = self._ask(url, {"Authorization": self._authorization(host, answer)})
        except httpx.HTTPError as error:
            raise UserError(
                f"No registry answers at {host} ({error}). Nothing was written. Behind a mirror, name it in "
                "signoz.images.registry; a stack with signoz.images.source: lab needs no lock.",
                exit_code=1,
            ) from None
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise UserError(f"{host} has no {name}:{image.tag}. Nothing was written.", exit_code=1)
        if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            raise UserError(f"{host} refuses {name}: log in first: docker login {host}", exit_code=1)
        digest = answer.headers.get("Docker-Content-Digest", "")
        if answer.is_error or not _DIGEST.fullmatch(digest):
            raise UserError(
                f"{host} answered {answer.status_code} without a digest for {name}:{image.tag}. Nothing was written.",
                exit_code=1,
            )
        return digest

    def _ask(self, url: str, headers: Mapping[str, str]) -> httpx.Response:
        return self.client.head(url, headers={"Accept": MANIFESTS, **headers}, follow_redirects=True)

    def _authorization(self, host: str, refusal: httpx.Response) -> str:
        """The header that the registry asked for: the login itself, or a token that its token service gives for it."""
        challenge = refusal.headers.get("WWW-Authenticate", "")
        login = self.logins.get(DOCKER_HUB_LOGIN if host == DOCKER_HUB else host)
        basic = "Basic " + base64.b64encode(":".join(login).encode()).decode() if login else ""
        if not challenge.lower().startswith("bearer "):
            return basic
        asked = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        realm = asked.pop("realm", "")
        answer = self.client.get(realm, params=asked, headers={"Authorization": basic} if basic else {})
        token = answer.json() if answer.is_success else {}
        return f"Bearer {token.get('token') or token.get('access_token') or ''}"


def registry_of(repository: str) -> tuple[str, str]:
    """Registry and name of a repository, as `docker pull` understands it.

    >>> registry_of("caddy"), registry_of("registry.example.com/mirror/caddy")
    (('registry-1.docker.io', 'library/caddy'), ('registry.example.com', 'mirror/caddy'))
    """
    first, _, rest = repository.partition("/")
    if rest and ("." in first or ":" in first or first == "localhost"):
        return first, rest
    return DOCKER_HUB, repository if rest else f"library/{repository}"


def docker_logins(config: Path) -> Mapping[str, tuple[str, str]]:
    """Logins in Docker's config.json; those kept by a credential helper are not there."""
    try:
        auths: dict[str, Any] = json.loads(config.read_text(encoding="utf-8")).get("auths", {})
    except (OSError, ValueError):
        return {}
    found = {}
    for registry, entry in auths.items():
        user, _, password = base64.b64decode(entry.get("auth", "")).decode(errors="replace").partition(":")
        if user and password:
            found[registry] = (user, password)
    return found


def lock(stack: str, project: Path, images: Iterable[Image], docker_config: Path) -> Path:
    """Write the stack's lock for `images` (`signoz.plan.images.registry_images`); returns its path."""
    with httpx.Client(timeout=TIMEOUT_SECONDS) as client:
        return write_lock(stack, project, Registry(client, docker_logins(docker_config)).digests(images))


def _on_this_machine(host: str) -> bool:
    return host.split(":")[0] in ("localhost", "127.0.0.1")
