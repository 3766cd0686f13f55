"""The digest that an image's tag has now, from its registry. No Docker engine is asked: the registry is read as
`docker buildx imagetools inspect` reads it (docs/decisions/registries-are-asked-without-an-engine.md).

Protocol: github.com/opencontainers/distribution-spec (`HEAD /v2/<name>/manifests/<tag>`),
docs.docker.com/reference/api/registry/auth (tokens), distribution.github.io/distribution/spec/auth/oauth (tokens for an
identity token). Logins are found where `docker login` keeps them, in config.json or in the credential helpers that it
names: docs.docker.com/reference/cli/docker/login.
"""

from __future__ import annotations

import base64
import hashlib
import re
import ssl
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
from docker import auth
from docker.errors import DockerException

from core.errors import UserError
from signoz.plan.images import Digests
from signoz.plan.model import Image
from turnscope.deployment.image_lock import DIGEST

DOCKER_HUB = "registry-1.docker.io"
"""The host that serves docker.io."""
MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
"""Lists of platforms first: their digest is valid on every architecture."""
DIGEST_HEADER = "Docker-Content-Digest"
"""Optional: github.com/opencontainers/distribution-spec/blob/main/spec.md#legacy-docker-support-http-headers."""
LOOPBACK = ("localhost", "127.0.0.1")
"""Registries on this machine need no TLS, as for Docker."""
TIMEOUT_SECONDS = 20.0


@dataclass(frozen=True)
class Repository:
    """A repository: its registry by the name that logins are stored under, the host that serves it, the path there."""

    registry: str
    host: str
    path: str

    @property
    def manifests(self) -> str:
        """The address of its manifests; a tag follows."""
        scheme = "http" if self.host.split(":")[0] in LOOPBACK else "https"
        return f"{scheme}://{self.host}/v2/{self.path}/manifests/"

    @property
    def login_command(self) -> str:
        return "docker login" if self.registry == auth.INDEX_NAME else f"docker login {self.registry}"


def repository_of(name: str) -> Repository:
    """The repository of an image's name without tag, as `docker pull` understands it.

    >>> repository_of("caddy").path, repository_of("registry.example.com/mirror/caddy").host
    ('library/caddy', 'registry.example.com')
    """
    index, path = auth.split_repo_name(name)
    registry = auth.resolve_index_name(index)
    if registry != auth.INDEX_NAME:
        return Repository(registry, registry, path)
    return Repository(registry, DOCKER_HUB, path if "/" in path else f"library/{path}")


def docker_logins(config: Path) -> auth.AuthConfig:
    """The logins of Docker's config.json and of the credential helpers that it names; none without the file.

    Raises `UserError` for a login that cannot be read.
    """
    if not config.is_file():
        return auth.AuthConfig({})
    try:
        return auth.load_config(config_path=str(config))
    except (DockerException, ValueError) as error:
        raise UserError(f"{config}: its `auths` cannot be read: {error}; `docker login` writes them.") from None


def registry_client() -> httpx.Client:
    """A client that reaches registries as Docker does, and uses the environment's proxy except for this machine."""
    direct = {f"all://{host}": None for host in LOOPBACK}
    return httpx.Client(timeout=TIMEOUT_SECONDS, verify=trusted_authorities(), mounts=direct, follow_redirects=True)


def trusted_authorities() -> ssl.SSLContext:
    """The public authorities, and the system's (or those of SSL_CERT_FILE), where a company adds its own."""
    trusted = httpx.create_ssl_context(trust_env=False)
    trusted.load_default_certs()
    return trusted


