"""The stack that a command of the analytics is about."""

from __future__ import annotations

from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from analytics.plan.build import plan_analytics
from analytics.plan.model import AnalyticsPlan
from cloudwatch.clients import ClientFactory, client_factory
from core.environments import Environment
from core.errors import UserError
from core.project import find_project
from stacks.settings.loading import load
from stacks.settings.model import Settings


@dataclass(frozen=True)
class Target:
    settings: Settings
    plan: AnalyticsPlan
    client: ClientFactory
    account_id: str

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
            raise UserError(f"Stack {self.plan.stack} does not keep event {event!r}; allowed: {', '.join(kept)}.")
        return (event,) if event else tuple(kept)


def target(stack: str) -> Target:
    """Raises `UserError` for a stack without analytics, one that is not up, and where AWS does not answer."""
    project = find_project()
    settings = load(stack, project.root)
    plan = plan_analytics(stack, settings)
    if plan is None:
        raise UserError(
            f"Stack {stack} has no analytics: set turnscope:analytics in stacks/Pulumi.{stack}.yaml "
            "(docs/how-to/analytics.md)."
        )
    if settings.environment == Environment.LOCAL:
        from lab import emulator

        if emulator.status(project.stack_directory(stack)) is None:
            raise UserError(f"Stack {stack} is not up: run `turnscope up {stack}` first.")
    client = client_factory(settings)
    try:
        account_id = client("sts").get_caller_identity()["Account"]
    except (BotoCoreError, ClientError) as error:
        raise UserError(f"AWS does not say whose account this is: {error}", exit_code=1) from None
    return Target(settings, plan, client, account_id)
