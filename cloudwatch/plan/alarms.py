"""Alarms: one factory, with a naming, an action and a runbook strategy, and the list of what it makes.

A latency alarm over few turns lies: one slow turn at night is a P95. With `low_samples: gate` it is therefore an
expression, `IF(samples >= minimum, p95)`: a period of fewer turns has no data point, and missing data does not
breach. CloudWatch's own rule (`ignore`) needs 200 turns in the window before a P95 alarm may fire at all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

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
from stacks.settings.targets import EouDelay, LlmTtft, Targets, TotalLatency, TtsTtfb

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
        page: str | None = None,
    ) -> MetricAlarm:
        """An alarm on the last of `series` (on the one before it with a band), `settings`' M out of N by default.

        `page` is the runbook's key, where it is not the alarm's own.
        """
        runbook = self.runbook(page or key)
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
        self,
        key: str,
        what: str,
        severity: Severity,
        metric: Metric,
        percentile: int,
        threshold_seconds: float,
        *,
        page: str | None = None,
    ) -> MetricAlarm:
        settings = self.settings
        bare = self.stat("p", metric, f"p{percentile}")
        series: tuple[MetricStat | MathExpression, ...] = (bare,)
        if settings.low_samples == "gate":
            samples = self.stat("n", metric, "SampleCount")
            series = (
                bare,
                samples,
                MathExpression("gated", f"IF(n >= {settings.minimum_samples}, p)", what),
            )
        title = f"{what} P{percentile} above {threshold_seconds:g} s"
        return self.alarm(
            key,
            title,
            severity,
            series,
            Comparison.ABOVE,
            threshold_seconds,
            unit="Seconds",
            low_samples=settings.low_samples,
            page=page,
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
    factory: AlarmFactory, targets: Targets, metrics: Metrics, log_group_name: str
) -> tuple[tuple[MetricAlarm, ...], tuple[CompositeAlarm, ...]]:
    """An agent's metric alarms and the composite alarms over them."""
    settings = factory.settings
    alarms = [
        *_latency(factory, targets, metrics),
        _tool_success(factory, metrics, targets.tool_success_percent),
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
        band = settings.anomaly_band_standard_deviations
        alarms.append(_anomaly(factory, metrics, targets.percentile, band))
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


@dataclass(frozen=True)
class _Stage:
    """A stage with a target: the keys of its alarms, and the page that a critical one without a page of its own has."""

    what: str
    target: TotalLatency | LlmTtft | TtsTtfb | EouDelay
    metric: Metric
    warning_key: str
    critical_key: str
    critical_page: str


def _latency(factory: AlarmFactory, targets: Targets, metrics: Metrics) -> Iterator[MetricAlarm]:
    """For each stage an alarm at its warning target and one at its critical target, where it has them."""
    total = _Stage(
        "Total latency",
        targets.total_latency,
        metrics.total_latency,
        "total-latency-warning",
        "total-latency-critical",
        "total-latency-critical",
    )
    parts = (
        ("LLM time to first token", targets.llm_ttft, metrics.llm_ttft, "llm-ttft"),
        ("TTS time to first byte", targets.tts_ttfb, metrics.tts_ttfb, "tts-ttfb"),
        ("End of utterance delay", targets.eou_delay, metrics.eou_delay, "eou-delay"),
    )
    for stage in (total, *(_Stage(what, of, by, key, f"{key}-critical", key) for what, of, by, key in parts)):
        above = partial(factory.percentile_above, metric=stage.metric, percentile=targets.percentile)
        if stage.target.critical_seconds is not None:
            yield above(
                stage.critical_key,
                stage.what,
                Severity.CRITICAL,
                threshold_seconds=stage.target.critical_seconds,
                page=stage.critical_page,
            )
        if stage.target.warning_seconds is not None:
            warning_seconds = stage.target.warning_seconds
            yield above(stage.warning_key, stage.what, Severity.WARNING, threshold_seconds=warning_seconds)


def _tool_success(factory: AlarmFactory, metrics: Metrics, success_percent: float) -> MetricAlarm:
    settings = factory.settings
    percent = "100 * (calls - FILL(failures, 0)) / calls"
    gated = f"IF(calls >= {settings.minimum_samples}, {percent})" if settings.low_samples == "gate" else percent
    return factory.alarm(
        "tool-success",
        f"Tool success below {success_percent:g} %",
        Severity.WARNING,
        (
            factory.stat("calls", metrics.tool_calls, "Sum"),
            factory.stat("failures", metrics.tool_failures, "Sum"),
            MathExpression("success", gated, "Tool success (%)"),
        ),
        Comparison.BELOW,
        success_percent,
        unit="Percent",
    )


def _anomaly(factory: AlarmFactory, metrics: Metrics, percentile: int, standard_deviations: float) -> MetricAlarm:
    return factory.alarm(
        "total-latency-anomaly",
        f"Total latency P{percentile} above its usual value at this time",
        Severity.WARNING,
        (
            factory.stat("p", metrics.total_latency, f"p{percentile}"),
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
