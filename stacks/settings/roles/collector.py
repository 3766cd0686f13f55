"""Settings of the collector role: what it receives, changes, keeps and passes on.

Prices are the stack's (`stacks.settings.model.Prices`); addresses of other roles come from the release and the plan.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from core.environments import Environment
from stacks.settings.fields import (
    NUMBER,
    RETENTION_DAYS,
    Described,
    Flag,
    Matching,
    Model,
    OneOf,
    Secret,
    problem,
)

AttributeName = Annotated[
    str, Matching("[A-Za-z][A-Za-z0-9_.-]{0,99}", "1 to 100 letters, digits and _ . -, starting with a letter")
]
Target = Annotated[
    str,
    Matching(
        r"(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?):[1-9][0-9]{0,4}",
        "host:port, such as agent.internal:8000",
    ),
]
Targets = Annotated[tuple[Target, ...], Field(max_length=200)]
TokenName = Annotated[str, Matching("[A-Za-z0-9_-]{1,63}", "1 to 63 letters, digits, - and _")]
Token = Annotated[
    Secret,
    Described(
        "Bearer token of senders (secret), by name; 1 to 10 tokens. To rotate a token without "
        "downtime: add one with a new name, switch the senders, remove the old one."
    ),
]


class Scrape(Model):
    """Prometheus endpoints that the collector scrapes; each must be reachable from the collector."""

    interval_seconds: Annotated[int, Field(ge=1, le=300), NUMBER] = 5
    """Seconds between two scrapes."""
    agents: Targets = ()
    """Endpoints of agents (`:8000/metrics`); the collector keeps their `voice_agent_*` metrics."""
    workers: Targets = ()
    """Worker endpoints of livekit-agents (`prometheus_port`); the collector keeps their `lk_agents_*` metrics."""

    @field_validator("agents", "workers")
    @classmethod
    def _once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value):
            raise problem("allowed: each target once")
        return value


class Queue(Model):
    """Queue on disk for data while ClickHouse is unavailable; it survives a restart."""

    size_mib: Annotated[int, Field(ge=16, le=102_400), NUMBER] = 512
    """MiB on disk for each of traces, metrics and logs; when the queue is full, senders must retry later."""
    give_up_after_hours: Annotated[int, Field(ge=1, le=168), NUMBER] = 24
    """Hours after which a batch that ClickHouse rejects is dropped."""
    batch_items: Annotated[int, Field(ge=1, le=50_000), NUMBER] = 10_000
    """Spans, data points or log records per insert; small inserts cause more merges in ClickHouse."""
    batch_seconds: Annotated[int, Field(ge=1, le=60), NUMBER] = 2
    """Maximum time to fill a batch."""


class TailSampling(Model):
    """Sampling of traces. The spans of a call are one trace; the collector decides when the call has ended.

    Metrics from spans count every call. The spans of undecided calls are in memory and are lost if the collector is
    killed.
    """

    keep_percent: Annotated[float, Field(ge=0, le=100), NUMBER] = 10
    """Percent of the calls without errors and slow turns to keep. A turn is slow above the warning target of its total
    latency."""
    longest_call_minutes: Annotated[int, Field(ge=1, le=1440), NUMBER] = 60
    """Minutes after which the collector decides on a running call, with the spans that have arrived."""
    wait_after_call_seconds: Annotated[int, Field(ge=1, le=600), NUMBER] = 10
    """Seconds from the end of a call (its root span) to the decision."""
    calls_in_memory: Annotated[int, Field(ge=100, le=1_000_000), NUMBER] = 10_000
    """Maximum number of undecided calls; above it the collector decides on the oldest calls early."""


class Langfuse(Model):
    """Export of traces to Langfuse, if both keys are set."""

    base_url: Annotated[str, Matching(r"https?://\S+[^/\s]", "an http(s) URL without a trailing slash")] = (
        "https://us.cloud.langfuse.com"
    )
    """URL of the Langfuse server (https://cloud.langfuse.com in the EU), without /api/public/otel."""
    public_key: Secret | None = None
    """Public key of the Langfuse project (pk-lf-...; secret, because it is half of the credentials)."""
    secret_key: Secret | None = None
    """Secret key of the Langfuse project (sk-lf-...; secret)."""

    @property
    def enabled(self) -> bool:
        return bool(self.public_key and self.secret_key)

    @field_validator("secret_key")
    @classmethod
    def _both_or_neither(cls, value: object, info: ValidationInfo) -> object:
        if "public_key" in info.data and bool(value) != bool(info.data["public_key"]):
            raise problem("allowed: public_key and secret_key together, or neither")
        return value


class LogGroupDelivery(Model):
    """Delivery of the agents' CloudWatch log groups to SigNoz: a Firehose stream, a backup bucket and alarms.

    Ranges are AWS': https://docs.aws.amazon.com/firehose/latest/APIReference/API_HttpEndpointBufferingHints.html,
    https://docs.aws.amazon.com/firehose/latest/APIReference/API_HttpEndpointRetryOptions.html.
    """

    url: (
        Annotated[
            str,
            Matching(r"https://[A-Za-z0-9.-]+(:443)?/[A-Za-z0-9._~/-]{0,900}", "an https URL with a path, on port 443"),
        ]
        | None
    ) = None
    """URL to send to, where a load balancer or another proxy in front of the gateway has port 443 and the public
    certificate; it must forward to the gateway's path /firehose/logs. null for the gateway itself."""
    buffer_seconds: Annotated[int, Field(ge=1, le=900), NUMBER] = 60
    """Seconds after which Firehose sends a buffer; it sends sooner at 4 MiB."""
    retry_minutes: Annotated[int, Field(ge=1, le=120), NUMBER] = 120
    """Minutes for which Firehose retries a request that SigNoz does not accept. Then its log events go to the backup
    bucket."""
    delay_minutes: Annotated[int, Field(ge=5, le=1440), NUMBER] = 15
    """Maximum age of the oldest undelivered log event, in minutes, before the warning alarm fires; at least three times
    buffer_seconds."""
    backup_days: Annotated[int, Field(ge=1, le=3650), NUMBER] | None = 30
    """Days that undelivered log events are kept in the backup bucket; null for unlimited."""
    keep_backup: Flag | None = None
    """Keep the backup bucket with its content at tear-down; null for true in staging and prod. Must not be false in
    prod."""
    error_log_retention_days: Annotated[int, OneOf(RETENTION_DAYS), NUMBER] = 14
    """Days that Firehose's log of errors is kept."""

    @field_validator("delay_minutes")
    @classmethod
    def _longer_than_a_buffer(cls, value: int, info: ValidationInfo) -> int:
        seconds = info.data.get("buffer_seconds")
        if seconds and value * 60 < 3 * seconds:
            raise problem(f"allowed: at least {-(-3 * seconds // 60)}, three times buffer_seconds")
        return value

    def keeps_backup(self, environment: Environment) -> bool:
        kept = environment in (Environment.STAGING, Environment.PROD)
        return kept if self.keep_backup is None else self.keep_backup


class Firehose(Model):
    """HTTP endpoints for Amazon Data Firehose, behind the gateway."""

    access_key: Secret
    """Access key that the Firehose stream sends (secret)."""
    logs: Flag = True
    """Accept CloudWatch Logs subscriptions (port 4433)."""
    metrics: Literal["json", "opentelemetry1.0"] | None = None
    """Output format of CloudWatch metric streams (port 4434); null for none."""
    log_groups: LogGroupDelivery | None = None
    """Deliver the agents' CloudWatch log groups to SigNoz; `{}` for the defaults, null for a Firehose stream that you
    make yourself (docs/how-to/livekit-cloud.md)."""

    @field_validator("metrics")
    @classmethod
    def _something(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and info.data.get("logs") is False:
            raise problem("allowed: a format, because logs is false (for neither, omit firehose)")
        return value

    @field_validator("log_groups")
    @classmethod
    def _logs_are_accepted(cls, value: LogGroupDelivery | None, info: ValidationInfo) -> LogGroupDelivery | None:
        if value and info.data.get("logs") is False:
            raise problem("allowed: null, because logs is false")
        return value


class Transformations(Model):
    """What a collector changes in telemetry before SigNoz stores it, and what it scrapes."""

    redact_content: Flag = False
    """Remove what callers and agents said, tool arguments and results, exception texts and personal identifiers
    before data is stored or forwarded (docs/how-to/collector.md lists what is removed and what is kept)."""
    rename_tool_spans: Flag = True
    """Rename tool spans from LiveKit's `function_tool` to `execute_tool`, which SigNoz' AI pages look for."""
    dropped_metric_attributes: Annotated[tuple[AttributeName, ...], Field(max_length=50)] = ("room_id", "job_id")
    """Attributes to remove from metric points, which are then summed. An attribute with a value per call would create a
    series per call."""
    scrape: Scrape = Scrape()
    """Prometheus endpoints that the collector scrapes."""


class CollectorSettings(Transformations):
    """The OpenTelemetry collector."""

    tokens: Annotated[dict[TokenName, Token], Field(min_length=1, max_length=10)]
    """Bearer tokens of senders, by name."""
    span_metrics: Flag = True
    """Compute the metrics `turnscope.*` from spans, before sampling: turns, errors, interruptions, tool calls, cost."""
    memory_mib: Annotated[int, Field(ge=256, le=65_536), NUMBER] = 1024
    """Memory limit of the container in MiB; at 80 percent of it, senders must retry later."""
    queue: Queue = Queue()
    """Queue on disk for data while ClickHouse is unavailable."""
    tail_sampling: TailSampling | None = None
    """Sampling of traces; null to store all traces."""
    langfuse: Langfuse | None = None
    """Export of traces to Langfuse."""
    firehose: Firehose | None = None
    """Endpoints for Amazon Data Firehose."""
    opamp: Flag = True
    """Allow SigNoz to change the running configuration (required for log pipelines and LLM prices set in the SigNoz
    UI). The collector then opens its ports only when SigNoz has an organisation."""
    log_level: Literal["info", "warn", "error"] = "info"
    """Log level of the collector; debug is not available, because it would log the telemetry itself."""

    @field_validator("tokens")
    @classmethod
    def _by_name(cls, value: dict[str, Token]) -> dict[str, Token]:
        # The engine hands a mapping over sorted; in another order, what is rendered from the file would differ.
        return dict(sorted(value.items()))
