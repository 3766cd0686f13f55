"""Alarms: one factory, with a naming, an action and a runbook strategy, and the list of what it makes.

A latency alarm over few turns lies: one slow turn at night is a P95. With `low_samples: gate` it is therefore an
expression, `IF(samples >= minimum, p95)`: a period of fewer turns has no data point, and missing data does not
breach. CloudWatch's own rule (`ignore`) needs 200 turns in the window before a P95 alarm may fire at all.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from cloudwatch.plan.metric_filters import Metrics, incoming_log_events
from cloudwatch.plan.model import (
    Comparison,
    CompositeAlarm,
    MathExpression,
    Metric,
    MetricAlarm,
    MetricStat,
    MissingData,
    Severity,
)
from stacks.settings.model import Alarms

NO_DATA_PERIOD_SECONDS = 300
SUPPRESSION_SECONDS = 120
"""How long a warning waits for the critical alarm that would silence it, and stays silent after it."""


def prefixed_names(stack: str, agent: str) -> Callable[[str], str]:
    """Naming strategy: alarm names are unique per account and region, so stack and agent lead."""
    return lambda key: f"turnscope-{stack}-{agent}-{key}"


def runbooks_below(base_url: str) -> Callable[[str], str]:
    """Runbook strategy: one page per alarm, named by its key."""
    return lambda key: f"{base_url}/{key}.md"


@dataclass(frozen=True)
class ActionStrategy:
    """Which alarms speak: the composite ones (`per_alarm` false) or each for itself."""

    per_alarm: bool

    def notifies(self, *, composite: bool) -> bool:
        return self.per_alarm != composite


@dataclass(frozen=True)
class AlarmFactory:
    """The only place where alarms are made, so that each has a name, a severity, a runbook and its actions."""

    agent: str
    name: Callable[[str], str]
    runbook: Callable[[str], str]
    actions: ActionStrategy
    settings: Alarms

    def alarm(
        self,
        key: str,
        title: str,
        severity: Severity,
        series: tuple[MetricStat | MathExpression, ...],
        comparison: Comparison,
        threshold: float | None,
        *,
        unit: str = "",
        missing_data: MissingData = MissingData.NOT_BREACHING,
        period_seconds: int | None = None,
        evaluation_periods: int | None = None,
        datapoints_to_alarm: int | None = None,
        low_samples: str | None = None,
        band_id: str | None = None,
    ) -> MetricAlarm:
        """An alarm on the last of `series` (on the one before it with a band), `settings`' M out of N by default."""
        runbook = self.runbook(key)
        return MetricAlarm(
            key=key,
            name=self.name(key),
            title=title,
            description=f"{self.agent}: {title}. Runbook: {runbook}",
            severity=severity,
            runbook_url=runbook,
            series=series,
            watched=series[0].id if band_id else series[-1].id,
            comparison=comparison,
            threshold=threshold,
            unit=unit,
            period_seconds=period_seconds or self.settings.period_seconds,
            evaluation_periods=evaluation_periods or self.settings.evaluation_periods,
            datapoints_to_alarm=datapoints_to_alarm or self.settings.datapoints_to_alarm,
            missing_data=missing_data,
            band_id=band_id,
            low_samples=low_samples if low_samples in ("evaluate", "ignore") else None,
            notifies=self.actions.notifies(composite=False),
        )

    def stat(self, id: str, metric: Metric, statistic: str, period_seconds: int | None = None) -> MetricStat:
        return MetricStat(id, metric, statistic, period_seconds or self.settings.period_seconds)

    def percentile_above(
        self, key: str, what: str, severity: Severity, metric: Metric, threshold_seconds: float
    ) -> MetricAlarm:
        settings = self.settings
        percentile = self.stat("p", metric, f"p{settings.percentile:g}")
        series: tuple[MetricStat | MathExpression, ...] = (percentile,)
        if settings.low_samples == "gate":
            samples = self.stat("n", metric, "SampleCount")
            series = (
                percentile,
                samples,
                MathExpression("gated", f"IF(n >= {settings.minimum_samples}, p)", what),
            )
        title = f"{what} P{settings.percentile:g} above {threshold_seconds:g} s"
        return self.alarm(
            key,
            title,
            severity,
            series,
            Comparison.ABOVE,
            threshold_seconds,
            unit="Seconds",
            low_samples=settings.low_samples,
        )

    def composite(
        self,
        key: str,
        title: str,
        severity: Severity,
        parts: tuple[MetricAlarm, ...],
        suppressor: CompositeAlarm | None = None,
    ) -> CompositeAlarm:
        runbook = self.runbook(key)
        seconds = SUPPRESSION_SECONDS if suppressor else 0
        return CompositeAlarm(
            key=key,
            name=self.name(key),
            title=title,
            description=f"{self.agent}: {title}. Runbook: {runbook}",
            severity=severity,
            runbook_url=runbook,
            alarm_names=tuple(part.name for part in parts),
            suppressor_name=suppressor.name if suppressor else None,
            suppressor_wait_seconds=seconds,
            suppressor_extension_seconds=seconds,
            notifies=self.actions.notifies(composite=True),
        )


