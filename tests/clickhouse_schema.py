"""What may stand in ClickHouse's and Keeper's files, as far as Turnscope uses it: the server ignores a misspelt key.

A schema is a mapping of element name to the schema of its children, or to a check of its text. `ANY` stands for names
that are chosen freely. From clickhouse.com/docs: operations/server-configuration-parameters/settings,
operations/settings/settings-users, guides/sre/keeper/clickhouse-keeper and engines/table-engines/mergetree-family/
mergetree (storage policies); the integration tests ask the engine where it knows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from xml.etree import ElementTree

ANY = "*"
Check = Callable[[str], bool]
Schema = Mapping[str, Any]


def _matching(pattern: str) -> Check:
    return lambda text: re.fullmatch(pattern, text) is not None


def _port(text: str) -> bool:
    return text.isdigit() and 0 < int(text) < 65_536


TEXT = _matching(r"\S(.*\S)?")
FLAG = _matching("true|false")
NUMBER = _matching(r"\d+(\.\d+)?")
PATH = _matching(r"/\S*")
LEVEL = _matching("none|fatal|critical|error|warning|notice|information|debug|trace|test")

LOGGER = {"level": LEVEL, "console": FLAG}
PROMETHEUS = {"endpoint": PATH, "port": _port, "metrics": FLAG, "events": FLAG, "asynchronous_metrics": FLAG}
SYSTEM_LOG = {
    "database": TEXT,
    "table": TEXT,
    "partition_by": TEXT,
    "ttl": _matching(r"event_date \+ INTERVAL \d+ DAY DELETE"),
    "flush_interval_milliseconds": NUMBER,
}
LOG_NAMES = ("asynchronous_metric", "backup", "crash", "metric", "part", "query", "query_views")

LISTED_SERVER_SETTINGS = {
    "default_database": TEXT,
    "format_schema_path": PATH,
    "interserver_http_host": TEXT,
    "interserver_http_port": _port,
    "max_server_memory_usage_to_ram_ratio": NUMBER,
    "path": PATH,
    "tmp_path": PATH,
    "user_files_path": PATH,
    "user_scripts_path": PATH,
}
"""Those that `system.server_settings` lists; it has neither the ports of clients nor sections."""
SERVER: Schema = {
    "clickhouse": {
        **LISTED_SERVER_SETTINGS,
        "default_profile": TEXT,
        "http_port": _port,
        "listen_host": TEXT,
        "tcp_port": _port,
        "user_defined_executable_functions_config": PATH,
        "logger": LOGGER,
        "user_directories": {"users_xml": {"path": PATH}},
        "remote_servers": {ANY: {"shard": {"replica": {"host": TEXT, "port": _port}}}},
        "macros": {ANY: TEXT},
        "zookeeper": {"node": {"host": TEXT, "port": _port}},
        "distributed_ddl": {"path": PATH},
        "prometheus": PROMETHEUS,
        "send_crash_reports": {"enabled": FLAG},
        **{f"{name}_log": SYSTEM_LOG for name in LOG_NAMES},
        "storage_configuration": {
            "disks": {
                "default": {"keep_free_space_bytes": NUMBER},
                "s3": {
                    "type": _matching("s3"),
                    "endpoint": _matching(r"https?://[^\s/]+/\S*/"),
                    "region": TEXT,
                    "access_key_id": TEXT,
                    "secret_access_key": TEXT,
                    "use_environment_credentials": FLAG,
                    "metadata_path": PATH,
                },
            },
            "policies": {ANY: {"volumes": {ANY: {"disk": TEXT, "perform_ttl_move_on_insert": FLAG}}}},
        },
    }
}
PROFILE_SETTINGS = {
    "allow_nondeterministic_mutations": NUMBER,
    "allow_simdjson": NUMBER,
    "load_balancing": _matching(
        "random|nearest_hostname|hostname_levenshtein_distance|in_order|first_or_random|round_robin"
    ),
    "max_memory_usage": NUMBER,
    "query_plan_max_limit_for_lazy_materialization": NUMBER,
    "secondary_indices_enable_bulk_filtering": NUMBER,
}
USERS: Schema = {
    "clickhouse": {
        "profiles": {ANY: PROFILE_SETTINGS},
        "quotas": {ANY: {}},
        "users": {
            ANY: {
                "password_sha256_hex": _matching(r"\{sha256:[A-Za-z0-9_.-]+\}|[0-9a-f]{64}"),
                "networks": {"ip": TEXT},
                "profile": TEXT,
                "quota": TEXT,
            }
        },
    }
}
FUNCTIONS: Schema = {
    "functions": {
        "function": {
            "type": _matching("executable|executable_pool"),
            "name": _matching(r"[A-Za-z_]\w*"),
            "return_type": TEXT,
            "argument": {"type": TEXT, "name": TEXT},
            "format": TEXT,
            "command": TEXT,
        }
    }
}
KEEPER: Schema = {
    "clickhouse": {
        "logger": LOGGER,
        "listen_host": TEXT,
        "path": PATH,
        "keeper_server": {
            "tcp_port": _port,
            "server_id": NUMBER,
            "storage_path": PATH,
            "log_storage_path": PATH,
            "snapshot_storage_path": PATH,
            "coordination_settings": {
                "operation_timeout_ms": NUMBER,
                "session_timeout_ms": NUMBER,
                "raft_logs_level": LEVEL,
            },
            "raft_configuration": {"server": {"id": NUMBER, "hostname": TEXT, "port": _port}},
            "http_control": {"port": _port, "readiness": {"endpoint": PATH}},
        },
        "prometheus": PROMETHEUS,
    }
}


def problems(text: str, schema: Schema) -> list[str]:
    """Every element of an XML text that the schema does not allow, by its path; empty when all is well."""
    root = ElementTree.fromstring(text)  # noqa: S314 (our own rendering)
    return list(_problems(root, {root.tag: schema.get(root.tag)}, ""))


def _problems(element: ElementTree.Element, schema: Schema, above: str) -> list[str]:
    path = f"{above}/{element.tag}"
    expected = schema.get(element.tag, schema.get(ANY))
    text = (element.text or "").strip()
    if expected is None:
        return [f"{path}: unknown"]
    if callable(expected):
        return [] if len(element) == 0 and expected(text) else [f"{path}: {text!r} is not allowed"]
    found = [f"{path}: holds text"] if text else []
    for child in element:
        found += _problems(child, expected, path)
    return found
