"""Names that content asks for and no agent emits here, each with its reason and its source."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass


@dataclass(frozen=True)
class Excuse:
    """`name` may hold `*`. `versions` of livekit-agents that it holds for; empty for all."""

    signal: str
    name: str
    reason: str
    source: str
    versions: tuple[str, ...] = ()
    of: str = ""
    """A span that the name is on; empty for any."""

    def covers(self, signal: str, name: str, of: tuple[str, ...] = (), version: str = "") -> bool:
        return (
            signal == self.signal
            and fnmatch.fnmatchcase(name, self.name)
            and (not self.of or not of or self.of in of)
            and (not self.versions or not version or version in self.versions)
        )


_TRACES = "docs.livekit.io/reference/agents/session-traces"
EXCEPTIONS = (
    Excuse("traces", "realtime_*", "needs a provider's realtime model", _TRACES),
    Excuse("traces", "tts_fallback_adapter", "needs two voices", _TRACES),
    Excuse("traces", "lk.job.dispatch_latency", "measured by a LiveKit server", _TRACES),
    Excuse("traces", "lk.job.launch_latency", "measured by a LiveKit server", _TRACES),
    Excuse(
        "traces",
        "gen_ai.usage.cache_read.input_tokens",
        "only where a provider has served from its cache",
        "github.com/open-telemetry/semantic-conventions-genai",
    ),
    *(
        Excuse("traces", name, "came after 1.8.2: a series without a name there", _TRACES, ("1.8.2",), of)
        for name, of in (
            ("error.type", "llm_request"),
            ("lk.fallback.label", "llm_fallback_adapter"),
            ("lk.fallback.index", "llm_fallback_adapter"),
        )
    ),
    Excuse(
        "metrics",
        "voice_agent_*",
        "of an application's own Prometheus endpoint (turnscope:signoz.collector.scrape.agents)",
        "the names of LiveKit's example with Prometheus, which its users copy",
    ),
)
