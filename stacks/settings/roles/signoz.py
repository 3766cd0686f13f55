"""Settings of SigNoz on a Docker host: the release, the host, who administers it, and each role's own settings."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from core.releases import CURRENT, VERSIONS, Coordination, Split, find_release
from stacks.settings.fields import NUMBER, Email, Flag, Matching, Model, OneOf, Secret, problem
from stacks.settings.roles.alertmanager import AlertmanagerSettings
from stacks.settings.roles.clickhouse import ClickHouseSettings
from stacks.settings.roles.collector import CollectorSettings
from stacks.settings.roles.content import ContentSettings
from stacks.settings.roles.gateway import GatewaySettings
from stacks.settings.roles.images import Images

Cpus = Annotated[float, Field(ge=0.1, le=128), NUMBER]
MemoryMib = Annotated[int, Field(ge=64, le=1_048_576), NUMBER]


class RootUser(Model):
    """SigNoz' first administrator, made when it starts; its password is set again at every start."""

    email: Email
    """The address to sign in with."""
    password: Secret
    """Password (secret): 12 or more characters, with upper and lower case, a digit and one of ~!@#$%^&*()_+`-={}|."""
    organisation: Annotated[
        str, Matching("[A-Za-z0-9][A-Za-z0-9 ._-]{0,62}", "1 to 63 letters, digits, ., _ and -")
    ] = "default"
    """The organisation that it makes; there is one."""


class Limits(Model):
    """Limits of the containers that have no settings of their own; Docker refuses more CPUs than its host has."""

    server_memory_mib: MemoryMib = 1024
    """MiB of memory of SigNoz' server (query service)."""
    keeper_memory_mib: MemoryMib = 512
    """MiB of memory of Keeper (or ZooKeeper)."""
    gateway_memory_mib: MemoryMib = 256
    """MiB of memory of the gateway."""
    clickhouse_cpus: Cpus = 2
    """CPUs of ClickHouse."""
    server_cpus: Cpus = 1
    """CPUs of SigNoz' server."""
    collector_cpus: Cpus = 1
    """CPUs of the collector."""
    open_files: Annotated[int, Field(ge=1024, le=1_048_576), NUMBER] = 262_144
    """Most open files that a container may have, where its role asks for more; what ClickHouse asks for. A Docker
    host that may not raise its own limit (`ulimit -Hn`) needs it, or less, here."""


class SigNozSettings(Model):
    """SigNoz on a Docker host."""

    release: Annotated[str, OneOf(VERSIONS)] = CURRENT.version
    """The release: a tested set of versions (docs/how-to/signoz.md)."""
    coordination: Literal["keeper", "zookeeper"] | None = None
    """What keeps the state of ClickHouse's tables; null for the release's own. A stack that was made with ZooKeeper
    stays with it when it is upgraded: tables do not find their state in the other."""
    docker_host: Annotated[
        str,
        Matching(
            r"unix:///\S+|ssh://([A-Za-z0-9._-]+@)?[A-Za-z0-9.-]+(:[0-9]{1,5})?",
            "unix:///var/run/docker.sock, or ssh://USER@HOST",
        ),
    ] = "unix:///var/run/docker.sock"
    """The Docker engine; over ssh the keys are those of the shell that deploys."""
    keep_volumes: Flag = True
    """Teardown leaves ClickHouse's, Keeper's, SigNoz' and the gateway's data; the next deployment takes it up again."""
    images: Images = Images()
    """Where images come from."""
    root_user: RootUser | None = None
    """SigNoz' first administrator; from release 0.112 on required."""
    jwt_secret: Secret
    """What sessions are signed with (secret); a new one signs everybody out."""
    clickhouse: ClickHouseSettings
    """Where telemetry is stored."""
    collector: CollectorSettings
    """What takes telemetry in."""
    alertmanager: AlertmanagerSettings = AlertmanagerSettings()
    """Who is told of alerts."""
    gateway: GatewaySettings = GatewaySettings()
    """What faces the network."""
    limits: Limits = Limits()
    """Memory and CPUs of the other containers."""
    content: ContentSettings | None = ContentSettings()
    """What it holds: dashboards, alert rules, retention; null to leave that to people."""

    @field_validator("coordination")
    @classmethod
    def _keeper_is_newer(cls, value: str | None, info: ValidationInfo) -> str | None:
        release = info.data.get("release")
        own = find_release(release).coordination if release in VERSIONS else None
        if value == Coordination.KEEPER and own == Coordination.ZOOKEEPER:
            raise problem(f"allowed: zookeeper, or null, with release {release}")
        return value

    @field_validator("images")
    @classmethod
    def _community_is_newer(cls, value: Images, info: ValidationInfo) -> Images:
        release = info.data.get("release")
        separate = release in VERSIONS and find_release(release).split is Split.SEPARATE
        if value.edition == "community" and separate:
            raise problem(f"allowed: edition default, with release {release}")
        return value

    @field_validator("root_user")
    @classmethod
    def _somebody_administers(cls, value: RootUser | None, info: ValidationInfo) -> RootUser | None:
        release = info.data.get("release")
        if release in VERSIONS and (value is not None) != find_release(release).root_user:
            allowed = "null: it has the first visitor register" if value else "e-mail address and password"
            raise problem(f"allowed: {allowed}, with release {release}")
        return value

    @field_validator("content")
    @classmethod
    def _content_is_newer(cls, value: ContentSettings | None, info: ValidationInfo) -> ContentSettings | None:
        release, clickhouse = info.data.get("release"), info.data.get("clickhouse")
        if value and release in VERSIONS and find_release(release).api != CURRENT.api:
            raise problem(f"allowed: null, with release {release}: content is made for the API of {CURRENT.version}")
        if value and isinstance(clickhouse, ClickHouseSettings) and not clickhouse.cold_storage:
            for signal in ("traces", "metrics", "logs"):
                if getattr(value.retention, signal).cold_after_days is not None:
                    raise problem(
                        f"allowed in retention.{signal}.cold_after_days: null, without clickhouse.cold_storage"
                    )
        return value
