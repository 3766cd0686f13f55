"""The clickhouse role: its container and its whole configuration. Pure.

The files replace those of the image, whose entry point (which would add a user) does not run:
clickhouse.com/docs/operations/server-configuration-parameters/settings.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

from core.releases import Release
from core.roles import CLICKHOUSE_USER, Role
from core.secrets import placeholders
from core.templating import TEMPLATES_FOLDER
from signoz.plan import templating
from signoz.plan.files import rendered_file
from signoz.plan.model import ColdAccess, Container, File, HealthCheck
from signoz.roles.context import RoleContext
from stacks.settings.roles.clickhouse import ClickHouseSettings, ColdStorage

USER = CLICKHOUSE_USER

CONFIG_PATH = "/etc/clickhouse-server/config.xml"
USERS_PATH = "/etc/clickhouse-server/users.xml"
FUNCTION_PATH = "/etc/clickhouse-server/histogram_quantile_function.xml"

DATA_PATH = "/var/lib/clickhouse"
"""The data volume of ClickHouse; everything it writes is below."""
USER_SCRIPTS_PATH = f"{DATA_PATH}/user_scripts"
HISTOGRAM_QUANTILE_PATH = f"{USER_SCRIPTS_PATH}/histogramQuantile"
"""Where the function's program must be, executable: SigNoz' percentiles of histograms call it."""

CLUSTER = "cluster"
CA_PATH = "/etc/turnscope/clickhouse-ca/ca.pem"
"""Certificates of the CAs of an external ClickHouse, in the containers that reach it."""
DATABASE_USER = "turnscope"
HTTP_PORT = 8123
NATIVE_PORT = 9000
METRICS_PORT = 9363

SYSTEM_LOGS = (
    "asynchronous_metric_log",
    "backup_log",
    "crash_log",
    "metric_log",
    "part_log",
    "query_log",
    "query_views_log",
)
"""What explains memory, disk and slow queries afterwards. ClickHouse makes no table for a log without a section."""


PROFILE = (
    ("load_balancing", "random", (0, 0)),
    ("allow_nondeterministic_mutations", "1", (0, 0)),
    ("query_plan_max_limit_for_lazy_materialization", "0", (25, 4)),
    ("secondary_indices_enable_bulk_filtering", "0", (25, 5)),
)
"""Query settings as SigNoz' chart has them, and the ClickHouse version that brought each (`system.settings_changes`);
an older one refuses to start."""


def container(context: RoleContext) -> Container:
    """One server; its data volume holds every span, metric and log record."""
    settings = context.settings
    return Container(
        role=Role.CLICKHOUSE,
        name=context.name(Role.CLICKHOUSE),
        image=context.image_of(Role.CLICKHOUSE),
        entrypoint=start(context.cold_access),
        environment=credentials(context.cold_access),
        files=clickhouse_files(settings.clickhouse, context.release, context.cold_access),
        volumes=(context.data_volume(Role.CLICKHOUSE, DATA_PATH),),
        host_folders=(context.cold_access.credentials,) if context.cold_access else (),
        tmpfs=("/tmp", "/var/log/clickhouse-server"),  # noqa: S108 - mount points
        health=HealthCheck.http_get(f"http://127.0.0.1:{HTTP_PORT}/ping", start_period_seconds=60),
        after=(Role.KEEPER,),
        user=USER,
        read_only_root=True,
        memory_mib=settings.clickhouse.memory_mib,
        cpus=settings.limits.clickhouse_cpus,
        # What ClickHouse asks for: github.com/ClickHouse/ClickHouse, docker/server/README.md.
        open_files=262_144,
        stop_grace_seconds=120,
    )


def start(access: ColdAccess | None) -> tuple[str, ...]:
    """What the image's entry point would add (users, folders) is here already. ClickHouse does not start without its S3
    disk, whose keys are there a moment after Docker when the machine boots."""
    server = ("/usr/bin/clickhouse-server", f"--config-file={CONFIG_PATH}")
    if access is None:
        return server
    wait = f"trap 'exit 143' TERM; until [ -s {_credentials_path(access)} ]; do sleep 1; done; trap - TERM"
    return ("/bin/sh", "-c", f"{wait}; exec {' '.join(server)}")


def credentials(access: ColdAccess | None) -> tuple[tuple[str, str], ...]:
    """Variables: where AWS' library finds the keys of ClickHouse's role. It reads the file again every five minutes,
    and comes to it last (github.com/ClickHouse/ClickHouse, src/IO/S3/Credentials.cpp): so it is told not to ask for the
    machine's own first, which no container reaches."""
    if access is None:
        return ()
    return (
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_SHARED_CREDENTIALS_FILE", _credentials_path(access)),
    )


def _credentials_path(access: ColdAccess) -> str:
    return f"{access.credentials.path}/{access.file}"


