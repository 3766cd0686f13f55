"""The environment of an agent that sends to a stack's gateway."""

from __future__ import annotations

from core.errors import UserError
from turnscope.agent_environment import Gateway, Protocol, agent_environment
from turnscope.deployment.deployment import Deployment
from turnscope.deployment.docker_stack import export_root_certificate
from turnscope.deployment.secret_values import values


def environment_of(
    deployment: Deployment, agent: str | None, protocol: Protocol, *, token: str | None = None
) -> dict[str, str]:
    """Variables for one agent of the stack; its name is the service's name. `token` is the name of a collector token,
    the first by name without one.

    Raises `UserError` for a stack without SigNoz, an unknown agent or token, or a gateway that is not up.
    """
    settings = deployment.settings
    if settings.signoz is None:
        raise UserError(
            f"Stack {deployment.stack} has no SigNoz (turnscope:signoz), so an agent cannot send telemetry to it."
        )
    name = agent or next(iter(settings.agents))
    if name not in settings.agents:
        raise UserError(f"There is no agent {name!r} in this stack; allowed: {', '.join(settings.agents)}.")
    tokens = settings.signoz.collector.tokens
    chosen = token or next(iter(tokens))
    if chosen not in tokens:
        raise UserError(f"There is no collector token {chosen!r} in this stack; allowed: {', '.join(tokens)}.")
    plan = deployment.plan.signoz
    assert plan is not None  # noqa: S101 - a stack with the settings has the plan
    gateway = settings.signoz.gateway
    certificate = export_root_certificate(settings.signoz, plan, deployment.docker_host, deployment.directory)
    reference = tokens[chosen]
    return agent_environment(
        Gateway(
            host=gateway.hostname,
            token=values(deployment, [reference])[reference.path],
            http_port=gateway.otlp_http_port,
            grpc_port=gateway.otlp_grpc_port,
            ca_file=str(certificate) if certificate else None,
        ),
        service_name=name,
        environment=str(settings.environment),
        protocol=protocol,
        allow_pii=not settings.signoz.collector.redact_content,
    )
