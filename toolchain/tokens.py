"""Names of the released Pulumi SDKs in terms of the dynamic Terraform bridge, and back.

The bridge puts every resource of a provider into one module and derives names from Terraform's alone:
`aws_cloudwatch_log_group` is `aws:index/cloudwatchLogGroup:CloudwatchLogGroup`, where the SDK says
`aws:cloudwatch/logGroup:LogGroup`. One rule covers most; the tables hold what differs from it. `compare.py`
finds such differences.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Package:
    """What the plugin of one provider has to translate."""

    name: str
    tokens: Mapping[str, str] = field(default_factory=dict)
    """`module/resource:Resource` of the SDK -> `resource:Resource` of the bridge, where no rule covers it."""
    properties: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """SDK token -> SDK property -> bridge property."""
    archives: Mapping[str, tuple[str, str, str]] = field(default_factory=dict)
    """SDK token -> property that takes a Pulumi archive, bridge property for its file, one for its hash."""
    blocks: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """SDK token -> path in the SDK, such as `list[].object` -> the bridge's name for its last step, which is a list of
    one there."""
    empty_lists: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """SDK token -> bridge properties of a state that are lists, also where nothing is in them. Terraform's provider
    takes a missing one for unknown, and replaces the resource over it."""
    schema_versions: Mapping[str, int] = field(default_factory=dict)
    """SDK token -> version of Terraform's schema, for a state that does not say it; 0 for the others. The released
    plugins take the current version, the bridge takes 0 and upgrades."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Provider setting of the SDK -> the bridge's, for blocks that are objects there and lists here."""

    def token(self, token: str) -> str:
        """The bridge's token of a resource or function; one of another package stays as it is."""
        package, *rest = token.split(":")
        if package != self.name or len(rest) != 2:
            return token
        special = self.tokens.get(":".join(rest))
        if special:
            return f"{package}:index/{special}"
        module = rest[0].split("/")[0]
        if module == "index":
            return token
        name = rest[1]
        if name[0].islower():  # a function, such as getLogGroup
            name = f"get{_capital(module)}{name.removeprefix('get')}"
            return f"{package}:index/{name}:{name}"
        return f"{package}:index/{module}{name}:{_capital(module)}{name}"

    def urn(self, urn: str) -> str:
        """The URN with the resource's own type as the bridge names it; the parents' types stay."""
        parts = urn.split("::")
        if len(parts) > 3:
            chain = parts[2].split("$")
            parts[2] = "$".join([*chain[:-1], self.token(chain[-1])])
        return "::".join(parts)

    def renames(self, token: str) -> Mapping[str, str]:
        """SDK property -> bridge property for a resource, its archive's file included."""
        renames = self.properties.get(token, {})
        if token in self.archives:
            archive, file, _ = self.archives[token]
            renames = {**renames, archive: file}
        return renames


def urn_type(urn: str) -> str:
    """The resource's own type in a URN; empty for a string that is none."""
    parts = urn.split("::")
    return parts[2].split("$")[-1] if len(parts) > 3 else ""


def urn_name(urn: str) -> str:
    """The resource's logical name in a URN."""
    return urn.split("::", 3)[-1]


def _capital(word: str) -> str:
    return word[:1].upper() + word[1:]


_EC2 = ("vpc", "subnet", "internetGateway", "routeTable", "routeTableAssociation", "route", "securityGroup",
        "instance", "eip", "eipAssociation", "volumeAttachment", "keyPair", "launchTemplate",
        "vpcEndpoint")  # fmt: skip

PACKAGES = {
    "aws": Package(
        "aws",
        # Terraform leaves the service out of the names of the oldest EC2 resources.
        tokens={f"ec2/{name}:{_capital(name)}": f"{name}:{_capital(name)}" for name in _EC2}
        | {
            "ebs/getEbsVolumes:getEbsVolumes": "getEbsVolumes:getEbsVolumes",
            "s3/bucketReplicationConfig:BucketReplicationConfig": (
                "s3BucketReplicationConfiguration:S3BucketReplicationConfiguration"
            ),
        },
        properties={
            "aws:cloudwatch/metricAlarm:MetricAlarm": {"name": "alarmName"},
            "aws:cloudwatch/logSubscriptionFilter:LogSubscriptionFilter": {"logGroup": "logGroupName"},
            "aws:ec2/securityGroup:SecurityGroup": {"ingress": "ingresses", "egress": "egresses"},
            "aws:lambda/function:Function": {"name": "functionName"},
            "aws:lambda/permission:Permission": {"function": "functionName"},
            "aws:sns/topicSubscription:TopicSubscription": {"topic": "topicArn"},
        },
        blocks={
            # The newer framework of Terraform has no block that is there once: it has lists.
            "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": {
                "rules[].abortIncompleteMultipartUpload": "abortIncompleteMultipartUploads",
                "rules[].expiration": "expirations",
                "rules[].filter": "filters",
                "rules[].noncurrentVersionExpiration": "noncurrentVersionExpirations",
            },
            # Lists of at most one text, which nothing in the schema of Terraform's protocol says.
            "aws:dlm/lifecyclePolicy:LifecyclePolicy": {
                "policyDetails.resourceLocations": "resourceLocations",
                "policyDetails.schedules[].createRule.times": "times",
            },
        },
        schema_versions={
            "aws:cloudwatch/metricAlarm:MetricAlarm": 1,
            "aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream": 1,
        },
        empty_lists={"aws:glue/catalogTable:CatalogTable": ("partitionIndices",)},
        archives={"aws:lambda/function:Function": ("code", "filename", "sourceCodeHash")},
        settings={
            "assumeRoleWithWebIdentity": "assumeRoleWithWebIdentities",
            "defaultTags": "defaultTags",
            "ignoreTags": "ignoreTags",
        },
    ),
    "docker": Package(
        "docker",
        schema_versions={
            "docker:index/container:Container": 2,
            "docker:index/network:Network": 1,
            "docker:index/volume:Volume": 1,
        },
        tokens={
            "index/remoteImage:RemoteImage": "image:Image",
            "index/serviceConfig:ServiceConfig": "config:Config",
        },
        properties={
            "docker:index/container:Container": {
                "command": "commands",
                "networksAdvanced": "networksAdvanceds",
            },
        },
    ),
}
