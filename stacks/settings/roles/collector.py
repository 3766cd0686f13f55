"""Settings of the collector role: what it receives, changes, keeps and passes on.

Prices are the stack's (`stacks.settings.model.Prices`); addresses of other roles come from the release and the plan.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from stacks.settings.fields import NUMBER, Flag, Matching, Model, Secret, problem

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


class Scrape(Model):
    """Prometheus endpoints that are read; each must be reachable from the collector."""

    interval_seconds: Annotated[int, Field(ge=1, le=300), NUMBER] = 5
    """Seconds between two readings."""
    agents: Targets = ()
    """Agents' own endpoints (`:8000/metrics`); their `voice_agent_*` metrics are kept."""
    workers: Targets = ()
    """Worker endpoints of livekit-agents (its `prometheus_port`); their `lk_agents_*` metrics are kept."""

    @field_validator("agents", "workers")
    @classmethod
    def _once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value):
            raise problem("allowed: each target once")
        return value


class Queue(Model):
    """What waits on disk while ClickHouse is away; it survives a restart."""

    size_mib: Annotated[int, Field(ge=16, le=102_400), NUMBER] = 512
    """MiB on disk for each of traces, metrics and logs; beyond it agents are told to send again later."""
    give_up_after_hours: Annotated[int, Field(ge=1, le=168), NUMBER] = 24
    """Hours after which a batch that ClickHouse keeps refusing is dropped."""
    batch_items: Annotated[int, Field(ge=1, le=50_000), NUMBER] = 10_000
    """Spans, data points or log records of one insert; small inserts make ClickHouse merge more."""
    batch_seconds: Annotated[int, Field(ge=1, le=60), NUMBER] = 2
    """Longest wait for such a batch to fill."""


class TailSampling(Model):
    """Which calls' traces are stored; a call's spans are one trace, decided on when it has ended.

    Metrics made from spans count every call. Spans of calls that are not decided on are in memory: they are lost
    if the collector is killed.
    """

    keep_percent: Annotated[float, Field(ge=0, le=100), NUMBER] = 10
    """Percent of calls kept that have neither an error nor a slow turn."""
    slow_turn_seconds: Annotated[float, Field(gt=0, le=60), NUMBER] = 1.5
    """A call with a turn slower than this (`lk.e2e_latency`) is kept."""
    longest_call_minutes: Annotated[int, Field(ge=1, le=1440), NUMBER] = 60
    """A call still running after this many minutes is decided on with what is there."""
    wait_after_call_seconds: Annotated[int, Field(ge=1, le=600), NUMBER] = 10
    """Seconds from the end of a call (its root span) to the decision."""
    calls_in_memory: Annotated[int, Field(ge=100, le=1_000_000), NUMBER] = 10_000
    """Calls that wait for their decision at the same time; beyond it the oldest are decided on early."""


class Langfuse(Model):
    """Traces also go to Langfuse, when both keys are set; nothing happens without them."""

    base_url: Annotated[str, Matching(r"https?://\S+[^/\s]", "an http(s) address without a slash at its end")] = (
        "https://us.cloud.langfuse.com"
    )
    """The Langfuse server (https://cloud.langfuse.com in the EU), without /api/public/otel."""
    public_key: Secret | None = None
    """Public key of the Langfuse project (pk-lf-...; secret here because it is half of the credentials)."""
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


class Firehose(Model):
    """HTTP endpoints for Amazon Data Firehose, behind the gateway."""

    access_key: Secret
    """The key that the delivery stream sends (secret)."""
    logs: Flag = True
    """CloudWatch Logs subscriptions (port 4433)."""
    metrics: Literal["json", "opentelemetry1.0"] | None = None
    """CloudWatch metric streams in this output format (port 4434); null for none."""

    @field_validator("metrics")
    @classmethod
    def _something(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and info.data.get("logs") is False:
            raise problem("allowed: a format, as logs is false (leave firehose out to have neither)")
        return value


class CollectorSettings(Model):
    """The OpenTelemetry collector."""

    tokens: Annotated[tuple[Secret, ...], Field(min_length=1, max_length=10)]
    """Bearer tokens that senders may use (secret). Two at a time let senders change over: add, change over, remove."""
    redact_content: Flag = False
    """Remove what callers and agents said, tool arguments and results, exception texts and personal identifiers
    before anything is stored or passed on (docs/how-to/collector.md lists what goes and what stays)."""
    rename_tool_spans: Flag = True
    """Name tool spans `execute_tool`, which SigNoz' AI pages look for, instead of LiveKit's `function_tool`."""
    dropped_metric_attributes: Annotated[tuple[AttributeName, ...], Field(max_length=50)] = ("room_id", "job_id")
    """Attributes taken off metric points, which are then summed: with a value per call, every call is a new series."""
    span_metrics: Flag = True
    """Count turns, errors, interruptions, tool calls and cost from spans (metrics `turnscope.*`), before sampling."""
    scrape: Scrape = Scrape()
    """Prometheus endpoints that are read."""
    memory_mib: Annotated[int, Field(ge=256, le=65_536), NUMBER] = 1024
    """MiB of memory of the container; at 80 percent of it the collector tells senders to send again later."""
    queue: Queue = Queue()
    """What waits on disk while ClickHouse is away."""
    tail_sampling: TailSampling | None = None
    """Which calls' traces are stored; null for all."""
    langfuse: Langfuse | None = None
    """Traces also go to Langfuse."""
    firehose: Firehose | None = None
    """Endpoints for Amazon Data Firehose."""
    opamp: Flag = True
    """SigNoz may change the running configuration (log pipelines and LLM prices set in its pages need this). The
    collector then opens its ports only once SigNoz has an organisation."""
    log_level: Literal["info", "warn", "error"] = "info"
    """What the collector logs about itself; debug is not offered, it writes out what passes through."""

    @field_validator("tokens")
    @classmethod
    def _distinct_tokens(cls, value: tuple[object, ...]) -> tuple[object, ...]:
        if len(set(value)) < len(value):
            raise problem("allowed: each token once")
        return value
