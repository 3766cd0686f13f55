"""EBS volumes that are block devices of the machine that they are attached to.

On AWS a volume is attached to one instance of its zone, under a device name that is free; while a file system of it
is mounted it stays attached, as `busy`; it can grow and not shrink.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AttachVolume.html
https://docs.aws.amazon.com/ebs/latest/userguide/ebs-detaching-volume.html

moto checks none of it, needs the instance's id to detach, and its volumes hold nothing.
"""

from __future__ import annotations

import logging
import threading
import time

from moto.ec2.exceptions import EC2ClientError, InvalidParameterValueError, VolumeInUseError
from moto.ec2.models.elastic_block_store import EBSBackend, Volume, VolumeAttachment
from moto.ec2.models.instances import Instance

from lab.machine import emulated
from lab.machine.emulated import Machine, Machines
from lab.machine.engine import EngineError

BUSY = "busy"
POLL_SECONDS = 0.3

log = logging.getLogger("lab")

_attach_volume = EBSBackend.attach_volume
_detach_volume = EBSBackend.detach_volume
_delete_volume = EBSBackend.delete_volume
_modify_volume = EBSBackend.modify_volume


def attach_volume(
    self: EBSBackend, volume_id: str, instance_id: str, device_path: str, delete_on_termination: bool = False
) -> VolumeAttachment | None:
    volume = self.get_volume(volume_id)
    instance: Instance = self.get_instance(instance_id)  # pyright: ignore[reportAttributeAccessIssue]
    machines = emulated.current()
    machine = machines and machines.of(instance)
    # Volumes that come with an instance are attached before it has its machine.
    if machines is None or machine is None:
        return _attach_volume(self, volume_id, instance_id, device_path, delete_on_termination)
    _check(volume, instance, device_path)
    attachment = _attach_volume(self, volume_id, instance_id, device_path, delete_on_termination)
    if machine.up:
        try:
            machines.disk(volume)
            machine.apply()
        except EngineError as error:
            _detach_volume(self, volume_id, instance_id, device_path)
            machines.close_disk(volume_id)
            raise EC2ClientError("InternalError", f"lab: {error}") from None
    return attachment


def _check(volume: Volume, instance: Instance, device: str) -> None:
    if volume.attachment:
        raise VolumeInUseError(volume.id, volume.attachment.instance.id)
    if instance.state not in ("running", "stopped"):
        raise EC2ClientError("IncorrectState", f"Instance '{instance.id}' is not 'running'.")
    if volume.availability_zone != instance.availability_zone:
        raise EC2ClientError(
            "InvalidVolume.ZoneMismatch",
            f"The volume '{volume.id}' is not in the same availability zone as instance '{instance.id}'",
        )
    if device in instance.block_device_mapping:
        raise InvalidParameterValueError(
            f"Invalid value '{device}' for unixDevice. Attachment point {device} is already in use"
        )


def detach_volume(self: EBSBackend, volume_id: str, instance_id: str, device_path: str) -> VolumeAttachment:
    attachment = self.get_volume(volume_id).attachment
    instance_id = instance_id or (attachment.instance.id if attachment else "")
    machines = emulated.current()
    machine = machines and machines.by_instance.get(instance_id)
    if attachment is None or machines is None or machine is None:
        return _detach_volume(self, volume_id, instance_id, device_path)
    if machine.uses(attachment.volume):
        if attachment.status != BUSY:
            attachment.status = BUSY
            log.info("lab: volume %s is detached when it is unmounted in %s", volume_id, instance_id)
            waits = (self, machines, machine, attachment)
            threading.Thread(target=_when_unmounted, args=waits, daemon=True).start()
        return attachment
    _release(self, machines, machine, attachment)
    return attachment


def _when_unmounted(backend: EBSBackend, machines: Machines, machine: Machine, attachment: VolumeAttachment) -> None:
    volume = attachment.volume
    while volume.attachment is attachment:
        try:
            if not machine.uses(volume):
                _release(backend, machines, machine, attachment)
        except EngineError as error:  # it is just going up or down
            log.info("lab: volume %s: %s", volume.id, error)
        time.sleep(POLL_SECONDS)


def _release(backend: EBSBackend, machines: Machines, machine: Machine, attachment: VolumeAttachment) -> None:
    _detach_volume(backend, attachment.volume_id, attachment.instance_id, attachment.device)
    machine.apply()
    machines.close_disk(attachment.volume_id)


def delete_volume(self: EBSBackend, volume_id: str) -> Volume:
    volume = _delete_volume(self, volume_id)
    if machines := emulated.current():
        machines.delete_disk(volume_id)
    return volume


def modify_volume(self: EBSBackend, volume_id: str, target_size: int | None = None, *args: object) -> Volume:
    volume = self.get_volume(volume_id)
    if target_size and target_size < volume.size:
        raise InvalidParameterValueError(f"New size cannot be smaller than existing size {volume.size}")
    _modify_volume(self, volume_id, target_size, *args)  # pyright: ignore[reportArgumentType]
    machines = emulated.current()
    disk = machines and machines.open_disk(volume_id)
    if disk:
        disk.grow(volume.size)
    return volume


def install() -> None:
    for method in (attach_volume, detach_volume, delete_volume, modify_volume):
        setattr(EBSBackend, method.__name__, method)
