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
        format="hostname",
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
    """Certificates from a CA with ACME; the gateway renews them."""

    email: Annotated[
        str,
        Matching(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", "an e-mail address such as ops@example.com"),
    ]
    """E-mail address for the CA's messages about problems with a certificate."""
    directory_url: Annotated[str, Matching(r"https://[A-Za-z0-9.:/_-]+", "an https URL")] = (
        "https://acme-v02.api.letsencrypt.org/directory"
    )
    """URL of the CA's directory; Let's Encrypt by default."""
    challenge: Literal["http", "dns"] = "http"
    """ACME challenge: `http` answers on ports 80 and 443, which the CA must reach; `dns` writes a DNS record, for hosts
    that the CA cannot reach, and requires `gateway.image` with the plugin of the DNS provider."""
    dns_provider: Annotated[str, Matching("[a-z][a-z0-9_]{0,62}", "a name such as cloudflare or route53")] | None = None
    """Name of the plugin after `dns.providers.`; for challenge `dns`."""
    dns_token: Secret | None = None
    """API token of the DNS provider (secret); null for a provider that uses the host's permissions (route53's role)."""

    @field_validator("dns_provider")
    @classmethod
    def _provider_with_dns(cls, value: str | None, info: ValidationInfo) -> str | None:
        if "challenge" in info.data and (value is not None) != (info.data["challenge"] == "dns"):
            raise problem("allowed: a name with challenge dns, otherwise null")
        return value

    @field_validator("dns_token")
    @classmethod
    def _token_with_provider(cls, value: object, info: ValidationInfo) -> object:
        if value and info.data.get("dns_provider", "") is None:
            raise problem("allowed: null without dns_provider")
        return value


CertificatePem = Annotated[
    str,
    Matching(
        r"\s*-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s-]+-----END CERTIFICATE-----\s*",
        "PEM text that starts with -----BEGIN CERTIFICATE-----",
    ),
]


class OwnCertificate(Model):
    """A certificate that you renew yourself."""

    certificate_pem: CertificatePem
    """The certificate, followed by the intermediate certificates, in PEM; it must contain every host name."""
    private_key_pem: Secret
    """Private key of the certificate in PEM (secret)."""


class GatewaySettings(Model):
    """The TLS gateway (Caddy): the only role that publishes ports."""

    hostname: HostName = "localhost"
    """Host name of the SigNoz UI and of ingest; also used in links."""
    extra_hostnames: Annotated[tuple[HostName, ...], Field(max_length=20)] = ()
    """Additional host names, such as `gateway` for agents on the stack's own network."""
    certificates: Literal["internal", "acme", "own"] = "internal"
    """`internal`: the gateway's own CA, whose root certificate clients need; `acme`; `own`."""
    acme: Acme | None = None
    """Required with `certificates: acme`."""
    own_certificate: OwnCertificate | None = None
    """Required with `certificates: own`."""
    image: ImageReference | None = None
    """An image of Caddy 2 with plugins, such as a DNS provider's, instead of the release's (docs/how-to/tls.md)."""
    listen_address: Address = "0.0.0.0"  # noqa: S104 (the gateway is what faces the network)
    """Address of the Docker host on which ports are published; 127.0.0.1 restricts them to that machine."""
    ui_port: TcpPort = 443
    """Published port of the SigNoz UI and the API."""
    otlp_grpc_port: TcpPort = 4317
    """Published port of OTLP over gRPC."""
    otlp_http_port: TcpPort = 4318
    """Published port of OTLP over HTTP."""
    plain_http_port: TcpPort | None = None
    """Published port without TLS, which redirects to ui_port and answers ACME's HTTP challenge; null for none."""
    hsts_days: Annotated[int, Field(ge=0, le=3650), NUMBER] = 365
    """Days for which browsers must use TLS (HSTS); 0 for none. Not sent with internal certificates, because it would
    apply to every other program on localhost too."""
    ui_body_mib: Annotated[int, Field(ge=1, le=1024), NUMBER] = 10
    """Maximum size of a request to the SigNoz UI and the API, in MiB."""
    ingest_body_mib: Annotated[int, Field(ge=1, le=1024), NUMBER] = 16
    """Maximum size of an OTLP request, in MiB, as sent (compressed)."""
    ingest_concurrent_requests: Annotated[int, Field(ge=1, le=100_000), NUMBER] = 256
    """Maximum number of concurrent OTLP requests per protocol; further requests are rejected (503) and retried."""
    ui_networks: Networks = ()
    """Networks that may reach the SigNoz UI and the API; empty for all."""
    ingest_networks: Networks = ()
    """Networks that may send telemetry; empty for all."""
    access_log: Flag = True
    """Log each request, without its headers and the secrets in its URL."""

    @field_validator("extra_hostnames")
    @classmethod
    def _names_once(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        names = [name.lower() for name in (info.data.get("hostname", ""), *value)]
        if len(set(names)) < len(names):
            raise problem("allowed: each name once, without hostname")
        return value

    @field_validator("acme", "own_certificate")
    @classmethod
    def _as_certificates_say(cls, value: object, info: ValidationInfo) -> object:
        kind = "acme" if info.field_name == "acme" else "own"
        if "certificates" in info.data and (value is not None) != (info.data["certificates"] == kind):
            raise problem(f"allowed: set with certificates: {kind}, otherwise null")
        return value

    @field_validator("image")
    @classmethod
    def _image_with_the_plugin(cls, value: str | None, info: ValidationInfo) -> str | None:
        acme = info.data.get("acme")
        if value is None and acme and acme.challenge == "dns":
            raise problem("allowed: an image with the DNS provider's plugin, because acme.challenge is dns")
        return value

    @field_validator("otlp_grpc_port", "otlp_http_port", "plain_http_port")
    @classmethod
    def _ports_differ(cls, value: int | None, info: ValidationInfo) -> int | None:
        earlier = [info.data.get(name) for name in ("ui_port", "otlp_grpc_port", "otlp_http_port")]
        if value is not None and value in earlier:
            raise problem(f"allowed: another port; {value} is in use by another setting")
        return value

    @field_validator("plain_http_port")
    @classmethod
    def _http_challenge_on_80(cls, value: int | None, info: ValidationInfo) -> int | None:
        acme = info.data.get("acme")
        if value != 80 and acme and acme.challenge == "http":
            raise problem("allowed: 80, the port of ACME's HTTP challenge")
        return value

    @property
    def hostnames(self) -> tuple[str, ...]:
        return (self.hostname, *self.extra_hostnames)
