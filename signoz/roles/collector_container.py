"""The collector's container: its files, with their secrets, and how it is proved ready. Pure."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, replace

from core.releases import Migrator, Release
from core.roles import Role
from core.secrets import placeholders
from signoz.plan.files import rendered_file
from signoz.plan.model import Container, File, HealthCheck, Image, VolumeMount
from signoz.roles import migrator as migrations
from signoz.roles.collector import (
    CLICKHOUSE_PASSWORD,
    CONFIG_FILE,
    FIREHOSE_ACCESS_KEY,
    LANGFUSE_CREDENTIALS,
    MANAGER_FILE,
    OTLP_GRPC_PORT,
    OTLP_HTTP_PORT,
    SECRETS_FOLDER,
    TOKENS,
    CollectorContext,
    Generation,
    plan_collector,
    token_file,
)
from stacks.settings.model import Prices
from stacks.settings.roles.signoz import SigNozSettings

USER = "10001:10001"


@dataclass(frozen=True)
class TokenFile:
    """Makes the token file out of tokens by mark; the marks are in the order of the settings."""

    marks: tuple[str, ...]
    generation: Generation

    def __call__(self, values: Mapping[str, str]) -> str:
        return token_file([values[mark] for mark in self.marks], self.generation)


@dataclass(frozen=True)
class LangfuseFile:
    """Makes Langfuse's credentials out of its two keys."""

    public: str
    secret: str

    def __call__(self, values: Mapping[str, str]) -> str:
        return base64.b64encode(f"{values[self.public]}:{values[self.secret]}".encode()).decode()


def generation(release: Release) -> Generation:
    """Which of the two configurations a release's collector takes."""
    return Generation.CLASSIC if release.migrator is Migrator.SCHEMA_MIGRATOR else Generation.CURRENT


def collector_container(
    settings: SigNozSettings,
    release: Release,
    *,
    environment: str,
    prices: Prices,
    name: str,
    image: Image,
    queue: VolumeMount,
) -> Container:
    """`queue` holds what waits while ClickHouse is away."""
    own = settings.collector
    context = CollectorContext(
        environment=environment,
        prices=prices,
        generation=generation(release),
        clickhouse_host=str(Role.CLICKHOUSE),
        opamp_host=str(release.server),
    )
    plan = plan_collector(own, context)
    return Container(
        role=Role.COLLECTOR,
        name=name,
        image=image,
        entrypoint=("/bin/sh", "-c", migrations.collector_script(release), "collector"),
        command=plan.command,
        environment=migrations.variables(release),
        files=_files(settings, release, plan.config, plan.manager_config, context.generation),
        volumes=(queue,),
        tmpfs=("/tmp", "/var/tmp"),  # noqa: S108 - mount points
        health=HealthCheck(_ready_command(plan.ready_command, context.generation), start_period_seconds=120),
        # With OpAMP the ports stay closed until SigNoz has an organisation, which its readiness includes.
        after=(Role.MIGRATOR, release.server) if own.opamp else (Role.MIGRATOR,),
        start_timeout_seconds=900,
        user=USER,
        read_only_root=True,
        memory_mib=own.memory_mib,
        cpus=settings.limits.collector_cpus,
        open_files=65_536,
        stop_grace_seconds=60,
    )


def _files(
    settings: SigNozSettings, release: Release, config: str, manager_config: str | None, generation: Generation
) -> tuple[File, ...]:
    own, password = settings.collector, settings.clickhouse.password
    tokens = tuple(token.path for token in own.tokens)
    secrets = [
        File(
            f"{SECRETS_FOLDER}/{TOKENS}",
            "",
            secrets=tuple((token.path, token) for token in own.tokens),
            compose=TokenFile(tokens, generation),
            watched=generation is Generation.CURRENT,
        ),
        rendered_file(f"{SECRETS_FOLDER}/{CLICKHOUSE_PASSWORD}", placeholders.url_part(password)),
    ]
    if (langfuse := own.langfuse) and langfuse.public_key and langfuse.secret_key:
        keys = (langfuse.public_key, langfuse.secret_key)
        secrets.append(
            File(
                f"{SECRETS_FOLDER}/{LANGFUSE_CREDENTIALS}",
                "",
                secrets=tuple((key.path, key) for key in keys),
                compose=LangfuseFile(*(key.path for key in keys)),
            )
        )
    if own.firehose:
        key = placeholders.value_of(own.firehose.access_key)
        secrets.append(rendered_file(f"{SECRETS_FOLDER}/{FIREHOSE_ACCESS_KEY}", key))
    plain = [File(CONFIG_FILE, config)]
    if manager_config:
        plain.append(File(MANAGER_FILE, manager_config))
    return (
        *(replace(file, mode="0444", owner=USER) for file in plain),
        *(replace(file, mode="0400", owner=USER) for file in secrets),
        migrations.access_file(release, password, owner=USER),
    )


def _ready_command(command: tuple[str, ...], generation: Generation) -> tuple[str, ...]:
    """The classic image is Alpine: it has no bash, but nc."""
    if generation is Generation.CURRENT:
        return command
    ports = f"{OTLP_GRPC_PORT} {OTLP_HTTP_PORT}"
    probe = 'nc -z 127.0.0.1 $port 2>/dev/null || bash -c "</dev/tcp/127.0.0.1/$port" || exit 1'
    return ("sh", "-c", f"for port in {ports}; do {probe}; done")
