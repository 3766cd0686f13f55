"""Settings of the gateway role: names, certificates, ports and limits of what faces the network."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from stacks.settings.fields import NUMBER, Flag, Matching, Model, Secret, problem
from stacks.settings.roles.images import ImageReference

HostName = Annotated[
    str,
    Matching(
        r"(?=.{1,253})[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*",
        "a DNS name such as signoz.example.com",
    ),
]


NETWORK_WORDS = "an IP address or a network in CIDR notation, such as 203.0.113.0/24"


def _network(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value))
    except ValueError:
        raise problem(f"allowed: {NETWORK_WORDS}") from None


Network = Annotated[str, Matching(r"[0-9A-Fa-f.:]+(/[0-9]{1,3})?", NETWORK_WORDS), AfterValidator(_network)]
Networks = Annotated[tuple[Network, ...], Field(max_length=200)]
TcpPort = Annotated[int, Field(ge=1, le=65_535), NUMBER]
Address = Annotated[
    str, Matching(r"[0-9]{1,3}(\.[0-9]{1,3}){3}|[0-9A-Fa-f:]*:[0-9A-Fa-f:]*", "an IP address of the host")
]


class Acme(Model):
    """Certificates from a certificate authority that speaks ACME, renewed by the gateway."""

    email: Annotated[
        str,
        Matching(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", "an e-mail address such as ops@example.com"),
    ]
    """Whom the authority writes to when something is wrong with a certificate."""
    directory_url: Annotated[str, Matching(r"https://[A-Za-z0-9.:/_-]+", "an https address")] = (
        "https://acme-v02.api.letsencrypt.org/directory"
    )
    """The authority's directory; Let's Encrypt's by default."""
    challenge: Literal["http", "dns"] = "http"
    """How the host names are proved: `http` answers on ports 80 and 443, which the authority must reach; `dns` writes
    a record, for hosts that it cannot reach, and needs `gateway.image` with the provider's plugin."""
    dns_provider: Annotated[str, Matching("[a-z][a-z0-9_]{0,62}", "a name such as cloudflare or route53")] | None = None
    """The plugin's name after `dns.providers.`; for challenge `dns`."""
    dns_token: Secret | None = None
    """The provider's API token (secret); null for a provider that takes its access from the host (route53's role)."""

    @field_validator("dns_provider")
    @classmethod
    def _provider_with_dns(cls, value: str | None, info: ValidationInfo) -> str | None:
        if "challenge" in info.data and (value is not None) != (info.data["challenge"] == "dns"):
            raise problem("allowed: a name with challenge dns, else null")
        return value

    @field_validator("dns_token")
    @classmethod
    def _token_with_provider(cls, value: object, info: ValidationInfo) -> object:
        if value and info.data.get("dns_provider", "") is None:
            raise problem("allowed: null without dns_provider")
        return value


class OwnCertificate(Model):
    """A certificate that you renew yourself."""

    certificate_pem: Annotated[
        str,
        Matching(
            r"\s*-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s-]+-----END CERTIFICATE-----\s*",
            "PEM text, from -----BEGIN CERTIFICATE----- on",
        ),
    ]
    """The certificate and the intermediate ones after it, in PEM; it must name every host name here."""
    private_key_pem: Secret
    """Its private key in PEM (secret)."""


class GatewaySettings(Model):
    """The TLS gateway (Caddy): the only role that publishes ports."""

    hostname: HostName = "localhost"
    """The name under which pages and ingest are reached; also in links."""
    extra_hostnames: Annotated[tuple[HostName, ...], Field(max_length=20)] = ()
    """Further names for the same, such as `gateway` for agents on the stack's own network."""
    certificates: Literal["internal", "acme", "own"] = "internal"
    """`internal`: the gateway's own authority, whose root certificate clients must be given; `acme`; `own`."""
    acme: Acme | None = None
    """With `certificates: acme`."""
    own_certificate: OwnCertificate | None = None
    """With `certificates: own`."""
    image: ImageReference | None = None
    """An image of Caddy 2 with plugins, such as a DNS provider's, instead of the release's (docs/how-to/tls.md)."""
    listen_address: Address = "0.0.0.0"  # noqa: S104 (the gateway is what faces the network)
    """Address of the Docker host on which ports are published; 127.0.0.1 keeps them to that machine."""
    ui_port: TcpPort = 443
    """Published port of the pages and the API."""
    otlp_grpc_port: TcpPort = 4317
    """Published port of OTLP over gRPC."""
    otlp_http_port: TcpPort = 4318
    """Published port of OTLP over HTTP."""
    plain_http_port: TcpPort | None = None
    """Published port without TLS, which redirects to the pages and answers ACME's HTTP challenge; null for none."""
    hsts_days: Annotated[int, Field(ge=0, le=3650), NUMBER] = 365
    """Days for which browsers refuse to come back without TLS (HSTS); 0 for none. Not sent with internal certificates:
    it would hold for everything else on localhost too."""
    ui_body_mib: Annotated[int, Field(ge=1, le=1024), NUMBER] = 10
    """Largest request to pages and API, in MiB."""
    ingest_body_mib: Annotated[int, Field(ge=1, le=1024), NUMBER] = 16
    """Largest OTLP request, in MiB, as sent (compressed)."""
    ingest_concurrent_requests: Annotated[int, Field(ge=1, le=100_000), NUMBER] = 256
    """OTLP requests of each protocol that are let through at the same time; more are told to come again (503)."""
    ui_networks: Networks = ()
    """Networks that may reach pages and API; empty for all."""
    ingest_networks: Networks = ()
    """Networks that may send; empty for all."""
    access_log: Flag = True
    """Log each request, without its headers and the secrets in its address."""

    @field_validator("extra_hostnames")
    @classmethod
    def _names_once(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        names = [name.lower() for name in (info.data.get("hostname", ""), *value)]
        if len(set(names)) < len(names):
            raise problem("allowed: each name once, hostname apart")
        return value

    @field_validator("acme", "own_certificate")
    @classmethod
    def _as_certificates_say(cls, value: object, info: ValidationInfo) -> object:
        kind = "acme" if info.field_name == "acme" else "own"
        if "certificates" in info.data and (value is not None) != (info.data["certificates"] == kind):
            raise problem(f"allowed: set with certificates: {kind}, else null")
        return value

    @field_validator("image")
    @classmethod
    def _image_with_the_plugin(cls, value: str | None, info: ValidationInfo) -> str | None:
        acme = info.data.get("acme")
        if value is None and acme and acme.challenge == "dns":
            raise problem("allowed: an image with the DNS provider's plugin, as acme.challenge is dns")
        return value

    @field_validator("otlp_grpc_port", "otlp_http_port", "plain_http_port")
    @classmethod
    def _ports_differ(cls, value: int | None, info: ValidationInfo) -> int | None:
        earlier = [info.data.get(name) for name in ("ui_port", "otlp_grpc_port", "otlp_http_port")]
        if value is not None and value in earlier:
            raise problem(f"allowed: a port of its own; {value} is taken")
        return value

    @field_validator("plain_http_port")
    @classmethod
    def _http_challenge_on_80(cls, value: int | None, info: ValidationInfo) -> int | None:
        acme = info.data.get("acme")
        if value != 80 and acme and acme.challenge == "http":
            raise problem("allowed: 80, where ACME's HTTP challenge comes in")
        return value

    @property
    def hostnames(self) -> tuple[str, ...]:
        return (self.hostname, *self.extra_hostnames)
