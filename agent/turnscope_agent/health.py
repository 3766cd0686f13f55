"""What a worker's processes know of their own health and of the providers behind them, as gauges.

    turnscope.worker.memory.utilization   0 to 1 of the container's limit, or the machine   host.name
    turnscope.worker.cpu.utilization      0 to 1 of the container's quota, or the machine   host.name
    turnscope.provider.up                 1 after an answer, 0 after a last error           kind, gen_ai.provider.name
    turnscope.circuit_breaker.open        1 while a fallback adapter skips a model          circuit_breaker.name

LiveKit has no metric for any of them. A process reports as long as it lives, which is one call: no data about a
provider or a breaker means that it is unused, not that it works.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from turnscope_agent.reporting import guarded

KINDS = ("llm", "stt", "tts")
CGROUP = Path("/sys/fs/cgroup")

_lock = threading.Lock()
_started = False
_providers: dict[tuple[str, str], bool] = {}
_breakers: dict[str, bool] = {}


@guarded
def start() -> None:
    """Make the gauges, the first time that this process asks; after the meter provider is set."""
    global _started
    with _lock:
        if _started:
            return
        _started = True
    from opentelemetry import metrics

    meter = metrics.get_meter("turnscope_agent")
    cpu = CpuShare()
    host = {"host.name": socket.gethostname()}

    def observed(read: Any) -> Any:
        def callback(_: Any) -> Iterable[Any]:
            value = guarded(read)()
            return [] if value is None else [metrics.Observation(value, host)]

        return callback

    def of_providers(_: Any) -> Iterable[Any]:
        with _lock:
            states = list(_providers.items())
        return [metrics.Observation(int(up), {"kind": k, "gen_ai.provider.name": name}) for (k, name), up in states]

    def of_breakers(_: Any) -> Iterable[Any]:
        with _lock:
            states = list(_breakers.items())
        return [metrics.Observation(int(is_open), {"circuit_breaker.name": name}) for name, is_open in states]

    for name, callback, description in (
        (
            "turnscope.worker.memory.utilization",
            observed(memory_utilization),
            "Memory in use, of what the worker may use.",
        ),
        ("turnscope.worker.cpu.utilization", observed(cpu.utilization), "CPU in use, of what the worker may use."),
        ("turnscope.provider.up", of_providers, "Whether the provider answered when it was last asked."),
        ("turnscope.circuit_breaker.open", of_breakers, "Whether calls to the guarded dependency are skipped."),
    ):
        meter.create_observable_gauge(name, [callback], unit="1", description=description)


@guarded
def circuit_breaker(name: str, *, open: bool) -> None:
    """Report that the application's own circuit breaker `name` (around a CRM, for example) has opened or closed."""
    with _lock:
        _breakers[name] = open


@guarded
def watch(session: Any) -> None:
    """Follow the providers of `session` (an `AgentSession`): answers, errors, fallbacks."""
    session.on("conversation_item_added", _on_item)
    session.on("error", _on_error)
    for kind in KINDS:
        model = getattr(session, kind, None)
        if model is not None and hasattr(model, "on"):
            # What LiveKit's fallback adapters emit, and others never.
            model.on(f"{kind}_availability_changed", _on_availability(kind))


def _on_availability(kind: str) -> Any:
    @guarded
    def changed(event: Any) -> None:
        model = getattr(event, kind)
        _set_provider(kind, model.provider, up=event.available)
        circuit_breaker(f"{kind} {model.provider} {model.model}", open=not event.available)

    return changed


@guarded
def _on_item(event: Any) -> None:
    metrics: Mapping[str, Any] = getattr(event.item, "metrics", None) or {}
    for kind in KINDS:
        provider = (metrics.get(f"{kind}_metadata") or {}).get("model_provider")
        if provider:
            _set_provider(kind, provider, up=True)


@guarded
def _on_error(event: Any) -> None:
    kind = str(getattr(event.error, "type", "")).removesuffix("_error")
    provider = getattr(event.source, "provider", None)
    # A recoverable error is retried at once; only the last attempt counts.
    if kind in KINDS and provider and not getattr(event.error, "recoverable", False):
        _set_provider(kind, provider, up=False)


def _set_provider(kind: str, name: str, *, up: bool) -> None:
    with _lock:
        _providers[kind, name] = up


def memory_utilization(cgroup: Path = CGROUP) -> float:
    """Memory in use, 0 to 1: of the container's limit (cgroup 2), else of the machine.

    Page cache that the kernel would give back is not in use (docs.kernel.org/admin-guide/cgroup-v2.html,
    `inactive_file`).
    """
    limit = _read(cgroup / "memory.max")
    if limit and limit != "max":
        used = int(_read(cgroup / "memory.current") or 0)
        cache = _fields(_read(cgroup / "memory.stat")).get("inactive_file", 0)
        return max(0, used - cache) / int(limit)
    import psutil  # pyright: ignore[reportMissingModuleSource]

    return psutil.virtual_memory().percent / 100


class CpuShare:
    """CPU in use since the last time it was asked."""

    def __init__(self, cgroup: Path = CGROUP) -> None:
        self._cgroup = cgroup
        self._last: tuple[float, int] | None = None

    def utilization(self) -> float | None:
        """0 to 1: of the container's quota (cgroup 2), else of the machine; None the first time."""
        quota, _, period = (_read(self._cgroup / "cpu.max") or "max").partition(" ")
        if quota == "max":
            import psutil  # pyright: ignore[reportMissingModuleSource]

            share = psutil.cpu_percent(interval=None) / 100
            first, self._last = self._last is None, (0.0, 0)
            return None if first else share
        now = time.monotonic()
        used = _fields(_read(self._cgroup / "cpu.stat")).get("usage_usec", 0)
        last, self._last = self._last, (now, used)
        if last is None or now <= last[0]:
            return None
        cores = int(quota) / int(period)
        return (used - last[1]) / 1e6 / (now - last[0]) / cores


def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None


def _fields(text: str | None) -> dict[str, int]:
    return {name: int(value) for name, _, value in (line.partition(" ") for line in (text or "").splitlines())}
