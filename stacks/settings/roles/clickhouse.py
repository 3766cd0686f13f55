"""Settings of the ClickHouse role, with its Keeper."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from stacks.settings.fields import NUMBER, Flag, Matching, Model, Secret, problem
from stacks.settings.roles.servers import CertificatesPem, Identifier, ServerName, only_if_checked


class ColdStorage(Model):
    """An S3 bucket for old data: storage policy `tiered`, volume `s3`. The retention settings move data there."""

    bucket: Annotated[str, Matching("[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "a bucket name")] | None = None
    """Name of an existing bucket; null for one that the stack makes, which requires the section `host`."""
    region: Annotated[str, Matching("[a-z]{2}(-[a-z]+)+-[0-9]", "an AWS region such as us-west-1")] | None = None
    """Region of an existing bucket; required with it, otherwise null."""
    prefix: Annotated[
        str, Matching("[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*", "a path without a leading or trailing slash")
    ] = "data"
    """Path in the bucket."""
    endpoint_url: Annotated[str, Matching(r"https?://[A-Za-z0-9.:-]+", "an http(s) URL without a path")] | None = None
    """URL of another S3-compatible store, or of an endpoint in your VPC, addressed as ENDPOINT/BUCKET; null for AWS."""
    access_key_id: Secret | None = None
    """Access key (secret), for an existing bucket; null for a role: with the section `host` one for this bucket alone,
    otherwise that of the Docker host."""
    secret_access_key: Secret | None = None
    """Secret key (secret); required with access_key_id."""
    keep_free_gib: Annotated[int, Field(ge=1, le=10_240), NUMBER] = 10
    """GiB to keep free on the local disk."""

    @field_validator("region")
    @classmethod
    def _of_an_existing_bucket(cls, value: str | None, info: ValidationInfo) -> str | None:
        if "bucket" in info.data and (value is not None) != (info.data["bucket"] is not None):
            raise problem("allowed: an AWS region with bucket, otherwise null")
        return value

    @field_validator("access_key_id")
    @classmethod
    def _for_an_existing_bucket(cls, value: Any, info: ValidationInfo) -> Any:
        if value and "bucket" in info.data and info.data["bucket"] is None:
            raise problem("allowed: null without bucket, because the stack's own bucket has a role of its own")
        return value

    @field_validator("secret_access_key")
    @classmethod
    def _both_or_neither(cls, value: object, info: ValidationInfo) -> object:
        if "access_key_id" in info.data and bool(value) != bool(info.data["access_key_id"]):
            raise problem("allowed: access_key_id and secret_access_key together, or neither")
        return value

    @property
    def has_role(self) -> bool:
        """Without keys of its own."""
        return self.access_key_id is None


class ExternalClickHouse(Model):
    """A ClickHouse server or cluster of yours, with Keeper, in place of the stack's own."""

    hosts: Annotated[tuple[ServerName, ...], Field(min_length=1, max_length=20)]
    """Host names of its servers. The first that answers is used."""
    port: Annotated[int, Field(ge=1, le=65_535), NUMBER] = 9440
    """Port of the native protocol: 9440 with TLS, 9000 without, unless the servers say otherwise."""
    tls: Literal["verify-full", "require", "disable"] = "verify-full"
    """`verify-full`: TLS, and the servers' certificates must be valid for their hosts; `require`: TLS without a check
    of the certificates; `disable`: none, within a network that nobody else uses."""
    ca_certificates_pem: CertificatesPem | None = None
    """Certificates of the CAs that sign the servers', in PEM, accepted beside those of public CAs. Only with
    `tls: verify-full`."""
    user: Identifier = "signoz"
    """User who may make databases and tables; its password is `clickhouse.password`."""
    cluster: Identifier = "cluster"
    """Name of the cluster in the servers' configuration (`remote_servers`), also of a single server."""

    @field_validator("ca_certificates_pem")
    @classmethod
    def _checked(cls, value: str | None, info: ValidationInfo) -> str | None:
        return only_if_checked(value, info)


class ClickHouseSettings(Model):
    """ClickHouse, which stores traces, metrics and logs."""

    password: Secret
    """Password of the user of SigNoz and the collector (secret): letters, digits, - and _. With `external`, that of the
    user there, with any characters."""
    memory_mib: Annotated[int, Field(ge=1024, le=1_048_576), NUMBER] = 4096
    """Memory limit of the container in MiB."""
    server_memory_percent: Annotated[int, Field(ge=30, le=95), NUMBER] = 80
    """Percent of the container's memory that ClickHouse may use; above it queries fail, but the container keeps
    running."""
    query_memory_percent: Annotated[int, Field(ge=5, le=95), NUMBER] = 50
    """Percent of the container's memory that one query may use; at most server_memory_percent."""
    system_log_retention_days: Annotated[int, Field(ge=1, le=90), NUMBER] = 1
    """Days that ClickHouse's system log tables are kept; without a limit they fill the disk."""
    simdjson: Flag = True
    """Parse JSON with AVX2; false for processors without AVX2."""
    replica: Annotated[str, Matching("[A-Za-z0-9_-]{1,63}", "1 to 63 letters, digits, - and _")] = "clickhouse-1"
    """Name of this replica in Keeper. Never change it for existing data; SigNoz' own compose files use
    example01-01-1."""
    log_level: Literal["error", "warning", "information", "debug", "trace"] = "warning"
    """Log level of ClickHouse and Keeper."""
    cold_storage: ColdStorage | None = None
    """An S3 bucket for old data; null to keep all data on the local disk."""

    external: ExternalClickHouse | None = None
    """A ClickHouse of yours; null for the stack's own, which all settings here but `password` are about."""

    @field_validator("external")
    @classmethod
    def _instead_of_its_own(cls, value: ExternalClickHouse | None, info: ValidationInfo) -> ExternalClickHouse | None:
        own = [name for name in cls.model_fields if name not in ("password", "external")]
        changed = [name for name in own if name in info.data and info.data[name] != cls.model_fields[name].default]
        if value and changed:
            raise problem(f"allowed: null with {', '.join(changed)}, of the stack's own ClickHouse; or remove these")
        return value

    @field_validator("query_memory_percent")
    @classmethod
    def _within_the_server(cls, value: int, info: ValidationInfo) -> int:
        server = info.data.get("server_memory_percent")
        if server is not None and value > server:
            raise problem(f"allowed: at most server_memory_percent ({server})")
        return value
