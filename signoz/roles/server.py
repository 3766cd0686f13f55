"""SigNoz' server: one container with everything from 0.76 on, the query service before. Pure.

Variables of the newer ones: github.com/SigNoz/signoz, `conf/example.yaml` and `pkg/config/envprovider` (`_` is a level,
`__` an underscore); of 0.75: `pkg/query-service/constants/constants.go`, `ee/query-service/main.go`.
"""

from __future__ import annotations

from urllib.parse import urlencode

from core.releases import Release, Split
from core.roles import Role
from core.secrets import placeholders
from signoz.plan import environment
from signoz.plan.files import rendered_file
from signoz.plan.model import Container, File, HealthCheck
from signoz.roles.alertmanager import PORT as ALERTMANAGER_PORT
from signoz.roles.alertmanager import alertmanager_environment, emailing_environment
from signoz.roles.clickhouse import address_of, dsn
from signoz.roles.context import RoleContext
from signoz.roles.gateway import external_url
from stacks.settings.roles.database import Database, Postgres
from stacks.settings.roles.signoz import SigNozSettings

USER = "10001:10001"
PORT = 8080
DATA_PATH = "/var/lib/signoz"
DATABASE_PATH = f"{DATA_PATH}/signoz.db"
POSTGRES_CA_PATH = "/etc/turnscope/secrets/postgres-ca.pem"
PROMETHEUS_CONFIG_PATH = "/etc/turnscope/prometheus.yml"


def container(context: RoleContext) -> Container:
    """Its own database (users, dashboards, rules) is in a volume that has the same name in every release, so that an
    upgrade finds it; or on a PostgreSQL server."""
    settings, release = context.settings, context.release
    postgres = settings.database.postgres
    one = release.split is Split.ONE
    variables, secret_file, start, ready = _one(settings, release) if one else _query_service(settings)
    trusting, certificates = address_of(settings.clickhouse).trust
    files = [secret_file, *certificates]
    if postgres and postgres.ca_certificates_pem:
        files.append(rendered_file(POSTGRES_CA_PATH, postgres.ca_certificates_pem, owner=USER))
    if not release.has_subcommands:
        files.insert(0, _prometheus_config(settings, release))
    return Container(
        role=release.server,
        name=context.name(release.server),
        image=context.image_of(release.server),
        entrypoint=("/bin/sh", "-c", environment.then(f"exec {start}")),
        environment=(*variables, *trusting),
        files=tuple(files),
        volumes=() if postgres else (context.data_volume(Role.SIGNOZ, DATA_PATH),),
        tmpfs=("/tmp",),  # noqa: S108 - a mount point
        health=HealthCheck.http_get(f"http://127.0.0.1:{PORT}{ready}", start_period_seconds=120),
        after=(Role.MIGRATOR,) if one else (Role.MIGRATOR, Role.ALERTMANAGER),
        user=USER,
        read_only_root=True,
        memory_mib=settings.limits.server_memory_mib,
        cpus=settings.limits.server_cpus,
        open_files=65_536,
    )


Variables = tuple[tuple[str, str], ...]


def _one(settings: SigNozSettings, release: Release) -> tuple[Variables, File, str, str]:
    """Variables, file of secret ones, command and readiness path of the container that has everything."""
    url = external_url(settings.gateway)
    alerts, alert_secrets = alertmanager_environment(settings.alertmanager, external_url=url)
    mails, mail_secrets = emailing_environment(settings.alertmanager.smtp)
    variables = {
        "SIGNOZ_TELEMETRYSTORE_PROVIDER": "clickhouse",
        "SIGNOZ_TELEMETRYSTORE_CLICKHOUSE_CLUSTER": address_of(settings.clickhouse).cluster,
        **_sqlstore(settings.database),
        "SIGNOZ_TOKENIZER_PROVIDER": "jwt",
        "SIGNOZ_GLOBAL_EXTERNAL__URL": url,
        "SIGNOZ_ANALYTICS_ENABLED": "false",
        "SIGNOZ_STATSREPORTER_ENABLED": "false",
        "SIGNOZ_STATSREPORTER_COLLECT_IDENTITIES": "false",
        # It listens on every address, and keeps a file in a folder that is read-only here.
        "SIGNOZ_PPROF_ENABLED": "false",
        "SIGNOZ_PROMETHEUS_ACTIVE__QUERY__TRACKER_ENABLED": "false",
    }
    secrets = {
        "SIGNOZ_TELEMETRYSTORE_CLICKHOUSE_DSN": dsn(settings.clickhouse),
        "SIGNOZ_TOKENIZER_JWT_SECRET" if release.has_subcommands else "SIGNOZ_JWT_SECRET": placeholders.shell_word(
            settings.jwt_secret
        ),
    }
    if postgres := settings.database.postgres:
        secrets["SIGNOZ_SQLSTORE_POSTGRES_DSN"] = postgres_dsn(postgres)
    if root := settings.root_user:
        variables |= {
            "SIGNOZ_USER_ROOT_ENABLED": "true",
            "SIGNOZ_USER_ROOT_EMAIL": root.email,
            "SIGNOZ_USER_ROOT_ORG_NAME": root.organisation,
        }
        secrets["SIGNOZ_USER_ROOT_PASSWORD"] = placeholders.shell_word(root.password)
    variables |= dict((*alerts, *mails))
    secrets |= {name: placeholders.shell_word(reference) for name, reference in (*alert_secrets, *mail_secrets)}
    ready = "/api/v2/healthz" if release.root_user else "/api/v1/health"
    start = "./signoz server" if release.has_subcommands else f"./signoz --config={PROMETHEUS_CONFIG_PATH}"
    return tuple(variables.items()), environment.environment_file(secrets, owner=USER), start, ready


