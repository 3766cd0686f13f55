"""A stack's two plans, from its settings and its lock file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cloudwatch.plan.build import plan_cloudwatch
from cloudwatch.plan.model import CloudWatchPlan
from signoz.content.build import content_folder, plan_content
from signoz.plan.build import plan_signoz
from signoz.plan.model import SigNozPlan
from stacks.settings.model import Settings
from turnscope.deployment.image_lock import read_lock


def plans(stack: str, settings: Settings, project: Path) -> tuple[CloudWatchPlan, SigNozPlan | None]:
    """What will exist in CloudWatch, and on the Docker host (None for a stack without SigNoz).

    Raises `UserError` for a lock file that is none, and for content that is wrong.
    """
    signoz = None
    if settings.signoz:
        signoz = plan_signoz(
            stack,
            settings.signoz,
            environment=settings.environment,
            owner=settings.owner,
            prices=settings.prices,
            expires_on=settings.expires_on,
            digests=read_lock(stack, project),
        )
        content = plan_content(stack, settings, folder=content_folder(stack, settings, project))
        signoz = replace(signoz, content=content)
    return plan_cloudwatch(stack, settings), signoz