def plan_alarms(
    factory: AlarmFactory, metrics: Metrics, log_group_name: str
) -> tuple[tuple[MetricAlarm, ...], tuple[CompositeAlarm, ...]]:
    """An agent's metric alarms and the composite alarms over them."""
    settings = factory.settings
    alarms = [
        factory.percentile_above(
            "total-latency-critical",
            "Total latency",
            Severity.CRITICAL,
            metrics.total_latency,
            settings.total_latency_critical_seconds,
        ),
        factory.percentile_above(
            "total-latency-warning",
            "Total latency",
            Severity.WARNING,
            metrics.total_latency,
            settings.total_latency_warning_seconds,
        ),
        factory.percentile_above(
            "llm-ttft",
            "LLM time to first token",
            Severity.WARNING,
            metrics.llm_ttft,
            settings.llm_ttft_seconds,
        ),
        factory.percentile_above(
            "tts-ttfb",
            "TTS time to first byte",
            Severity.WARNING,
            metrics.tts_ttfb,
            settings.tts_ttfb_seconds,
        ),
        _tool_success(factory, metrics),
        factory.alarm(
            "errors",
            f"More than {settings.errors_per_period} errors in {settings.period_seconds} s",
            Severity.WARNING,
            (factory.stat("errors", metrics.errors, "Sum"),),
            Comparison.ABOVE,
            settings.errors_per_period,
            unit="Count",
            evaluation_periods=1,
            datapoints_to_alarm=1,
        ),
    ]
    if settings.anomaly_band_standard_deviations is not None:
        alarms.append(_anomaly(factory, metrics, settings.anomaly_band_standard_deviations))
    if settings.no_data_minutes is not None:
        alarms.append(_no_data(factory, log_group_name, settings.no_data_minutes))

    def of(severity: Severity) -> tuple[MetricAlarm, ...]:
        return tuple(alarm for alarm in alarms if alarm.severity == severity)

    unhealthy = factory.composite(
        "agent-unhealthy",
        "Agent unhealthy: callers are affected now",
        Severity.CRITICAL,
        of(Severity.CRITICAL),
    )
    degraded = factory.composite(
        "agent-degraded",
        "Agent degraded: it works, but worse than it should",
        Severity.WARNING,
        of(Severity.WARNING),
        unhealthy,
    )
    return tuple(alarms), (unhealthy, degraded)


def _tool_success(factory: AlarmFactory, metrics: Metrics) -> MetricAlarm:
    settings = factory.settings
    percent = "100 * (calls - FILL(failures, 0)) / calls"
    gated = f"IF(calls >= {settings.minimum_samples}, {percent})" if settings.low_samples == "gate" else percent
    return factory.alarm(
        "tool-success",
        f"Tool success below {settings.tool_success_percent:g} %",
        Severity.WARNING,
        (
            factory.stat("calls", metrics.tool_calls, "Sum"),
            factory.stat("failures", metrics.tool_failures, "Sum"),
            MathExpression("success", gated, "Tool success (%)"),
        ),
        Comparison.BELOW,
        settings.tool_success_percent,
        unit="Percent",
    )


def _anomaly(factory: AlarmFactory, metrics: Metrics, standard_deviations: float) -> MetricAlarm:
    percentile = factory.settings.percentile
    return factory.alarm(
        "total-latency-anomaly",
        f"Total latency P{percentile:g} above its usual value at this time",
        Severity.WARNING,
        (
            factory.stat("p", metrics.total_latency, f"p{percentile:g}"),
            MathExpression("band", f"ANOMALY_DETECTION_BAND(p, {standard_deviations:g})", "Usual"),
        ),
        Comparison.ABOVE_BAND,
        None,
        unit="Seconds",
        band_id="band",
    )


def _no_data(factory: AlarmFactory, log_group_name: str, minutes: int) -> MetricAlarm:
    periods = math.ceil(minutes * 60 / NO_DATA_PERIOD_SECONDS)
    return factory.alarm(
        "no-data",
        f"No log events for {minutes} minutes",
        Severity.CRITICAL,
        (factory.stat("events", incoming_log_events(log_group_name), "Sum", NO_DATA_PERIOD_SECONDS),),
        Comparison.BELOW,
        1,
        unit="Count",
        missing_data=MissingData.BREACHING,
        period_seconds=NO_DATA_PERIOD_SECONDS,
        evaluation_periods=periods,
        datapoints_to_alarm=periods,
    )
