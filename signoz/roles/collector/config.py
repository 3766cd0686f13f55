"""The collector's configuration: what it receives, changes, keeps and passes on. Pure.

Two generations of SigNoz' collector are served by one template: `CURRENT` (0.144, with SigNoz 0.138) and
`CLASSIC` (0.111.29, with SigNoz 0.75.0). What differs between them is in github.com/SigNoz/signoz
(`deploy/docker/otel-collector-config.yaml` at those tags) and in the component lists of
github.com/SigNoz/signoz-otel-collector (`components/components.go`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from signoz.plan import templating
from signoz.roles.clickhouse import OWN, Address
from stacks.settings.model import Prices
from stacks.settings.roles.collector import CollectorSettings, Transformations

CONFIG_FILE = "/etc/turnscope/collector.yaml"
MANAGER_FILE = "/etc/turnscope/opamp.yaml"
SECRETS_FOLDER = "/etc/turnscope/secrets"
"""Mounted as a folder: tokens are replaced by renaming, which a mount of the single file would not follow."""
QUEUE_FOLDER = "/var/lib/turnscope/queue"
RUNNING_COPY = "/var/tmp/collector.yaml"  # noqa: S108 (inside the container)
"""With OpAMP the collector works on a copy of its configuration, which SigNoz edits."""

OTLP_GRPC_PORT = 4317
OTLP_HTTP_PORT = 4318
FIREHOSE_LOGS_PORT = 4433
FIREHOSE_METRICS_PORT = 4434
HEALTH_PORT = 13133

FIREHOSE_BODY_MIB = 128
"""More than Firehose ever sends: up to 64 MiB of records, here taken as before they are base64. It throws a batch away
that is answered with 413, instead of backing it up
(https://docs.aws.amazon.com/firehose/latest/dev/httpdeliveryrequestresponse.html)."""

TOKENS = "otlp_tokens"
CLICKHOUSE_PASSWORD = "clickhouse_password"  # noqa: S105 (a file's name)
FIREHOSE_ACCESS_KEY = "firehose_access_key"
LANGFUSE_CREDENTIALS = "langfuse_credentials"


class Generation(StrEnum):
    """SigNoz' collector, by what its configuration may say."""

    CURRENT = "0.144"
    CLASSIC = "0.111"


@dataclass(frozen=True)
class CollectorContext:
    """What the configuration takes from the rest of the stack."""

    environment: str
    """Resource attribute `deployment.environment`, where the sender has none."""
    prices: Prices
    slow_turn_seconds: float
    """`lk.e2e_latency` above which a turn is slow, for tail sampling."""
    generation: Generation = Generation.CURRENT
    clickhouse: Address = OWN


@dataclass(frozen=True)
class DerivedMetric:
    """A metric made from spans: a count of those that meet `condition` (OTTL), or of `value` where there is one.

    `attributes` are span attributes it is split by; a span without one counts under `unknown`.
    """

    name: str
    description: str
    condition: str
    attributes: tuple[str, ...] = ()
    unit: str = "1"
    sum_of: str | None = None
    """A span attribute to sum up instead of counting."""
    histogram_of: str | None = None
    """A span attribute whose values are counted in `BUCKETS_SECONDS`."""


BUCKETS_SECONDS = (
    0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 5.0, 7.5, 10.0, 20.0,
)  # fmt: skip
"""Fine where people notice the wait; the targets people set (0.6, 0.8, 1.5, 2 s) are bounds of buckets."""

COST_ATTRIBUTE = "gen_ai.usage.cost"
"""What a span's model cost in US dollars, computed by `transform/genai` where the sender did not say it."""

_TURN = 'name == "agent_turn"'
_TOOL = 'attributes["gen_ai.operation.name"] == "execute_tool"'
_FAILED = "status.code == STATUS_CODE_ERROR"
DERIVED_METRICS = (
    DerivedMetric("turnscope.calls", "Calls that ended.", 'name == "agent_session"'),
    DerivedMetric("turnscope.turns", "Turns of the agent.", _TURN, ("gen_ai.agent.name",)),
    DerivedMetric(
        "turnscope.turn.errors", "Turns that failed.", f"{_TURN} and {_FAILED}", ("gen_ai.agent.name", "error.type")
    ),
    DerivedMetric(
        "turnscope.turn.interruptions",
        "Turns that were cut short, by what did it (audio_activity: the caller spoke).",
        f'{_TURN} and attributes["lk.interrupted"] == true',
        ("gen_ai.agent.name", "lk.interruption.source"),
    ),
    DerivedMetric(
        "turnscope.turn.e2e_latency",
        "What callers waited, from the end of their speech to the first sound.",
        f'{_TURN} and attributes["lk.e2e_latency"] != nil',
        ("gen_ai.agent.name",),
        unit="s",
        histogram_of="lk.e2e_latency",
    ),
    DerivedMetric(
        "turnscope.llm.errors",
        "LLM requests that failed for good.",
        f'name == "llm_request" and {_FAILED}',
        ("gen_ai.request.model", "error.type"),
    ),
    DerivedMetric("turnscope.tool.calls", "Tool calls.", _TOOL, ("gen_ai.tool.name",)),
    DerivedMetric(
        "turnscope.tool.errors",
        "Tool calls that failed.",
        f'{_TOOL} and attributes["lk.function_tool.is_error"] == true',
        ("gen_ai.tool.name",),
    ),
    DerivedMetric(
        "turnscope.cost",
        "What models cost, by the stack's price table.",
        f'attributes["{COST_ATTRIBUTE}"] != nil',
        ("gen_ai.request.model",),
        unit="{USD}",
        sum_of=COST_ATTRIBUTE,
    ),
)

_FIELDS = (
    "(transcript|transcription|user_transcript|user_input|utterance|speech_text|text|content|messages|chat_ctx|"
    "chat_history|conversation|arguments|output|phone|phone_number|email|exc_info)"
)
CONTENT_KEYS = (
    # LiveKit marks what it knows to be personal with a segment `pii` (livekit-agents 1.7 and newer).
    r"(^|\.)pii(\.|$)",
    # The same before 1.7, and what 1.8.9 does not mark.
    r"^lk\.(user_transcript|user_input|instructions|chat_ctx|response\.(text|function_calls)|input_text)$",
    r"^lk\.(function_tool\.(arguments|output)|room_name|participant_identity|stt\.events|input\.delta)$",
    r"^lk\.(amd\.(reason|transcript)|keyterms\.(added|removed)|rpc\.(payload|response|(caller|destination)_identity))$",
    r"^lk\.sip\..*([Pp]hone|[Nn]umber|[Uu]ser)",
    # github.com/open-telemetry/semantic-conventions-genai: attributes that hold content.
    r"^gen_ai\.((input|output)\.messages|system_instructions|prompt(\..*)?|completion(\..*)?)$",
    r"^gen_ai\.(tool\.(call\.(arguments|result)|definitions|description)|evaluation\.explanation)$",
    r"^gen_ai\.(retrieval\.(query\.text|documents)|memory\.(query\.text|records))$",
    r"^langfuse\.((trace|observation)\.(input|output|metadata\..*)|user\.id)$",
    r"^(user|enduser)\.",
    r"^exception\.(message|stacktrace)$",
    r"^db\.(statement|query\.text)$",
    # livekit-agents' session report as log records (scopes chat_history and evaluations).
    r"^(chat\.item|evaluation|outcome|session\.options)(\.|$)",
    # What applications tend to call such attributes of their log records.
    rf"^{_FIELDS}$",
)
"""Attribute keys that `redact_content` removes."""

BODY_KEYS = (rf"(^|\.){_FIELDS}(\.|$)", *CONTENT_KEYS)
"""The same for structured log bodies, by path: at any depth, with all below."""

CONTENT_EVENTS = r"^gen_ai\.((system|user|assistant|tool)\.message|choice|client\.inference\.operation\.details)$"
"""Span events and log events whose attributes and body are the content itself."""


def render_collector(settings: CollectorSettings, context: CollectorContext) -> str:
    """The collector's configuration as YAML. Holds no secret, only the paths of secret files."""
    return templating.render(
        "collector.yaml.j2",
        **transformations(settings, context),
        langfuse=settings.langfuse if settings.langfuse and settings.langfuse.enabled else None,
        clickhouse=lambda database: context.clickhouse.dsn(
            f"${{file:{SECRETS_FOLDER}/{CLICKHOUSE_PASSWORD}}}", database
        ),
        secrets_folder=SECRETS_FOLDER,
        queue_folder=QUEUE_FOLDER,
        firehose_body_bytes=FIREHOSE_BODY_MIB * 1024 * 1024,
    )


def transformations(settings: Transformations, context: CollectorContext) -> dict[str, object]:
    """What the templates in `templates/collector` use."""
    return {
        "settings": settings,
        "context": context,
        "current": context.generation is Generation.CURRENT,
        "priced_llms": context.prices.llm,
        "priced_stt": context.prices.stt,
        "priced_tts": context.prices.tts,
        "derived_metrics": DERIVED_METRICS,
        "latency_buckets_seconds": list(BUCKETS_SECONDS),
        "content_keys": "|".join(CONTENT_KEYS),
        "body_keys": "|".join(BODY_KEYS),
        "content_events": CONTENT_EVENTS,
    }
