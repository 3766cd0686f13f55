"""`turnscope up`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from turnscope.console import console
from turnscope.options import Recover, Refresh, Stack, Yes, deployment_of
from turnscope.printing import print_outputs

if TYPE_CHECKING:
    from turnscope.deployment.progress import EngineProgress


def up(stack: Stack, refresh: Refresh = False, recover: Recover = False, yes: Yes = False) -> None:
    """Create or update a stack to match its settings."""
    from turnscope.deployment.cloudwatch_first import deploy_cloudwatch_first
    from turnscope.links import console_links

    deployment = deployment_of(stack, yes, recover=recover)
    name = f"Stack [bold]{stack}[/bold]"
    deploy_cloudwatch_first(deployment, lambda *result: _report(f"{name} without SigNoz", *result))
    _report(name, *deployment.up(refresh=refresh))
    if not deployment.is_local:
        print_outputs(console_links(deployment.plan))


def _report(what: str, progress: EngineProgress, outputs: dict[str, Any]) -> None:
    state = "is up" if progress.changed else "is up to date"
    console.print(f"{what} {state}: {progress.summary()}")
    print_outputs(outputs)
