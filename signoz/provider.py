"""Arguments of the stack's one Docker provider."""

from __future__ import annotations

from typing import Any

import pulumi_docker as docker

from stacks.settings.roles.signoz import SigNozSettings

SSH_OPTIONS = ["-o", "ServerAliveInterval=15", "-o", "ConnectTimeout=15"]


def provider_args(settings: SigNozSettings) -> dict[str, Any]:
    """The engine's address, and where the registry's login is kept."""
    arguments: dict[str, Any] = {"host": settings.docker_host}
    if settings.docker_host.startswith("ssh://"):
        arguments["ssh_opts"] = SSH_OPTIONS
    if settings.images.registry and settings.images.login:
        # What `docker login` wrote on the machine that deploys (~/.docker/config.json).
        host = settings.images.registry.split("/")[0]
        arguments["registry_auth"] = [docker.ProviderRegistryAuthArgs(address=host)]
    return arguments
