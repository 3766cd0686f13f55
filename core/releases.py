"""The release catalogue: sets of versions that belong together, and the way from one to another.

Only what is listed here is deployed, each image by version, never `latest`. Sources: SigNoz' own compose files at each
tag (github.com/SigNoz/signoz, `deploy/docker/docker-compose.yaml`, up to v0.129.0), the release notes of
github.com/SigNoz/charts, and the threads named beside the stops.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType

from core.errors import UserError
from core.roles import Role

GATEWAY_IMAGE = ("caddy", "2.10.2")
ZOOKEEPER_IMAGE = ("signoz/zookeeper", "3.7.1")


class Coordination(StrEnum):
    """What keeps the state of ClickHouse's replicated tables. It cannot be swapped under existing tables."""

    KEEPER = "keeper"
    ZOOKEEPER = "zookeeper"

    @property
    def port(self) -> int:
        return 9181 if self is Coordination.KEEPER else 2181


class Split(StrEnum):
    """How query service, frontend and alertmanager are cut into containers."""

    SEPARATE = "separate"
    """A container each, up to 0.75."""
    ONE = "one"
    """All in `signoz`, from 0.76 on (signoz#7301)."""


class Migrator(StrEnum):
    """The program that makes ClickHouse's tables."""

    SCHEMA_MIGRATOR = "signoz-schema-migrator"
    COLLECTOR = "signoz-otel-collector migrate"
    """From 0.112.1 on (signoz#10334)."""


@dataclass(frozen=True)
class Release:
    """A set of versions, and what is needed to run it.

    `images` maps a role to repository and tag. `api` names the version of SigNoz' HTTP API that serves each kind
    of content, as in its path (`/api/<version>/...`); a kind that is missing is not served.
    """

    version: str
    split: Split
    collector: str
    clickhouse: str
    migrator: Migrator
    coordination: Coordination
    images: Mapping[Role, tuple[str, str]]
    api: Mapping[str, str]
    root_user: bool
    """An administrator can be made from settings (from 0.112.0 on); else the first visitor registers as one."""
    stop: str | None = None
    """Why an upgrade that passes this version has to stop here; None where it need not."""
    tested: bool = True
    """Deployed by Turnscope's own tests, with the programs that package registries have; else only an upgrade stop."""

    @property
    def roles(self) -> tuple[Role, ...]:
        """The roles that have a container, in the order in which they start."""
        return tuple(role for role in Role if role in self.images)

    @property
    def server(self) -> Role:
        """Who serves the HTTP API (8080) and OpAMP (4320)."""
        return Role.SIGNOZ if self.split is Split.ONE else Role.QUERY_SERVICE

    @property
    def pages(self) -> tuple[Role, int]:
        """Who serves the web pages, and the API below `/api`, to the gateway: role and port."""
        return (Role.SIGNOZ, 8080) if self.split is Split.ONE else (Role.FRONTEND, 3301)

    @property
    def collector_program(self) -> str:
        """Its path in the collector's image: 0.111.29 has the first, 0.111.42 the second."""
        return "/signoz-collector" if _key(self.collector) < (0, 111, 42) else "/signoz-otel-collector"

    @property
    def has_subcommands(self) -> bool:
        """The server is started as `signoz server` (0.92 on); before, it wants a Prometheus configuration."""
        return self.key >= (0, 92, 0)

    @property
    def has_postgres(self) -> bool:
        """SigNoz' own database can be PostgreSQL. Older upgrade stops are for what they upgrade, which has SQLite."""
        return self.root_user

    @property
    def key(self) -> tuple[int, ...]:
        return _key(self.version)


@dataclass(frozen=True)
class Step:
    """One deployment of an upgrade: from the release before it to `release`, and why it comes before the next.

    With `clickhouse_changes`, ClickHouse gets its new version before this step's migrator runs.
    """

    release: Release
    clickhouse_changes: bool
    reason: str


def _images(
    version: str, collector: str, clickhouse: str, split: Split, migrator: Migrator, coordination: Coordination
) -> Mapping[Role, tuple[str, str]]:
    """Repositories and tags; with one container for all, SigNoz' tags and the collector's start with `v`."""
    of_collector = collector if split is Split.SEPARATE else f"v{collector}"
    images = {
        Role.KEEPER: ZOOKEEPER_IMAGE,
        Role.CLICKHOUSE: ("clickhouse/clickhouse-server", clickhouse),
        Role.MIGRATOR: ("signoz/signoz-schema-migrator", of_collector),
        Role.COLLECTOR: ("signoz/signoz-otel-collector", of_collector),
        Role.GATEWAY: GATEWAY_IMAGE,
    }
    if coordination is Coordination.KEEPER:
        images[Role.KEEPER] = ("clickhouse/clickhouse-keeper", clickhouse)
    if migrator is Migrator.COLLECTOR:
        images[Role.MIGRATOR] = images[Role.COLLECTOR]
    if split is Split.ONE:
        images[Role.SIGNOZ] = ("signoz/signoz", f"v{version}")
    else:
        images[Role.QUERY_SERVICE] = ("signoz/query-service", version)
        images[Role.FRONTEND] = ("signoz/frontend", version)
        # SigNoz' own (0.23.7) takes receivers from the query service alone; this one reads alertmanager.yml and still
        # has the API that the query service sends alerts to.
        images[Role.ALERTMANAGER] = ("prom/alertmanager", "v0.26.0")
    return MappingProxyType(images)


