"""One call: its figures from LiveKit's own events, as JSON lines on standard output.

Every answered turn is a `voice_metrics` line, written when the answer has been spoken; the call a `session_analytics`
line, written when its session closes. A line is out before the next event is handled: a killed process loses none.
"""

from __future__ import annotations

import asyncio
import datetime
import json
import os
import sys
import threading
import time
import uuid
import weakref
from collections.abc import Iterable, Mapping
from typing import Any

from turnscope_agent import correlation, health, job, providers
from turnscope_agent.reporting import guarded, warn_once

CALLERS_INTERRUPTIONS = ("audio_activity", "user_turn")
"""LiveKit's sources of an interruption that are the caller; else it was the program, such as at the call's end."""

_calls: weakref.WeakKeyDictionary[Any, Call] = weakref.WeakKeyDictionary()
_output_lock = threading.Lock()


@guarded
def observe(
    session: Any,
    *,
    session_id: str | None = None,
    tenant: str | None = None,
    attributes: Mapping[str, str] | None = None,
) -> None:
    """Write the figures of `session` (an `AgentSession`); to be called in the entrypoint, before `session.start`.

    session_id: the value of `_session_id`; the room's name by default.
    tenant: the customer that the call belongs to, on lines and spans; `set_tenant` sets it later.
    attributes: set on the call's spans from here on, such as `{"user.id": ...}`, by which Langfuse groups.
    """
    context = correlation.job_context()
    name = session_id or (context.job.room.name if context else "no-room")
    call = Call(session, name, agent=_agent_name(context), tenant=tenant)
    # Without `setup`: late for the root span of this job, which began before the entrypoint; in time for the rest.
    job.install(providers.Options())
    health.watch(session)
    if context is not None:
        _calls[context] = call
        correlation.describe(context, name, {**({"tenant": tenant} if tenant else {}), **(attributes or {})})
        context.add_shutdown_callback(call.end_with_job)


@guarded
def set_tenant(tenant: str | None) -> None:
    """Set the tenant of the running call, from anywhere in its job. Lines written after this carry it, including the
    `session_analytics` line, and so do spans that begin after this."""
    call = current_call()
    if call is None:
        warn_once("A tenant was set outside of an observed call: call turnscope_agent.observe(session) first.")
    else:
        call.tenant = tenant
        correlation.add(correlation.job_context(), "tenant", tenant)


def current_call() -> Call | None:
    """The observed call of the running job."""
    context = correlation.job_context()
    return _calls.get(context) if context else None


