"""Many calls generated from the few recorded ones: a month of events in a second.

Turns and calls keep the shape and the proportions of the recorded ones. What differs from call to call (tenant, models,
lengths, times, failed tools, what callers say) is drawn at random, the same for the same seed.
"""

from __future__ import annotations

import datetime
import json
import math
import random
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from core.events import CLOSE_REASONS, SESSION_ANALYTICS, VOICE_METRICS
from simulate import recording

Event = dict[str, Any]

TENANTS = ("acme", "globex", "initech", "O'Hara & Söhne", "tenant with spaces", None)
LLMS = (("gpt-4o-mini", "openai"), ("gpt-4o", "openai"), ("gpt-4.1-mini", "azure"), ("llama-3.3-70b", "groq"))
STTS = (("nova-3", "deepgram"), ("universal-streaming", "assemblyai"))
TTSS = (("eleven_turbo_v2_5", "elevenlabs"), ("sonic-2", "cartesia"))
"""Models and who serves them; the last of each is in no price table of Turnscope's."""

EXPENSIVE_TIMES = 12
"""How many times its usual tokens and characters a call uses on the expensive day."""

_CALL_SECONDS = 3600
"""No call is longer."""
_ZONES: tuple[Callable[[datetime.datetime], str], ...] = (
    lambda moment: moment.isoformat(),
    lambda moment: moment.replace(tzinfo=None).isoformat(),
    lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
    lambda moment: moment.astimezone(datetime.timezone(datetime.timedelta(hours=-7))).isoformat(),
)
"""How agents write their times: most in UTC; a time without a zone is UTC too."""


@dataclass(frozen=True)
class _Call:
    """A recorded call."""

    turns: tuple[Event, ...]
    session: Event


def generate(
    count: int,
    *,
    seed: int,
    end: datetime.datetime,
    days: int = 45,
    agents: Sequence[str] = ("receptionist",),
    expensive_day: datetime.date | None = None,
) -> list[Event]:
    """`count` events of calls in the `days` before `end` (a time with a zone), in no order of time.

    A call is its turns and, after them, its `session_analytics`. Calls of `expensive_day` (UTC) use many times what
    others do.
    """
    draw = random.Random(seed)  # noqa: S311 (the same for the same seed)
    calls = _recorded()
    events: list[Event] = []
    while len(events) < count:
        room = count - len(events)
        events += _call(draw, draw.choice(calls), room - 1, end, days, agents, expensive_day)
    return events


def _recorded() -> tuple[_Call, ...]:
    calls = []
    for name in recording.names():
        events = [json.loads(event.message) for event in recording.recorded(name)]
        (session,) = (event for event in events if event.get("_event_type") == SESSION_ANALYTICS)
        calls.append(_Call(tuple(event for event in events if event.get("_event_type") == VOICE_METRICS), session))
    return tuple(calls)


