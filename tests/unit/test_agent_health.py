"""A worker's health gauges: what they say after answers, errors and fallbacks, and what counts as in use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from turnscope_agent import health


class Emitter:
    def __init__(self, **attributes: Any) -> None:
        self.handlers: dict[str, Any] = {}
        self.__dict__.update(attributes)

    def on(self, event: str, handler: Any) -> None:
        self.handlers[event] = handler


@pytest.fixture
def session() -> Iterator[Emitter]:
    health._providers.clear()
    health._breakers.clear()
    found = Emitter(llm=Emitter(), stt=None, tts=Emitter())
    health.watch(found)
    yield found
    health._providers.clear()
    health._breakers.clear()


def answered(session: Emitter, **providers: str) -> None:
    metrics = {f"{kind}_metadata": {"model_name": "m", "model_provider": name} for kind, name in providers.items()}
    session.handlers["conversation_item_added"](SimpleNamespace(item=SimpleNamespace(metrics=metrics)))


def failed(session: Emitter, kind: str, provider: str, *, recoverable: bool) -> None:
    error = SimpleNamespace(type=f"{kind}_error", recoverable=recoverable)
    session.handlers["error"](SimpleNamespace(error=error, source=SimpleNamespace(provider=provider)))


def test_a_provider_is_down_from_its_final_error_to_its_next_answer(session: Emitter) -> None:
    """An attempt that is made again at once is no outage."""
    answered(session, llm="openai", tts="cartesia")
    failed(session, "llm", "openai", recoverable=True)
    assert health._providers == {("llm", "openai"): True, ("tts", "cartesia"): True}
    failed(session, "llm", "openai", recoverable=False)
    assert health._providers == {("llm", "openai"): False, ("tts", "cartesia"): True}
    answered(session, llm="openai")
    assert health._providers["llm", "openai"]


def test_a_fallback_adapter_opens_and_closes_the_breaker_of_the_model_that_it_leaves_aside(session: Emitter) -> None:
    changed = session.__dict__["llm"].handlers["llm_availability_changed"]
    model = SimpleNamespace(provider="openai", model="gpt-4o")
    changed(SimpleNamespace(llm=model, available=False))
    assert health._breakers == {"llm openai gpt-4o": True}
    assert health._providers == {("llm", "openai"): False}
    changed(SimpleNamespace(llm=model, available=True))
    assert health._breakers == {"llm openai gpt-4o": False}
    assert health._providers == {("llm", "openai"): True}


def test_strange_events_harm_nobody(session: Emitter) -> None:
    for handler in session.handlers.values():
        handler(None)
    session.handlers["conversation_item_added"](SimpleNamespace(item=SimpleNamespace(metrics={"llm_metadata": None})))
    failed(session, "interruption_detection", "livekit", recoverable=False)
    assert health._providers == {}


def test_memory_is_what_cannot_be_given_back_of_the_containers_limit(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("1000\n")
    (tmp_path / "memory.current").write_text("900\n")
    (tmp_path / "memory.stat").write_text("anon 500\ninactive_file 300\n")
    assert health.memory_utilization(tmp_path) == pytest.approx(0.6)


def test_cpu_is_the_share_of_the_containers_quota_since_it_was_last_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter((100.0, 110.0))
    monkeypatch.setattr(health.time, "monotonic", lambda: next(times))
    (tmp_path / "cpu.max").write_text("200000 100000\n")
    stat = tmp_path / "cpu.stat"
    share = health.CpuShare(tmp_path)
    stat.write_text("usage_usec 1000000\n")
    assert share.utilization() is None
    stat.write_text("usage_usec 11000000\n")
    assert share.utilization() == pytest.approx(0.5)
