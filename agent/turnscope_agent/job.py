"""Telemetry in every job process, from before the job's root span on."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from turnscope_agent import correlation, health, providers
from turnscope_agent.reporting import guarded

Server = TypeVar("Server")


def setup(server: Server, *, allow_pii: bool | None = None, attributes: Mapping[str, str] | None = None) -> Server:
    """Have the job processes of `server` (an `AgentServer`, or `WorkerOptions`) export telemetry; returns `server`.

    Call it where the server is made, after its `setup_fnc` (`prewarm_fnc`) is set, which still runs: LiveKit starts a
    job's root span before the entrypoint, too early for a provider that is set in the entrypoint.

    allow_pii: whether what was said, tool arguments and results and exception texts are exported; by default as
    LIVEKIT_TELEMETRY_ALLOW_PII says, else yes.
    attributes: set on every span, such as `{"langfuse.release": ...}`.
    Raises `TypeError` where `server` is neither.
    """
    hook = next((name for name in ("setup_fnc", "prewarm_fnc") if hasattr(server, name)), None)
    if hook is None:
        raise TypeError(f"turnscope_agent.setup takes an AgentServer or WorkerOptions, not {type(server).__name__}")
    options = providers.Options(allow_pii, tuple((attributes or {}).items()))
    setattr(server, hook, functools.partial(prepare_process, options, getattr(server, hook)))
    return server


def prepare_process(options: providers.Options, prewarm: Callable[[Any], Any] | None, process: Any) -> Any:
    """Runs in a new job process before its first job; then what the application set to run there."""
    install(options)
    return prewarm(process) if prewarm else None


@guarded
def install(options: providers.Options) -> None:
    """Set up this process, unless it is."""
    processors = correlation.span_processors(dict(options.attributes), content_allowed=options.content_allowed)
    providers.install(options, processors)
    health.start()
