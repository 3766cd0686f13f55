"""The volume with everything that SigNoz stores: its key, the volume, its snapshots."""

from __future__ import annotations

import json

import pulumi
import pulumi_aws as aws

from cloudwatch.log_groups import KEY_DELETION_DAYS
from core.component import Component
from host.kept import KeptVolume
from host.plan.model import HostPlan
from host.plan.policies import SNAPSHOT_TAG, Names, key_policy, snapshot_policy, trust

CHANGED_LATER = ("size", "iops", "throughput")
"""What may differ from the settings in a volume that is adopted: the next deployment changes it."""


class DataVolume(Component):
    """A gp3 volume in the machine's availability zone, encrypted: by the account's key, by a KMS key that is made here
    (alias `alias/turnscope-<stack>-host`), or by an existing one; and, by the plan, a DLM policy of daily snapshots.

    Size (GiB), IOPS and throughput (MiB/s) change in place; another snapshot makes another volume. `kept` is what an
    earlier tear-down left: the engine adopts that volume, with its key, instead of making one. Deletion: refused by the
    engine where the plan protects the volume; left in AWS, with its key, where the plan keeps it; else the volume goes
    with its data. Snapshots stay.
    """

    volume_id: pulumi.Output[str]
    key_arn: pulumi.Input[str] | None
    """Of its KMS key; None for the account's key for EBS."""

    def __init__(
        self,
        name: str,
        plan: HostPlan,
        *,
        names: pulumi.Output[Names],
        availability_zone: pulumi.Input[str],
        kept: KeptVolume | None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        volume = plan.volume
        stays = pulumi.ResourceOptions(protect=volume.protect, retain_on_delete=volume.keep)
        as_it_is = [*CHANGED_LATER] if kept else []
        if kept or volume.snapshot_id is None:
            # What it was made from is past.
            as_it_is.append("snapshot_id")
        self.key_arn = self._key(name, plan, names, stays, kept)
        made = aws.ebs.Volume(
            f"{name}-volume",
            availability_zone=availability_zone,
            type="gp3",
            size=volume.size_gib,
            iops=volume.iops,
            throughput=volume.throughput_mib_per_second,
            encrypted=True,
            kms_key_id=self.key_arn,
            snapshot_id=volume.snapshot_id,
            tags={"Name": volume.name, SNAPSHOT_TAG: plan.stack},
            opts=self.child(
                pulumi.ResourceOptions.merge(
                    stays,
                    pulumi.ResourceOptions(import_=kept.volume_id if kept else None, ignore_changes=as_it_is),
                )
            ),
        )
        self.volume_id = made.id
        if plan.snapshots:
            self._snapshots(name, plan, names)
        self.register_outputs({"volume_id": self.volume_id})

    def _key(
        self,
        name: str,
        plan: HostPlan,
        names: pulumi.Output[Names],
        stays: pulumi.ResourceOptions,
        kept: KeptVolume | None,
    ) -> pulumi.Input[str] | None:
        match plan.volume.encrypt:
            case "aws":
                return None
            case "stack-key":
                key = aws.kms.Key(
                    f"{name}-key",
                    description=f"Data volume of SigNoz, stack {plan.stack}",
                    enable_key_rotation=True,
                    deletion_window_in_days=KEY_DELETION_DAYS,
                    policy=names.apply(lambda known: json.dumps(key_policy(known))),
                    # Without its key nobody reads a volume that is kept.
                    opts=self.child(
                        pulumi.ResourceOptions.merge(
                            stays, pulumi.ResourceOptions(import_=kept.key_id if kept else None)
                        )
                    ),
                )
                aws.kms.Alias(f"{name}-alias", name=f"alias/{plan.name}", target_key_id=key.key_id, opts=self.child())
                return key.arn
            case arn:
                return arn

    def _snapshots(self, name: str, plan: HostPlan, names: pulumi.Output[Names]) -> None:
        assert plan.snapshots  # noqa: S101
        role = aws.iam.Role(
            f"{name}-snapshots-role",
            name=f"{plan.name}-snapshots",
            assume_role_policy=names.apply(lambda known: json.dumps(trust("dlm", known.account_id))),
            opts=self.child(),
        )
        allowed = aws.iam.RolePolicy(
            f"{name}-snapshots-policy",
            name="snapshots",
            role=role.name,
            policy=pulumi.Output.all(names, self.volume_id).apply(
                lambda known: json.dumps(snapshot_policy(known[0], known[1]))
            ),
            opts=self.child(),
        )
        tags = {SNAPSHOT_TAG: plan.stack}
        aws.dlm.LifecyclePolicy(
            f"{name}-snapshots",
            # Letters, digits, blanks, _ and - alone (docs.aws.amazon.com/dlm/latest/APIReference/
            # API_CreateLifecyclePolicy.html).
            description=f"Daily snapshots of {plan.volume.name}",
            execution_role_arn=role.arn,
            state="ENABLED",
            policy_details={
                "resource_types": ["VOLUME"],
                "target_tags": tags,
                "schedules": [
                    {
                        "name": "daily",
                        "create_rule": {"cron_expression": plan.snapshots.cron},
                        "retain_rule": {"count": plan.snapshots.keep},
                        "tags_to_add": tags,
                    }
                ],
            },
            opts=self.child(pulumi.ResourceOptions(depends_on=[allowed])),
        )
