"""What an agent needs in its environment to send its telemetry to a stack, and ways to print it. Pure.

Names and values are OpenTelemetry's (opentelemetry.io/docs/specs/otel/protocol/exporter,
opentelemetry.io/docs/languages/sdk-configuration), so any OpenTelemetry SDK reads them, `turnscope_agent` among them.
The token is in clear: that is what `turnscope env` is for, and nothing else prints it.
"""

from __future__ import annotations

import json
import re
import shlex
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from core.errors import UserError


class Protocol(StrEnum):
    HTTP = "http/protobuf"
    GRPC = "grpc"


@dataclass(frozen=True)
class Gateway:
    """A stack's gateway as agents reach it. `ca_file`: where the root certificate is on the agent's machine; None
    where its own trust store holds it (ACME)."""

    host: str
    token: str = field(repr=False)
    http_port: int = 4318
    grpc_port: int = 4317
    ca_file: str | None = None


@dataclass(frozen=True)
class Endpoint:
    """Where an agent sends its telemetry: `url` for the protocol that it uses, and a `header` (name, value) that goes
    with every request. `ca_file` as in `Gateway`."""

    url: str
    header: tuple[str, str] | None = field(default=None, repr=False)
    ca_file: str | None = None


@dataclass(frozen=True)
class Langfuse:
    """A Langfuse project that the agent itself sends spans to, where the stack's collector does not."""

    base_url: str
    public_key: str = field(repr=False)
    secret_key: str = field(repr=False)


def agent_environment(
    destination: Gateway | Endpoint,
    *,
    service_name: str,
    environment: str,
    protocol: Protocol = Protocol.HTTP,
    allow_pii: bool = True,
    langfuse: Langfuse | None = None,
) -> dict[str, str]:
    """The variables of agent `service_name` in `environment` (dev, prod, ...).

    allow_pii: whether content (what was said, tool arguments and results) leaves the agent.
    Raises `UserError` for an empty token or one with blanks, which the collector could not tell from none.
    """
    endpoint = _endpoint_of(destination, protocol) if isinstance(destination, Gateway) else destination
    attributes = {"deployment.environment": environment, "deployment.environment.name": environment}
    variables = {
        "OTEL_SERVICE_NAME": service_name,
        "OTEL_RESOURCE_ATTRIBUTES": ",".join(f"{key}={_encoded(value)}" for key, value in attributes.items()),
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint.url,
        "OTEL_EXPORTER_OTLP_PROTOCOL": str(protocol),
    }
    if endpoint.header:
        name, value = endpoint.header
        variables["OTEL_EXPORTER_OTLP_HEADERS"] = f"{name}={_encoded(value)}"
    if endpoint.ca_file:
        variables["OTEL_EXPORTER_OTLP_CERTIFICATE"] = endpoint.ca_file
    # A job process lives for one call: cumulative counters would start at 0 with each. SigNoz' collector drops
    # exponential histograms without a word unless told otherwise (enable_exp_hist of signozclickhousemetrics), so
    # buckets are asked for, whatever the SDK's default becomes.
    variables["OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"] = "delta"
    variables["OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION"] = "explicit_bucket_histogram"
    if not allow_pii:
        variables["LIVEKIT_TELEMETRY_ALLOW_PII"] = "0"
    if langfuse:
        variables["LANGFUSE_BASE_URL"] = langfuse.base_url
        variables["LANGFUSE_PUBLIC_KEY"] = langfuse.public_key
        variables["LANGFUSE_SECRET_KEY"] = langfuse.secret_key
    return variables


def _endpoint_of(gateway: Gateway, protocol: Protocol) -> Endpoint:
    if not gateway.token or re.search(r"\s", gateway.token):
        raise UserError("The token for agents is empty or contains spaces: set another token in the stack's settings.")
    port = gateway.http_port if protocol is Protocol.HTTP else gateway.grpc_port
    host = f"[{gateway.host}]" if ":" in gateway.host else gateway.host
    return Endpoint(f"https://{host}:{port}", ("Authorization", f"Bearer {gateway.token}"), gateway.ca_file)


def _encoded(value: str) -> str:
    return urllib.parse.quote(value, safe="")


def as_shell(variables: Mapping[str, str]) -> str:
    """For `eval "$(turnscope env STACK)"`."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())


def as_dotenv(variables: Mapping[str, str]) -> str:
    """For a `.env` file. Plain values stand as they are, since `docker run --env-file` takes quotes for content.

    Raises `UserError` for a value with a line break, which a line of such a file cannot hold.
    """
    return "".join(f"{name}={_dotenv_value(name, value)}\n" for name, value in variables.items())


def _dotenv_value(name: str, value: str) -> str:
    if re.search(r"[\r\n]", value):
        raise UserError(f"{name} contains a line break, which a dotenv file cannot contain: use --format json.")
    if re.fullmatch(r"[\w@%+=:,./\[\]~-]*", value):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def as_json(variables: Mapping[str, str]) -> str:
    """One JSON object."""
    return json.dumps(dict(variables), indent=2) + "\n"


FORMATS: dict[str, Callable[[Mapping[str, str]], str]] = {"shell": as_shell, "dotenv": as_dotenv, "json": as_json}
"""What `turnscope env --format` takes."""
