"""A LiveKit agent that shows all it can without a LiveKit server: tools that fail, a model that fails for good, one
that is left aside, interruptions, a hand-off, a blocked event loop, error lines, the worker's Prometheus endpoint.

    python rich_agent.py PROMETHEUS_PORT

Two jobs, each in a real job process of a real `AgentServer`: in the first the language model fails until the session
gives up, in the second another one stands in for it. When the calls are over the worker waits for a line on standard
input, so that its endpoint can be read until then.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))

import turnscope_agent
from livekit.agents import Agent, AgentServer, APIConnectionError, JobContext, llm  # pyright: ignore[reportMissingImports]
from record_agent_log import Turn, scripted_call  # pyright: ignore[reportMissingImports]

BROKEN = Turn("this is the broken one", "", 0.2, fails=True)
TURNS = (
    Turn("we are a team of eight", "Thank you.", 0.15, 0.1, (("note_team_size", {"team_size": 8}),)),
    Turn("about one hundred documents", "Noted.", 0.15, 0.1, (("note_volume", {"monthly_volume": 100}),)),
    Turn("look up my account", "I cannot reach it.", 0.15, 0.1, (("look_up_account", {"email": "down"}),)),
    Turn("tell me everything about pricing", "Our plans differ in seats and features and support and more.", 0.15, 0.1,
         interrupted_after_seconds=1.2),
)  # fmt: skip
ERRORS_THAT_END_A_SESSION = 4
"""One more than AgentSession's `max_unrecoverable_errors`, in a row."""
PROMETHEUS_PORT = int(sys.argv[1]) if len(sys.argv) > 1 else 0

server = AgentServer(num_idle_processes=2, host="127.0.0.1", port=0, prometheus_port=PROMETHEUS_PORT)
turnscope_agent.setup(server)


@server.rtc_session()
async def entrypoint(ctx: JobContext) -> None:
    if ctx.job.room.name == "call-that-fails":
        call = scripted_call((*TURNS, *[BROKEN] * ERRORS_THAT_END_A_SESSION))
    else:
        # LiveKit's adapter leaves the model aside that never answers.
        call = scripted_call(TURNS[:2], lambda scripted: llm.FallbackAdapter([Silent(), scripted]))
    turnscope_agent.observe(call.session, tenant="acme", attributes={"user.id": "caller-1"})
    turnscope_agent.circuit_breaker("crm", open=True)
    logging.getLogger("my-agent").error("the CRM does not answer")
    running = asyncio.create_task(call.run())
    await asyncio.sleep(1)
    time.sleep(0.6)
    await running
    with contextlib.suppress(RuntimeError):  # the session that gave up
        call.session.update_agent(Agent(instructions="You end calls."))
    await asyncio.sleep(0.5)
    ctx.shutdown("done")


class Silent(llm.LLM):
    model, provider = "silent", "nobody.example"

    def chat(self, *, chat_ctx: Any, tools: Any = None, conn_options: Any = None, **_: Any) -> llm.LLMStream:
        return NoAnswer(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)


class NoAnswer(llm.LLMStream):
    async def _run(self) -> None:
        raise APIConnectionError("nobody is there")


async def main() -> None:
    running = asyncio.create_task(server.run(devmode=False, unregistered=True))
    while not hasattr(server, "_proc_pool") or not server._proc_pool._started:
        await asyncio.sleep(0.05)
    for room in ("call-that-fails", "call-with-another-model"):
        await server.simulate_job(room, fake_job=True)
    while server.active_jobs:
        await asyncio.sleep(0.1)
    print(f"IMPORTED {turnscope_agent.__file__}\nCALL OVER", file=sys.stderr, flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    await server._proc_pool.aclose()
    running.cancel()


if __name__ == "__main__":
    from livekit.agents.cli.log import setup_logging  # pyright: ignore[reportMissingImports]

    setup_logging("DEBUG", devmode=False, console=False)
    asyncio.run(main())
