"""From settings to the SigNoz half of a stack: which roles, in which order, under which names."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from core.environments import Environment
from core.releases import Coordination, find_release, in_lab
from core.roles import Role
from signoz.plan.images import Digests, image_of
from signoz.plan.model import (
    CHECKOUT_LABEL,
    RELEASE_LABEL,
    STACK_LABEL,
    ColdAccess,
    Container,
    Image,
    Server,
    SigNozPlan,
)
from signoz.plan.volumes import with_setup
from signoz.roles import alertmanager, clickhouse, frontend, gateway, keeper, migrator, server
from signoz.roles.collector import container as collector
from signoz.roles.context import RoleContext
from stacks.settings.model import Prices
from stacks.settings.roles.signoz import SigNozSettings

CONTAINERS: Mapping[Role, Callable[[RoleContext], Container]] = {
    Role.KEEPER: keeper.container,
    Role.CLICKHOUSE: clickhouse.container,
    Role.MIGRATOR: migrator.container,
    Role.SIGNOZ: server.container,
    Role.QUERY_SERVICE: server.container,
    Role.FRONTEND: frontend.container,
    Role.ALERTMANAGER: alertmanager.container,
    Role.COLLECTOR: collector.container,
    Role.GATEWAY: gateway.container,
}
"""What makes each role's container; the setup container is made from all others (`signoz.plan.volumes`)."""


def plan_signoz(
    stack: str,
    settings: SigNozSettings,
    *,
    environment: Environment,
    owner: str,
    prices: Prices,
    slow_turn_seconds: float,
    expires_on: datetime.date | None = None,
    tags: Mapping[str, str] | None = None,
    digests: Digests | None = None,
    lab_image: Callable[[Role], Image] | None = None,
    checkout: Path | None = None,
    cold_access: ColdAccess | None = None,
) -> SigNozPlan:
    """What will run on the Docker host for `stack`. Pure: the same arguments give the same plan.

    `tags` become labels beside Turnscope's own. `slow_turn_seconds` is the total latency above which a call's trace is
    kept, with tail sampling. `digests` pins images (the stack's lock file); `lab_image` says which image of the lab
    stands in for a role's, and is called for `images.source: lab` alone. `checkout` is the project's folder, which a
    local stack is labelled with. `cold_access` is how ClickHouse reaches its cold storage on a machine that the stack
    makes. Raises `UserError` for lab images outside environment local.
    """
    release = find_release(settings.release)
    if settings.images.source == "lab":
        release = in_lab(release)
    if settings.coordination:
        release = replace(release, coordination=Coordination(settings.coordination))
    context = RoleContext(
        stack=stack,
        environment=environment,
        settings=settings,
        release=release,
        prices=prices,
        slow_turn_seconds=slow_turn_seconds,
        image_of=image_of(
            settings.images, release, environment, settings.gateway.image, digests or {}, lab_image=lab_image
        ),
        cold_access=cold_access,
    )
    most_files = settings.limits.open_files
    external = settings.clickhouse.external is not None
    roles = [role for role in release.roles if not (external and role in (Role.KEEPER, Role.CLICKHOUSE))]
    containers = (CONTAINERS[role](context) for role in roles)
    # Of the images that are there anyway, one with a shell and Debian's tools.
    setup_image = context.image_of(Role.COLLECTOR if external else Role.SETUP)
    limited = [replace(each, open_files=min(each.open_files, most_files)) for each in containers]
    return SigNozPlan(
        stack=stack,
        environment=str(environment),
        release=release.version,
        network=context.prefix,
        containers=with_setup(limited, setup_image, context.name(Role.SETUP)),
        labels=_labels(context, owner, expires_on, checkout, tags or {}),
        servers=tuple(_servers(settings)),
    )


def _servers(settings: SigNozSettings) -> Iterator[Server]:
    if own := settings.database.postgres:
        yield Server("PostgreSQL database (existing)", own.address, own.user, own.tls)
    if other := settings.clickhouse.external:
        name = f"{', '.join(clickhouse.address_of(settings.clickhouse).hosts)}, cluster {other.cluster}"
        yield Server("ClickHouse (existing)", name, other.user, other.tls)


def _labels(
    context: RoleContext,
    owner: str,
    expires_on: datetime.date | None,
    checkout: Path | None,
    tags: Mapping[str, str],
) -> tuple[tuple[str, str], ...]:
    labels = {
        **tags,
        "turnscope.project": "turnscope",
        STACK_LABEL: context.stack,
        "turnscope.environment": str(context.environment),
        "turnscope.owner": owner,
        RELEASE_LABEL: context.release.version,
    }
    if expires_on:
        labels["turnscope.expires"] = expires_on.isoformat()
    # Elsewhere the folder is that of whoever deploys, a CI job's among them, and says nothing of the stack.
    if checkout and context.environment == Environment.LOCAL:
        labels[CHECKOUT_LABEL] = str(checkout)
    return tuple(labels.items())
