"""A stack's plan: what will exist, from its settings, its lock file and its content files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from analytics.plan.build import plan_analytics
from analytics.plan.model import AnalyticsPlan
from cloudwatch.plan.build import plan_cloudwatch
from cloudwatch.plan.model import CloudWatchPlan
from core.checked import Checked
from core.names import PRIVATE
from core.roles import Role
from host.plan.build import plan_host
from host.plan.model import HostPlan
from signoz.content.build import content_folder, plan_content
from signoz.plan.build import plan_signoz
from signoz.plan.model import Image, SigNozPlan
from stacks.settings.model import Settings
from turnscope.deployment.image_lock import read_lock


@dataclass(frozen=True)
class StackPlan:
    """Everything that a stack will hold; None for a part that its settings leave out, of which CloudWatch and SigNoz
    are not both."""

    cloudwatch: CloudWatchPlan | None
    analytics: AnalyticsPlan | None
    signoz: SigNozPlan | None
    host: HostPlan | None = None

    @property
    def stack(self) -> str:
        return self._half.stack

    @property
    def environment(self) -> str:
        return self._half.environment

    @property
    def region(self) -> str | None:
        """The AWS region; None for a stack that has nothing in AWS."""
        return self.cloudwatch.region if self.cloudwatch else None

    @property
    def _half(self) -> CloudWatchPlan | SigNozPlan:
        half = self.cloudwatch or self.signoz
        assert half  # noqa: S101 - the settings see to it
        return half


def plan_stack(stack: str, settings: Settings, project: Path) -> StackPlan:
    """The plan of `stack`. Reads files, asks no network. The digests of queries that were
    checked are kept in the project's private folder.

    Raises `UserError` for a lock file that is not valid, and for content that is wrong.
    """
    checked = Checked(project / PRIVATE / "checked-queries")
    return StackPlan(
        cloudwatch=plan_cloudwatch(stack, settings, checked) if settings.cloudwatch else None,
        analytics=plan_analytics(stack, settings, checked),
        signoz=_plan_signoz(stack, settings, project),
        host=plan_host(stack, settings),
    )


def _plan_signoz(stack: str, settings: Settings, project: Path) -> SigNozPlan | None:
    if not settings.signoz:
        return None
    plan = plan_signoz(
        stack,
        settings.signoz,
        environment=settings.environment,
        owner=settings.owner,
        prices=settings.prices,
        slow_turn_seconds=settings.slow_turn_seconds,
        expires_on=settings.expires_on,
        tags=settings.tags,
        digests=read_lock(stack, project),
        lab_image=_lab_image,
        checkout=project.resolve(),
    )
    return replace(plan, content=plan_content(stack, settings, folder=content_folder(stack, settings, project)))


def _lab_image(role: Role) -> Image:
    from lab.images.catalogue import lab_image  # here: a plan without lab images has no use for the lab

    return lab_image(role)
