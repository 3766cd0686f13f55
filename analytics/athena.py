"""The Athena workgroup with its saved queries."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from analytics.plan.model import AnalyticsPlan
from analytics.resolved import Known
from core.component import Component

MIB = 1024 * 1024


class Athena(Component):
    """An Athena workgroup, and in it a named query for each of the plan.

    Its own settings win over a client's: a query that would scan more than the plan's limit (MiB) is cancelled, and
    results go to `results_bucket`, encrypted as the buckets are. Deletion removes the named queries, and the workgroup
    with its query history, unless the data bucket is protected (then AWS refuses a workgroup that has a history).
    """

    workgroup: pulumi.Output[str]
    """Its name."""

    def __init__(
        self,
        name: str,
        plan: AnalyticsPlan,
        *,
        known: Known,
        results_bucket: pulumi.Output[str],
        database: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        workgroup = aws.athena.Workgroup(
            f"{name}-workgroup",
            name=plan.workgroup.name,
            description=f"Queries of the events of Turnscope, stack {plan.stack}",
            # One with a history is otherwise not deleted.
            force_destroy=not plan.data_bucket.protect,
            configuration={
                "bytes_scanned_cutoff_per_query": plan.workgroup.scan_limit_mib * MIB,
                "enforce_workgroup_configuration": True,
                "publish_cloudwatch_metrics_enabled": True,
                "result_configuration": {
                    "output_location": results_bucket.apply(lambda bucket: f"s3://{bucket}/"),
                    "expected_bucket_owner": known.account_id,
                    "encryption_configuration": {
                        "encryption_option": "SSE_KMS" if known.key_arn else "SSE_S3",
                        "kms_key_arn": known.key_arn,
                    },
                },
            },
            opts=self.child(),
        )
        self.workgroup = workgroup.name
        for query in plan.queries:
            aws.athena.NamedQuery(
                f"{name}-{query.key}",
                name=query.name,
                description=query.description,
                database=database,
                workgroup=workgroup.name,
                query=query.sql,
                opts=self.child(),
            )
        self.register_outputs({"workgroup": self.workgroup})