def render_clickhouse(
    settings: ClickHouseSettings, release: Release, cold_access: ColdAccess | None = None
) -> dict[str, str]:
    """Path -> text of its configuration files. With `cold_access` that is where cold storage is; else where the
    settings say. Raises `ValueError` where neither has a bucket."""
    mib = 1024 * 1024
    version = _version(release.clickhouse)
    profile = [
        ("max_memory_usage", str(settings.memory_mib * mib * settings.query_memory_percent // 100)),
        *((name, value) for name, value, since in PROFILE if version >= since),
        *(() if settings.simdjson else (("allow_simdjson", "0"),)),
    ]
    cold = settings.cold_storage
    located = _located(cold, cold_access) if cold else None
    config = templating.render(
        "clickhouse-config.xml.j2",
        settings=settings,
        host=Role.CLICKHOUSE,
        keeper_host=Role.KEEPER,
        keeper_port=release.coordination.port,
        memory_ratio=settings.server_memory_percent / 100,
        system_logs=SYSTEM_LOGS,
        cold=cold,
        cold_endpoint=_endpoint(cold, *located) if cold and located else None,
        cold_region=located[1] if located else None,
        cold_keys=_keys(cold) if cold else None,
        keep_free_bytes=cold.keep_free_gib * 1024 * mib if cold else None,
        cluster=CLUSTER,
        data_path=DATA_PATH,
        users_path=USERS_PATH,
        function_path=FUNCTION_PATH,
        user_scripts_path=USER_SCRIPTS_PATH,
        http_port=HTTP_PORT,
        native_port=NATIVE_PORT,
        metrics_port=METRICS_PORT,
    )
    return {
        CONFIG_PATH: config,
        USERS_PATH: templating.render(
            "clickhouse-users.xml.j2",
            user=DATABASE_USER,
            password=placeholders.sha256_of(settings.password),
            profile=profile,
        ),
        FUNCTION_PATH: templating.render("clickhouse-histogram-quantile.xml.j2"),
    }


def clickhouse_files(
    settings: ClickHouseSettings, release: Release, cold_access: ColdAccess | None = None
) -> tuple[File, ...]:
    """Its configuration, and the program of the function."""
    texts = render_clickhouse(settings, release, cold_access)
    program = (TEMPLATES_FOLDER / "histogramQuantile").read_text(encoding="utf-8")
    return (
        *(rendered_file(path, text, owner=USER) for path, text in texts.items()),
        File(HISTOGRAM_QUANTILE_PATH, program, mode="0555", owner=USER),
    )


@dataclass(frozen=True)
class Address:
    """Where ClickHouse is, for those who use it, and as whom they come."""

    hosts: tuple[str, ...] = (f"{Role.CLICKHOUSE}:{NATIVE_PORT}",)
    user: str = DATABASE_USER
    cluster: str = CLUSTER
    options: str = ""
    """Of the DSN, with the question mark in front."""
    ca_certificates_pem: str | None = None

    def dsn(self, password: str, database: str = "") -> str:
        """As github.com/ClickHouse/clickhouse-go takes it (`ParseDSN`); `password` as a part of a URL."""
        path = f"/{database}" if database or self.options else ""
        return f"tcp://{self.user}:{password}@{','.join(self.hosts)}{path}{self.options}"

    @property
    def trust(self) -> tuple[tuple[tuple[str, str], ...], tuple[File, ...]]:
        """Variables and files with which a program in Go accepts the CAs' certificates, beside the public ones, which
        are a file in its image (go.dev/src/crypto/x509/root_unix.go)."""
        if self.ca_certificates_pem is None:
            return (), ()
        folder = posixpath.dirname(CA_PATH)
        return (("SSL_CERT_DIR", folder),), (File(CA_PATH, self.ca_certificates_pem, mode="0444"),)


OWN = Address()
"""The stack's own ClickHouse, on the Docker network."""


def address_of(settings: ClickHouseSettings) -> Address:
    """The stack's own ClickHouse, or the one that the settings name."""
    external = settings.external
    if external is None:
        return OWN
    options = {"verify-full": "?secure=true", "require": "?secure=true&skip_verify=true", "disable": ""}[external.tls]
    hosts = tuple(f"{host}:{external.port}" for host in external.hosts)
    return Address(hosts, external.user, external.cluster, options, external.ca_certificates_pem)


def dsn(settings: ClickHouseSettings, database: str = "") -> str:
    """Where the other roles reach it and as whom, with a placeholder for the password."""
    return address_of(settings).dsn(placeholders.url_part(settings.password), database)


def _version(tag: str) -> tuple[int, int]:
    major, minor = tag.split(".")[:2]
    return int(major), int(minor)


def _located(cold: ColdStorage, access: ColdAccess | None) -> tuple[str, str]:
    """Bucket and region."""
    if access:
        return access.bucket, access.region
    if cold.bucket is None or cold.region is None:
        raise ValueError("cold storage has no bucket")
    return cold.bucket, cold.region


def _endpoint(cold: ColdStorage, bucket: str, region: str) -> str:
    if cold.endpoint_url:
        return f"{cold.endpoint_url}/{bucket}/{cold.prefix}/"
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"https://{bucket}.s3.{region}.{domain}/{cold.prefix}/"


def _keys(cold: ColdStorage) -> tuple[str, str] | None:
    if cold.access_key_id and cold.secret_access_key:
        return placeholders.value_of(cold.access_key_id), placeholders.value_of(cold.secret_access_key)
    return None
