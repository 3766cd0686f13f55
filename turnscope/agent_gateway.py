"""The environment of an agent that sends to a stack's gateway, or to the SigNoz that the stack deploys to."""

from __future__ import annotations

from core.errors import UserError
from core.secrets.values import set_command
from stacks.settings.existing_signoz import ExistingSigNoz
from turnscope.agent_environment import Endpoint, Gateway, Protocol, agent_environment
from turnscope.deployment.deployment import Deployment
from turnscope.deployment.docker_stack import export_root_certificate
from turnscope.deployment.secret_values import values


def environment_of(
    deployment: Deployment, agent: str | None, protocol: Protocol, *, token: str | None = None
) -> dict[str, str]:
    """Variables for one agent of the stack; its name is the service's name. `token` is the name of a collector token,
    the first by name without one.

    Raises `UserError` for a stack without SigNoz, an unknown agent or token, a gateway that is not up, or an existing
    SigNoz of which nobody said where it takes telemetry.
    """
    settings = deployment.settings
    name = agent or next(iter(settings.agents))
    if name not in settings.agents:
        raise UserError(f"There is no agent {name!r} in this stack; allowed: {', '.join(settings.agents)}.")
    if settings.existing_signoz:
        destination = _existing(deployment, settings.existing_signoz, protocol, token)
        collector = settings.existing_signoz.collector
    else:
        destination = _gateway(deployment, token)
        collector = settings.signoz.collector if settings.signoz else None
    return agent_environment(
        destination,
        service_name=name,
        environment=str(settings.environment),
        protocol=protocol,
        allow_pii=not (collector and collector.redact_content),
    )


def _gateway(deployment: Deployment, token: str | None) -> Gateway:
    settings = deployment.settings.signoz
    if settings is None:
        raise UserError(
            f"Stack {deployment.stack} has no SigNoz (turnscope:signoz or turnscope:existing_signoz), so an agent "
            "cannot send telemetry to it."
        )
    tokens = settings.collector.tokens
    chosen = token or next(iter(tokens))
    if chosen not in tokens:
        raise UserError(f"There is no collector token {chosen!r} in this stack; allowed: {', '.join(tokens)}.")
    plan = deployment.plan.signoz
    assert plan is not None  # noqa: S101 - a stack with the settings has the plan
    gateway = settings.gateway
    certificate = export_root_certificate(settings, plan, deployment.docker_host, deployment.directory)
    reference = tokens[chosen]
    return Gateway(
        host=gateway.hostname,
        token=values(deployment, [reference])[reference.path],
        http_port=gateway.otlp_http_port,
        grpc_port=gateway.otlp_grpc_port,
        ca_file=str(certificate) if certificate else None,
    )


def _existing(deployment: Deployment, settings: ExistingSigNoz, protocol: Protocol, token: str | None) -> Endpoint:
    """The stack's collector before an existing SigNoz, else where that takes telemetry itself."""
    if token is not None:
        raise UserError(f"--token {token}: stack {deployment.stack} does not run a collector, so it has no tokens.")
    otlp = settings.collector or settings.ingest
    if otlp is None:
        raise UserError(
            f"Stack {deployment.stack} does not know where its SigNoz takes telemetry. Set turnscope:existing_signoz."
            "ingest.endpoint, for SigNoz Cloud to https://ingest.<region>.signoz.cloud:443, and its key: "
            f"`{set_command('existing_signoz.ingest.key', deployment.stack)}`."
        )
    url = (otlp.grpc_endpoint if protocol is Protocol.GRPC else None) or otlp.endpoint
    if settings.collector or not settings.ingest or not settings.ingest.key:
        return Endpoint(url)
    reference = settings.ingest.key
    return Endpoint(url, (settings.ingest.header, values(deployment, [reference])[reference.path]))
