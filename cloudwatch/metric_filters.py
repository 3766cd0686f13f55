"""Metric filters on an agent's log group."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

from cloudwatch.plan.model import MetricFilter
from core.component import Component


class MetricFilters(Component):
    """A metric filter on `log_group_name` for each of the plan, which turns log events from then on into data points.

    CloudWatch refuses a pattern that it cannot read, and a log group has at most 100 filters: both fail the
    deployment. Deletion removes the filters; data points stay as long as CloudWatch keeps any (15 months).
    """

    def __init__(
        self,
        name: str,
        plan: Sequence[MetricFilter],
        *,
        log_group_name: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        for each in plan:
            aws.cloudwatch.LogMetricFilter(
                f"{name}-{each.key}",
                name=each.name,
                log_group_name=log_group_name,
                pattern=each.pattern,
                metric_transformation=aws.cloudwatch.LogMetricFilterMetricTransformationArgs(
                    namespace=each.namespace,
                    name=each.metric_name,
                    value=each.value,
                    unit=each.unit,
                    dimensions=dict(each.dimensions) or None,
                ),
                opts=self.child(),
            )
        self.register_outputs({})
