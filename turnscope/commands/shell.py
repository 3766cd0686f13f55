"""`turnscope shell`."""

from __future__ import annotations

import shlex

from turnscope.options import Stack, deployment_of


def shell(stack: Stack) -> None:
    """Print the environment variables for the pulumi command, for eval."""
    deployment = deployment_of(stack)
    for name, value in deployment.environment.items():
        print(f"export {name}={shlex.quote(value)}")
    if deployment.is_local:
        print("unset PULUMI_CONFIG_PASSPHRASE")
