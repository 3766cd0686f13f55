"""Metric alarms and the composite alarms over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import pulumi_aws as aws

from cloudwatch.plan.model import CompositeAlarm, MathExpression, MetricAlarm, MetricStat, Severity
from core.component import Component


class Alarms(Component):
    """A CloudWatch metric alarm for each of `alarms`, and a composite alarm for each of `composites`.

    `topics` maps a severity to the ARN of the SNS topic that its alarms notify, in ALARM and back in OK; an alarm that
    does not notify by itself has no actions. Periods are in seconds, thresholds in the metric's own unit. Raises
    `KeyError` for an alarm that notifies a severity without a topic, and for a composite alarm that names an alarm
    which is not in `alarms`. Deletion removes the composite alarms first, as their rules name the others.
    """

    arns: dict[str, pulumi.Output[str]]
    """By the alarm's key."""

    def __init__(
        self,
        name: str,
        alarms: Sequence[MetricAlarm],
        composites: Sequence[CompositeAlarm],
        *,
        topics: Mapping[Severity, pulumi.Input[str]],
        dimensions: Mapping[str, pulumi.Input[str]] | None = None,
        recover_action: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`dimensions`: values, by name, that only the deployment knows, in place of the plan's. `recover_action`: the
        ARN of the action of an alarm that recovers its instance."""
        super().__init__(name, opts)
        self._dimensions, self._recover_action = dimensions or {}, recover_action
        made: dict[str, pulumi.Resource] = {}
        self.arns = {}
        for alarm in alarms:
            resource = self._metric_alarm(name, alarm, topics)
            made[alarm.name], self.arns[alarm.key] = resource, resource.arn
        for composite in composites:
            # A rule names its alarms as text: only depends_on tells the engine the order, at creation and deletion.
            parts = [made[part] for part in composite.alarm_names]
            if composite.suppressor_name:
                parts.append(made[composite.suppressor_name])
            resource = self._composite(name, composite, topics, parts)
            made[composite.name], self.arns[composite.key] = resource, resource.arn
        self.register_outputs({"arns": self.arns})

    def _metric_alarm(
        self, name: str, alarm: MetricAlarm, topics: Mapping[Severity, pulumi.Input[str]]
    ) -> aws.cloudwatch.MetricAlarm:
        actions = [topics[alarm.severity]] if alarm.notifies else []
        recover = [self._recover_action] if alarm.recovers and self._recover_action else []
        single = alarm.series[0] if len(alarm.series) == 1 else None
        watched = _single_metric(single, self._dimensions) if isinstance(single, MetricStat) else _metric_queries(alarm)
        return aws.cloudwatch.MetricAlarm(
            f"{name}-{alarm.key}",
            name=alarm.name,
            alarm_description=alarm.description,
            comparison_operator=str(alarm.comparison),
            threshold=alarm.threshold,
            evaluation_periods=alarm.evaluation_periods,
            datapoints_to_alarm=alarm.datapoints_to_alarm,
            treat_missing_data=str(alarm.missing_data),
            evaluate_low_sample_count_percentiles=alarm.low_samples,
            alarm_actions=[*actions, *recover],
            ok_actions=actions,
            opts=self.child(),
            **watched,
        )

    def _composite(
        self,
        name: str,
        alarm: CompositeAlarm,
        topics: Mapping[Severity, pulumi.Input[str]],
        parts: Sequence[pulumi.Resource],
    ) -> aws.cloudwatch.CompositeAlarm:
        actions = [topics[alarm.severity]] if alarm.notifies else []
        suppressor = None
        if alarm.suppressor_name:
            suppressor = aws.cloudwatch.CompositeAlarmActionsSuppressorArgs(
                alarm=alarm.suppressor_name,
                wait_period=alarm.suppressor_wait_seconds,
                extension_period=alarm.suppressor_extension_seconds,
            )
        return aws.cloudwatch.CompositeAlarm(
            f"{name}-{alarm.key}",
            alarm_name=alarm.name,
            alarm_description=alarm.description,
            alarm_rule=alarm.rule,
            alarm_actions=actions,
            ok_actions=actions,
            actions_suppressor=suppressor,
            opts=self.child(pulumi.ResourceOptions(depends_on=parts)),
        )


def _single_metric(stat: MetricStat, known: Mapping[str, pulumi.Input[str]]) -> dict[str, Any]:
    percentile = stat.statistic.startswith("p")
    return {
        "namespace": stat.metric.namespace,
        "metric_name": stat.metric.name,
        "dimensions": {name: known.get(name, value) for name, value in stat.metric.dimensions} or None,
        "period": stat.period_seconds,
        "extended_statistic": stat.statistic if percentile else None,
        "statistic": None if percentile else stat.statistic,
    }


def _metric_queries(alarm: MetricAlarm) -> dict[str, Any]:
    """Statistics and expressions; the watched one (and its band) returns data, as CloudWatch requires."""
    returned = {alarm.watched, alarm.band_id}

    def query(entry: MetricStat | MathExpression) -> aws.cloudwatch.MetricAlarmMetricQueryArgs:
        if isinstance(entry, MathExpression):
            return aws.cloudwatch.MetricAlarmMetricQueryArgs(
                id=entry.id,
                expression=entry.expression,
                label=entry.label or None,
                return_data=entry.id in returned,
            )
        return aws.cloudwatch.MetricAlarmMetricQueryArgs(
            id=entry.id,
            metric=aws.cloudwatch.MetricAlarmMetricQueryMetricArgs(
                namespace=entry.metric.namespace,
                metric_name=entry.metric.name,
                dimensions=dict(entry.metric.dimensions) or None,
                stat=entry.statistic,
                period=entry.period_seconds,
            ),
            return_data=entry.id in returned,
        )

    return {"metric_queries": [query(entry) for entry in alarm.series], "threshold_metric_id": alarm.band_id}
