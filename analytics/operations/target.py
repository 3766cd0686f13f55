"""The stack that a command of the analytics is about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from analytics.operations.engine import AthenaEngine, QueryEngine
from analytics.operations.progress import Progress
from analytics.plan.build import plan_analytics
from analytics.plan.model import AnalyticsPlan
from cloudwatch.clients import ClientFactory, account_id
from core.errors import UserError
from stacks.settings.model import Settings


@dataclass(frozen=True)
class Target:
    settings: Settings
    plan: AnalyticsPlan
    client: ClientFactory
    account_id: str
    local_engine: QueryEngine | None = None
    """Answers in Athena's place, for a local stack."""

    def query_engine(self, progress: Progress) -> QueryEngine:
        """What answers queries of the stack."""
        return self.local_engine or AthenaEngine(self.client, self.plan, progress)

    @property
    def data_bucket(self) -> str:
        return self.plan.data_bucket.name(self.account_id)

    def log_groups(self, agent: str | None) -> tuple[str, ...]:
        """Of an agent, or of all; several may share one. Raises `UserError` for an agent that there is not."""
        agents = list(self.settings.agents)
        if agent is not None and agent not in agents:
            raise UserError(f"There is no agent {agent!r} in stack {self.plan.stack}; allowed: {', '.join(agents)}.")
        return tuple(dict.fromkeys(self.settings.log_group_name(each) for each in ([agent] if agent else agents)))

    def events(self, event: str | None) -> tuple[str, ...]:
        """One event, or all that are kept. Raises `UserError` for one that is not."""
        kept = [table.event for table in self.plan.tables]
        if event is not None and event not in kept:
            raise UserError(f"Stack {self.plan.stack} does not store event {event!r}; allowed: {', '.join(kept)}.")
        return (event,) if event else tuple(kept)


LocalEngine = Callable[[ClientFactory, str], QueryEngine]
"""From a stack's clients and its database to what answers queries in Athena's place."""


def target(stack: str, settings: Settings, client: ClientFactory, local_engine: LocalEngine | None = None) -> Target:
    """Raises `UserError` for a stack without analytics, for a wrong account, and where AWS does not answer."""
    plan = plan_analytics(stack, settings)
    if plan is None:
        raise UserError(
            f"Stack {stack} has no analytics: set turnscope:analytics in stacks/Pulumi.{stack}.yaml "
            "(docs/how-to/analytics.md)."
        )
    return Target(
        settings,
        plan,
        client,
        account_id(settings, client),
        local_engine(client, plan.database) if local_engine else None,
    )
