"""What the running Pulumi program asks of the engine."""

from __future__ import annotations

from pathlib import Path

import pulumi
from pulumi.runtime import config as engine

from stacks.settings.loading import load_configuration
from stacks.settings.model import Settings


def load_from_engine(project: Path) -> Settings:
    """The settings of the stack that the engine runs, so that `pulumi up -c` and `--config-file` take effect.

    Raises `UserError` with every problem.
    """
    # The released language host passes the configuration by environment, the automation API sets it in the SDK.
    config: dict[str, str] = {**engine.get_config_env(), **engine.CONFIG.get()}
    encrypted = {*engine.get_config_secret_keys_env(), *(key for key in config if engine.is_config_secret(key))}
    return load_configuration(pulumi.get_stack(), config, encrypted, project)
