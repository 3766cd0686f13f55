"""Whether a resource of the engine's state exists, asked of AWS and of the Docker host by the name in its inputs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from typing import Any

import docker
import docker.errors
from botocore.exceptions import ClientError

from cloudwatch.clients import ClientFactory
from signoz.docker_host import DockerHost
from turnscope.deployment import existing_host

Inputs = Mapping[str, Any]

MADE_AGAIN = frozenset(
    {
        "aws:cloudwatch/logSubscriptionFilter:LogSubscriptionFilter",
        "aws:iam/rolePolicy:RolePolicy",
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
        "aws:s3/bucketPolicy:BucketPolicy",
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        "aws:s3/bucketReplicationConfig:BucketReplicationConfig",
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        "aws:s3/bucketVersioning:BucketVersioning",
        "aws:sns/topicPolicy:TopicPolicy",
        "aws:sns/topicSubscription:TopicSubscription",
        *existing_host.MADE_AGAIN,
    }
)
"""Types whose create is a put: made once more, there is still one. Subscribe returns the ARN of a subscription that
exists (https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html); the others are attributes of something that has
a name. What SigNoz holds is adopted by its own provider (`signoz.content.resources`)."""


class Existing:
    """Finds resources by type and inputs. What can be listed is listed once."""

    def __init__(self, stack: str, client: ClientFactory, docker_host: DockerHost | None = None) -> None:
        self._prefix = f"turnscope-{stack}-"
        self._stack = stack
        self.client = client
        self._docker_host = docker_host
        self._listed: dict[tuple[str, ...], dict[str, str]] = {}

    def find(self, type: str, inputs: Inputs) -> str | None:
        """The ID that the engine would have recorded; None where there is no such resource, or none of this type needs
        to be found."""
        finder = FINDERS.get(type)
        if finder is None:
            return None
        try:
            return finder(self, inputs)
        except KeyError:
            return None  # a name that only the deployment will know, as of a resource below one that does not exist
        except ClientError as error:
            if "NotFound" in (code := error.response["Error"]["Code"]) or code in (
                "NoSuchEntity",
                "NoSuchHostedZone",
                "404",
            ):
                return None
            raise

    # CloudWatch Logs

    def log_group(self, inputs: Inputs) -> str | None:
        return _named(self._pages("logs", "describe_log_groups", "logGroups", logGroupNamePrefix=inputs["name"]),
                      "logGroupName", inputs["name"])  # fmt: skip

    def log_stream(self, inputs: Inputs) -> str | None:
        found = self._pages("logs", "describe_log_streams", "logStreams", logGroupName=inputs["logGroupName"],
                            logStreamNamePrefix=inputs["name"])  # fmt: skip
        return _named(found, "logStreamName", inputs["name"])

    def metric_filter(self, inputs: Inputs) -> str | None:
        group = inputs["logGroupName"]
        return self._once(("filters", group), lambda: (
            (each["filterName"], each["filterName"])
            for each in self._pages("logs", "describe_metric_filters", "metricFilters", logGroupName=group)
        )).get(inputs["name"])  # fmt: skip

    def saved_query(self, inputs: Inputs) -> str | None:
        def listed() -> Iterator[tuple[str, str]]:
            token: dict[str, str] = {}
            while True:
                answer = self.client("logs").describe_query_definitions(
                    queryDefinitionNamePrefix=f"{self._stack}/", **token
                )
                yield from ((each["name"], each["queryDefinitionId"]) for each in answer["queryDefinitions"])
                if not answer.get("nextToken"):
                    return
                token = {"nextToken": answer["nextToken"]}

        return self._once(("queries",), listed).get(inputs["name"])

    # CloudWatch

    def alarm(self, inputs: Inputs) -> str | None:
        name = inputs.get("alarmName") or inputs["name"]

        def listed() -> Iterator[tuple[str, str]]:
            arguments = {"AlarmNamePrefix": self._prefix, "AlarmTypes": ["MetricAlarm", "CompositeAlarm"]}
            for page in self.client("cloudwatch").get_paginator("describe_alarms").paginate(**arguments):
                for kind in ("MetricAlarms", "CompositeAlarms"):
                    yield from ((each["AlarmName"], each["AlarmName"]) for each in page.get(kind, []))

        return self._once(("alarms",), listed).get(name)

    def dashboard(self, inputs: Inputs) -> str | None:
        return self._once(("dashboards",), lambda: (
            (each["DashboardName"], each["DashboardName"])
            for each in self._pages(
                "cloudwatch", "list_dashboards", "DashboardEntries", DashboardNamePrefix=self._prefix
            )
        )).get(inputs["dashboardName"])  # fmt: skip

    # Notifications and cost

    def topic(self, inputs: Inputs) -> str | None:
        return self._once(("topics",), lambda: (
            (each["TopicArn"].rpartition(":")[2], each["TopicArn"])
            for each in self._pages("sns", "list_topics", "Topics")
        )).get(inputs["name"])  # fmt: skip

    def budget(self, inputs: Inputs) -> str | None:
        self.client("budgets").describe_budget(AccountId=self._account, BudgetName=inputs["name"])
        return f"{self._account}:{inputs['name']}"

    def parameter(self, inputs: Inputs) -> str | None:
        return self.client("ssm").get_parameter(Name=inputs["name"])["Parameter"]["Name"]

    # Keys and roles

    def key(self, inputs: Inputs) -> str | None:
        """Keys have no name: by description, of those that are not about to be deleted."""

        def listed() -> Iterator[tuple[str, str]]:
            for each in self._pages("kms", "list_keys", "Keys"):
                with suppress(ClientError):  # a key whose policy hides it is not this stack's
                    about = self.client("kms").describe_key(KeyId=each["KeyId"])["KeyMetadata"]
                    if about["KeyState"] != "PendingDeletion" and about["KeyManager"] == "CUSTOMER":
                        yield about.get("Description", ""), about["KeyId"]

        return self._once(("keys",), listed).get(inputs["description"])

    def key_alias(self, inputs: Inputs) -> str | None:
        return _named(self._pages("kms", "list_aliases", "Aliases"), "AliasName", inputs["name"])

    def role(self, inputs: Inputs) -> str | None:
        return self.client("iam").get_role(RoleName=inputs["name"])["Role"]["RoleName"]

    # Functions

    def function(self, inputs: Inputs) -> str | None:
        return self.client("lambda").get_function(FunctionName=inputs["name"])["Configuration"]["FunctionName"]

    def function_permission(self, inputs: Inputs) -> str | None:
        policy = json.loads(self.client("lambda").get_policy(FunctionName=inputs["function"])["Policy"])
        return _named(policy["Statement"], "Sid", inputs["statementId"])

    # Analytics

    def bucket(self, inputs: Inputs) -> str | None:
        return _named(self.client("s3").list_buckets()["Buckets"], "Name", inputs["bucket"])

    def delivery_stream(self, inputs: Inputs) -> str | None:
        found = self.client("firehose").describe_delivery_stream(DeliveryStreamName=inputs["name"])
        return found["DeliveryStreamDescription"]["DeliveryStreamARN"]

    def glue_database(self, inputs: Inputs) -> str | None:
        return f"{self._account}:{self.client('glue').get_database(Name=inputs['name'])['Database']['Name']}"

    def glue_table(self, inputs: Inputs) -> str | None:
        database, name = inputs["databaseName"], inputs["name"]
        self.client("glue").get_table(DatabaseName=database, Name=name)
        return f"{self._account}:{database}:{name}"

    def workgroup(self, inputs: Inputs) -> str | None:
        name = inputs["name"]
        return name if name in self._workgroups else None

    def named_query(self, inputs: Inputs) -> str | None:
        group = inputs["workgroup"]

        def listed() -> Iterator[tuple[str, str]]:
            athena = self.client("athena")
            for page in athena.get_paginator("list_named_queries").paginate(WorkGroup=group):
                for identifier in page["NamedQueryIds"]:
                    yield athena.get_named_query(NamedQueryId=identifier)["NamedQuery"]["Name"], identifier

        return self._once(("named-queries", group), listed).get(inputs["name"]) if group in self._workgroups else None

    # Docker

    def container(self, inputs: Inputs) -> str | None:
        """Never: files are copied into a container after its creation, which a kill may have kept from happening and
        nothing shows. It is removed, to be created again; what it wrote is in volumes."""
        if self._docker is not None:
            with suppress(docker.errors.NotFound):
                self._docker.containers.get(inputs["name"]).remove(force=True)

    def network(self, inputs: Inputs) -> str | None:
        return self._docker_id("networks", inputs["name"])

    def volume(self, inputs: Inputs) -> str | None:
        return self._docker_id("volumes", inputs["name"])

    def _docker_id(self, kind: str, name: str) -> str | None:
        if self._docker is None:
            return None
        try:
            return getattr(self._docker, kind).get(name).id
        except docker.errors.NotFound:
            return None

    # Once each

    @cached_property
    def _docker(self) -> docker.DockerClient | None:
        host = self._docker_host
        if host is None:
            return None
        # The client runs ssh with this process' variables.
        os.environ.update(host.environment)
        return docker.DockerClient(base_url=host.address, use_ssh_client=True)

    @cached_property
    def _account(self) -> str:
        return self.client("sts").get_caller_identity()["Account"]

    @cached_property
    def _workgroups(self) -> set[str]:
        return {each["Name"] for each in self._pages("athena", "list_work_groups", "WorkGroups")}

    def _pages(self, service: str, operation: str, key: str, **arguments: Any) -> Iterator[Any]:
        client = self.client(service)
        if client.can_paginate(operation):
            for page in client.get_paginator(operation).paginate(**arguments):
                yield from page[key]
            return
        token: dict[str, str] = {}
        while True:
            answer = getattr(client, operation)(**arguments, **token)
            yield from answer[key]
            if not answer.get("NextToken"):
                return
            token = {"NextToken": answer["NextToken"]}

    def _once(self, key: tuple[str, ...], listed: Callable[[], Iterator[tuple[str, str]]]) -> dict[str, str]:
        if key not in self._listed:
            self._listed[key] = dict(listed())
        return self._listed[key]


def _named(found: Iterator[Any] | list[Any], key: str, name: str) -> str | None:
    return next((name for each in found if each[key] == name), None)


def _of_host(find: existing_host.Finder) -> Callable[[Existing, Inputs], str | None]:
    return lambda existing, inputs: find(existing.client, inputs)


FINDERS: Mapping[str, Callable[[Existing, Inputs], str | None]] = {
    "aws:athena/namedQuery:NamedQuery": Existing.named_query,
    "aws:athena/workgroup:Workgroup": Existing.workgroup,
    "aws:budgets/budget:Budget": Existing.budget,
    "aws:cloudwatch/compositeAlarm:CompositeAlarm": Existing.alarm,
    "aws:cloudwatch/dashboard:Dashboard": Existing.dashboard,
    "aws:cloudwatch/logGroup:LogGroup": Existing.log_group,
    "aws:cloudwatch/logMetricFilter:LogMetricFilter": Existing.metric_filter,
    "aws:cloudwatch/logStream:LogStream": Existing.log_stream,
    "aws:cloudwatch/metricAlarm:MetricAlarm": Existing.alarm,
    "aws:cloudwatch/queryDefinition:QueryDefinition": Existing.saved_query,
    "aws:glue/catalogDatabase:CatalogDatabase": Existing.glue_database,
    "aws:glue/catalogTable:CatalogTable": Existing.glue_table,
    "aws:iam/role:Role": Existing.role,
    "aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream": Existing.delivery_stream,
    "aws:kms/alias:Alias": Existing.key_alias,
    "aws:kms/key:Key": Existing.key,
    "aws:lambda/function:Function": Existing.function,
    "aws:lambda/permission:Permission": Existing.function_permission,
    "aws:s3/bucket:Bucket": Existing.bucket,
    "aws:sns/topic:Topic": Existing.topic,
    "aws:ssm/parameter:Parameter": Existing.parameter,
    "docker:index/container:Container": Existing.container,
    "docker:index/network:Network": Existing.network,
    "docker:index/volume:Volume": Existing.volume,
    **{type: _of_host(find) for type, find in existing_host.FINDERS.items()},
}
