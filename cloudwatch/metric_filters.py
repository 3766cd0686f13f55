"""Metric filters on an agent's log group."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

from cloudwatch.plan.model import MetricFilter
from core.component import Component


class MetricFilters(Component):
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
