"""Who reaches the machine."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

from core.component import Component
from host.plan.model import Rule


class Firewall(Component):
    """A security group with a resource for each of `rules`, so that a change of one touches no other; everything may go
    out. Deletion removes it."""

    id: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        rules: Sequence[Rule],
        *,
        label: str,
        vpc_id: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        group = aws.ec2.SecurityGroup(
            f"{name}-group",
            name=label,
            description="SigNoz",
            vpc_id=vpc_id,
            tags={"Name": label},
            opts=self.child(),
        )
        self.id = group.id
        for rule in rules:
            aws.vpc.SecurityGroupIngressRule(
                f"{name}-{rule.key}",
                security_group_id=group.id,
                description=rule.description,
                ip_protocol="tcp",
                from_port=rule.port,
                to_port=rule.port,
                cidr_ipv4=None if rule.is_ipv6 else rule.network,
                cidr_ipv6=rule.network if rule.is_ipv6 else None,
                referenced_security_group_id=rule.security_group_id,
                opts=self.child(),
            )
        aws.vpc.SecurityGroupEgressRule(
            f"{name}-out",
            security_group_id=group.id,
            description="Packages, images, notifications",
            ip_protocol="-1",
            cidr_ipv4="0.0.0.0/0",
            opts=self.child(),
        )
        self.register_outputs({"id": self.id})
