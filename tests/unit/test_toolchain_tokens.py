"""The names of the released SDK map to what the bridge serves, for every resource that is used."""

import json
from pathlib import Path

import pulumi_aws
import pytest

from tests.sdk_shapes import arguments_class, differences, sdk_shape, translated
from toolchain import compare
from toolchain.tokens import PACKAGES, urn_type

AWS = PACKAGES["aws"]
BRIDGE = json.loads(Path(__file__).with_name("test_toolchain_bridge_shapes.json").read_text())

# Arguments that provider 5.100 does not have: a program for the built toolchain leaves them unset.
NEWER = {
    "LogGroup": {"deletionProtectionEnabled"},
    "LogMetricFilter": {"applyOnTransformedLogs"},
    "MetricAlarm": {"evaluationCriteria", "evaluationInterval", "evaluationWindow", "warmUpConfiguration"},
    "LogSubscriptionFilter": {"applyOnTransformedLogs", "emitSystemFields"},
    "Topic": {"maximumMessageSize"},
    "Bucket": {
        "bucketNamespace",
        "serverSideEncryptionConfiguration.rule.blockedEncryptionTypes",
        # Arguments that have resources of their own, and other shapes than the bridge's.
        "replicationConfiguration.rules[].deleteMarkerReplicationStatus",
        "replicationConfiguration.rules[].destination.accountId",
        "replicationConfiguration.rules[].destination.metrics.minutes",
        "replicationConfiguration.rules[].destination.replicaKmsKeyId",
        "replicationConfiguration.rules[].destination.replicationTime.minutes",
        "replicationConfiguration.rules[].filter.tags",
        "replicationConfiguration.rules[].sourceSelectionCriteria.sseKmsEncryptedObjects.enabled",
        "policy",
    },
    "BucketPublicAccessBlock": {"skipDestroy"},
    "BucketServerSideEncryptionConfiguration": {"rules[].blockedEncryptionTypes"},
    "BucketLifecycleConfiguration": {"rules[].filters[].and", "rules[].filters[].tag"},
    "FirehoseDeliveryStream": {"icebergConfiguration.appendOnly"},
    "CatalogTable": {
        "openTableFormatInput.icebergInput.icebergTableInput", "partitionKeys[].parameters", "viewDefinition",
    },
    "Workgroup": {
        f"configuration.{name}"
        for name in (
            "customerContentEncryptionConfiguration", "enableMinimumEncryptionConfiguration",
            "identityCenterConfiguration", "managedQueryResultsConfiguration", "monitoringConfiguration",
            "queryResultsS3AccessGrantsConfiguration",
        )
    },
    "Function": {
        "capacityProviderConfig", "codeSha256", "durableConfig", "publishTo", "sourceKmsKeyArn", "tenancyConfig",
        "useResourceTimeoutForPropagation",
    },
    "Permission": {"invokedViaFunctionUrl"},
    "Budget": {"billingViewArn", "filterExpression", "metrics"},
    # Policies as objects: the plugin makes JSON of them.
    "TopicPolicy": {"policy"},
    "BucketPolicy": {"policy"},
    "Role": {"assumeRolePolicy"},
    "RolePolicy": {"policy"},
}  # fmt: skip


@pytest.mark.parametrize("name", compare.RESOURCES)
def test_every_argument_of_the_sdk_reaches_the_bridge(name: str) -> None:
    """Under the translated names, nested ones included, and in the same kind of value; but for what is newer."""
    module, resource = name.split(".")
    package = getattr(pulumi_aws, module)
    token = compare.token(getattr(package, resource))
    sdk = translated(AWS, token, sdk_shape(arguments_class(package, resource)))
    different = set(differences(sdk, BRIDGE[AWS.token(token)])) - {"region"}
    assert different == NEWER.get(resource, set())


def test_comparison_finds_a_renamed_nested_and_a_reshaped_argument() -> None:
    """Without this the test above could pass because the comparison sees nothing."""
    sdk: compare.Shape = {"name": "value", "tags": ["map", "value"], "rule": {"on": "value", "off": "value"}}
    assert differences(sdk, sdk) == []
    bridge: compare.Shape = {"alarmName": "value", "tags": ["list", "value"], "rule": {"on": "value"}}
    assert differences(sdk, bridge) == ["name", "rule.off", "tags"]


@pytest.mark.parametrize(
    ("package", "sdk", "bridge"),
    [
        ("aws", "aws:cloudwatch/logGroup:LogGroup", "aws:index/cloudwatchLogGroup:CloudwatchLogGroup"),
        ("aws", "aws:ec2/vpc:Vpc", "aws:index/vpc:Vpc"),
        ("aws", "aws:cloudwatch/getLogGroup:getLogGroup", "aws:index/getCloudwatchLogGroup:getCloudwatchLogGroup"),
        ("aws", "aws:index/getCallerIdentity:getCallerIdentity", "aws:index/getCallerIdentity:getCallerIdentity"),
        ("aws", "pulumi:providers:aws", "pulumi:providers:aws"),
        ("aws", "turnscope:cloudwatch:Alarms", "turnscope:cloudwatch:Alarms"),
        ("docker", "docker:index/remoteImage:RemoteImage", "docker:index/image:Image"),
        ("docker", "docker:index/network:Network", "docker:index/network:Network"),
    ],
)
def test_tokens(package: str, sdk: str, bridge: str) -> None:
    """The rule, its exceptions, functions, and what is none of the plugin's business."""
    assert PACKAGES[package].token(sdk) == bridge


def test_only_the_resource_in_a_urn_is_renamed() -> None:
    """The parents' types and the name, which may itself contain separators, stay."""
    urn = "urn:pulumi:dev::p::aws:sns/topic:Topic$aws:kms/key:Key::a::b$c"
    assert AWS.urn(urn) == "urn:pulumi:dev::p::aws:sns/topic:Topic$aws:index/kmsKey:KmsKey::a::b$c"
    assert urn_type(AWS.urn(urn)) == "aws:index/kmsKey:KmsKey"
