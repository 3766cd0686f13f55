"""Plan objects of the SigNoz half: what runs on the Docker host. Frozen, no Pulumi, no I/O.

Names follow Docker's own: health check, ulimit, restart policy. A role is what a container is for; the release
catalogue says which roles a release has (`core.releases`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from core.roles import Role
from core.secrets.placeholders import Secrets
from signoz.content.model import ContentPlan

STACK_LABEL = "turnscope.stack"
CHECKOUT_LABEL = "turnscope.checkout"
"""The label of everything of a local stack that names the folder of the project that it was deployed from: a second
checkout on the same machine has a stack of the same name."""
RELEASE_LABEL = "turnscope.release"
"""The label of every container that names the release it belongs to."""


@dataclass(frozen=True)
class Image:
    """An image by tag, and by digest where the stack's lock names one. Never `latest`.

    `lab` images are built on this machine and named by the content that they are built from.
    """

    repository: str
    tag: str
    digest: str | None = None
    lab: bool = False

    @property
    def reference(self) -> str:
        return f"{self.repository}:{self.tag}" + (f"@{self.digest}" if self.digest else "")


@dataclass(frozen=True)
class File:
    """A file in a container.

    `text` holds secrets only as placeholders (`core.secrets.placeholders`), which are filled at deployment. `mode`
    is in octal digits as text, `owner` as UID:GID, as Docker takes them.
    """

    path: str
    text: str
    mode: str = "0644"
    owner: str = "0:0"
    secrets: Secrets = ()
    compose: Callable[[Mapping[str, str]], str] | None = None
    """Makes the text out of the secrets by path, where a placeholder cannot say it; raises `UserError` for a secret
    that cannot be used. `text` is then empty."""
    watched: bool = False
    """The program reads it again when it changes, so a change does not replace the container."""


@dataclass(frozen=True)
class VolumeMount:
    """A named volume. `keep` volumes hold data: teardown leaves them where they are."""

    volume: str
    path: str
    keep: bool = False
    read_only: bool = False


@dataclass(frozen=True)
class HostFolder:
    """A folder of the Docker host that a container may read: what is written there changes while it runs."""

    source: str
    path: str


@dataclass(frozen=True)
class ColdAccess:
    """How ClickHouse reaches its S3 bucket by a role of its own: `credentials` is the folder on the Docker host with
    the role's current keys, in the file of this name."""

    bucket: str
    """May hold the placeholder of the AWS account's ID."""
    region: str
    credentials: HostFolder
    file: str


@dataclass(frozen=True)
class Port:
    """A published port; only the gateway has any."""

    internal: int
    external: int
    address: str = "0.0.0.0"  # noqa: S104 - the gateway is what faces the network
    protocol: Literal["tcp", "udp"] = "tcp"


@dataclass(frozen=True)
class HealthCheck:
    """A command that succeeds once the role does its work, as Docker's `HEALTHCHECK` runs it."""

    command: tuple[str, ...]
    interval_seconds: int = 10
    timeout_seconds: int = 5
    retries: int = 6
    start_period_seconds: int = 30

    @classmethod
    def http_get(cls, url: str, *, start_period_seconds: int = 30) -> HealthCheck:
        """That `url` answers 200, asked from inside the container; a GET, as not every server answers HEAD."""
        return cls(("wget", "-q", "-O", "/dev/null", url), start_period_seconds=start_period_seconds)


@dataclass(frozen=True)
class Container:
    """A container of the stack.

    `after` are the roles that must be healthy (or, for a one-shot role, have succeeded) before this one starts.
    """

    role: Role
    name: str
    image: Image
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    """Holds no secrets: `docker inspect` shows it."""
    files: tuple[File, ...] = ()
    """What it reads, in volumes that the setup container fills (`signoz.plan.volumes`)."""
    uploads: tuple[File, ...] = ()
    """Put into the container itself before it starts; the setup container's way of getting everybody's files."""
    volumes: tuple[VolumeMount, ...] = ()
    host_folders: tuple[HostFolder, ...] = ()
    tmpfs: tuple[str, ...] = ()
    ports: tuple[Port, ...] = ()
    health: HealthCheck | None = None
    after: tuple[Role, ...] = ()
    one_shot: bool = False
    """Runs to its end and must succeed; what comes after waits for it."""
    start_timeout_seconds: int = 300
    """Healthy (or, for a one-shot role, done) within this time, or the deployment fails."""
    user: str | None = None
    """UID:GID; None is the image's own."""
    capabilities: tuple[str, ...] = ()
    """Linux capabilities, with CAP_; all others are dropped."""
    read_only_root: bool = False
    networked: bool = True
    memory_mib: int = 0
    cpus: float = 0
    open_files: int = 0
    stop_grace_seconds: int = 30


@dataclass(frozen=True)
class Server:
    """A server that the stack uses, and somebody else runs."""

    kind: str
    name: str
    """Where it is."""
    user: str
    tls: str


@dataclass(frozen=True)
class SigNozPlan:
    """The SigNoz half of a stack."""

    stack: str
    environment: str
    release: str
    network: str
    containers: tuple[Container, ...]
    labels: tuple[tuple[str, str], ...]
    content: ContentPlan = field(default_factory=ContentPlan)
    """What its API is to hold."""
    servers: tuple[Server, ...] = ()

    def container(self, role: Role) -> Container:
        """The container of `role`. Raises `KeyError` where the release has none."""
        for container in self.containers:
            if container.role == role:
                return container
        raise KeyError(role)
