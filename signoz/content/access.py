"""How the deploying machine reaches SigNoz' API: its own through the gateway, as everyone does."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import pulumi

from core.secrets.reference import SecretRef
from core.secrets.values import set_command
from stacks.settings.existing_signoz import ExistingSigNoz
from stacks.settings.roles.signoz import SigNozSettings

SET_KEY = (
    f"Set a key of a service account with the role admin: `{set_command('existing_signoz.api_key', 'STACK')}` (in "
    "SigNoz: Settings, Service Accounts)."
)
"""What to do about a key that an existing SigNoz refuses."""


@dataclass(frozen=True)
class ExistingAccess:
    """The API of a SigNoz that the stack does not run. `root_certificate` (PEM) is None for public certificates."""

    address: str
    root_certificate: str | None
    api_key: SecretRef


def existing_access(settings: ExistingSigNoz) -> ExistingAccess:
    return ExistingAccess(settings.url, settings.root_certificate_pem, settings.api_key)


@dataclass(frozen=True)
class Access:
    """The API's address, and as whom the key is made.

    `server_name` is the name that the gateway's certificate is asked for, where it is not the address's own host;
    `read_root_certificate` (PEM; None for public certificates) works once the gateway runs.
    """

    address: pulumi.Input[str]
    server_name: str | None
    read_root_certificate: Callable[[], str | None]
    email: str
    password: SecretRef
    database: str | None = None
    """Which server SigNoz' own database is on; None for the volume of the stack."""


def access_of(
    settings: SigNozSettings,
    read_root_certificate: Callable[[], str | None],
    machine: pulumi.Input[str] | None = None,
) -> Access | None:
    """None where nobody could make a key: a release without a root user. `machine` is the IP address of the Docker host
    where that is known only at the deployment."""
    if settings.root_user is None:
        return None
    port, database = settings.gateway.ui_port, settings.database.postgres
    suffix = "" if port == 443 else f":{port}"
    if machine is None:
        host, server_name = _host(settings)
        address = f"https://[{host}]{suffix}" if ":" in host else f"https://{host}{suffix}"
    else:
        address, server_name = pulumi.Output.concat("https://", machine, suffix), settings.gateway.hostname
    return Access(
        address=address,
        server_name=server_name,
        read_root_certificate=read_root_certificate,
        email=settings.root_user.email,
        password=settings.root_user.password,
        database=database.address if database else None,
    )


def _host(settings: SigNozSettings) -> tuple[str, str | None]:
    """The Docker host itself where its address is known, whatever the gateway's name leads to (a load balancer, or
    nothing yet); over ssh, where an address may be an alias of ssh alone, the gateway's name."""
    gateway = settings.gateway
    listening = ipaddress.ip_address(gateway.listen_address)
    if settings.docker_host.startswith("ssh://"):
        if gateway.hostname != "localhost":
            return gateway.hostname, None
        host = urlsplit(settings.docker_host).hostname or ""
    elif not listening.is_unspecified:
        host = gateway.listen_address
    else:
        host = "localhost"
    return host, None if host == gateway.hostname else gateway.hostname
