"""Settings of a SigNoz that the stack does not run: its address and key, what it is to hold, where it takes telemetry.

SigNoz Cloud and a SigNoz on one's own servers have the same API and keys (signoz.io/docs/manage/administrator-guide/
iam/service-accounts); they differ in where telemetry goes (signoz.io/docs/ingestion/cloud-vs-self-hosted).
"""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import ValidationInfo, field_validator

from core.environments import Environment
from stacks.settings.fields import Matching, Model, Secret, problem
from stacks.settings.roles.alertmanager import AlertRouting, Seconds
from stacks.settings.roles.collector import Transformations
from stacks.settings.roles.content import ContentSettings, Retention
from stacks.settings.roles.gateway import CertificatePem

_HOST = r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?)(:[1-9][0-9]{0,4})?"
_PATH = r"(/[A-Za-z0-9._~-]+)*"
Url = Annotated[
    str, Matching(f"https?://{_HOST}{_PATH}", "a URL such as https://acme.us.signoz.cloud, without a final slash")
]
OtlpUrl = Annotated[
    str, Matching(f"https?://{_HOST}{_PATH}", "a URL such as https://ingest.us.signoz.cloud:443, without /v1/traces")
]


class Otlp(Model):
    """An OTLP endpoint."""

    endpoint: OtlpUrl
    """URL for OTLP over HTTP, without the path of a signal."""
    grpc_endpoint: OtlpUrl | None = None
    """URL for OTLP over gRPC; null where it is `endpoint`."""


class Ingest(Otlp):
    """Where the existing SigNoz takes telemetry."""

    endpoint: OtlpUrl
    """URL for OTLP over HTTP, without the path of a signal. SigNoz Cloud takes HTTP and gRPC at
    `https://ingest.<region>.signoz.cloud:443`."""
    header: Annotated[str, Matching("[A-Za-z0-9-]{1,100}", "the name of an HTTP header: letters, digits and -")] = (
        "signoz-ingestion-key"
    )
    """Name of the header that carries `key`; the default is that of SigNoz Cloud."""
    key: Secret | None = None
    """Value of the header (secret), on SigNoz Cloud an ingestion key; null for an endpoint without authentication."""

    @field_validator("key")
    @classmethod
    def _not_in_clear(cls, value: object, info: ValidationInfo) -> object:
        for name in ("endpoint", "grpc_endpoint"):
            if value and not _is_private(info.data.get(name) or ""):
                raise problem(f"allowed: null, because {name} is http and would send the key in plain text")
        return value


class ExistingCollector(Otlp, Transformations):
    """An OpenTelemetry Collector of yours between the agents and SigNoz, with the configuration that `turnscope render
    STACK collector` prints."""

    endpoint: OtlpUrl
    """URL at which agents reach it by OTLP over HTTP, without the path of a signal."""
    grpc_endpoint: OtlpUrl | None = None
    """URL at which agents reach it by OTLP over gRPC; null for none."""


class ExistingAlertRouting(AlertRouting):
    """Who is notified of this stack's alerts. Waiting times of groups and the mail server are settings of SigNoz."""

    repeat_interval_seconds: Seconds = 14_400
    """Seconds after which the notification for firing alerts is repeated."""


class ExistingContent(ContentSettings):
    """Content of the existing SigNoz: dashboards, alert rules, saved views, planned downtimes."""

    retention: Retention | None = None
    """Retention of telemetry; null leaves it as it is. It applies to everything that SigNoz stores, also to what others
    send; on SigNoz Cloud it is part of the plan."""

    @field_validator("retention")
    @classmethod
    def _without_cold_storage(cls, value: Retention | None) -> Retention | None:
        for signal in ("traces", "metrics", "logs"):
            if value and getattr(value, signal).cold_after_days is not None:
                raise problem(f"allowed in {signal}.cold_after_days: null, because the stack does not run ClickHouse")
        return value


class ExistingSigNoz(Model):
    """A SigNoz that the stack does not run, such as SigNoz Cloud: the stack deploys content to it."""

    url: Url
    """URL of its pages and API; https, except in environment local."""
    api_key: Secret
    """Key of a service account with the role admin (secret; in SigNoz: Settings, Service Accounts)."""
    root_certificate_pem: CertificatePem | None = None
    """Root certificate of its TLS certificate, in PEM; null for a certificate of a public CA."""
    alertmanager: ExistingAlertRouting = ExistingAlertRouting()
    """Receivers and routes of this stack's alerts."""
    content: ExistingContent = ExistingContent()
    """Dashboards, alert rules, saved views, planned downtimes."""
    ingest: Ingest | None = None
    """Where it takes telemetry, for `turnscope env`; null where agents are configured by other means."""
    collector: ExistingCollector | None = None
    """Your collector between agents and SigNoz; null for none. Without it, shipped rules and panels that query what
    only such a collector adds are omitted."""

    @field_validator("collector")
    @classmethod
    def _sends_on(cls, value: ExistingCollector | None, info: ValidationInfo) -> ExistingCollector | None:
        if value and "ingest" in info.data and info.data["ingest"] is None:
            raise problem("allowed: null without ingest, to which the collector sends")
        return value


def url_problem(value: ExistingSigNoz, environment: Environment) -> str | None:
    """What is wrong with its address in this environment; None for nothing."""
    if value.url.startswith("http://") and environment != Environment.LOCAL:
        return "url: allowed: https, except in environment local, because requests carry the key"
    return None


def _is_private(url: str) -> bool:
    """Whether nobody else sees what is sent there."""
    return not url.startswith("http://") or urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")
