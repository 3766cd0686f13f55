"""Arguments of the stack's one Docker provider."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pulumi
import pulumi_docker as docker

from stacks.settings.roles.signoz import SigNozSettings

SSH_OPTIONS = ["-o", "ServerAliveInterval=15", "-o", "ConnectTimeout=15"]


def provider_args(
    settings: SigNozSettings, *, address: pulumi.Input[str] | None = None, ssh_options: Sequence[str] = SSH_OPTIONS
) -> dict[str, Any]:
    """The engine's address, and where the registry's login is kept. `address` (ssh) instead of the settings'."""
    arguments: dict[str, Any] = {"host": address or settings.docker_host}
    if address is not None or settings.docker_host.startswith("ssh://"):
        arguments["ssh_opts"] = list(ssh_options)
    if settings.images.registry and settings.images.login:
        # What `docker login` wrote on the machine that deploys (~/.docker/config.json).
        host = settings.images.registry.split("/")[0]
        arguments["registry_auth"] = [docker.ProviderRegistryAuthArgs(address=host)]
    return arguments
