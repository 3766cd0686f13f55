"""The migrator role: how ClickHouse's tables are made, and how the collector knows that they are. Pure.

From 0.112.1 on the collector's own program does it: github.com/SigNoz/signoz-otel-collector,
`cmd/signozotelcollector/migrate`. Each flag is a variable with the prefix SIGNOZ_OTEL_COLLECTOR_. Before, it was
`cmd/signozschemamigrator`, whose flags are variables without a prefix.
"""

from __future__ import annotations

from core.releases import Migrator, Release
from core.roles import Role
from signoz.plan import environment
from signoz.plan.model import Container, File
from signoz.roles.clickhouse import address_of, dsn
from signoz.roles.context import RoleContext
from stacks.settings.roles.clickhouse import ClickHouseSettings

USER = "10001:10001"
"""Also the collector's."""

STEP_TIMEOUT_MINUTES = 10
"""For each step; the program's own default of 10 s is too short for the first migration."""


def container(context: RoleContext) -> Container:
    """The same user as the collector's, whose image it is from 0.112.1 on."""
    settings = context.settings.clickhouse
    trusting, certificates = address_of(settings).trust
    return Container(
        role=Role.MIGRATOR,
        name=context.name(Role.MIGRATOR),
        image=context.image_of(Role.MIGRATOR),
        entrypoint=("/bin/sh", "-c", script(context.release)),
        environment=(*variables(context.release, settings), *trusting),
        files=(access_file(context.release, settings), *certificates),
        tmpfs=("/tmp",),  # noqa: S108 - a mount point
        after=() if settings.external else (Role.CLICKHOUSE,),
        one_shot=True,
        start_timeout_seconds=1800,
        user=USER,
        read_only_root=True,
        memory_mib=512,
        cpus=1,
        open_files=4096,
    )


def variables(release: Release, settings: ClickHouseSettings) -> tuple[tuple[str, str], ...]:
    """What the migrator needs to know, secrets apart."""
    cluster = address_of(settings).cluster
    if release.migrator is Migrator.SCHEMA_MIGRATOR:
        return (("CLUSTER_NAME", cluster), ("REPLICATION", "true"))
    return (
        ("SIGNOZ_OTEL_COLLECTOR_CLICKHOUSE_CLUSTER", cluster),
        ("SIGNOZ_OTEL_COLLECTOR_CLICKHOUSE_REPLICATION", "true"),
        ("SIGNOZ_OTEL_COLLECTOR_TIMEOUT", f"{STEP_TIMEOUT_MINUTES}m"),
    )


def access_file(release: Release, settings: ClickHouseSettings) -> File:
    """The file that the migrator's shell reads ClickHouse's address and password from."""
    name = "DSN" if release.migrator is Migrator.SCHEMA_MIGRATOR else "SIGNOZ_OTEL_COLLECTOR_CLICKHOUSE_DSN"
    return environment.environment_file({name: dsn(settings)}, owner=USER)


def script(release: Release) -> str:
    """The migrator's whole work: every step must succeed, and all may be repeated."""
    if release.migrator is Migrator.SCHEMA_MIGRATOR:
        # It logs its DSN, and once more in pieces. The pipe would hide its exit code.
        steps = "/signoz-schema-migrator sync --up= && /signoz-schema-migrator async --up="
        hide = 'sed -e \'s#://[^@]*@#://[hidden]@#g\' -e \'s#"Password":"[^"]*"#"Password":"[hidden]"#g\''
        return environment.then(f"{{ {{ {steps}; }} 2>&1 || touch /tmp/failed; }} | {hide}; test ! -e /tmp/failed")
    steps = ("ready", "bootstrap", "sync up", "async up")
    return environment.then(" && ".join(f"/signoz-otel-collector migrate {step}" for step in steps))


def collector_script(release: Release) -> str:
    """Starts the collector with the shell's arguments, where it can tell once the tables are there.

    The variables are set for the check alone: the collector has a file of its own for the password.
    """
    start = f'exec {release.collector_program} "$@"'
    if release.migrator is Migrator.SCHEMA_MIGRATOR:
        return start
    return f"({environment.then('/signoz-otel-collector migrate sync check')}) && {start}"