def _release(
    version: str,
    *,
    collector: str,
    clickhouse: str,
    split: Split = Split.ONE,
    migrator: Migrator = Migrator.COLLECTOR,
    coordination: Coordination = Coordination.KEEPER,
    api: Mapping[str, str],
    root_user: bool = True,
    stop: str | None = None,
    tested: bool = True,
) -> Release:
    return Release(
        version=version,
        split=split,
        collector=collector,
        clickhouse=clickhouse,
        migrator=migrator,
        coordination=coordination,
        images=_images(version, collector, clickhouse, split, migrator, coordination),
        api=MappingProxyType(dict(api)),
        root_user=root_user,
        stop=stop,
        tested=tested,
    )


_V1 = {"dashboards": "v1", "rules": "v1", "channels": "v1", "saved_views": "v1", "retention": "v1"}

CATALOGUE: tuple[Release, ...] = (
    _release(
        "0.75.0",
        collector="0.111.29",
        clickhouse="24.1.2-alpine",
        split=Split.SEPARATE,
        migrator=Migrator.SCHEMA_MIGRATOR,
        coordination=Coordination.ZOOKEEPER,
        api=_V1,
        root_user=False,
    ),
    _release(
        "0.86.2",
        collector="0.111.42",
        clickhouse="24.1.2-alpine",
        migrator=Migrator.SCHEMA_MIGRATOR,
        coordination=Coordination.ZOOKEEPER,
        api=_V1,
        root_user=False,
        stop="SigNoz converts its own database here (signoz#8655)",
        tested=False,
    ),
    _release(
        "0.129.0",
        collector="0.144.5",
        clickhouse="25.5.6",
        coordination=Coordination.ZOOKEEPER,
        api=_V1 | {"rules": "v2", "route_policies": "v1", "retention": "v2"},
        stop="last release on ClickHouse 25.5; the next needs 25.12 before its migrator runs (charts#895)",
        tested=False,
    ),
    _release(
        "0.138.0",
        collector="0.144.7",
        clickhouse="25.12.5",
        api={
            "dashboards": "v2",  # v1 answers 501 from 0.135 on (signoz#12177)
            "rules": "v2",
            "channels": "v1",
            "route_policies": "v1",
            "saved_views": "v2",
            "retention": "v2",
        },
    ),
)
"""Oldest first."""

CURRENT, CLASSIC = CATALOGUE[-1], CATALOGUE[0]
VERSIONS = tuple(release.version for release in CATALOGUE)


def in_lab(release: Release) -> Release:
    """As the lab runs it: with the current collector and migrator, whatever the release."""
    return replace(release, collector=CURRENT.collector, migrator=CURRENT.migrator)


def find_release(version: str) -> Release:
    """The catalogue's release of this version. Raises `UserError` naming what is there."""
    for release in CATALOGUE:
        if release.version == version:
            return release
    near = difflib.get_close_matches(version, VERSIONS, 1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise UserError(f"There is no release {version!r} in the catalogue.{hint} Allowed: {', '.join(VERSIONS)}.")


def upgrade_path(installed: str, wanted: str) -> tuple[Step, ...]:
    """The releases to deploy one after the other, from the one after `installed` to `wanted`; empty where they are
    the same. All but the last are upgrade stops.

    Raises `UserError` for a release that is older than `installed`, or not in the catalogue.

    >>> [step.release.version for step in upgrade_path("0.75.0", "0.138.0")]
    ['0.86.2', '0.129.0', '0.138.0']
    """
    start, goal = find_release(installed), find_release(wanted)
    if goal.key < start.key:
        raise UserError(
            f"SigNoz {installed} is deployed and cannot be downgraded to {wanted}: its migrations only go forward. "
            f"Set `signoz.release` to {installed}, or restore a backup of {wanted} in a new stack."
        )
    between = [each for each in CATALOGUE if start.key < each.key <= goal.key and (each.stop or each is goal)]
    steps, before = [], start
    for release in between:
        steps.append(
            Step(
                release=release,
                clickhouse_changes=release.clickhouse != before.clickhouse,
                reason=release.stop if release is not goal and release.stop else "the release in the settings",
            )
        )
        before = release
    return tuple(steps)


def _key(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
