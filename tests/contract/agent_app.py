"""A LiveKit agent as its developer writes it, with Turnscope's two lines; its caller follows a script.

    python agent_app.py MODE

Runs one job in a real job process of a real `AgentServer`, without a LiveKit server. MODE: `whole` call, `killed` when
the second answer has been spoken, or `hostile`, which breaks what Turnscope relies on.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))

import turnscope_agent
from livekit.agents import AgentServer, JobContext, JobProcess  # pyright: ignore[reportMissingImports]
from record_agent_log import Turn, scripted_call  # pyright: ignore[reportMissingImports]

MODE = os.environ.setdefault("AGENT_APP_MODE", sys.argv[-1])
TURNS = (
    Turn("we are a team of eight", "Thank you.", 0.15, 0.1, (("note_team_size", {"team_size": 8}),)),
    Turn("tell me everything about pricing", "Our plans differ in seats and features and support and more.", 0.15, 0.1,
         interrupted_after_seconds=1.2),
    Turn("stop just the cheapest", "The starter plan.", 0.15, 0.1),
)  # fmt: skip


def prewarm(process: JobProcess) -> None:
    process.userdata["prewarmed"] = True


server = AgentServer(setup_fnc=prewarm, num_idle_processes=1, host="127.0.0.1", port=0)
turnscope_agent.setup(server, attributes={"app.version": "7"})


@server.rtc_session()
async def entrypoint(ctx: JobContext) -> None:
    assert ctx.proc.userdata["prewarmed"]
    ctx.log_context_fields = {"tenant": "acme"}
    call = scripted_call(TURNS)
    session = call.session
    turnscope_agent.observe(session, tenant="acme", attributes={"user.id": "caller-1"})
    if MODE == "killed":
        session.on("conversation_item_added", KillAtSecondAnswer())
    elif MODE == "hostile":
        broken = {"e2e_latency": "soon", "llm_metadata": 3}
        for name in ("speech_created", "function_tools_executed", "conversation_item_added"):
            session.emit(name, None)
        session.emit("conversation_item_added", Added("assistant", broken))
        turnscope_agent.signals.note(team=object())  # type: ignore[arg-type]
    told = {"lk.pii.caller": "+31 6 1234", "imported": turnscope_agent.__file__}
    logging.getLogger("my-agent").info("call begins", extra=told)
    await call.run()
    ctx.shutdown("done")


class Added:
    """An event with an item whose metrics are nothing that LiveKit would write."""

    def __init__(self, role: str, metrics: dict[str, Any]) -> None:
        self.item = self
        self.type, self.role, self.metrics, self.interrupted = "message", role, metrics, False


class KillAtSecondAnswer:
    def __init__(self) -> None:
        self.answers = 0

    def __call__(self, event: Any) -> None:
        self.answers += getattr(event.item, "role", "") == "assistant" and "e2e_latency" in event.item.metrics
        if self.answers == 2:
            # After the event's other handlers, whose order differs between versions, and before anything else.
            asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGKILL)


async def main() -> None:
    running = asyncio.create_task(server.run(devmode=False, unregistered=True))
    while not hasattr(server, "_proc_pool") or not server._proc_pool._started:
        await asyncio.sleep(0.05)
    await server.simulate_job("call-contract", fake_job=True)
    while server.active_jobs:
        await asyncio.sleep(0.1)
    await server._proc_pool.aclose()
    running.cancel()


if __name__ == "__main__":
    from livekit.agents.cli.log import setup_logging  # pyright: ignore[reportMissingImports]

    setup_logging("DEBUG", devmode=False, console=False)
    asyncio.run(main())
