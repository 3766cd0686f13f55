"""SigNoz' machine in a plan's rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from host.plan.model import HostPlan

Row = dict[str, Any]


def host_rows(plan: HostPlan) -> Iterator[Row]:
    """Kind, name and numbers of everything; alarms are among the stack's alarms."""
    network = plan.network
    yield {
        "kind": "machine",
        "name": plan.name,
        "instance_type": plan.instance_type,
        "architecture": plan.architecture,
        "image": plan.image_id or plan.image_parameter,
        "docker_version": plan.docker_version,
        "root_volume_gib": plan.root_volume_gib,
        "access": plan.access,
        "domain": plan.domain,
        "elastic_ip": plan.public,
    }
    yield {
        "kind": "data volume",
        "name": plan.volume.name,
        "size_gib": plan.volume.size_gib,
        "iops": plan.volume.iops,
        "throughput_mib_per_second": plan.volume.throughput_mib_per_second,
        "encryption": plan.volume.encrypt,
        "from_snapshot": plan.volume.snapshot_id,
        "kept_at_teardown": plan.volume.keep,
        "daily_snapshots": plan.snapshots.keep if plan.snapshots else 0,
        "snapshots_from": plan.snapshots.daily_at if plan.snapshots else None,
    }
    if cold := plan.cold_bucket:
        own = cold.existing is None
        yield {
            "kind": "cold storage" if own else "cold storage (existing bucket)",
            "name": cold.name("ACCOUNT"),
            "prefix": cold.prefix,
            "region": cold.region,
            "role": cold.role,
            "encryption": plan.volume.encrypt if own else None,
            "kept_at_teardown": cold.keep or not own,
        }
    if network.vpc_id:
        yield {"kind": "VPC (existing)", "name": network.vpc_id, "subnet": network.subnet_id}
    else:
        yield {"kind": "VPC", "name": plan.name, "cidr": network.cidr, "availability_zone": network.availability_zone}
    for rule in plan.rules:
        yield {
            "kind": "security group rule",
            "name": rule.key,
            "port": rule.port,
            "from": rule.network or rule.security_group_id,
            "description": rule.description,
        }
    if plan.zone_id:
        yield {"kind": "DNS record", "name": plan.domain, "zone": plan.zone_id}
    for action in plan.schedule:
        yield {"kind": "scheduled action", "name": action.name, "at": action.cron, "timezone": action.timezone}
    yield {"kind": "log group", "name": plan.log_group, "retention_days": plan.log_retention_days}


def host_summary(row: Row) -> str | None:
    """What is worth knowing of a row besides its kind and name, in one line; None for a row of another kind."""
    match row["kind"]:
        case "machine":
            way = "Session Manager" if row["access"] == "session-manager" else "ssh"
            return f"{row['instance_type']} ({row['architecture']}), Docker {row['docker_version']}, reached by {way}"
        case "data volume":
            kept = ", kept at tear-down" if row["kept_at_teardown"] else ""
            snapshots = f", {row['daily_snapshots']} daily snapshots" if row["daily_snapshots"] else ", no snapshots"
            made = f", from {row['from_snapshot']}" if row["from_snapshot"] else ""
            speed = f"{row['iops']} IOPS, {row['throughput_mib_per_second']} MiB/s"
            return f"{row['size_gib']} GiB, {speed}{made}{snapshots}{kept}"
        case "cold storage" | "cold storage (existing bucket)":
            kept = ", kept at tear-down" if row["kept_at_teardown"] else ""
            return f"ClickHouse's old data below {row['prefix']}/, in {row['region']}, by role {row['role']}{kept}"
        case "VPC":
            return row["cidr"]
        case "VPC (existing)":
            return row["subnet"]
        case "security group rule":
            return f"{row['from']} to port {row['port']}: {row['description']}"
        case "DNS record":
            return f"in zone {row['zone']}"
        case "scheduled action":
            return f"{row['at']}, {row['timezone']}"
    return None
