"""What the bridge expects of each resource used here: the names and kinds of its inputs.

    python -m toolchain.compare > tests/unit/test_toolchain_bridge_shapes.json

takes half a minute and needs a toolchain built from registries. A unit test compares the released AWS SDK with the
file, so that a new SDK, a new provider or a wrong table in `tokens.py` is noticed without an engine.
"""

import inspect
import json
import os
import re
import subprocess
from collections.abc import Mapping
from typing import Any

RESOURCES = (
    "cloudwatch.LogGroup", "cloudwatch.QueryDefinition", "cloudwatch.LogMetricFilter", "cloudwatch.MetricAlarm",
    "cloudwatch.CompositeAlarm", "cloudwatch.Dashboard", "cloudwatch.LogSubscriptionFilter",
    "cloudwatch.LogAnomalyDetector", "sns.Topic", "sns.TopicPolicy", "sns.TopicSubscription", "lambda_.Function",
    "lambda_.Permission", "ssm.Parameter", "kms.Key", "kms.Alias", "iam.Role", "iam.RolePolicy",
    "iam.RolePolicyAttachment", "budgets.Budget", "s3.Bucket", "s3.BucketVersioning", "s3.BucketPublicAccessBlock",
    "s3.BucketOwnershipControls", "s3.BucketServerSideEncryptionConfiguration", "s3.BucketLifecycleConfiguration",
    "s3.BucketPolicy", "s3.BucketReplicationConfig", "kinesis.FirehoseDeliveryStream", "glue.CatalogDatabase",
    "glue.CatalogTable", "athena.Workgroup", "athena.NamedQuery", "cloudwatch.LogStream",
)  # fmt: skip
"""Resources of pulumi_aws, as module.Class."""

Shape = str | list["Shape"] | dict[str, "Shape"]
"""`value`; a list's or map's [kind, shape of an item]; or an object's properties."""


def token(resource: type) -> str:
    """The type token in a resource class of an SDK."""
    found = re.search(r"super\(.*?\)\.__init__\(\s*'([^']+)'", inspect.getsource(resource))
    if not found:
        raise ValueError(f"{resource.__name__} registers no resource")
    return found[1]


def bridge_shape(schema: Mapping[str, Any], properties: Mapping[str, Any]) -> dict[str, Shape]:
    """The shape of properties in a package schema (https://www.pulumi.com/docs/iac/guides/building-extending/packages/schema/)."""
    return {name: _bridge_value(schema, value) for name, value in properties.items()}


def _bridge_value(schema: Mapping[str, Any], value: Mapping[str, Any]) -> Shape:
    name = value.get("$ref", "").removeprefix("#/types/")
    if name in schema["types"] and "properties" in schema["types"][name]:
        return bridge_shape(schema, schema["types"][name]["properties"])
    if value.get("type") == "array":
        return ["list", _bridge_value(schema, value["items"])]
    if value.get("type") == "object":
        return ["map", _bridge_value(schema, value.get("additionalProperties", {}))]
    return "value"


def _schema() -> dict[str, Any]:
    """The package schema of the AWS provider in this machine's toolchain, as the bridge makes it."""
    from concurrent.futures import ThreadPoolExecutor

    import grpc
    from google.protobuf import empty_pb2
    from pulumi.runtime.proto import engine_pb2_grpc, provider_pb2, provider_pb2_grpc

    from toolchain.parts import AWS_PROVIDER, BRIDGE, Context
    from toolchain.plugin import OPTIONS

    class Engine(engine_pb2_grpc.EngineServicer):
        """The bridge does not run without somebody to log to."""

        def Log(self, request: Any, context: Any) -> Any:
            return empty_pb2.Empty()

    server = grpc.server(ThreadPoolExecutor(2))
    engine_pb2_grpc.add_EngineServicer_to_server(Engine(), server)
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    context = Context.of_this_process()
    process = subprocess.Popen([BRIDGE.path(context), address], stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert process.stdout  # noqa: S101 (a pipe)
        channel = grpc.insecure_channel(f"127.0.0.1:{int(process.stdout.readline())}", options=OPTIONS)
        bridge = provider_pb2_grpc.ResourceProviderStub(channel)
        args = provider_pb2.ParameterizeRequest.ParametersArgs(args=[str(AWS_PROVIDER.path(context))])
        bridge.Parameterize(provider_pb2.ParameterizeRequest(args=args))
        return json.loads(bridge.GetSchema(provider_pb2.GetSchemaRequest()).schema)
    finally:
        os.killpg(process.pid, 9)  # the provider too, which the bridge would leave


def main() -> None:
    """Print the bridge's shapes as JSON: token -> shape."""
    import pulumi_aws

    from toolchain.tokens import PACKAGES

    schema = _schema()
    shapes = {}
    for name in RESOURCES:
        module, resource = name.split(".")
        bridge_token = PACKAGES["aws"].token(token(getattr(getattr(pulumi_aws, module), resource)))
        shapes[bridge_token] = bridge_shape(schema, schema["resources"][bridge_token]["inputProperties"])
    lines = [f"{json.dumps(name)}: {json.dumps(shape, sort_keys=True)}" for name, shape in sorted(shapes.items())]
    print("{\n" + ",\n".join(lines) + "\n}")


if __name__ == "__main__":
    main()
