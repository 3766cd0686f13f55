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
from core.secrets.placeholders import ACCOUNT_ID_PLACEHOLDER
from forwarding.plan.build import plan_forwarding
from forwarding.plan.model import ForwardingPlan
from host.plan.build import plan_host
from host.plan.model import HostPlan
from host.plan.user_data import CREDENTIALS_FILE, CREDENTIALS_FOLDER
from signoz.content.build import content_folder, plan_content
from signoz.content.model import ContentPlan
from signoz.plan.build import plan_signoz
from signoz.plan.model import ColdAccess, HostFolder, Image, SigNozPlan
from signoz.roles.collector.config import CollectorContext
from signoz.roles.collector.existing import render_existing_collector
from stacks.settings.model import Settings
from turnscope.deployment.image_lock import read_lock


@dataclass(frozen=True)
class ExistingPlan:
    """A SigNoz that the stack does not run, and what it is to hold. `collector` is the configuration of the collector
    before it; None for none."""

    stack: str
    environment: str
    url: str
    content: ContentPlan
    collector: str | None = None


@dataclass(frozen=True)
class StackPlan:
    """Everything that a stack will hold; None for a part that its settings leave out, of which CloudWatch and SigNoz
    are not both; `signoz` is the stack's own, `existing` one that it does not run."""

    cloudwatch: CloudWatchPlan | None
    analytics: AnalyticsPlan | None
    signoz: SigNozPlan | None
    host: HostPlan | None = None
    existing: ExistingPlan | None = None
    forwarding: ForwardingPlan | None = None

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
    def content(self) -> ContentPlan:
        """What SigNoz is to hold, the stack's own or an existing one."""
        target = self.signoz or self.existing
        return target.content if target else ContentPlan()

    @property
    def _half(self) -> CloudWatchPlan | SigNozPlan | ExistingPlan:
        half = self.cloudwatch or self.signoz or self.existing
        assert half  # noqa: S101 - the settings see to it
        return half


def plan_stack(stack: str, settings: Settings, project: Path) -> StackPlan:
    """The plan of `stack`. Reads files, asks no network. The digests of queries that were
    checked are kept in the project's private folder.

    Raises `UserError` for a lock file that is not valid, and for content that is wrong.
    """
    checked = Checked(project / PRIVATE / "checked-queries")
    host = plan_host(stack, settings)
    return StackPlan(
        cloudwatch=plan_cloudwatch(stack, settings, checked) if settings.cloudwatch else None,
        analytics=plan_analytics(stack, settings, checked),
        signoz=_plan_signoz(stack, settings, project, host),
        host=host,
        forwarding=plan_forwarding(stack, settings),
        existing=_plan_existing(stack, settings, project),
    )


def _plan_existing(stack: str, settings: Settings, project: Path) -> ExistingPlan | None:
    existing = settings.existing_signoz
    if existing is None:
        return None
    context = CollectorContext(str(settings.environment), settings.prices, settings.slow_turn_seconds)
    return ExistingPlan(
        stack,
        str(settings.environment),
        existing.url,
        plan_content(stack, settings, folder=content_folder(stack, settings, project)),
        render_existing_collector(existing.collector, existing.ingest, context)
        if existing.collector and existing.ingest
        else None,
    )


def _plan_signoz(stack: str, settings: Settings, project: Path, host: HostPlan | None) -> SigNozPlan | None:
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
        cold_access=cold_access(host),
    )
    return replace(plan, content=plan_content(stack, settings, folder=content_folder(stack, settings, project)))


def cold_access(host: HostPlan | None) -> ColdAccess | None:
    """How ClickHouse reaches its cold storage on the stack's machine; None without either."""
    cold = host.cold_bucket if host else None
    if host is None or cold is None:
        return None
    return ColdAccess(
        bucket=cold.name(ACCOUNT_ID_PLACEHOLDER),
        region=cold.region,
        credentials=HostFolder(CREDENTIALS_FOLDER, "/etc/turnscope/s3"),
        file=CREDENTIALS_FILE,
    )


def _lab_image(role: Role) -> Image:
    from lab.images.catalogue import lab_image  # here: a plan without lab images has no use for the lab

    return lab_image(role)
