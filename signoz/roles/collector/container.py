"""The collector's container: its files, how it is started, and how it is proved ready. Pure."""

from __future__ import annotations

from core.releases import Migrator, Release
from core.roles import Role
from signoz.plan.model import Container, File, HealthCheck
from signoz.roles import migrator as migrations
from signoz.roles.clickhouse import address_of
from signoz.roles.collector.config import (
    CONFIG_FILE,
    HEALTH_PORT,
    MANAGER_FILE,
    OTLP_GRPC_PORT,
    OTLP_HTTP_PORT,
    QUEUE_FOLDER,
    RUNNING_COPY,
    CollectorContext,
    Generation,
    render_collector,
)
from signoz.roles.collector.credentials import credential_files
from signoz.roles.context import RoleContext
from signoz.roles.migrator import USER

RECEIVERS = (OTLP_GRPC_PORT, OTLP_HTTP_PORT)


def container(context: RoleContext) -> Container:
    """Its volume holds what waits while ClickHouse is away."""
    settings, release = context.settings.collector, context.release
    trusting, certificates = address_of(context.settings.clickhouse).trust
    return Container(
        role=Role.COLLECTOR,
        name=context.name(Role.COLLECTOR),
        image=context.image_of(Role.COLLECTOR),
        entrypoint=("/bin/sh", "-c", migrations.collector_script(release), "collector"),
        command=command(generation_of(release), opamp=settings.opamp),
        environment=(*migrations.variables(release, context.settings.clickhouse), *trusting),
        files=(*_files(context), *certificates),
        volumes=(context.data_volume(Role.COLLECTOR, QUEUE_FOLDER),),
        tmpfs=("/tmp", "/var/tmp"),  # noqa: S108 - mount points
        health=HealthCheck(ready_command(generation_of(release)), start_period_seconds=120),
        # With OpAMP the ports stay closed until SigNoz has an organisation, which its readiness includes.
        after=(Role.MIGRATOR, release.server) if settings.opamp else (Role.MIGRATOR,),
        start_timeout_seconds=900,
        user=USER,
        read_only_root=True,
        memory_mib=settings.memory_mib,
        cpus=context.settings.limits.collector_cpus,
        open_files=65_536,
        stop_grace_seconds=60,
    )


def generation_of(release: Release) -> Generation:
    """Which of the two configurations a release's collector takes."""
    return Generation.CLASSIC if release.migrator is Migrator.SCHEMA_MIGRATOR else Generation.CURRENT


def command(generation: Generation, *, opamp: bool) -> tuple[str, ...]:
    """Arguments for the program, once its migrations are checked."""
    arguments = [f"--config={CONFIG_FILE}"]
    if opamp:
        arguments += [f"--manager-config={MANAGER_FILE}", f"--copy-path={RUNNING_COPY}"]
    if generation is Generation.CLASSIC:
        # As SigNoz 0.75.0 starts it: its pages expect the names that this leaves as they are.
        arguments.append("--feature-gates=-pkg.translator.prometheus.NormalizeName")
    return tuple(arguments)


def ready_command(generation: Generation) -> tuple[str, ...]:
    """A command that succeeds once data is accepted.

    Two things have to be true: with OpAMP, the health check says 200 long before the ports are open; without, the ports
    are open a moment before every pipeline behind them has started, and what arrives in that moment fails. The current
    image has bash, and no HTTP client; the classic one is Alpine, which may lack bash but has nc.
    """
    if generation is Generation.CLASSIC:
        probe = 'nc -z 127.0.0.1 $port 2>/dev/null || bash -c "</dev/tcp/127.0.0.1/$port" || exit 1'
        return ("sh", "-c", f"for port in {' '.join(map(str, RECEIVERS))}; do {probe}; done")
    healthy = (
        f"exec 3<>/dev/tcp/127.0.0.1/{HEALTH_PORT} && printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3 && read -r status <&3 && "
        '[[ $status == *" 200 "* ]]'
    )
    return ("bash", "-c", " && ".join([healthy, *(f"</dev/tcp/127.0.0.1/{port}" for port in RECEIVERS)]))


def _files(context: RoleContext) -> tuple[File, ...]:
    settings, release = context.settings, context.release
    own = CollectorContext(
        str(context.environment),
        context.prices,
        context.slow_turn_seconds,
        generation_of(release),
        address_of(settings.clickhouse),
    )
    plain = {CONFIG_FILE: render_collector(settings.collector, own)}
    if settings.collector.opamp:
        plain[MANAGER_FILE] = f"server_endpoint: ws://{release.server}:4320/v1/opamp\n"
    return (
        *(File(path, text, mode="0444", owner=USER) for path, text in plain.items()),
        *credential_files(settings, own.generation),
        migrations.access_file(release, settings.clickhouse),
    )
