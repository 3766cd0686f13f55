"""The gateway role: Caddy's container, its configuration and the ports that it publishes. Pure.

caddyserver.com/docs/caddyfile, caddyserver.com/docs/automatic-https; tested with Caddy 2.6.2 and 2.11.9.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.releases import Release
from core.roles import Role
from core.secrets import placeholders
from signoz.plan import templating
from signoz.plan.files import rendered_file
from signoz.plan.model import Container, File, HealthCheck, Port
from signoz.roles.collector import config as collector
from signoz.roles.context import RoleContext
from stacks.settings.roles.collector import Firehose
from stacks.settings.roles.gateway import GatewaySettings

USER = "10002:10002"

CONFIG_PATH = "/etc/caddy/Caddyfile"
CERTIFICATE_PATH = "/etc/caddy/tls/certificate.pem"
PRIVATE_KEY_PATH = "/etc/caddy/tls/key.pem"

DATA_PATH = "/data/caddy"
"""Certificates, their keys and the internal authority: on a volume, or clients need a new root after each change."""
ROOT_CERTIFICATE_PATH = f"{DATA_PATH}/pki/authorities/local/root.crt"
"""The internal authority's root, for clients; it is there once the gateway has started."""

# Above 1024: a process without privileges may listen there under any container runtime.
UI_PORT = 8443
PLAIN_HTTP_PORT = 8080
OTLP_GRPC_PORT = 4317
OTLP_HTTP_PORT = 4318
HEALTH_PORT = 2020
HEALTH_URL = f"http://127.0.0.1:{HEALTH_PORT}/healthz"
"""Answers 200 inside the container once the configuration runs; no other address reaches it."""

FIREHOSE_LOGS_PATH = "/firehose/logs"
FIREHOSE_METRICS_PATH = "/firehose/metrics"
"""Amazon Data Firehose delivers to port 443 alone, so its endpoints are paths of the pages' port."""


@dataclass(frozen=True)
class FirehoseReceiver:
    """A path of the pages' port that leads to a receiver of the collector; `networks` that may send to it, or empty for
    all."""

    path: str
    upstream: str
    networks: tuple[str, ...]


def container(context: RoleContext) -> Container:
    """The one container with published ports; its volume holds certificates, their keys and the internal authority."""
    settings = context.settings
    return Container(
        role=Role.GATEWAY,
        name=context.name(Role.GATEWAY),
        image=context.image_of(Role.GATEWAY),
        files=gateway_files(settings.gateway, context.release, settings.collector.firehose),
        volumes=(context.data_volume(Role.GATEWAY, DATA_PATH),),
        tmpfs=("/tmp", "/config"),  # noqa: S108 - mount points
        ports=gateway_ports(settings.gateway),
        health=HealthCheck.http_get(HEALTH_URL),
        after=(context.release.pages[0], Role.COLLECTOR),
        user=USER,
        # Caddy's binary carries this capability; where it is missing the kernel refuses to start the program.
        capabilities=("CAP_NET_BIND_SERVICE",),
        read_only_root=True,
        memory_mib=settings.limits.gateway_memory_mib,
        cpus=1,
        open_files=65_536,
    )


def external_url(settings: GatewaySettings) -> str:
    """Where SigNoz' pages are reached: through the gateway."""
    return f"https://{settings.hostname}" + ("" if settings.ui_port == 443 else f":{settings.ui_port}")


def render_caddyfile(settings: GatewaySettings, release: Release, firehose: Firehose | None = None) -> str:
    """The Caddyfile. Behind the gateway are the release's pages and the collector's receivers, nothing else."""
    pages, pages_port = release.pages
    receivers: list[FirehoseReceiver] = []
    if firehose and firehose.logs:
        # Firehose has no addresses of its own that could be among the networks.
        networks = () if firehose.log_groups else settings.ingest_networks
        upstream = f"{Role.COLLECTOR}:{collector.FIREHOSE_LOGS_PORT}"
        receivers.append(FirehoseReceiver(FIREHOSE_LOGS_PATH, upstream, networks))
    if firehose and firehose.metrics:
        upstream = f"{Role.COLLECTOR}:{collector.FIREHOSE_METRICS_PORT}"
        receivers.append(FirehoseReceiver(FIREHOSE_METRICS_PATH, upstream, settings.ingest_networks))
    hsts = settings.certificates != "internal" and settings.hsts_days > 0
    return templating.render(
        "Caddyfile.j2",
        settings=settings,
        pages=f"{pages}:{pages_port}",
        otlp_grpc=f"{Role.COLLECTOR}:{collector.OTLP_GRPC_PORT}",
        otlp_http=f"{Role.COLLECTOR}:{collector.OTLP_HTTP_PORT}",
        firehose=receivers,
        firehose_body_mib=collector.FIREHOSE_BODY_MIB,
        hsts_seconds=settings.hsts_days * 86_400 if hsts else None,
        redirect_port="" if settings.ui_port == 443 else f":{settings.ui_port}",
        dns_token=placeholders.value_of(settings.acme.dns_token) if settings.acme and settings.acme.dns_token else None,
        data_path=DATA_PATH,
        certificate_path=CERTIFICATE_PATH,
        private_key_path=PRIVATE_KEY_PATH,
        ui_port=UI_PORT,
        plain_http_port=PLAIN_HTTP_PORT,
        otlp_grpc_port=OTLP_GRPC_PORT,
        otlp_http_port=OTLP_HTTP_PORT,
        health_port=HEALTH_PORT,
    )


def gateway_files(settings: GatewaySettings, release: Release, firehose: Firehose | None = None) -> tuple[File, ...]:
    """The Caddyfile and, with a certificate of one's own, that and its key."""
    files = [rendered_file(CONFIG_PATH, render_caddyfile(settings, release, firehose), owner=USER)]
    if own := settings.own_certificate:
        files.append(rendered_file(CERTIFICATE_PATH, own.certificate_pem.strip() + "\n", owner=USER))
        key = placeholders.value_of(own.private_key_pem) + "\n"
        files.append(rendered_file(PRIVATE_KEY_PATH, key, owner=USER))
    return tuple(files)


def gateway_ports(settings: GatewaySettings) -> tuple[Port, ...]:
    """What is published: pages and ingest, and the port without TLS where there is one."""
    pairs = [
        (UI_PORT, settings.ui_port),
        (OTLP_GRPC_PORT, settings.otlp_grpc_port),
        (OTLP_HTTP_PORT, settings.otlp_http_port),
    ]
    if settings.plain_http_port is not None:
        pairs.append((PLAIN_HTTP_PORT, settings.plain_http_port))
    return tuple(Port(internal, external, settings.listen_address) for internal, external in pairs)
