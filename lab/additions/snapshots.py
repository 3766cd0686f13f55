"""Snapshots of EBS volumes that hold what the volume had, and volumes that are made of them.

On AWS a snapshot is of one moment, also of a volume that is in use.
https://docs.aws.amazon.com/ebs/latest/userguide/ebs-creating-snapshot.html

moto's snapshots are records.
"""

from __future__ import annotations

from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.elastic_block_store import EBSBackend, Snapshot, Volume

from lab.machine import emulated
from lab.machine.engine import EngineError

_create_snapshot = EBSBackend.create_snapshot
_create_volume = EBSBackend.create_volume
_delete_snapshot = EBSBackend.delete_snapshot


def create_snapshot(self: EBSBackend, volume_id: str, *args: Any, **kwargs: Any) -> Snapshot:
    snapshot = _create_snapshot(self, volume_id, *args, **kwargs)
    _copy(volume_id, snapshot.id)
    return snapshot


def create_volume(
    self: EBSBackend, size: int, zone_name: str, snapshot_id: str | None = None, *args: Any, **kwargs: Any
) -> Volume:
    volume = _create_volume(self, size, zone_name, snapshot_id, *args, **kwargs)
    if snapshot_id:
        _copy(snapshot_id, volume.id)
    return volume


def delete_snapshot(self: EBSBackend, snapshot_id: str) -> Snapshot:
    snapshot = _delete_snapshot(self, snapshot_id)
    if machines := emulated.current():
        machines.delete_disk(snapshot_id)
    return snapshot


def _copy(source_id: str, target_id: str) -> None:
    machines = emulated.current()
    try:
        if machines:
            machines.copy_disk(source_id, target_id)
    except EngineError as error:
        raise EC2ClientError("InternalError", f"lab: {error}") from None


def install() -> None:
    for method in (create_snapshot, create_volume, delete_snapshot):
        setattr(EBSBackend, method.__name__, method)
