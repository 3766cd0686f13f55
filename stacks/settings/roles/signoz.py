"""Settings of SigNoz on a Docker host: the release, the host, who administers it, and each role's own settings."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from core.releases import CURRENT, VERSIONS, Coordination, Migrator, Split, find_release
from stacks.settings.fields import NUMBER, Email, Flag, Matching, Model, OneOf, Secret, problem
from stacks.settings.roles.alertmanager import AlertmanagerSettings
from stacks.settings.roles.clickhouse import ClickHouseSettings
from stacks.settings.roles.collector import CollectorSettings
from stacks.settings.roles.content import ContentSettings
from stacks.settings.roles.database import Database
from stacks.settings.roles.gateway import GatewaySettings
from stacks.settings.roles.images import Images

Cpus = Annotated[float, Field(ge=0.1, le=128), NUMBER]
MemoryMib = Annotated[int, Field(ge=64, le=1_048_576), NUMBER]


class RootUser(Model):
    """The first administrator of SigNoz, created when SigNoz starts; every start resets the password to this one."""

    email: Email
    """E-mail address for the sign-in."""
    password: Secret
    """Password (secret): 12 or more characters, with upper and lower case, a digit and one of ~!@#$%^&*()_+`-={}|."""
    organisation: Annotated[
        str, Matching("[A-Za-z0-9][A-Za-z0-9 ._-]{0,62}", "1 to 63 letters, digits, ., _ and -")
    ] = "default"
    """Name of the organisation that SigNoz creates; there is only one."""


class Limits(Model):
    """Limits of containers. Docker rejects more CPUs than its host has."""

    server_memory_mib: MemoryMib = 1024
    """Memory limit of the SigNoz server (query service) in MiB."""
    keeper_memory_mib: MemoryMib = 512
    """Memory limit of Keeper (or ZooKeeper) in MiB."""
    gateway_memory_mib: MemoryMib = 256
    """Memory limit of the gateway in MiB."""
    clickhouse_cpus: Cpus = 2
    """CPUs of ClickHouse."""
    server_cpus: Cpus = 1
    """CPUs of the SigNoz server."""
    collector_cpus: Cpus = 1
    """CPUs of the collector."""
    open_files: Annotated[int, Field(ge=1024, le=1_048_576), NUMBER] = 262_144
    """Maximum number of open files per container; the default is what ClickHouse needs. If the Docker host cannot raise
    its own limit (`ulimit -Hn`), set that limit or less."""


class SigNozSettings(Model):
    """SigNoz on a Docker host."""

    release: Annotated[str, OneOf(VERSIONS)] = CURRENT.version
    """The release: a tested set of versions (docs/how-to/signoz.md)."""
    coordination: Literal["keeper", "zookeeper"] | None = None
    """Service that stores the state of ClickHouse's tables; null for the default of the release. A stack that was
    created with ZooKeeper must keep ZooKeeper when it is upgraded, because tables do not find their state in Keeper."""
    docker_host: Annotated[
        str,
        Matching(
            r"unix:///\S+|ssh://([A-Za-z0-9._-]+@)?[A-Za-z0-9.-]+(:[0-9]{1,5})?",
            "unix:///var/run/docker.sock, or ssh://USER@HOST",
        ),
    ] = "unix:///var/run/docker.sock"
    """Address of the Docker engine; over SSH, the keys of the deploying shell are used."""
    keep_volumes: Flag = True
    """Keep the data of ClickHouse, Keeper, SigNoz and the gateway at tear-down; the next deployment adopts it."""
    images: Images = Images()
    """Source of images."""
    database: Database = Database()
    """SigNoz' own database."""
    root_user: RootUser | None = None
    """The first administrator of SigNoz; required from release 0.112 on."""
    jwt_secret: Secret
    """Key that signs sessions (secret); a new key signs out all users."""
    clickhouse: ClickHouseSettings
    """ClickHouse, which stores telemetry."""
    collector: CollectorSettings
    """The collector, which receives telemetry."""
    alertmanager: AlertmanagerSettings = AlertmanagerSettings()
    """Receivers and routes of alerts."""
    gateway: GatewaySettings = GatewaySettings()
    """The TLS gateway."""
    limits: Limits = Limits()
    """Memory and CPU limits of containers."""
    content: ContentSettings | None = ContentSettings()
    """Dashboards, alert rules, saved views, retention, planned downtimes; null to manage them in the SigNoz UI."""

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

    @field_validator("database")
    @classmethod
    def _postgres_is_served(cls, value: Database, info: ValidationInfo) -> Database:
        release, images = info.data.get("release"), info.data.get("images")
        if not value.postgres:
            return value
        if release in VERSIONS and not find_release(release).has_postgres:
            raise problem(f"postgres: allowed: null, with release {release}")
        if isinstance(images, Images) and images.edition == "community":
            # github.com/SigNoz/signoz, cmd/community/metastore.go
            raise problem("postgres: allowed: null, with images.edition community, which has SQLite alone")
        if isinstance(images, Images) and images.source == "lab" and not images.server:
            raise problem("postgres: allowed: null, with lab images, whose SigNoz is a stand-in; or set images.server")
        return value

    @field_validator("root_user")
    @classmethod
    def _somebody_administers(cls, value: RootUser | None, info: ValidationInfo) -> RootUser | None:
        release = info.data.get("release")
        if release in VERSIONS and (value is not None) != find_release(release).root_user:
            allowed = "null, because the first visitor registers" if value else "e-mail address and password"
            raise problem(f"allowed: {allowed}, with release {release}")
        return value

    @field_validator("clickhouse")
    @classmethod
    def _external_is_newer(cls, value: ClickHouseSettings, info: ValidationInfo) -> ClickHouseSettings:
        release = info.data.get("release")
        if value.external and release in VERSIONS and find_release(release).migrator is not Migrator.COLLECTOR:
            raise problem(f"external: allowed: null, with release {release}")
        if value.external and info.data.get("coordination"):
            raise problem("external: allowed: null with coordination, which is the stack's own ClickHouse's")
        if value.external and getattr(info.data.get("images"), "source", None) == "lab":
            raise problem("external: allowed: null, with lab images, which know the lab's ClickHouse alone")
        return value

    @field_validator("limits")
    @classmethod
    def _of_what_there_is(cls, value: Limits, info: ValidationInfo) -> Limits:
        clickhouse = info.data.get("clickhouse")
        of_own = ("keeper_memory_mib", "clickhouse_cpus")
        changed = [name for name in of_own if getattr(value, name) != Limits.model_fields[name].default]
        if changed and isinstance(clickhouse, ClickHouseSettings) and clickhouse.external:
            raise problem(
                f"allowed: nothing in {', '.join(changed)}, because clickhouse.external has no such container"
            )
        return value

    @field_validator("content")
    @classmethod
    def _content_is_newer(cls, value: ContentSettings | None, info: ValidationInfo) -> ContentSettings | None:
        release, clickhouse = info.data.get("release"), info.data.get("clickhouse")
        if value and release in VERSIONS and find_release(release).api != CURRENT.api:
            raise problem(f"allowed: null, with release {release}: content requires the API of {CURRENT.version}")
        if value and value.retention and isinstance(clickhouse, ClickHouseSettings) and not clickhouse.cold_storage:
            for signal in ("traces", "metrics", "logs"):
                if getattr(value.retention, signal).cold_after_days is not None:
                    raise problem(
                        f"allowed in retention.{signal}.cold_after_days: null, without clickhouse.cold_storage"
                    )
        return value
