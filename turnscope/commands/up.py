"""`turnscope up`."""

from __future__ import annotations

from turnscope.console import console
from turnscope.options import Recover, Refresh, Stack, Yes, deployment_of
from turnscope.printing import print_outputs


def up(stack: Stack, refresh: Refresh = False, recover: Recover = False, yes: Yes = False) -> None:
    """Create or update a stack to match its settings."""
    from turnscope.links import console_links

    deployment = deployment_of(stack, yes, recover=recover)
    progress, outputs = deployment.up(refresh=refresh)
    state = "is up" if progress.changed else "is up to date"
    console.print(f"Stack [bold]{stack}[/bold] {state}: {progress.summary()}")
    print_outputs(outputs)
    if not deployment.is_local:
        print_outputs(console_links(deployment.plan))
