"""The two JSON events that an agent writes to its log, field by field.

Their shape is seed 002's (`_event_type`, nested stages, seconds as numbers) with what its own handler could not
know added beside it: models, interruptions, the split of tokens. Metric filters, saved queries and tests name
fields only from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Field:
    """One field: its path in the JSON object, its type and unit, and what it means."""

    path: str
    type: Literal["text", "number", "boolean", "list"]
    unit: str
    meaning: str

    @property
    def selector(self) -> str:
        """As metric filters and subscription filters name it."""
        return f"$.{self.path}"


VOICE_METRICS = "voice_metrics"
SESSION_ANALYTICS = "session_analytics"

EVENT_TYPE = Field("_event_type", "text", "", "Which event this is")
TIMESTAMP = Field("_timestamp", "text", "ISO 8601", "When it happened")
SESSION_ID = Field("_session_id", "text", "", "The room's name: one call")

TOTAL_LATENCY = Field("total_latency", "number", "seconds", "From the end of the caller's speech to the first sound")
EOU_DELAY = Field("eou.delay", "number", "seconds", "Until the end of the caller's turn was certain")
LLM_TTFT = Field("llm.ttft", "number", "seconds", "LLM time to first token")
TTS_TTFB = Field("tts.ttfb", "number", "seconds", "TTS time to first byte")
INTERRUPTED = Field("interrupted", "boolean", "", "The caller spoke over the answer")

TOOL_CALLS = Field("tool_calls", "list", "", "Tool calls: {tool, success, duration_seconds} each")
LLM_TOKENS = Field("metrics_summary.llm_tokens", "number", "tokens", "Input and output tokens")
LLM_INPUT_TOKENS = Field("metrics_summary.llm_input_tokens", "number", "tokens", "Input tokens")
LLM_OUTPUT_TOKENS = Field("metrics_summary.llm_output_tokens", "number", "tokens", "Output tokens")
STT_AUDIO_SECONDS = Field("metrics_summary.stt_audio_seconds", "number", "seconds", "Audio transcribed")
TTS_AUDIO_SECONDS = Field("metrics_summary.tts_audio_seconds", "number", "seconds", "Audio made")
TTS_CHARACTERS = Field("metrics_summary.tts_characters", "number", "characters", "Text spoken")
LLM_MODEL = Field("metrics_summary.llm_model", "text", "", "Language model")
STT_MODEL = Field("metrics_summary.stt_model", "text", "", "Speech to text model")
TTS_MODEL = Field("metrics_summary.tts_model", "text", "", "Text to speech model")

EVENTS: dict[str, tuple[Field, ...]] = {
    VOICE_METRICS: (
        EVENT_TYPE,
        TIMESTAMP,
        SESSION_ID,
        Field("speech_id", "text", "", "LiveKit's id of the answer"),
        TOTAL_LATENCY,
        EOU_DELAY,
        LLM_TTFT,
        Field("llm.model", "text", "", "Language model"),
        TTS_TTFB,
        Field("tts.model", "text", "", "Text to speech model"),
        Field("stt.model", "text", "", "Speech to text model"),
        Field("stt.transcription_delay", "number", "seconds", "Until the final transcript"),
        INTERRUPTED,
    ),
    SESSION_ANALYTICS: (
        EVENT_TYPE,
        TIMESTAMP,
        SESSION_ID,
        Field("duration_seconds", "number", "seconds", "Length of the call"),
        Field("turns", "number", "turns", "Answered turns"),
        Field("interruptions", "number", "turns", "Answers that the caller interrupted"),
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
    ),
}
