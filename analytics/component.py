"""The analytics of a stack: buckets, catalogue, record validation, delivery, Athena, and the alarms on them."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi

from analytics.athena import Athena
from analytics.bucket import PrivateBucket
from analytics.catalogue import Catalogue
from analytics.delivery import Delivery
from analytics.key import AnalyticsKey
from analytics.plan.model import AnalyticsPlan
from analytics.replication import BucketCopy
from analytics.resolved import Known
from analytics.role import AnalyticsRole
from analytics.validation_function import RecordValidation
from cloudwatch.alarms import Alarms
from cloudwatch.plan.model import Severity
from cloudwatch.private_bucket import kept_bucket
from core.component import Component


class Analytics(Component):
    """Events of the log groups as Parquet files in S3, and Athena to query them.

    Made in this order: the KMS key (`AnalyticsKey`, where the plan asks for one), IAM roles, two buckets (`data`,
    `results`), Glue's catalogue, the record validation, Firehose's streams, the copy of the data bucket where the plan
    has one, Athena's workgroup, and alarms. `log_groups` maps a log group's planned name to the one that exists,
    `topics` a severity to its SNS topic's ARN. Raises `KeyError` for a log group or topic that is missing. Deletion is
    each part's; the buckets and their key are what may be kept or protected (`PrivateBucket`).
    """

    buckets: dict[str, pulumi.Output[str]]
    """Names, by key: `data`, `results`."""
    workgroup: pulumi.Output[str]
    """Athena's, by name."""

    def __init__(
        self,
        name: str,
        plan: AnalyticsPlan,
        *,
        account_id: pulumi.Input[str],
        topics: Mapping[Severity, pulumi.Input[str]],
        log_groups: Mapping[str, pulumi.Input[str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        inside = self.child()
        key_arn = self._key(name, plan, account_id)
        known = Known.of(plan, account_id, key_arn)
        roles = {role.key: AnalyticsRole(f"{name}-{role.key}", role, known=known, opts=inside) for role in plan.roles}
        buckets = {
            bucket.key: PrivateBucket(
                f"{name}-{bucket.key}",
                bucket,
                known=known,
                existing=kept_bucket(bucket.name, keep=bucket.keep, provider=opts.provider if opts else None),
                opts=inside,
            )
            for bucket in plan.buckets
        }
        data, results = buckets["data"], buckets["results"]
        catalogue = Catalogue(f"{name}-catalogue", plan, bucket_name=data.name, opts=inside)
        check = RecordValidation(
            f"{name}-record-validation", plan, known=known, role=roles["validation"], bucket_name=data.name, opts=inside
        )
        Delivery(
            f"{name}-delivery",
            plan,
            known=known,
            roles=roles,
            bucket_arn=data.arn,
            catalogue=catalogue,
            log_groups=log_groups,
            ready=[*data.made, *check.made],
            opts=inside,
        )
        if plan.data_bucket.replication:
            BucketCopy(
                f"{name}-copy",
                plan.data_bucket.replication,
                bucket_name=data.name,
                role=roles["replication"],
                encrypted_with_kms=key_arn is not None,
                ready=data.made,
                opts=inside,
            )
        athena = Athena(
            f"{name}-athena",
            plan,
            known=known,
            results_bucket=results.name,
            database=catalogue.database,
            opts=inside,
        )
        Alarms(f"{name}-alarm", plan.alarms, (), topics=topics, opts=inside)
        self.buckets = {key: bucket.name for key, bucket in buckets.items()}
        self.workgroup = athena.workgroup
        self.register_outputs({"buckets": self.buckets, "workgroup": self.workgroup})

    def _key(self, name: str, plan: AnalyticsPlan, account_id: pulumi.Input[str]) -> pulumi.Input[str] | None:
        match plan.data_bucket.encrypt:
            case "aws":
                return None
            case "stack-key":
                return AnalyticsKey(f"{name}-key", plan, account_id=account_id, opts=self.child()).arn
            case arn:
                return arn
