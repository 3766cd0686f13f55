"""What of SigNoz' machine exists in AWS: by its name where it can have one, else by the tag `Name`.

The functions are `Existing`'s finders (`turnscope.deployment.existing`): they are given a client for a service's name
and a resource's inputs, and return the ID that the provider would have recorded, or None.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from cloudwatch.clients import ClientFactory

Inputs = Mapping[str, Any]
Finder = Callable[[ClientFactory, Inputs], str | None]

MADE_AGAIN = frozenset(
    {
        "aws:ec2/eipAssociation:EipAssociation",
        "aws:ec2/volumeAttachment:VolumeAttachment",
    }
)
"""Types whose create is a put: the provider attaches no volume twice, and an address is associated anew."""


def _pages(client: Any, operation: str, key: str, **arguments: Any) -> Iterator[Any]:
    for page in client.get_paginator(operation).paginate(**arguments):
        yield from page[key]


def _tagged(operation: str, key: str, identifier: str, client: ClientFactory, inputs: Inputs) -> str | None:
    filters = [{"Name": "tag:Name", "Values": [inputs["tags"]["Name"]]}]
    found = _pages(client("ec2"), operation, key, Filters=filters)
    return next((each[identifier] for each in found), None)


def _instance(client: ClientFactory, inputs: Inputs) -> str | None:
    filters = [
        {"Name": "tag:Name", "Values": [inputs["tags"]["Name"]]},
        {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]},
    ]
    found = _pages(client("ec2"), "describe_instances", "Reservations", Filters=filters)
    return next((each["InstanceId"] for reservation in found for each in reservation["Instances"]), None)


def _address(client: ClientFactory, inputs: Inputs) -> str | None:
    filters = [{"Name": "tag:Name", "Values": [inputs["tags"]["Name"]]}]
    found = client("ec2").describe_addresses(Filters=filters)["Addresses"]
    return next((each["AllocationId"] for each in found), None)


def _security_group(client: ClientFactory, inputs: Inputs) -> str | None:
    filters = [
        {"Name": "group-name", "Values": [inputs["name"]]},
        {"Name": "vpc-id", "Values": [inputs["vpcId"]]},
    ]
    found = _pages(client("ec2"), "describe_security_groups", "SecurityGroups", Filters=filters)
    return next((each["GroupId"] for each in found), None)


def _rule(egress: bool, client: ClientFactory, inputs: Inputs) -> str | None:
    filters = [{"Name": "group-id", "Values": [inputs["securityGroupId"]]}]
    found = _pages(client("ec2"), "describe_security_group_rules", "SecurityGroupRules", Filters=filters)
    wanted = (egress, inputs.get("cidrIpv4"), inputs.get("cidrIpv6"), inputs.get("referencedSecurityGroupId"))
    ports = (inputs.get("fromPort"), inputs.get("toPort"))

    def matches(each: Any) -> bool:
        group = each.get("ReferencedGroupInfo", {}).get("GroupId")
        about = (each["IsEgress"], each.get("CidrIpv4"), each.get("CidrIpv6"), group)
        everything = egress and inputs["ipProtocol"] == "-1"
        return about == wanted and (everything or (each.get("FromPort"), each.get("ToPort")) == ports)

    return next((each["SecurityGroupRuleId"] for each in found if matches(each)), None)


def _route(client: ClientFactory, inputs: Inputs) -> str | None:
    table, network = inputs["routeTableId"], inputs["destinationCidrBlock"]
    [found] = client("ec2").describe_route_tables(RouteTableIds=[table])["RouteTables"]
    if not any(route.get("DestinationCidrBlock") == network for route in found["Routes"]):
        return None
    # As AWS' provider makes it: github.com/hashicorp/terraform-provider-aws, internal/service/ec2/vpc_route.go.
    return f"r-{table}{zlib.crc32(network.encode())}"


def _route_table_association(client: ClientFactory, inputs: Inputs) -> str | None:
    [found] = client("ec2").describe_route_tables(RouteTableIds=[inputs["routeTableId"]])["RouteTables"]
    return next(
        (
            each["RouteTableAssociationId"]
            for each in found["Associations"]
            if each.get("SubnetId") == inputs["subnetId"]
        ),
        None,
    )


def _endpoint(client: ClientFactory, inputs: Inputs) -> str | None:
    """One that is being deleted is still listed (https://docs.aws.amazon.com/AWSEC2/latest/APIReference/
    API_VpcEndpoint.html)."""
    filters = [
        {"Name": "vpc-id", "Values": [inputs["vpcId"]]},
        {"Name": "service-name", "Values": [inputs["serviceName"]]},
    ]
    found = _pages(client("ec2"), "describe_vpc_endpoints", "VpcEndpoints", Filters=filters)
    return next((each["VpcEndpointId"] for each in found if each["State"].lower() not in ("deleting", "deleted")), None)


def _instance_profile(client: ClientFactory, inputs: Inputs) -> str | None:
    return client("iam").get_instance_profile(InstanceProfileName=inputs["name"])["InstanceProfile"][
        "InstanceProfileName"
    ]


def _snapshot_policy(client: ClientFactory, inputs: Inputs) -> str | None:
    found = client("dlm").get_lifecycle_policies()["Policies"]
    return next((each["PolicyId"] for each in found if each.get("Description") == inputs["description"]), None)


def _schedule(client: ClientFactory, inputs: Inputs) -> str | None:
    return f"default/{client('scheduler').get_schedule(Name=inputs['name'])['Name']}"


def _record(client: ClientFactory, inputs: Inputs) -> str | None:
    zone, name, kind = inputs["zoneId"], inputs["name"], inputs["type"]
    found = client("route53").list_resource_record_sets(
        HostedZoneId=zone, StartRecordName=name, StartRecordType=kind, MaxItems="1"
    )["ResourceRecordSets"]
    known = any(each["Name"].rstrip(".") == name.lower().rstrip(".") and each["Type"] == kind for each in found)
    return f"{zone}_{name}_{kind}" if known else None


FINDERS: Mapping[str, Finder] = {
    "aws:dlm/lifecyclePolicy:LifecyclePolicy": _snapshot_policy,
    "aws:ebs/volume:Volume": partial(_tagged, "describe_volumes", "Volumes", "VolumeId"),
    "aws:ec2/eip:Eip": _address,
    "aws:ec2/instance:Instance": _instance,
    "aws:ec2/internetGateway:InternetGateway": partial(
        _tagged, "describe_internet_gateways", "InternetGateways", "InternetGatewayId"
    ),
    "aws:ec2/route:Route": _route,
    "aws:ec2/routeTable:RouteTable": partial(_tagged, "describe_route_tables", "RouteTables", "RouteTableId"),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": _route_table_association,
    "aws:ec2/securityGroup:SecurityGroup": _security_group,
    "aws:ec2/subnet:Subnet": partial(_tagged, "describe_subnets", "Subnets", "SubnetId"),
    "aws:ec2/vpc:Vpc": partial(_tagged, "describe_vpcs", "Vpcs", "VpcId"),
    "aws:ec2/vpcEndpoint:VpcEndpoint": _endpoint,
    "aws:iam/instanceProfile:InstanceProfile": _instance_profile,
    "aws:route53/record:Record": _record,
    "aws:scheduler/schedule:Schedule": _schedule,
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": partial(_rule, True),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": partial(_rule, False),
}
