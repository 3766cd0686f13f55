"""What ties a call's spans, log lines and JSON lines together: the room's name, the trace's id."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any

from turnscope_agent.reporting import guarded

_attributes: weakref.WeakKeyDictionary[Any, dict[str, str]] = weakref.WeakKeyDictionary()
_trace_ids: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()


def job_context() -> Any:
    """LiveKit's `JobContext` of the running job, or None."""
    from livekit.agents import get_job_context  # pyright: ignore[reportMissingImports]

    return get_job_context(required=False)


@guarded
def in_console() -> bool:
    """Whether `python agent.py console` draws on this standard output."""
    from livekit.agents.cli import AgentsConsole  # pyright: ignore[reportMissingImports]

    return bool(AgentsConsole.get_instance().enabled)


@guarded
def trace_id() -> str | None:
    """The id of the running job's trace, as spans and log records have it; None without tracing.

    Where the application's own provider made the root span, it is that of the span around the caller.
    """
    context = job_context()
    if context in _trace_ids:
        return _trace_ids[context]
    from opentelemetry import trace

    around = trace.get_current_span().get_span_context()
    if not around.is_valid:
        return None
    found = trace.format_trace_id(around.trace_id)
    if context is not None:
        # A later event may come from outside of every span.
        _trace_ids[context] = found
    return found


def describe(context: Any, session_id: str, attributes: Mapping[str, str]) -> None:
    """Put `session_id` and `attributes` on the spans of the job from here on, and the trace's id on its log lines,
    also where the entrypoint has replaced the log context fields since the job began."""
    _attributes[context] = {"session.id": session_id, **attributes}
    if context in _trace_ids:
        context.log_context_fields["trace_id"] = _trace_ids[context]


def add(context: Any, name: str, value: str | None) -> None:
    """Put one more attribute on the spans of the job from here on; None takes it off."""
    kept = {key: each for key, each in _attributes.get(context, {}).items() if key != name}
    _attributes[context] = kept if value is None else {**kept, name: str(value)}


def span_processors(attributes: Mapping[str, str], *, content_allowed: bool) -> tuple[Any, ...]:
    """For the tracer provider: what marks every span with `attributes`, and a job's with its call.

    `session.id` is the room's name, which LiveKit counts as content: without leave it is not put on spans, and
    `gen_ai.conversation.id` (the room's id) alone names the call.
    """
    from opentelemetry import trace
    from opentelemetry.sdk.trace import SpanProcessor

    class JobSpans(SpanProcessor):
        @guarded
        def on_start(self, span: Any, parent_context: Any = None) -> None:
            span.set_attributes(dict(attributes))
            context = job_context()
            if context is None:
                return
            of_call = _attributes.get(context) or {"session.id": context.job.room.name}
            span.set_attributes({k: v for k, v in of_call.items() if content_allowed or k != "session.id"})
            is_root = not trace.get_current_span(parent_context).get_span_context().is_valid
            if is_root and context not in _trace_ids:
                _trace_ids[context] = trace.format_trace_id(span.get_span_context().trace_id)
                context.log_context_fields["trace_id"] = _trace_ids[context]

    return (JobSpans(),)