def _sqlstore(database: Database) -> dict[str, str]:
    """Where its own database is (github.com/SigNoz/signoz, `pkg/sqlstore/config.go`), the password apart."""
    if database.postgres:
        return {
            "SIGNOZ_SQLSTORE_PROVIDER": "postgres",
            "SIGNOZ_SQLSTORE_MAX__OPEN__CONNS": str(database.postgres.max_connections),
        }
    return {
        "SIGNOZ_SQLSTORE_PROVIDER": "sqlite",
        "SIGNOZ_SQLSTORE_SQLITE_PATH": DATABASE_PATH,
        "SIGNOZ_SQLSTORE_SQLITE_MODE": "wal",
    }


def postgres_dsn(postgres: Postgres) -> str:
    """As github.com/jackc/pgx takes it (`pgconn.ParseConfig`), with a placeholder for the password."""
    options = {"sslmode": postgres.tls}
    if postgres.ca_certificates_pem:
        options["sslrootcert"] = POSTGRES_CA_PATH
    password = placeholders.url_part(postgres.password)
    where = f"{postgres.user}:{password}@{postgres.host}:{postgres.port}/{postgres.name}"
    return f"postgres://{where}?{urlencode(options, safe='/')}"


def _query_service(settings: SigNozSettings) -> tuple[Variables, File, str, str]:
    variables = {
        "STORAGE": "clickhouse",
        "SIGNOZ_SQLSTORE_SQLITE_PATH": DATABASE_PATH,
        "ALERTMANAGER_API_PREFIX": f"http://{Role.ALERTMANAGER}:{ALERTMANAGER_PORT}/api/",
        "TELEMETRY_ENABLED": "false",
        "OSS_TELEMETRY_ENABLED": "false",
        "DEPLOYMENT_TYPE": "docker-standalone-amd",
        "GODEBUG": "netdns=go",
    }
    secrets = {
        "ClickHouseUrl": dsn(settings.clickhouse),
        "SIGNOZ_JWT_SECRET": placeholders.shell_word(settings.jwt_secret),
    }
    if smtp := settings.alertmanager.smtp:
        variables |= {"SMTP_HOST": smtp.host, "SMTP_PORT": str(smtp.port), "SMTP_FROM": smtp.sender}
        if smtp.username and smtp.password:
            variables["SMTP_USERNAME"] = smtp.username
            secrets["SMTP_PASSWORD"] = placeholders.shell_word(smtp.password)
        variables["SMTP_ENABLED"] = "true"
    flags = (
        f"--config={PROMETHEUS_CONFIG_PATH}",
        "--use-logs-new-schema=true",
        "--use-trace-new-schema=true",
        f"--rules.repo-url={external_url(settings.gateway)}/alerts",
    )
    start = f"./query-service {' '.join(flags)}"
    return tuple(variables.items()), environment.environment_file(secrets, owner=USER), start, "/api/v1/health"


def _prometheus_config(settings: SigNozSettings, release: Release) -> File:
    """Where the older server's PromQL engine reads metrics from, and sends alerts to."""
    text = f"remote_read:\n  - url: {dsn(settings.clickhouse, 'signoz_metrics')}\n"
    if Role.ALERTMANAGER in release.roles:
        target = f"{Role.ALERTMANAGER}:{ALERTMANAGER_PORT}"
        text += f"alerting:\n  alertmanagers:\n    - static_configs:\n        - targets: [{target}]\n"
    return rendered_file(PROMETHEUS_CONFIG_PATH, text, owner=USER)
