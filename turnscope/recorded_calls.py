"""Recorded calls for the SigNoz of a local stack, and how to see them there."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console

from core.errors import UserError
from signoz.plan.model import SigNozPlan
from simulate import telemetry
from stacks.settings.roles.signoz import SigNozSettings
from turnscope.agent_environment import Protocol
from turnscope.agent_gateway import environment_of
from turnscope.deployment.deployment import Deployment
from turnscope.deployment.secret_values import values
from turnscope.sign_in import administrator

if TYPE_CHECKING:
    from lab.telemetry_store import TelemetryStore


def recorded_calls(log: str | None) -> tuple[str, ...]:
    """The recorded calls that the argument of `turnscope lab send` names: all without one, none for a file."""
    return telemetry.names() if log is None else tuple(name for name in telemetry.names() if name == log)


def send_recorded_calls(
    deployment: Deployment, names: Collection[str], agent: str, trace_ids: Mapping[str, str]
) -> dict[str, Any] | None:
    """Send the calls of these names as `agent`, under these trace IDs (recorded -> sent).

    The report is plain data, None for a stack without SigNoz. Raises `UserError` where the stack is not up, or does not
    store what was sent.
    """
    settings, plan = deployment.settings.signoz, deployment.plan.signoz
    if settings is None or plan is None:
        return None
    from lab.telemetry import send

    calls: list[dict[str, Any]] = []
    if names:
        store = telemetry_store(deployment, settings, plan)
        environment, address = environment_of(deployment, agent, Protocol.HTTP), deployment.machine_address()
        calls = send(names, environment, store, trace_ids=trace_ids, address=address)
    return {"calls": calls, **_sign_in(deployment)}


def telemetry_store(deployment: Deployment, settings: SigNozSettings, plan: SigNozPlan) -> TelemetryStore:
    """The stack's ClickHouse, to be asked. Raises `UserError` where its password is not known."""
    from lab.telemetry_store import TelemetryStore

    reference = settings.clickhouse.password
    password = values(deployment, [reference])[reference.path]
    return TelemetryStore(deployment.docker_host, plan, password)


def _sign_in(deployment: Deployment) -> dict[str, str]:
    try:
        found = administrator(deployment.stack, deployment.settings)
    except UserError as error:  # a release without an administrator from the settings
        return {"sign_in": str(error)}
    return {"url": found.url, "email": found.email, "sign_in": f"turnscope login {deployment.stack} --show-secrets"}


def print_signoz(report: dict[str, Any] | None, stack: str, console: Console) -> None:
    """What SigNoz' store counted, and how to sign in."""
    from lab.telemetry import print_calls

    console.print()
    if report is None:
        console.print(f"Stack {stack} has no SigNoz (turnscope:signoz): only CloudWatch received the calls.")
        return
    if report["calls"]:
        console.print("SigNoz received the traces, metrics and logs of the calls by OTLP. Its store counts:\n")
        print_calls(report["calls"], console)
    else:
        console.print(
            f"SigNoz received nothing, because a log file has no traces. `turnscope env {stack}` prints what your "
            "agent needs to send them."
        )
    console.print()
    if "url" in report:
        console.print(f"SigNoz: {report['url']}, as {report['email']}; the password: {report['sign_in']}", markup=False)
    else:
        console.print(f"SigNoz: {report['sign_in']}", markup=False)
