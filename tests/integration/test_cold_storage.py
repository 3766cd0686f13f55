"""ClickHouse's bucket and role with the real engine and AWS provider, without the machine that they are for: made,
nothing to change, found after a killed run, kept and adopted."""

from __future__ import annotations

import json

import pytest

from cloudwatch.clients import client_factory
from tests.integration.conftest import Checkout, pulumi, succeeded
from turnscope.deployment.existing import FINDERS, Existing
from turnscope.deployment.leftovers_host import host_leftovers

SETTINGS = """\
  turnscope:host:
    domain: signoz.example.com
    acme_email: ops@example.com
    allowed_networks: {ui: [203.0.113.0/24], otlp: [203.0.113.0/24]}
    data_volume: {keep: true}
  turnscope:signoz:
    root_user: {email: admin@example.com}
    clickhouse: {cold_storage: {}}
"""
PROGRAM = """\
from pathlib import Path

import pulumi
import pulumi_aws as aws

import host.cold_bucket
from cloudwatch.private_bucket import kept_bucket
from cloudwatch.provider import provider_args
from core.secrets.program import read_secret
from host.cold_bucket import ColdStorage
from host.identity import MachineIdentity
from host.network import MachineNetwork
from host.plan.build import plan_host
from host.plan.policies import Names
from turnscope.program import load_from_engine

project = Path(__file__).parent
if (project / "without-lifecycle").exists():  # for one the AWS provider waits 55 seconds
    host.cold_bucket.lifecycle = lambda name, child, closed, rules: closed.bucket
settings = load_from_engine(project)
plan = plan_host("local", settings)
provider = aws.Provider("aws", **provider_args("local", settings, read_secret))
within = pulumi.ResourceOptions(provider=provider)
account = aws.get_caller_identity_output(opts=pulumi.InvokeOutputOptions(provider=provider)).account_id
names = account.apply(lambda known: Names(plan, known))
MachineNetwork("host-network", plan.network, label=plan.name, availability_zone=None, s3_of=plan.region, opts=within)
identity = MachineIdentity("host-identity", plan, names=names, opts=within)
existing = kept_bucket(plan.cold_bucket.name, keep=plan.cold_bucket.keep, provider=provider)
ColdStorage(
    "host-cold",
    plan.cold_bucket,
    names=names,
    machine_role_arn=identity.role_arn,
    key_arn=None,
    existing=existing,
    opts=within,
)
"""
NAME = "turnscope-local-clickhouse-123456789012"


@pytest.fixture(scope="module")
def up(checkout: Checkout) -> Checkout:
    checkout.stack_file.write_text(checkout.stack_file.read_text() + SETTINGS)
    (checkout.root / "__main__.py").write_text(PROGRAM)
    succeeded(checkout.turnscope("lab", "start"))
    pulumi(checkout, "stack init local", "up --yes --skip-preview -s local")
    return checkout


def test_the_bucket_is_private_and_nothing_in_it_ends(up: Checkout) -> None:
    s3 = client_factory(up.settings)("s3")
    assert all(s3.get_public_access_block(Bucket=NAME)["PublicAccessBlockConfiguration"].values())
    [rule] = s3.get_bucket_encryption(Bucket=NAME)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    [statement] = json.loads(s3.get_bucket_policy(Bucket=NAME)["Policy"])["Statement"]
    assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    [rule] = s3.get_bucket_lifecycle_configuration(Bucket=NAME)["Rules"]
    assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    assert not {"Expiration", "Transitions", "NoncurrentVersionExpiration"} & rule.keys()


def test_clickhouses_role_is_the_machines_to_hand_out(up: Checkout) -> None:
    """AWS takes a role as a principal only if it exists; what may be done with it is tested with the plan."""
    iam = client_factory(up.settings)("iam")
    machine = iam.get_role(RoleName="turnscope-local-host")["Role"]["Arn"]
    role = iam.get_role(RoleName="turnscope-local-host-cold")["Role"]
    [statement] = role["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"AWS": machine}
    policy = iam.get_role_policy(RoleName="turnscope-local-host", PolicyName="host")["PolicyDocument"]
    assert {"Effect": "Allow", "Action": ["sts:AssumeRole"], "Resource": role["Arn"]} in policy["Statement"]


def test_s3_is_reached_within_aws(up: Checkout) -> None:
    ec2 = client_factory(up.settings)("ec2")
    [endpoint] = ec2.describe_vpc_endpoints()["VpcEndpoints"]
    assert (endpoint["ServiceName"], endpoint["VpcEndpointType"]) == ("com.amazonaws.us-west-1.s3", "Gateway")
    [table] = endpoint["RouteTableIds"]
    [found] = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"]
    assert any(each.get("SubnetId") for each in found["Associations"])


def test_a_run_after_a_killed_one_would_find_everything(up: Checkout) -> None:
    state = json.loads(pulumi(up, "stack export -s local"))["deployment"]["resources"]
    existing = Existing("local", client_factory(up.settings))
    wanted = {each["urn"]: each["id"] for each in state if each["type"] in FINDERS}
    found = {each["urn"]: existing.find(each["type"], each["inputs"]) for each in state if each["type"] in FINDERS}
    assert {urn.split("::")[2].rpartition("$")[2] for urn in wanted} >= {
        "aws:ec2/vpcEndpoint:VpcEndpoint", "aws:s3/bucket:Bucket", "aws:iam/role:Role",
    }  # fmt: skip
    assert found == wanted


def test_nothing_is_left_to_change(up: Checkout) -> None:
    pulumi(up, "preview --expect-no-changes -s local")


def test_the_bucket_outlives_the_stack_and_is_adopted(up: Checkout) -> None:
    """With what is in it."""
    clients = client_factory(up.settings)
    clients("s3").put_object(Bucket=NAME, Key="data/abc", Body=b"x")
    pulumi(up, "destroy --yes --skip-preview -s local")
    assert up.plan.host
    assert list(host_leftovers(up.plan.host, clients)) == [("bucket", NAME)]
    (up.root / "without-lifecycle").touch()
    pulumi(up, "up --yes --skip-preview -s local")
    assert clients("s3").get_object(Bucket=NAME, Key="data/abc")["Body"].read() == b"x"
    up.change("{keep: true}", "{keep: false}")
    pulumi(up, "up --yes --skip-preview -s local", "destroy --yes --skip-preview -s local")
    assert list(host_leftovers(up.plan.host, clients)) == []
