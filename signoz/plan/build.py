"""From settings to the SigNoz half of a stack."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from core.environments import Environment
from core.releases import Coordination, Release, find_release, in_lab
from core.roles import Role
from core.templating import TEMPLATES_FOLDER
from signoz.plan.images import Digests, image_of
from signoz.plan.model import RELEASE_LABEL, Container, File, HealthCheck, Image, SigNozPlan, VolumeMount
from signoz.plan.volumes import with_setup
from signoz.roles import migrator as migrations
from signoz.roles.alertmanager import CONFIG_PATH as ALERTMANAGER_CONFIG
from signoz.roles.alertmanager import PORT as ALERTMANAGER_PORT
from signoz.roles.alertmanager import alertmanager_files
from signoz.roles.clickhouse import (
    CONFIG_PATH,
    DATA_PATH,
    HISTOGRAM_QUANTILE_PATH,
    HTTP_PORT,
    KEEPER_CONFIG_PATH,
    KEEPER_DATA_PATH,
    clickhouse_files,
    keeper_files,
)
from signoz.roles.collector import QUEUE_FOLDER
from signoz.roles.collector_container import USER as COLLECTOR_USER
from signoz.roles.collector_container import collector_container
from signoz.roles.gateway import DATA_PATH as GATEWAY_DATA_PATH
from signoz.roles.gateway import HEALTH_URL as GATEWAY_HEALTH_URL
from signoz.roles.gateway import gateway_files, gateway_ports
from signoz.roles.server import DATA_PATH as SERVER_DATA_PATH
from signoz.roles.server import external_url, server_container
from stacks.settings.model import Prices
from stacks.settings.roles.signoz import SigNozSettings

CLICKHOUSE_USER = "101:101"
ZOOKEEPER_USER = "1001:0"
NOBODY = "65534:65534"
GATEWAY_USER = "10002:10002"
FRONTEND_USER = "101:101"
ZOOKEEPER_DATA_PATH = "/bitnami/zookeeper"
ALERTMANAGER_DATA_PATH = "/alertmanager"


def plan_signoz(
    stack: str,
    settings: SigNozSettings,
    *,
    environment: Environment,
    owner: str,
    prices: Prices,
    expires_on: datetime.date | None = None,
    digests: Digests | None = None,
) -> SigNozPlan:
    """What will run on the Docker host for `stack`. Pure: the same settings give the same plan.

    `digests` pins images (the stack's lock file). Raises `UserError` for lab images outside environment local.
    """
    release = find_release(settings.release)
    if settings.images.source == "lab":
        release = in_lab(release)
    if settings.coordination:
        release = replace(release, coordination=Coordination(settings.coordination))
    builder = _Builder(
        prefix=f"turnscope-{stack}",
        environment=str(environment),
        settings=settings,
        release=release,
        prices=prices,
        image=image_of(settings.images, release, environment, settings.gateway.image, digests or {}),
    )
    containers = with_setup(builder.containers(), builder.image(Role.SETUP), builder.name(Role.SETUP))
    labels = {
        "turnscope.project": "turnscope",
        "turnscope.stack": stack,
        "turnscope.environment": str(environment),
        "turnscope.owner": owner,
        RELEASE_LABEL: release.version,
    }
    if expires_on:
        labels["turnscope.expires"] = expires_on.isoformat()
    return SigNozPlan(
        stack=stack,
        environment=str(environment),
        release=release.version,
        network=f"turnscope-{stack}",
        containers=containers,
        labels=tuple(labels.items()),
    )


@dataclass(frozen=True)
class _Builder:
    prefix: str
    environment: str
    settings: SigNozSettings
    release: Release
    prices: Prices
    image: Callable[[Role], Image]

    def containers(self) -> tuple[Container, ...]:
        """In the order in which they start."""
        make: Mapping[Role, Callable[[], Container]] = {
            Role.KEEPER: self.keeper if self.release.coordination is Coordination.KEEPER else self.zookeeper,
            Role.CLICKHOUSE: self.clickhouse,
            Role.MIGRATOR: self.migrator,
            Role.SIGNOZ: self.server,
            Role.QUERY_SERVICE: self.server,
            Role.ALERTMANAGER: self.alertmanager,
            Role.FRONTEND: self.frontend,
            Role.COLLECTOR: self.collector,
            Role.GATEWAY: self.gateway,
        }
        most = self.settings.limits.open_files
        made = (make[role]() for role in self.release.roles)
        return tuple(replace(container, open_files=min(container.open_files, most)) for container in made)

    def name(self, role: Role) -> str:
        return f"{self.prefix}-{role}"

    def kept(self, what: str, path: str) -> VolumeMount:
        """A data volume, which teardown keeps unless told otherwise."""
        return VolumeMount(f"{self.prefix}-{what}-data", path, keep=self.settings.keep_volumes)

    def keeper(self) -> Container:
        return Container(
            role=Role.KEEPER,
            name=self.name(Role.KEEPER),
            image=self.image(Role.KEEPER),
            entrypoint=("/usr/bin/clickhouse-keeper", f"--config-file={KEEPER_CONFIG_PATH}"),
            files=keeper_files(self.settings.clickhouse, self.release, owner=CLICKHOUSE_USER),
            volumes=(self.kept(Coordination.KEEPER, KEEPER_DATA_PATH),),
            tmpfs=("/tmp",),  # noqa: S108 - a mount point
            health=HealthCheck(("clickhouse-keeper-client", "-h", "localhost", "-p", "9181", "-q", "ls")),
            user=CLICKHOUSE_USER,
            read_only_root=True,
            memory_mib=self.settings.limits.keeper_memory_mib,
            cpus=0.5,
            open_files=65_536,
        )

    def zookeeper(self) -> Container:
        return Container(
            role=Role.KEEPER,
            name=self.name(Role.KEEPER),
            image=self.image(Role.KEEPER),
            environment=(
                ("ALLOW_ANONYMOUS_LOGIN", "yes"),
                ("ZOO_AUTOPURGE_INTERVAL", "1"),
                ("ZOO_HEAP_SIZE", str(self.settings.limits.keeper_memory_mib // 2)),
                ("ZOO_SERVER_ID", "1"),
            ),
            volumes=(self.kept(Coordination.ZOOKEEPER, ZOOKEEPER_DATA_PATH),),
            health=HealthCheck(
                ("sh", "-c", "curl -s -m 2 http://localhost:8080/commands/ruok | grep error | grep -q null")
            ),
            # Its image writes its configuration below /opt at every start, as the group root.
            user=ZOOKEEPER_USER,
            memory_mib=self.settings.limits.keeper_memory_mib,
            cpus=0.5,
            open_files=65_536,
        )

    def clickhouse(self) -> Container:
        function = File(
            HISTOGRAM_QUANTILE_PATH,
            (TEMPLATES_FOLDER / "histogramQuantile").read_text(encoding="utf-8"),
            mode="0555",
            owner=CLICKHOUSE_USER,
        )
        return Container(
            role=Role.CLICKHOUSE,
            name=self.name(Role.CLICKHOUSE),
            image=self.image(Role.CLICKHOUSE),
            # What the image's entry point would add (users, folders) is here already.
            entrypoint=("/usr/bin/clickhouse-server", f"--config-file={CONFIG_PATH}"),
            files=(*clickhouse_files(self.settings.clickhouse, self.release, owner=CLICKHOUSE_USER), function),
            volumes=(self.kept(Role.CLICKHOUSE, DATA_PATH),),
            tmpfs=("/tmp", "/var/log/clickhouse-server"),  # noqa: S108
            health=HealthCheck(_get(f"http://127.0.0.1:{HTTP_PORT}/ping"), start_period_seconds=60),
            after=(Role.KEEPER,),
            user=CLICKHOUSE_USER,
            read_only_root=True,
            memory_mib=self.settings.clickhouse.memory_mib,
            cpus=self.settings.limits.clickhouse_cpus,
            # What ClickHouse asks for: github.com/ClickHouse/ClickHouse, docker/server/README.md.
            open_files=262_144,
            stop_grace_seconds=120,
        )

    def migrator(self) -> Container:
        return Container(
            role=Role.MIGRATOR,
            name=self.name(Role.MIGRATOR),
            image=self.image(Role.MIGRATOR),
            entrypoint=("/bin/sh", "-c", migrations.script(self.release)),
            environment=migrations.variables(self.release),
            files=(migrations.access_file(self.release, self.settings.clickhouse.password, owner=COLLECTOR_USER),),
            tmpfs=("/tmp",),  # noqa: S108
            after=(Role.CLICKHOUSE,),
            one_shot=True,
            start_timeout_seconds=1800,
            user=COLLECTOR_USER,
            read_only_root=True,
            memory_mib=512,
            cpus=1,
            open_files=4096,
        )

    def server(self) -> Container:
        return server_container(
            self.settings,
            self.release,
            name=self.name(self.release.server),
            image=self.image(self.release.server),
            # The same in every release, so that an upgrade finds its users and dashboards.
            data=self.kept(Role.SIGNOZ, SERVER_DATA_PATH),
        )

    def alertmanager(self) -> Container:
        return Container(
            role=Role.ALERTMANAGER,
            name=self.name(Role.ALERTMANAGER),
            image=self.image(Role.ALERTMANAGER),
            command=(
                f"--config.file={ALERTMANAGER_CONFIG}",
                f"--storage.path={ALERTMANAGER_DATA_PATH}",
                f"--web.external-url={external_url(self.settings)}/alertmanager",
                "--web.route-prefix=/",
                "--cluster.listen-address=",
            ),
            files=alertmanager_files(self.settings.alertmanager, owner=NOBODY),
            volumes=(self.kept(Role.ALERTMANAGER, ALERTMANAGER_DATA_PATH),),
            health=HealthCheck(_get(f"http://127.0.0.1:{ALERTMANAGER_PORT}/-/ready")),
            user=NOBODY,
            read_only_root=True,
            memory_mib=128,
            cpus=0.5,
            open_files=4096,
        )

    def frontend(self) -> Container:
        return Container(
            role=Role.FRONTEND,
            name=self.name(Role.FRONTEND),
            image=self.image(Role.FRONTEND),
            # nginx with the image's own configuration, which passes /api and /ws on to `query-service`.
            tmpfs=("/tmp", "/var/cache/nginx", "/var/run"),  # noqa: S108
            health=HealthCheck(_get("http://127.0.0.1:3301/")),
            after=(Role.QUERY_SERVICE, Role.ALERTMANAGER),
            user=FRONTEND_USER,
            read_only_root=True,
            memory_mib=128,
            cpus=0.5,
            open_files=4096,
        )

    def collector(self) -> Container:
        return collector_container(
            self.settings,
            self.release,
            environment=self.environment,
            prices=self.prices,
            name=self.name(Role.COLLECTOR),
            image=self.image(Role.COLLECTOR),
            queue=self.kept(Role.COLLECTOR, QUEUE_FOLDER),
        )

    def gateway(self) -> Container:
        settings = self.settings.gateway
        return Container(
            role=Role.GATEWAY,
            name=self.name(Role.GATEWAY),
            image=self.image(Role.GATEWAY),
            files=gateway_files(settings, self.release, self.settings.collector.firehose, owner=GATEWAY_USER),
            volumes=(self.kept(Role.GATEWAY, GATEWAY_DATA_PATH),),
            tmpfs=("/tmp", "/config"),  # noqa: S108
            ports=gateway_ports(settings),
            health=HealthCheck(_get(GATEWAY_HEALTH_URL)),
            after=(self.release.pages[0], Role.COLLECTOR),
            user=GATEWAY_USER,
            # Caddy's binary carries this capability; where it is missing the kernel refuses to start the program.
            capabilities=("CAP_NET_BIND_SERVICE",),
            read_only_root=True,
            memory_mib=self.settings.limits.gateway_memory_mib,
            cpus=1,
            open_files=65_536,
        )


def _get(url: str) -> tuple[str, ...]:
    """Succeeds once the address answers 200; a GET, as not every server answers HEAD."""
    return ("wget", "-q", "-O", "/dev/null", url)
