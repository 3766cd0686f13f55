"""The two JSON events that an agent writes to its log, field by field: the one schema.

Their shape is seed 002's (`_event_type`, nested stages, seconds as numbers) with what its own handler could not
know added beside it: models, providers, tenant, interruptions, the split of tokens. Metric filters, saved queries,
Glue columns, the check of records on their way to the bucket, Athena queries and tests name fields only from here.

The schema only grows: a field is never removed and never changes its type, because rows written before would no
longer be read (`analytics.plan.schema.refused_changes`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FieldType = Literal["text", "number", "count", "boolean", "list"]
"""`number` is a decimal number, `count` a whole one, `list` a list of objects."""


@dataclass(frozen=True)
class Field:
    """One field: its path in the JSON object, its type and unit, and what it means."""

    path: str
    type: FieldType
    unit: str
    meaning: str
    required: bool = False
    """A record without it is refused on its way to the bucket."""
    items: tuple[Field, ...] = ()
    """Of a list: the fields of each entry."""

    @property
    def selector(self) -> str:
        """As metric filters and subscription filters name it."""
        return f"$.{self.path}"


VOICE_METRICS = "voice_metrics"
SESSION_ANALYTICS = "session_analytics"

EVENT_TYPE = Field("_event_type", "text", "", "Which event this is", required=True)
EVENT_ID = Field("_event_id", "text", "", "Unique to the event: what makes sending it twice harmless")
TIMESTAMP = Field("_timestamp", "text", "ISO 8601", "When it happened", required=True)
SESSION_ID = Field("_session_id", "text", "", "The room's name: one call", required=True)
AGENT = Field("agent", "text", "", "The agent's name")
TENANT = Field("tenant", "text", "", "Whose call it was")

TOTAL_LATENCY = Field("total_latency", "number", "seconds", "From the end of the caller's speech to the first sound")
EOU_DELAY = Field("eou.delay", "number", "seconds", "Until the end of the caller's turn was certain")
LLM_TTFT = Field("llm.ttft", "number", "seconds", "LLM time to first token")
TTS_TTFB = Field("tts.ttfb", "number", "seconds", "TTS time to first byte")
INTERRUPTED = Field("interrupted", "boolean", "", "The caller spoke over the answer")

TOOL_CALLS = Field(
    "tool_calls",
    "list",
    "",
    "Tool calls",
    items=(
        Field("tool", "text", "", "The tool's name"),
        Field("success", "boolean", "", "Whether it raised nothing"),
        Field("duration_seconds", "number", "seconds", "How long it ran"),
    ),
)
LLM_TOKENS = Field("metrics_summary.llm_tokens", "count", "tokens", "Input and output tokens")
LLM_INPUT_TOKENS = Field("metrics_summary.llm_input_tokens", "count", "tokens", "Input tokens")
LLM_OUTPUT_TOKENS = Field("metrics_summary.llm_output_tokens", "count", "tokens", "Output tokens")
STT_AUDIO_SECONDS = Field("metrics_summary.stt_audio_seconds", "number", "seconds", "Audio transcribed")
TTS_AUDIO_SECONDS = Field("metrics_summary.tts_audio_seconds", "number", "seconds", "Audio made")
TTS_CHARACTERS = Field("metrics_summary.tts_characters", "count", "characters", "Text spoken")
LLM_MODEL = Field("metrics_summary.llm_model", "text", "", "Language model")
STT_MODEL = Field("metrics_summary.stt_model", "text", "", "Speech to text model")
TTS_MODEL = Field("metrics_summary.tts_model", "text", "", "Text to speech model")
LLM_PROVIDER = Field("metrics_summary.llm_provider", "text", "", "Who serves the language model")
STT_PROVIDER = Field("metrics_summary.stt_provider", "text", "", "Who serves speech to text")
TTS_PROVIDER = Field("metrics_summary.tts_provider", "text", "", "Who serves text to speech")

EVENTS: dict[str, tuple[Field, ...]] = {
    VOICE_METRICS: (
        EVENT_TYPE,
        EVENT_ID,
        TIMESTAMP,
        SESSION_ID,
        AGENT,
        TENANT,
        Field("speech_id", "text", "", "LiveKit's id of the answer"),
        TOTAL_LATENCY,
        EOU_DELAY,
        LLM_TTFT,
        Field("llm.model", "text", "", "Language model"),
        Field("llm.provider", "text", "", "Who serves the language model"),
        TTS_TTFB,
        Field("tts.model", "text", "", "Text to speech model"),
        Field("tts.provider", "text", "", "Who serves text to speech"),
        Field("stt.model", "text", "", "Speech to text model"),
        Field("stt.provider", "text", "", "Who serves speech to text"),
        Field("stt.transcription_delay", "number", "seconds", "Until the final transcript"),
        INTERRUPTED,
    ),
    SESSION_ANALYTICS: (
        EVENT_TYPE,
        EVENT_ID,
        TIMESTAMP,
        SESSION_ID,
        AGENT,
        TENANT,
        Field("duration_seconds", "number", "seconds", "Length of the call"),
        Field("turns", "count", "turns", "Answered turns"),
        Field("interruptions", "count", "turns", "Answers that the caller interrupted"),
        Field("close_reason", "text", "", "Why the session ended"),
        Field("discovered_signals.team_size", "number", "people", "Team size that the caller named"),
        Field("discovered_signals.monthly_volume", "number", "documents", "Monthly volume that the caller named"),
        TOOL_CALLS,
        LLM_TOKENS,
        LLM_INPUT_TOKENS,
        LLM_OUTPUT_TOKENS,
        STT_AUDIO_SECONDS,
        TTS_AUDIO_SECONDS,
        TTS_CHARACTERS,
        LLM_MODEL,
        STT_MODEL,
        TTS_MODEL,
        LLM_PROVIDER,
        STT_PROVIDER,
        TTS_PROVIDER,
    ),
}
