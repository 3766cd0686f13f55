"""The two JSON events that an agent writes to its log, field by field: the one schema.

An event is one JSON object on one line; stages are nested objects, times are numbers of seconds. Metric filters, saved
queries, Glue columns, record validation, Athena queries and the published JSON Schema are made from these fields.

The schema only grows: a field is never removed and never changes its type, because rows written before would no
longer be read (`analytics.plan.schema.refused_changes`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FieldType = Literal["string", "number", "integer", "boolean", "array"]
"""As in JSON Schema; an `array` is one of objects."""

TIME_PATTERN = (
    "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    "T([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\\.[0-9]{1,9})?)?"
    "(Z|[+-]((0[0-9]|1[0-3])(:?[0-5][0-9])?|14(:?00)?))?"
)
"""The whole of an ISO 8601 time; without an offset it is UTC. Only what Athena's `from_iso8601_timestamp` reads too:
up to nanoseconds (Joda-Time's ISODateTimeFormat), offsets of up to 14 hours (Trino's TimeZoneKey). The syntax means the
same in Python, ECMAScript and RE2."""


@dataclass(frozen=True)
class Field:
    """One field: its path in the JSON object, its type and unit, and what it means."""

    path: str
    type: FieldType
    unit: str
    meaning: str
    required: bool = False
    """Record validation rejects an event without it."""
    is_time: bool = False
    """Of a string: it must be an ISO 8601 time (`TIME_PATTERN`)."""
    items: tuple[Field, ...] = ()
    """Of an array: the fields of each entry."""

    @property
    def selector(self) -> str:
        """As metric filters and subscription filters name it."""
        return f"$.{self.path}"


VOICE_METRICS = "voice_metrics"
SESSION_ANALYTICS = "session_analytics"
MEANINGS = {
    VOICE_METRICS: "One answered turn of a call, written when the answer has been spoken",
    SESSION_ANALYTICS: "One call, written when its session closes",
}

EVENT_TYPE = Field("_event_type", "string", "", "Name of the event", required=True)
EVENT_ID = Field("_event_id", "string", "", "Unique ID of the event; rows with the same ID count once")
TIMESTAMP = Field("_timestamp", "string", "ISO 8601", "Time of the event", required=True, is_time=True)
SESSION_ID = Field("_session_id", "string", "", "Name of the room; identifies the call", required=True)
AGENT = Field("agent", "string", "", "Name of the agent")
TENANT = Field("tenant", "string", "", "Tenant of the call")

TRACE_ID = Field("trace_id", "string", "", "ID of the call's OpenTelemetry trace: 32 hexadecimal digits")

TOTAL_LATENCY = Field("total_latency", "number", "seconds", "From the end of the caller's speech to the first sound")
EOU_DELAY = Field("eou.delay", "number", "seconds", "From the end of speech to the decision that the turn has ended")
LLM_TTFT = Field("llm.ttft", "number", "seconds", "LLM time to first token")
TTS_TTFB = Field("tts.ttfb", "number", "seconds", "TTS time to first byte")
INTERRUPTED = Field("interrupted", "boolean", "", "Whether the caller interrupted the answer")

DURATION_SECONDS = Field("duration_seconds", "number", "seconds", "Duration of the call")
CLOSE_REASONS = ("error", "job_shutdown", "participant_disconnected", "task_completed", "user_initiated")
"""LiveKit's own (`livekit.agents.CloseReason`)."""
FAILED_CLOSE_REASONS = ("error",)
"""Those of a session that failed: LiveKit closes with `error` when a model or provider failed more often in a row than
it tolerates (github.com/livekit/agents, livekit-agents/livekit/agents/voice/agent_session.py, `_on_error`). With all
others somebody ended the call: the caller hung up, or the application, its task or the worker's shutdown closed it."""
CLOSE_REASON = Field("close_reason", "string", "", "Reason for the end of the session")
TEAM_SIZE = Field("discovered_signals.team_size", "number", "people", "Team size that the caller named")
MONTHLY_VOLUME = Field(
    "discovered_signals.monthly_volume", "number", "documents", "Monthly volume that the caller named"
)
TOOL_CALLS = Field(
    "tool_calls",
    "array",
    "",
    "Tool calls",
    items=(
        Field("tool", "string", "", "Name of the tool"),
        Field("success", "boolean", "", "Whether it returned without an error"),
        Field("duration_seconds", "number", "seconds", "Duration of the tool call"),
    ),
)
TOOL_CALLS_TOTAL = Field("tool_calls_total", "integer", "tool calls", "Number of tool calls")
TOOL_FAILURES_TOTAL = Field("tool_failures_total", "integer", "tool calls", "Number of tool calls that failed")
LLM_TOKENS = Field("metrics_summary.llm_tokens", "integer", "tokens", "Input and output tokens")
LLM_INPUT_TOKENS = Field("metrics_summary.llm_input_tokens", "integer", "tokens", "Input tokens")
LLM_OUTPUT_TOKENS = Field("metrics_summary.llm_output_tokens", "integer", "tokens", "Output tokens")
STT_AUDIO_SECONDS = Field("metrics_summary.stt_audio_seconds", "number", "seconds", "Audio transcribed")
TTS_AUDIO_SECONDS = Field("metrics_summary.tts_audio_seconds", "number", "seconds", "Audio synthesised")
TTS_CHARACTERS = Field("metrics_summary.tts_characters", "integer", "characters", "Text synthesised")
LLM_MODEL = Field("metrics_summary.llm_model", "string", "", "Name of the LLM")
STT_MODEL = Field("metrics_summary.stt_model", "string", "", "Speech-to-text model")
TTS_MODEL = Field("metrics_summary.tts_model", "string", "", "Text-to-speech model")
LLM_PROVIDER = Field("metrics_summary.llm_provider", "string", "", "Provider of the LLM")
STT_PROVIDER = Field("metrics_summary.stt_provider", "string", "", "Provider of speech to text")
TTS_PROVIDER = Field("metrics_summary.tts_provider", "string", "", "Provider of text to speech")

EVENTS: dict[str, tuple[Field, ...]] = {
    VOICE_METRICS: (
        EVENT_TYPE,
        EVENT_ID,
        TIMESTAMP,
        SESSION_ID,
        AGENT,
        TENANT,
        Field("speech_id", "string", "", "LiveKit's ID of the answer"),
        TOTAL_LATENCY,
        EOU_DELAY,
        LLM_TTFT,
        Field("llm.model", "string", "", "Name of the LLM"),
        Field("llm.provider", "string", "", "Provider of the LLM"),
        TTS_TTFB,
        Field("tts.model", "string", "", "Text-to-speech model"),
        Field("tts.provider", "string", "", "Provider of text to speech"),
        Field("stt.model", "string", "", "Speech-to-text model"),
        Field("stt.provider", "string", "", "Provider of speech to text"),
        Field("stt.transcription_delay", "number", "seconds", "From the end of speech to the final transcript"),
        INTERRUPTED,
        TRACE_ID,
    ),
    SESSION_ANALYTICS: (
        EVENT_TYPE,
        EVENT_ID,
        TIMESTAMP,
        SESSION_ID,
        AGENT,
        TENANT,
        DURATION_SECONDS,
        Field("turns", "integer", "turns", "Answered turns"),
        Field("interruptions", "integer", "turns", "Answers that the caller interrupted"),
        CLOSE_REASON,
        TEAM_SIZE,
        MONTHLY_VOLUME,
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
        TOOL_CALLS_TOTAL,
        TOOL_FAILURES_TOTAL,
        TRACE_ID,
    ),
}