class Call:
    def __init__(self, session: Any, session_id: str, *, agent: str | None = None, tenant: str | None = None) -> None:
        self.tenant = tenant
        self._session = session
        self._session_id = session_id
        self._agent = agent
        self._began = time.monotonic()
        self._heard: Mapping[str, Any] = {}
        self._speech_id: str | None = None
        self._turns = 0
        self._interruptions = 0
        self._signals: dict[str, str | int | float | bool] = {}
        self._tool_calls: list[dict[str, Any]] = []
        self._ended = False
        session.on("speech_created", self._on_speech)
        session.on("conversation_item_added", self._on_item)
        session.on("function_tools_executed", self._on_tools)
        session.on("close", self._on_close)

    def note(self, name: str, value: str | int | float | bool) -> None:
        if self._ended:
            warn_once(f"Signal {name} was noted after its call ended, too late for the session_analytics line.")
        self._signals[name] = value

    async def end_with_job(self) -> None:
        """At the end of the job: the line of a session that could not close, then all telemetry of the call."""
        self._end("job_shutdown")
        await asyncio.to_thread(guarded(providers.flush))

    @guarded
    def _on_speech(self, event: Any) -> None:
        self._speech_id = event.speech_handle.id

    @guarded
    def _on_item(self, event: Any) -> None:
        item = event.item
        if item.type != "message":
            return
        if item.role == "user":
            self._heard = item.metrics
        elif item.role == "assistant" and item.metrics.get("e2e_latency") is not None:
            self._answered(item)

    def _answered(self, item: Any) -> None:
        """A greeting answers nobody, so it has no end-to-end latency and is no turn."""
        answer, heard = item.metrics, self._heard
        speech = self._session.current_speech
        source = getattr(speech, "_interrupt_source", None) or CALLERS_INTERRUPTIONS[0]
        interrupted = bool(item.interrupted) and source in CALLERS_INTERRUPTIONS
        self._write(
            "voice_metrics",
            {
                "speech_id": speech.id if speech else self._speech_id,
                "total_latency": answer["e2e_latency"],
                "eou": {"delay": _measured(heard.get("end_of_turn_delay"))},
                "llm": {"ttft": _measured(answer.get("llm_node_ttft")), **_model(answer.get("llm_metadata"))},
                "tts": {"ttfb": _measured(answer.get("tts_node_ttfb")), **_model(answer.get("tts_metadata"))},
                "stt": {
                    **_model(heard.get("stt_metadata")),
                    "transcription_delay": _measured(heard.get("transcription_delay")),
                },
                "interrupted": interrupted,
            },
        )
        self._turns += 1
        self._interruptions += interrupted

    @guarded
    def _on_tools(self, event: Any) -> None:
        for call, output in event.zipped():
            self._tool_calls.append(
                {
                    "tool": call.name,
                    "success": output is not None and not output.is_error,
                    "duration_seconds": max(0.0, output.created_at - call.created_at) if output else 0.0,
                }
            )

    @guarded
    def _on_close(self, event: Any) -> None:
        self._end(str(event.reason.value))

    @guarded
    def _end(self, close_reason: str) -> None:
        if self._ended:
            return
        self._ended = True
        self._write(
            "session_analytics",
            {
                "duration_seconds": time.monotonic() - self._began,
                "turns": self._turns,
                "interruptions": self._interruptions,
                "close_reason": close_reason,
                "discovered_signals": self._signals,
                "tool_calls": self._tool_calls,
                "tool_calls_total": len(self._tool_calls),
                "tool_failures_total": sum(not each["success"] for each in self._tool_calls),
                "metrics_summary": usage_summary(self._session.usage.model_usage),
            },
        )

    def _write(self, event_type: str, fields: Mapping[str, Any]) -> None:
        document = {
            "_event_type": event_type,
            "_event_id": uuid.uuid4().hex,
            "_timestamp": datetime.datetime.now(datetime.UTC).isoformat(),
            "_session_id": self._session_id,
            "agent": self._agent,
            # Analytics reject an event whose tenant is a number.
            "tenant": None if self.tenant is None else str(self.tenant),
            **fields,
            "trace_id": correlation.trace_id(),
        }
        if correlation.in_console():
            return
        line = json.dumps(_without_unknown(document), allow_nan=False)
        with _output_lock:
            # One write of a whole line, so that lines of several processes on one pipe do not mix.
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()


def usage_summary(model_usage: Iterable[Any]) -> dict[str, Any]:
    """`metrics_summary` of a session's usage (`session.usage.model_usage`).

    Models of a kind are added up; model and provider are those with the most usage, and missing where a kind was not
    used.
    """
    kinds: dict[str, list[Any]] = {"llm_usage": [], "stt_usage": [], "tts_usage": []}
    for usage in model_usage:
        if usage.type in kinds:
            kinds[usage.type].append(usage)
    llm, stt, tts = kinds.values()
    read, written = sum(each.input_tokens for each in llm), sum(each.output_tokens for each in llm)
    return {
        "llm_tokens": read + written,
        "llm_input_tokens": read,
        "llm_output_tokens": written,
        "stt_audio_seconds": sum(each.audio_duration for each in stt),
        "tts_audio_seconds": sum(each.audio_duration for each in tts),
        "tts_characters": sum(each.characters_count for each in tts),
        **_most_used("llm", llm, [each.input_tokens + each.output_tokens for each in llm]),
        **_most_used("stt", stt, [each.audio_duration for each in stt]),
        **_most_used("tts", tts, [each.characters_count for each in tts]),
    }


def _most_used(kind: str, usages: list[Any], amounts: list[float]) -> dict[str, str | None]:
    if not usages:
        return {}
    most = usages[amounts.index(max(amounts))]
    return {f"{kind}_model": most.model or None, f"{kind}_provider": most.provider or None}


def _measured(seconds: float | None) -> float | None:
    """None for what was not measured: LiveKit says -1 for it in places."""
    return seconds if seconds is not None and seconds >= 0 else None


def _model(metadata: Mapping[str, Any] | None) -> dict[str, str | None]:
    known = metadata or {}
    return {"model": known.get("model_name"), "provider": known.get("model_provider")}


def _agent_name(context: Any) -> str | None:
    """As traces and metrics name it, else as LiveKit does: its name is for dispatch, and mostly empty."""
    return os.environ.get("OTEL_SERVICE_NAME", "").strip() or (context and context.job.agent_name) or None


def _without_unknown(document: Mapping[str, Any]) -> dict[str, Any]:
    """Without keys that have no value, so that filters on their existence hold."""
    known = {
        key: _without_unknown(value) if isinstance(value, Mapping) and key != "discovered_signals" else value
        for key, value in document.items()
        if value is not None
    }
    return {key: value for key, value in known.items() if value != {} or key == "discovered_signals"}
