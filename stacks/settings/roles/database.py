"""Settings of SigNoz' own database: users, dashboards, rules, views."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from stacks.settings.fields import NUMBER, Model, Secret
from stacks.settings.roles.servers import CertificatesPem, Identifier, ServerName, only_if_checked


class Postgres(Model):
    """A PostgreSQL server of yours, version 14 or newer, with an empty database for this stack alone."""

    host: ServerName
    """Host name of the server."""
    port: Annotated[int, Field(ge=1, le=65_535), NUMBER] = 5432
    """Port of the server."""
    name: Identifier = "signoz"
    """Name of the database. SigNoz makes its tables there."""
    user: Identifier = "signoz"
    """User who owns the database."""
    password: Secret
    """Password of the user (secret)."""
    tls: Literal["verify-full", "require", "disable"] = "verify-full"
    """`verify-full`: TLS, and the server's certificate must be valid for host; `require`: TLS without a check of the
    certificate; `disable`: none, for a server on the same machine."""
    ca_certificates_pem: CertificatesPem | None = None
    """Certificates of the CAs that sign the server's, in PEM, such as those of Amazon RDS; null for public CAs. Only
    with `tls: verify-full`."""
    max_connections: Annotated[int, Field(ge=2, le=1000), NUMBER] = 25
    """Maximum number of connections that SigNoz opens."""

    @field_validator("ca_certificates_pem")
    @classmethod
    def _checked(cls, value: str | None, info: ValidationInfo) -> str | None:
        return only_if_checked(value, info)

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}/{self.name}"


class Database(Model):
    """SigNoz' own database: users, dashboards, rules, views."""

    postgres: Postgres | None = None
    """A PostgreSQL server of yours; null for SQLite in a volume of the SigNoz server."""
