"""Telemetry of a LiveKit agent, set up right: OpenTelemetry in every job process, and a call's figures as JSON lines.

    from earshot import agent as earshot

    server = AgentServer(setup_fnc=prewarm)
    earshot.setup(server)                        # traces, metrics and logs, where OTEL_* says

    @server.rtc_session()
    async def entrypoint(ctx: JobContext) -> None:
        session = AgentSession(...)
        earshot.observe(session, tenant="acme")  # voice_metrics and session_analytics lines on standard output
        await session.start(agent=..., room=ctx.room)

    @function_tool
    async def note_team_size(self, team_size: int) -> str:
        earshot.signals.note(team_size=team_size)

Runs in the agent's own environment (`pip install earshot[agent]`): imports nothing of Earshot outside this package,
and LiveKit and OpenTelemetry only when called. Nothing here raises into the agent: what fails is logged once.
"""

from earshot.agent import signals
from earshot.agent.call import observe, set_tenant
from earshot.agent.health import circuit_breaker
from earshot.agent.job import setup

__all__ = ["circuit_breaker", "observe", "set_tenant", "setup", "signals"]