@dataclass(frozen=True)
class Registries:
    """Image registries, read with Docker's logins."""

    client: httpx.Client
    logins: auth.AuthConfig

    def digests(self, images: Iterable[Image]) -> Digests:
        """Each image's reference without digest -> digest, of the list of platforms if the image has one.

        Raises `UserError` for a lab image; with exit code 1 for the first image that its registry does not have or
        refuses, for a registry that does not answer, and for a credential helper that fails.
        """
        found: dict[str, str] = {}
        for image in images:
            if image.lab:
                raise UserError(f"{image.reference} is built on this machine: only images of a registry are locked.")
            reference = f"{image.repository}:{image.tag}"
            if reference not in found:
                found[reference] = self._digest(repository_of(image.repository), image.tag)
        return found

    def _digest(self, repository: Repository, tag: str) -> str:
        host, url = repository.host, repository.manifests + tag
        headers = {"Accept": ", ".join(MANIFESTS)}
        try:
            answer = self.client.head(url, headers=headers)
            if answer.status_code == httpx.codes.UNAUTHORIZED:
                headers |= self._authorization(repository.registry, answer)
                answer = self.client.head(url, headers=headers)
            if answer.is_success and DIGEST_HEADER not in answer.headers:
                answer = self.client.get(url, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise _not_locked(
                f"No registry answers at {host} ({error})",
                "Behind a mirror, name it in signoz.images.registry; "
                "a stack with signoz.images.source: lab needs no lock.",
            ) from None
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise _not_locked(f"{host} has no {repository.path}:{tag}")
        if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            raise _not_locked(f"{host} refuses {repository.path}", f"Log in first: {repository.login_command}")
        digest = _digest_in(answer)
        if answer.is_error or not DIGEST.fullmatch(digest):
            raise _not_locked(f"{host} answered {answer.status_code} without a digest for {repository.path}:{tag}")
        return digest

    def _authorization(self, registry: str, refusal: httpx.Response) -> Mapping[str, str]:
        """The header that the registry requires: the login itself, or a token that its token service returns for it."""
        login = self._login(registry)
        basic = _basic(login)
        challenge = refusal.headers.get("WWW-Authenticate", "")
        if not challenge.lower().startswith("bearer "):
            return basic
        asked = dict(re.findall(r'(realm|service|scope)="([^"]*)"', challenge))
        realm = httpx.URL(asked.pop("realm", ""))
        if token := login.get("identitytoken"):
            form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": "turnscope"}
            answer = self.client.post(realm, data={**asked, **form})
        else:
            answer = self.client.get(realm.copy_merge_params(asked), headers=basic)
        given = answer.json() if answer.is_success else {}
        return {"Authorization": f"Bearer {given.get('token') or given.get('access_token') or ''}"}

    def _login(self, registry: str) -> Mapping[str, str]:
        """`username` and `password`, or `identitytoken`; empty without a login. Raises `UserError`."""
        try:
            with warnings.catch_warnings(action="ignore"):  # about a missing helper: an error below
                found = self.logins.resolve_authconfig(registry) or {}
        except (DockerException, ValueError, KeyError) as error:
            reason = " ".join(str(error.__cause__ or error).split())
            raise _not_locked(f"The credential helper for {registry} failed: {reason}") from None
        # docker-py capitalizes the keys of a helper's login.
        return {key.lower(): value for key, value in found.items() if value}


def _digest_in(answer: httpx.Response) -> str:
    """The digest in the answer's header, or of the manifest in its body; empty for an answer with neither."""
    if DIGEST_HEADER not in answer.headers and answer.headers.get("Content-Type") in MANIFESTS:
        return f"sha256:{hashlib.sha256(answer.content).hexdigest()}"
    return answer.headers.get(DIGEST_HEADER, "")


def _basic(login: Mapping[str, str]) -> Mapping[str, str]:
    if "username" not in login:
        return {}
    user = f"{login['username']}:{login.get('password', '')}"
    return {"Authorization": f"Basic {base64.b64encode(user.encode()).decode()}"}


def _not_locked(reason: str, advice: str = "") -> UserError:
    return UserError(f"{reason}. Nothing was written." + (f" {advice}" if advice else ""), exit_code=1)
