"""Problems with telemetry: each is logged once, and never raised into the agent."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import ParamSpec, TypeVar

logger = logging.getLogger("turnscope_agent")

P = ParamSpec("P")
R = TypeVar("R")

_reported: set[str] = set()


def warn_once(message: str, *, about: str = "", error: BaseException | None = None) -> None:
    """Log `message` unless something `about` the same (default: the same message) was logged in this process."""
    about = about or message
    if about not in _reported:
        _reported.add(about)
        logger.warning(message, exc_info=error)


def guarded(function: Callable[P, R]) -> Callable[P, R | None]:
    """`function`, returning None where it would raise.

    LiveKit's event emitter passes a handler's `TypeError` on to the agent, and OpenTelemetry a span processor's
    every exception.
    """

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R | None:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            name = function.__qualname__
            warn_once(f"Telemetry is incomplete, {name} failed: {error!r}", about=name, error=error)
            return None

    return call


class _FirstOfEachKind(logging.Handler):
    """Passes on the first record of each kind, whatever its numbers say."""

    def emit(self, record: logging.LogRecord) -> None:
        kind = f"{record.name} {record.msg}"
        warn_once(f"{record.getMessage()} (logged once; {record.name})", about=kind)


def quieten_opentelemetry() -> None:
    """Log each of OpenTelemetry's own warnings once, not with every batch that cannot be delivered.

    An application that handles the `opentelemetry` logger itself keeps its own way.
    """
    own = logging.getLogger("opentelemetry")
    if own.propagate and not own.handlers:
        own.addHandler(_FirstOfEachKind(logging.WARNING))
        own.propagate = False
