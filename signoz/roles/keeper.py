"""The keeper role: what keeps the state of ClickHouse's replicated tables. ClickHouse Keeper or ZooKeeper. Pure.

Keeper's whole configuration is one file here, which replaces the image's:
clickhouse.com/docs/guides/sre/keeper/clickhouse-keeper.
"""

from __future__ import annotations

from core.releases import Coordination, Release
from core.roles import Role
from signoz.plan import templating
from signoz.plan.files import rendered_file
from signoz.plan.model import Container, File, HealthCheck
from signoz.roles.context import RoleContext
from stacks.settings.roles.clickhouse import ClickHouseSettings

USER = "101:101"
CONFIG_PATH = "/etc/clickhouse-keeper/keeper_config.xml"
DATA_PATH = "/var/lib/clickhouse-keeper"
"""Everything it writes: without it, replicated tables become read-only."""
METRICS_PORT = 9363

ZOOKEEPER_USER = "1001:0"
"""Its image writes its configuration below /opt at every start, as the group root."""
ZOOKEEPER_DATA_PATH = "/bitnami/zookeeper"


def container(context: RoleContext) -> Container:
    """Keeper's or ZooKeeper's, as the release or the settings have it."""
    return _keeper(context) if context.release.coordination is Coordination.KEEPER else _zookeeper(context)


def keeper_files(settings: ClickHouseSettings, release: Release) -> tuple[File, ...]:
    """Keeper's configuration; nothing where ZooKeeper does its work."""
    if release.coordination is not Coordination.KEEPER:
        return ()
    text = templating.render(
        "clickhouse-keeper.xml.j2",
        settings=settings,
        port=release.coordination.port,
        data_path=DATA_PATH,
        metrics_port=METRICS_PORT,
    )
    return (rendered_file(CONFIG_PATH, text, owner=USER),)


def _keeper(context: RoleContext) -> Container:
    return Container(
        role=Role.KEEPER,
        name=context.name(Role.KEEPER),
        image=context.image_of(Role.KEEPER),
        entrypoint=("/usr/bin/clickhouse-keeper", f"--config-file={CONFIG_PATH}"),
        files=keeper_files(context.settings.clickhouse, context.release),
        volumes=(context.data_volume(Coordination.KEEPER, DATA_PATH),),
        tmpfs=("/tmp",),  # noqa: S108 - a mount point
        health=HealthCheck(("clickhouse-keeper-client", "-h", "localhost", "-p", "9181", "-q", "ls")),
        user=USER,
        read_only_root=True,
        memory_mib=context.settings.limits.keeper_memory_mib,
        cpus=0.5,
        open_files=65_536,
    )


def _zookeeper(context: RoleContext) -> Container:
    memory_mib = context.settings.limits.keeper_memory_mib
    return Container(
        role=Role.KEEPER,
        name=context.name(Role.KEEPER),
        image=context.image_of(Role.KEEPER),
        environment=(
            ("ALLOW_ANONYMOUS_LOGIN", "yes"),
            ("ZOO_AUTOPURGE_INTERVAL", "1"),
            ("ZOO_HEAP_SIZE", str(memory_mib // 2)),
            ("ZOO_SERVER_ID", "1"),
        ),
        volumes=(context.data_volume(Coordination.ZOOKEEPER, ZOOKEEPER_DATA_PATH),),
        health=HealthCheck(
            ("sh", "-c", "curl -s -m 2 http://localhost:8080/commands/ruok | grep error | grep -q null")
        ),
        user=ZOOKEEPER_USER,
        memory_mib=memory_mib,
        cpus=0.5,
        open_files=65_536,
    )
