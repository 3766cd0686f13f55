"""The roles of SigNoz: what a container is for. The release catalogue says which roles a release has."""

from enum import StrEnum


class Role(StrEnum):
    """What a container is for; also its name on the stack's network."""

    SETUP = "setup"
    """Fills the volumes: files, and who may write; runs to its end before anything else starts."""
    KEEPER = "keeper"
    CLICKHOUSE = "clickhouse"
    MIGRATOR = "migrator"
    SIGNOZ = "signoz"
    """Query service, frontend and alertmanager in one, from release 0.76 on."""
    QUERY_SERVICE = "query-service"
    FRONTEND = "frontend"
    ALERTMANAGER = "alertmanager"
    COLLECTOR = "collector"
    GATEWAY = "gateway"


CLICKHOUSE_USER = "101:101"
"""UID:GID that ClickHouse and Keeper run as: their images' own (github.com/ClickHouse/ClickHouse,
docker/server/Dockerfile.ubuntu)."""
