"""Statements for a cluster, as one node without Keeper can run them.

SigNoz' migrations make a local table and a `distributed_` one for each thing they store. On one node both are the
same: replication and distribution are taken out of a statement, and a `distributed_X` table is X itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# Tables that an embedded engine lacks, as one idle node would show them.
VIRTUAL_TABLES = {
    "system.distributed_ddl_queue": (
        "(SELECT '' AS entry, '' AS cluster, '' AS query, '' AS host, toUInt16(0) AS port, 'Finished' AS status, "
        "toUInt16(0) AS exception_code WHERE 0)"
    ),
    "system.zookeeper_connection": (
        "(SELECT 'default' AS name, '127.0.0.1' AS host, toUInt16(9181) AS port, 0 AS is_expired)"
    ),
    "system.clusters": (
        "(SELECT 'cluster' AS cluster, toUInt32(1) AS shard_num, toUInt32(1) AS replica_num, '127.0.0.1' AS host_name, "
        "'127.0.0.1' AS host_address, toUInt16(9000) AS port, toUInt8(1) AS is_local)"
    ),
}
READS = re.compile(r"(?is)\s*(select|with|show|describe|desc|exists|explain)\b")
SELECTS = re.compile(r"(?is)\s*(select|with)\b")
_INSERT = re.compile(
    r"(?is)\s*insert\s+into\s+(?:table\s+)?([^\s(]+)\s*(\([^)]*\))?\s*(?:settings\s.*?)?\s*(?:values|format\s+native)?\s*$"
)
_NAME = r"(?:`[^`]+`|'[^']+'|\"[^\"]+\"|[\w.{}-]+)"


@dataclass(frozen=True)
class Insert:
    """An insert whose rows follow as blocks of the native protocol."""

    table: str
    columns: str
    """Comma-separated names; empty for all."""


def local(sql: str) -> str | None:
    """The statement for one node; None where there is nothing to do there."""
    if re.match(r"(?is)\s*create\s+table", sql) and re.search(r"(?i)engine\s*=?\s*Distributed\b", sql):
        return None
    sql = re.sub(rf"(?i)\s+ON\s+CLUSTER\s+{_NAME}", "", sql)
    for table, rows in VIRTUAL_TABLES.items():
        sql = sql.replace(table, rows)
    sql = re.sub(r"(?i)\bcluster(AllReplicas)?\(\s*'[^']*'\s*,\s*([\w.]+)\s*\)", r"\2", sql)
    sql = re.sub(r"\bdistributed_", "", sql)
    sql = re.sub(r"(?i)\bReplicated(\w*MergeTree)\s*\(\s*'[^']*'\s*,\s*'[^']*'\s*,?", r"\1(", sql)
    sql = re.sub(r"(?i)\bReplicated(\w*MergeTree)", r"\1", sql)
    if re.match(r"(?is)\s*create\s+table.*(Aggregating|Summing|Replacing)MergeTree", sql):
        # 25.12, which SigNoz asks for, takes such tables; this newer engine does when told to.
        sql += (
            ", " if re.search(r"(?i)\bSETTINGS\b", sql) else " SETTINGS "
        ) + "allow_dimensions_outside_sorting_key = 1"
    return sql


def insert(sql: str) -> Insert | None:
    """What a statement inserts into, if it takes its rows from the client."""
    found = _INSERT.match(sql)
    return Insert(found[1], (found[2] or "").strip("()")) if found else None
