"""Telemetry of a LiveKit agent: OpenTelemetry in every job process, and each call's figures as JSON lines.

    import turnscope_agent

    server = AgentServer(setup_fnc=prewarm)
    turnscope_agent.setup(server)                        # traces, metrics and logs, where OTEL_* says

    @server.rtc_session()
    async def entrypoint(ctx: JobContext) -> None:
        session = AgentSession(...)
        turnscope_agent.observe(session, tenant="acme")  # voice_metrics and session_analytics lines on standard output
        await session.start(agent=..., room=ctx.room)

    @function_tool
    async def note_team_size(self, team_size: int) -> str:
        turnscope_agent.signals.note(team_size=team_size)

A distribution of its own, `turnscope-agent`, for the agent's environment: it imports nothing of the toolkit, and
LiveKit and OpenTelemetry only when called. Nothing here raises into the agent: a failure is logged once.
"""

from turnscope_agent import signals
from turnscope_agent.call import observe, set_tenant
from turnscope_agent.health import circuit_breaker
from turnscope_agent.job import setup

__all__ = ["circuit_breaker", "observe", "set_tenant", "setup", "signals"]
