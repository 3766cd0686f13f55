"""The ClickHouse role and its Keeper: their whole configuration, as files. Pure.

The files replace those of the images (`CLICKHOUSE_SKIP_USER_SETUP=1` keeps the image from adding a user), so what runs
is what stands here. Facts: clickhouse.com/docs/operations/server-configuration-parameters/settings,
clickhouse.com/docs/guides/sre/keeper/clickhouse-keeper.
"""

from __future__ import annotations

from core.releases import Coordination, Release
from core.roles import Role
from core.secrets import placeholders
from signoz.plan import templating
from signoz.plan.files import rendered_file
from signoz.plan.model import File
from stacks.settings.roles.clickhouse import ClickHouseSettings, ColdStorage

CONFIG_PATH = "/etc/clickhouse-server/config.xml"
USERS_PATH = "/etc/clickhouse-server/users.xml"
FUNCTION_PATH = "/etc/clickhouse-server/histogram_quantile_function.xml"
KEEPER_CONFIG_PATH = "/etc/clickhouse-keeper/keeper_config.xml"

DATA_PATH = "/var/lib/clickhouse"
"""The data volume of ClickHouse; everything it writes is below."""
KEEPER_DATA_PATH = "/var/lib/clickhouse-keeper"
"""The data volume of Keeper: without what is in it, replicated tables become read-only."""
USER_SCRIPTS_PATH = f"{DATA_PATH}/user_scripts"
HISTOGRAM_QUANTILE_PATH = f"{USER_SCRIPTS_PATH}/histogramQuantile"
"""Where the executable of the function must be (mode 0755): SigNoz' percentiles of histograms call it."""

CLUSTER = "cluster"
USER = "turnscope"
HTTP_PORT = 8123
NATIVE_PORT = 9000
METRICS_PORT = 9363
KEEPER_METRICS_PORT = 9363
KEEPER_READY_URL = "http://127.0.0.1:9182/ready"
"""Answers 200 inside Keeper's container once it takes part in consensus."""

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


def render_clickhouse(settings: ClickHouseSettings, release: Release) -> dict[str, str]:
    """Path -> text of ClickHouse's files and, unless ZooKeeper does its work, of Keeper's."""
    mib = 1024 * 1024
    version = _version(release.clickhouse)
    profile = [
        ("max_memory_usage", str(settings.memory_mib * mib * settings.query_memory_percent // 100)),
        *((name, value) for name, value, since in PROFILE if version >= since),
        *(() if settings.simdjson else (("allow_simdjson", "0"),)),
    ]
    cold = settings.cold_storage
    config = templating.render(
        "clickhouse-config.xml.j2",
        settings=settings,
        host=Role.CLICKHOUSE,
        keeper_host=Role.KEEPER,
        keeper_port=release.coordination.port,
        memory_ratio=settings.server_memory_percent / 100,
        system_logs=SYSTEM_LOGS,
        cold=cold,
        cold_endpoint=_endpoint(cold) if cold else None,
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
    files = {
        CONFIG_PATH: config,
        USERS_PATH: templating.render(
            "clickhouse-users.xml.j2", user=USER, password=placeholders.sha256_of(settings.password), profile=profile
        ),
        FUNCTION_PATH: templating.render("clickhouse-histogram-quantile.xml.j2"),
    }
    if release.coordination is Coordination.KEEPER:
        files[KEEPER_CONFIG_PATH] = templating.render(
            "clickhouse-keeper.xml.j2",
            settings=settings,
            port=release.coordination.port,
            data_path=KEEPER_DATA_PATH,
            metrics_port=KEEPER_METRICS_PORT,
        )
    return files


def clickhouse_files(settings: ClickHouseSettings, release: Release, *, owner: str = "0:0") -> tuple[File, ...]:
    """The files of ClickHouse's container."""
    texts = render_clickhouse(settings, release)
    return tuple(rendered_file(path, text, owner=owner) for path, text in texts.items() if path != KEEPER_CONFIG_PATH)


def keeper_files(settings: ClickHouseSettings, release: Release, *, owner: str = "0:0") -> tuple[File, ...]:
    """The file of Keeper's container. Raises `KeyError` where ZooKeeper does its work."""
    return (rendered_file(KEEPER_CONFIG_PATH, render_clickhouse(settings, release)[KEEPER_CONFIG_PATH], owner=owner),)


def _version(tag: str) -> tuple[int, int]:
    major, minor = tag.split(".")[:2]
    return int(major), int(minor)


def _endpoint(cold: ColdStorage) -> str:
    if cold.endpoint_url:
        return f"{cold.endpoint_url}/{cold.bucket}/{cold.prefix}/"
    return f"https://{cold.bucket}.s3.{cold.region}.amazonaws.com/{cold.prefix}/"


def _keys(cold: ColdStorage) -> tuple[str, str] | None:
    if cold.access_key_id and cold.secret_access_key:
        return placeholders.value_of(cold.access_key_id), placeholders.value_of(cold.secret_access_key)
    return None
