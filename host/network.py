"""Where the machine is: a VPC of its own, or an existing subnet."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from core.component import Component
from host.plan.model import Network

PLACE = ("availability_zone", "cidr_block")


class MachineNetwork(Component):
    """A VPC with one public subnet and a route to the internet, on request with one to S3; or, where the plan names
    them, existing ones, which are only read. The deployment fails where an existing subnet does not exist. Deletion
    removes what was made here."""

    vpc_id: pulumi.Output[str]
    subnet_id: pulumi.Output[str]
    availability_zone: pulumi.Output[str]
    """Of the subnet, and so of whatever is attached to a machine in it."""
    made: list[pulumi.Resource]
    """What the machine needs before it reaches the internet."""

    def __init__(
        self,
        name: str,
        plan: Network,
        *,
        label: str,
        availability_zone: str | None,
        s3_of: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`label` is the name that AWS' console shows; `availability_zone` is a new subnet's, None for AWS' choice;
        `s3_of` a region whose S3 the machine uses: a new network then has a gateway endpoint for it, which is free of
        charge and keeps that traffic within AWS."""
        super().__init__(name, opts)
        self.made = []
        if plan.vpc_id and plan.subnet_id:
            found = aws.ec2.get_subnet_output(id=plan.subnet_id, opts=pulumi.InvokeOutputOptions(parent=self))
            self.vpc_id, self.subnet_id = pulumi.Output.from_input(plan.vpc_id), found.id
            self.availability_zone = found.availability_zone
        else:
            self._make(name, plan, {"Name": label}, availability_zone, s3_of)
        self.register_outputs({"subnet_id": self.subnet_id})

    def _make(
        self, name: str, plan: Network, tags: dict[str, str], availability_zone: str | None, s3_of: str | None
    ) -> None:
        vpc = aws.ec2.Vpc(
            f"{name}-vpc",
            cidr_block=plan.cidr,
            enable_dns_support=True,
            enable_dns_hostnames=True,
            tags=tags,
            opts=self.child(),
        )
        gateway = aws.ec2.InternetGateway(f"{name}-gateway", vpc_id=vpc.id, tags=tags, opts=self.child())
        # One subnet: machine and volume are in one availability zone in any case.
        subnet = aws.ec2.Subnet(
            f"{name}-subnet",
            vpc_id=vpc.id,
            cidr_block=plan.subnet_cidr(availability_zone),
            availability_zone=availability_zone,
            tags=tags,
            # It stays where AWS, or a volume that was adopted, wanted it.
            opts=self.child(pulumi.ResourceOptions(ignore_changes=[] if plan.availability_zone else [*PLACE])),
        )
        table = aws.ec2.RouteTable(f"{name}-routes", vpc_id=vpc.id, tags=tags, opts=self.child())
        route = aws.ec2.Route(
            f"{name}-internet",
            route_table_id=table.id,
            destination_cidr_block="0.0.0.0/0",
            gateway_id=gateway.id,
            opts=self.child(),
        )
        association = aws.ec2.RouteTableAssociation(
            f"{name}-association", subnet_id=subnet.id, route_table_id=table.id, opts=self.child()
        )
        if s3_of:
            # docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-s3.html
            aws.ec2.VpcEndpoint(
                f"{name}-s3",
                vpc_id=vpc.id,
                service_name=f"com.amazonaws.{s3_of}.s3",
                vpc_endpoint_type="Gateway",
                route_table_ids=[table.id],
                tags=tags,
                opts=self.child(),
            )
        self.vpc_id, self.subnet_id, self.availability_zone = vpc.id, subnet.id, subnet.availability_zone
        self.made = [route, association]