def _call(
    draw: random.Random,
    recorded: _Call,
    most_turns: int,
    end: datetime.datetime,
    days: int,
    agents: Sequence[str],
    expensive_day: datetime.date | None,
) -> list[Event]:
    over = end.astimezone(datetime.UTC) - datetime.timedelta(seconds=draw.uniform(1, days * 86_400 - _CALL_SECONDS))
    llm, stt, tts = (draw.choices(table, range(len(table), 0, -1))[0] for table in (LLMS, STTS, TTSS))
    write = draw.choices(_ZONES, (5, 1, 1, 1))[0]
    whose = {"_session_id": f"call-{_id(draw)}", "agent": draw.choice(agents), "tenant": draw.choice(TENANTS)}
    whose["trace_id"] = _id(draw)
    tool_calls = [_tool_call(draw, each) for each in recorded.session["tool_calls"] for _ in range(2)]
    turns: list[Event] = []
    seconds = 0.0
    chosen = draw.choices(recorded.turns, k=min(draw.randint(1, 2 * len(recorded.turns)), most_turns))
    times = sorted((draw.uniform(2, _CALL_SECONDS / 2) for _ in chosen), reverse=True)
    for turn, before_end in zip(chosen, times, strict=True):
        seconds = max(seconds, before_end)
        moment = write(over - datetime.timedelta(seconds=before_end))
        turns.append(_turn(draw, turn, {**_envelope(draw, VOICE_METRICS, moment), **whose}, llm, stt, tts))
    usage = draw.lognormvariate(0, 0.4) * (EXPENSIVE_TIMES if over.date() == expensive_day else 1)
    session = {
        **recorded.session,
        **_envelope(draw, SESSION_ANALYTICS, write(over)),
        **whose,
        "duration_seconds": round(seconds + draw.uniform(1, 20), 3),
        "turns": len(turns),
        "interruptions": sum(turn["interrupted"] for turn in turns),
        "close_reason": draw.choices(CLOSE_REASONS, (1, 1, 6, 1, 3))[0],
        "tool_calls": tool_calls,
        "tool_calls_total": len(tool_calls),
        "tool_failures_total": sum(not each["success"] for each in tool_calls),
        "discovered_signals": _signals(draw),
        "metrics_summary": _summary(recorded.session["metrics_summary"], usage, llm, stt, tts),
    }
    return [*turns, session]


def _envelope(draw: random.Random, event_type: str, moment: str) -> Event:
    return {"_event_type": event_type, "_event_id": _id(draw), "_timestamp": moment}


def _id(draw: random.Random) -> str:
    return uuid.UUID(int=draw.getrandbits(128), version=4).hex


def _turn(draw: random.Random, recorded: Event, envelope: Event, *models: tuple[str, str]) -> Event:
    turn = {**recorded, **envelope, "speech_id": f"speech_{_id(draw)[:12]}", "interrupted": draw.random() < 0.08}
    for stage, (model, provider) in zip(("llm", "stt", "tts"), models, strict=True):
        turn[stage] = {**recorded.get(stage, {}), "model": model, "provider": provider}
    # Most are a little faster or slower than the recorded one, some a lot slower: as in production.
    factor = math.exp(draw.gauss(0, 0.25)) * (3 if draw.random() < 0.02 else 1)
    for stage, key in (("eou", "delay"), ("llm", "ttft"), ("tts", "ttfb"), ("stt", "transcription_delay")):
        if key in recorded.get(stage, {}):
            turn[stage] = {**turn[stage], key: recorded[stage][key] * factor}
    if "total_latency" in recorded:
        turn["total_latency"] = recorded["total_latency"] * factor
    return turn


def _tool_call(draw: random.Random, recorded: Event) -> Event:
    return {
        **recorded,
        "success": recorded["success"] != (draw.random() < 0.1),
        "duration_seconds": recorded["duration_seconds"] * math.exp(draw.gauss(0, 0.5)),
    }


def _signals(draw: random.Random) -> Event:
    """What callers tell: some nothing, some one of both."""
    signals = {"team_size": draw.randint(1, 12), "monthly_volume": draw.randint(1, 220)}
    return {name: value for name, value in signals.items() if draw.random() < 0.5}


def _summary(recorded: Event, usage: float, llm: tuple[str, str], stt: tuple[str, str], tts: tuple[str, str]) -> Event:
    counts = {
        name: round(recorded[name] * usage) for name in ("llm_input_tokens", "llm_output_tokens", "tts_characters")
    }
    summary = {
        **recorded,
        **counts,
        "llm_tokens": counts["llm_input_tokens"] + counts["llm_output_tokens"],
        "stt_audio_seconds": recorded["stt_audio_seconds"] * usage,
        "tts_audio_seconds": recorded["tts_audio_seconds"] * usage,
    }
    for kind, (model, provider) in (("llm", llm), ("stt", stt), ("tts", tts)):
        summary |= {f"{kind}_model": model, f"{kind}_provider": provider}
    return summary
