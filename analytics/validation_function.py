"""The record validation: a Lambda function that Firehose calls, that rejects what does not fit the schema.

Beside its code (`record_validation/handler.py`) is `schema.json` (`analytics.plan.record_schema`). In its environment:
`BUCKET`, `REJECTED_PREFIX`, `STREAMS` (JSON: stream's name -> event) and, where files are partitioned by agent,
`AGENTS` (JSON: the values of the partition). With `AGENTS` a kept record's answer carries
`"metadata": {"partitionKeys": {"agent_name": ...}}`: the event's `agent` if listed, else the last value. A Firehose
record comes from one log group, so that one agent is right for all its lines; Firehose's own extraction would want
records of one document each (docs.aws.amazon.com/firehose/latest/dev/
dynamic-partitioning-multirecord-deaggergation.html).
"""

from __future__ import annotations

import json
from pathlib import Path

import pulumi
import pulumi_aws as aws

from analytics.plan.model import AnalyticsPlan
from analytics.plan.record_schema import record_schema
from analytics.resolved import Known
from analytics.role import AnalyticsRole
from core.component import Component

HANDLER = Path(__file__).parent / "record_validation" / "handler.py"
TIMEOUT_SECONDS = 60
MEMORY_MIB = 256


class RecordValidation(Component):
    """The Lambda function (`MEMORY_MIB` MiB, at most `TIMEOUT_SECONDS` seconds a call) and its log group, kept as many
    days as Firehose's errors.

    `role` must be allowed to write rejected records into the bucket `bucket_name`. Deletion removes both; rejected
    records stay in the bucket.
    """

    arn: pulumi.Output[str]
    made: list[pulumi.Resource]
    """What must be there before Firehose calls it."""

    def __init__(
        self,
        name: str,
        plan: AnalyticsPlan,
        *,
        known: Known,
        role: AnalyticsRole,
        bucket_name: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        logs = aws.cloudwatch.LogGroup(
            f"{name}-logs",
            name=plan.validation_log_group,
            retention_in_days=plan.error_log_retention_days,
            opts=self.child(),
        )
        function = aws.lambda_.Function(
            f"{name}-function",
            name=plan.validation_function,
            runtime="python3.13",
            architectures=["arm64"],
            handler="handler.handler",
            role=role.arn,
            timeout=TIMEOUT_SECONDS,
            memory_size=MEMORY_MIB,
            code=pulumi.AssetArchive(
                {
                    "handler.py": pulumi.FileAsset(str(HANDLER)),
                    "schema.json": pulumi.StringAsset(json.dumps(record_schema(plan), indent=1)),
                }
            ),
            environment={"variables": {"BUCKET": bucket_name, **variables(plan)}},
            opts=self.child(pulumi.ResourceOptions(depends_on=[role.allowed, logs])),
        )
        self.arn, self.made = function.arn, [function]
        self.register_outputs({"arn": self.arn})


def variables(plan: AnalyticsPlan) -> dict[str, str]:
    """The function's environment, apart from the bucket's name."""
    agents = plan.tables[0].by_agent
    return {
        "REJECTED_PREFIX": plan.rejected_prefix,
        "STREAMS": json.dumps({stream.name: stream.event for stream in plan.streams}),
        **({"AGENTS": json.dumps(agents)} if agents else {}),
    }
