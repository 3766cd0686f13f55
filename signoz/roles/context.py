"""What every role's container is made from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from core.environments import Environment
from core.names import NAMESPACE
from core.releases import Release
from core.roles import Role
from signoz.plan.model import ColdAccess, Image, VolumeMount
from stacks.settings.model import Prices
from stacks.settings.roles.signoz import SigNozSettings


@dataclass(frozen=True)
class RoleContext:
    """A stack's settings and release, and how its containers, images and volumes are named."""

    stack: str
    environment: Environment
    settings: SigNozSettings
    release: Release
    prices: Prices
    slow_turn_seconds: float
    """Total latency above which a turn counts as slow, for any of the agents."""
    image_of: Callable[[Role], Image]
    cold_access: ColdAccess | None = None
    """How ClickHouse reaches its cold storage on a machine that the stack makes; None elsewhere, and with keys."""

    @property
    def prefix(self) -> str:
        """The network's name, and what the names of containers and volumes begin with."""
        return f"{NAMESPACE}-{self.stack}"

    def name(self, role: Role) -> str:
        """Of the role's container."""
        return f"{self.prefix}-{role}"

    def data_volume(self, what: str, path: str) -> VolumeMount:
        """The volume of data called `what`, mounted at `path`; teardown keeps it where the settings say so."""
        return VolumeMount(f"{self.prefix}-{what}-data", path, keep=self.settings.keep_volumes)
