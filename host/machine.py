"""The machine: an EC2 instance, its data volume attached, its address."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

from core.component import Component
from host.plan.model import HostPlan
from host.plan.policies import Names
from host.plan.user_data import user_data

DEVICE = "/dev/sdf"
"""For AWS alone: on Nitro the machine sees an NVMe device, and finds it by the volume's identifier
(https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/device_naming.html)."""
RECORD_SECONDS = 60
DATA_VOLUME_TAG = "DataVolume"


class Machine(Component):
    """An EC2 instance with the data volume, and, by the plan, an Elastic IP and the domain's record in Route 53.

    The newest image is looked up at each run but stays as it was at the first one, unless the plan names one: another
    image makes another instance. That one is there before the old one goes, so a zone without capacity costs nothing;
    the volume moves once the old instance has stopped, and the address stays. User data changes in place: AWS' provider
    stops and starts the instance for it, and as it runs at every boot, the change is in effect then. Metadata takes
    version 2 alone, and one hop: containers do not reach the machine's credentials. There is no key pair. Another data
    volume makes another instance.

    Deletion stops the instance before the volume is detached.
    """

    instance_id: pulumi.Output[str]
    address: pulumi.Output[str]
    """Public with an Elastic IP, else private."""
    attachment: aws.ec2.VolumeAttachment
    made: list[pulumi.Resource]
    """What has to be there before the machine can be reached, besides the instance."""

    def __init__(
        self,
        name: str,
        plan: HostPlan,
        *,
        subnet_id: pulumi.Input[str],
        security_group_id: pulumi.Input[str],
        profile: pulumi.Input[str],
        volume_id: pulumi.Output[str],
        names: pulumi.Output[Names],
        after: Sequence[pulumi.Resource],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`after`: what must be there before the instance boots."""
        super().__init__(name, opts)
        instance = aws.ec2.Instance(
            f"{name}-instance",
            ami=plan.image_id or self._newest_image(plan),
            instance_type=plan.instance_type,
            subnet_id=subnet_id,
            vpc_security_group_ids=[security_group_id],
            # With an Elastic IP AWS reports a public address, and the provider would replace an instance that was made
            # without one; and it has packages to fetch before the Elastic IP is associated.
            associate_public_ip_address=plan.public,
            iam_instance_profile=profile,
            metadata_options={"http_endpoint": "enabled", "http_tokens": "required", "http_put_response_hop_limit": 1},
            root_block_device={
                "volume_type": "gp3",
                "volume_size": plan.root_volume_gib,
                "encrypted": True,
                "delete_on_termination": True,
                "tags": {"Name": plan.name},
            },
            user_data=pulumi.Output.all(volume_id, names).apply(lambda known: user_data(plan, known[0], known[1])),
            user_data_replace_on_change=False,
            tags={"Name": plan.name, DATA_VOLUME_TAG: volume_id},
            opts=self.child(
                pulumi.ResourceOptions(
                    depends_on=list(after),
                    ignore_changes=None if plan.image_id else ["ami"],
                    # It has the other volume mounted, and AWS' provider would leave it stopped.
                    replace_on_changes=[f"tags.{DATA_VOLUME_TAG}"],
                )
            ),
        )
        self.attachment = aws.ec2.VolumeAttachment(
            f"{name}-attachment",
            instance_id=instance.id,
            volume_id=volume_id,
            device_name=DEVICE,
            # A file system that is in use is never torn off.
            stop_instance_before_detaching=True,
            # A volume has one instance at a time.
            opts=self.child(pulumi.ResourceOptions(delete_before_replace=True)),
        )
        self.instance_id, self.made = instance.id, [self.attachment]
        self.address = self._elastic_ip(name, plan, instance) if plan.public else instance.private_ip
        self.register_outputs({"instance_id": self.instance_id, "address": self.address})

    def _newest_image(self, plan: HostPlan) -> pulumi.Output[str]:
        options = pulumi.InvokeOutputOptions(parent=self)
        return aws.ssm.get_parameter_output(name=plan.image_parameter, opts=options).value

    def _elastic_ip(self, name: str, plan: HostPlan, instance: aws.ec2.Instance) -> pulumi.Output[str]:
        address = aws.ec2.Eip(f"{name}-address", domain="vpc", tags={"Name": plan.name}, opts=self.child())
        association = aws.ec2.EipAssociation(
            f"{name}-association",
            allocation_id=address.allocation_id,
            instance_id=instance.id,
            # From an instance that is replaced to its successor.
            allow_reassociation=True,
            opts=self.child(),
        )
        self.made.append(association)
        if plan.zone_id:
            aws.route53.Record(
                f"{name}-record",
                zone_id=plan.zone_id,
                name=plan.domain,
                type="A",
                ttl=RECORD_SECONDS,
                records=[address.public_ip],
                opts=self.child(),
            )
        return address.public_ip
