"""A data volume that an earlier tear-down kept: found, so that the stack adopts it instead of making another."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from host.plan.model import HostPlan


@dataclass(frozen=True)
class KeptVolume:
    """A volume, and where and with what it can be used."""

    volume_id: str
    availability_zone: str
    key_id: str
    """Of its KMS key, without the rest of the ARN."""


def kept_volume(plan: HostPlan, provider: pulumi.ProviderResource | None) -> KeptVolume | None:
    """The newest volume of the stack's name that nothing uses; None while the stack's own is in use, where there is
    none, or where the plan keeps none or names a snapshot that it is not made from.

    One that is in the engine's state, of a machine that is gone, is found too; naming it then changes nothing.
    Raises `pulumi.RunError` for a volume in another availability zone than that of the plan's network.
    """
    if not plan.volume.keep or _named(plan, "in-use", provider) or not _named(plan, "available", provider):
        return None
    options = pulumi.InvokeOptions(provider=provider)
    filters: list[aws.ebs.GetVolumeFilterArgsDict] = [
        {"name": each, "values": [value]} for each, value in _filters(plan, "available")
    ]
    found = aws.ebs.get_volume(most_recent=True, filters=filters, opts=options)
    if plan.volume.snapshot_id not in (None, found.snapshot_id):
        return None
    zone = plan.network.availability_zone
    if zone and zone != found.availability_zone:
        raise pulumi.RunError(
            f"The kept data volume {found.volume_id} is in {found.availability_zone}. Set turnscope:host.network."
            f"availability_zone to that, or turnscope:host.data_volume.snapshot_id to a snapshot of it, from which a "
            f"volume in {zone} is made."
        )
    return KeptVolume(found.volume_id, found.availability_zone, found.kms_key_id.rpartition("/")[2])


def _named(plan: HostPlan, status: str, provider: pulumi.ProviderResource | None) -> list[str]:
    filters: list[aws.ebs.GetEbsVolumesFilterArgsDict] = [
        {"name": each, "values": [value]} for each, value in _filters(plan, status)
    ]
    return list(aws.ebs.get_ebs_volumes(filters=filters, opts=pulumi.InvokeOptions(provider=provider)).ids)


def _filters(plan: HostPlan, status: str) -> list[tuple[str, str]]:
    return [("tag:Name", plan.volume.name), ("status", status)]
