"""Where telemetry goes, read from the environment as OpenTelemetry specifies it
(opentelemetry.io/docs/specs/otel/protocol/exporter). Pure.

Endpoints, headers and certificates are read by OpenTelemetry's exporters themselves; this decides which exporters
there are.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Protocol(StrEnum):
    GRPC = "grpc"
    HTTP = "http/protobuf"


SIGNALS = ("traces", "metrics", "logs")


@dataclass(frozen=True)
class Langfuse:
    """A Langfuse project that spans are sent to directly, beside the collector."""

    endpoint: str
    headers: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True)
class Destinations:
    """Signals that are exported over OTLP, each with its protocol, and Langfuse.

    `problems` are sentences for the log: what is configured wrongly, or that nothing is.
    """

    otlp: Mapping[str, Protocol]
    langfuse: Langfuse | None
    problems: tuple[str, ...]


def destinations(environment: Mapping[str, str]) -> Destinations:
    """What `environment` asks for."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return Destinations({}, None, ())
    problems: list[str] = []
    otlp: dict[str, Protocol] = {}
    for signal in SIGNALS:
        if not (_of_signal(environment, signal, "ENDPOINT") and _wanted(environment, signal)):
            continue
        named = _of_signal(environment, signal, "PROTOCOL") or Protocol.HTTP
        try:
            otlp[signal] = Protocol(named)
        except ValueError:
            problems.append(f"No {signal} are sent: OTLP protocol {named!r}; allowed: {', '.join(Protocol)}.")
    langfuse = _langfuse(environment)
    if not (otlp or langfuse or problems) and any(_wanted(environment, signal) for signal in SIGNALS):
        problems.append(
            "No traces, metrics and logs are sent: OTEL_EXPORTER_OTLP_ENDPOINT is not set "
            "(`turnscope env STACK` prints what to set)."
        )
    return Destinations(otlp, langfuse, tuple(problems))


def _of_signal(environment: Mapping[str, str], signal: str, setting: str) -> str:
    own = environment.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_{setting}")
    return (own or environment.get(f"OTEL_EXPORTER_OTLP_{setting}") or "").strip()


def _wanted(environment: Mapping[str, str], signal: str) -> bool:
    return environment.get(f"OTEL_{signal.upper()}_EXPORTER", "").strip().lower() != "none"


def _langfuse(environment: Mapping[str, str]) -> Langfuse | None:
    """Keys and host under the names of Langfuse's own SDK (langfuse.com/docs/observability/sdk)."""
    public, secret = environment.get("LANGFUSE_PUBLIC_KEY"), environment.get("LANGFUSE_SECRET_KEY")
    if not (public and secret and _wanted(environment, "traces")):
        return None
    host = environment.get("LANGFUSE_BASE_URL") or environment.get("LANGFUSE_HOST") or "https://cloud.langfuse.com"
    credentials = base64.b64encode(f"{public}:{secret}".encode()).decode()
    return Langfuse(
        f"{host.rstrip('/')}/api/public/otel/v1/traces",
        # Without the version, traces appear about ten minutes late.
        {"Authorization": f"Basic {credentials}", "x-langfuse-ingestion-version": "4"},
    )
