"""Alarm evaluation as CloudWatch does it, on data points and at a time that the caller gives.

Sources: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html (periods, M out of N),
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html (missing data),
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/percentiles-with-low-samples.html (low samples) and
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Create_Composite_Alarm.html (composite alarms).
"""

from __future__ import annotations

import math
import operator
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from graphlib import CycleError, TopologicalSorter
from typing import Final, Literal

from cloudwatch.plan.model import AlarmState, Comparison, CompositeAlarm, MathExpression, MetricAlarm, MissingData
from simulate import expressions, metrics
from simulate.expressions import Band, Expression
from simulate.metrics import DataPoint

EXTRA_PERIODS: Final = 2
"""How many periods beyond `evaluation_periods` an evaluation looks at.

AWS documents that there are some and that their number varies, with 5 periods for an alarm over 3 as the one
example; that example is followed for every alarm.
"""

_DAY_MS: Final = 24 * 3600 * 1000

SuppressedBy = Literal["Alarm", "WaitPeriod", "ExtensionPeriod"]


@dataclass(frozen=True)
class Evaluation:
    """What an alarm's evaluation came to.

    `recent_values` has one entry for each period of the evaluation range, oldest first; None where a period has no
    value. It is empty for a composite alarm.
    """

    state: AlarmState
    reason: str
    recent_values: tuple[float | None, ...] = ()


@dataclass(frozen=True)
class _Observation:
    """One period of the evaluation range: what was seen, and the limit it is compared with."""

    begin_ms: int
    value: float | None
    limit: float | None

    def breaches(self, compare: Callable[[float, float], bool]) -> bool | None:
        """Whether the value breaches the limit; None where either is missing."""
        if self.value is None or self.limit is None:
            return None
        return compare(self.value, self.limit)

    def __str__(self) -> str:
        value = "missing" if self.value is None else f"{self.value:g}"
        return f"{value} ({_utc(self.begin_ms)})"


_COMPARE: Final[Mapping[Comparison, tuple[Callable[[float, float], bool], str]]] = {
    Comparison.ABOVE: (operator.gt, "above"),
    Comparison.AT_LEAST: (operator.ge, "at or above"),
    Comparison.BELOW: (operator.lt, "below"),
    Comparison.AT_MOST: (operator.le, "at or below"),
    Comparison.ABOVE_BAND: (operator.gt, "above"),
}


def evaluate_all(
    alarms: Iterable[MetricAlarm], points: Iterable[DataPoint], now_ms: int, previous: Mapping[str, AlarmState]
) -> dict[str, Evaluation]:
    """Evaluate metric alarms on the data points known at `now_ms`; keyed by name.

    An alarm keeps or changes its state in `previous`; one that is not there starts in INSUFFICIENT_DATA. Only complete
    periods count. They end at the last whole minute (the last whole period where that is shorter, the last whole hour
    for an alarm over more than a day), so a five-minute period moves on by a minute at each evaluation.

    Raises:
        ValueError: an alarm is contradictory, or names an unknown id, statistic or function; two have one name.
    """
    evaluated = list(alarms)
    names = Counter(each.name for each in evaluated)
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise ValueError(f"more than one alarm is called {', '.join(twice)}")
    by_metric = _by_metric(points)
    return {
        each.name: _evaluate(each, by_metric, now_ms, previous.get(each.name, AlarmState.INSUFFICIENT_DATA))
        for each in evaluated
    }


def evaluate_composite(alarm: CompositeAlarm, states: Mapping[str, AlarmState], previous: AlarmState) -> Evaluation:
    """Evaluate a composite alarm on the states, by name, of the alarms below it.

    Its state is ALARM or OK; INSUFFICIENT_DATA is only its state before the first evaluation
    (https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html).

    Raises:
        ValueError: it watches an alarm that has no state, or none at all.
    """
    if not alarm.alarm_names:
        raise ValueError(f"composite alarm {alarm.name!r} watches no alarm")
    for name in alarm.alarm_names:
        if name not in states:
            raise ValueError(f"composite alarm {alarm.name!r} watches {name!r}, which is not an alarm here")
    causes = [name for name in alarm.alarm_names if states[name] is AlarmState.ALARM]
    state = AlarmState.ALARM if causes else AlarmState.OK
    said = f"In ALARM: {', '.join(causes)}" if causes else f"None of {', '.join(alarm.alarm_names)} is in ALARM"
    return Evaluation(state, f"{said} ({_change(previous, state)}).")


def suppressed(
    alarm: CompositeAlarm,
    changed_ms: int,
    suppressor_history: Sequence[tuple[int, AlarmState]],
    now_ms: int,
) -> SuppressedBy | None:
    """Why a composite alarm takes no actions at `now_ms`, or None if it takes them.

    `changed_ms` is when the composite alarm last changed its state. `suppressor_history` are the suppressor's
    changes of state, oldest first, as (milliseconds, new state); before the first it was not in ALARM. The answers
    are CloudWatch's own (`ActionsSuppressedBy`):

    - `Alarm`: the suppressor is in ALARM;
    - `WaitPeriod`: the composite alarm changed less than the wait period ago, and the suppressor, which may yet
      follow, has not been in ALARM since;
    - `ExtensionPeriod`: the suppressor left ALARM less than the extension period ago, and the composite alarm, which
      may yet follow, has not changed since.
    """
    if alarm.suppressor_name is None:
        return None
    history = [(at, state) for at, state in suppressor_history if at <= now_ms]
    if history and history[-1][1] is AlarmState.ALARM:
        return "Alarm"
    left_ms = _left_alarm_ms(history)
    if left_ms is not None and left_ms >= changed_ms:
        extended = now_ms < left_ms + alarm.suppressor_extension_seconds * 1000
        return "ExtensionPeriod" if extended else None
    return "WaitPeriod" if changed_ms <= now_ms < changed_ms + alarm.suppressor_wait_seconds * 1000 else None


def _left_alarm_ms(history: Sequence[tuple[int, AlarmState]]) -> int | None:
    """When the suppressor last left ALARM."""
    left_ms, before = None, None
    for at, state in history:
        if before is AlarmState.ALARM and state is not AlarmState.ALARM:
            left_ms = at
        before = state
    return left_ms


# --- One metric alarm ----------------------------------------------------------------------------------------

_PointsByMetric = Mapping[tuple[str, str, frozenset[tuple[str, str]]], Sequence[DataPoint]]


def _by_metric(points: Iterable[DataPoint]) -> _PointsByMetric:
    index: dict[tuple[str, str, frozenset[tuple[str, str]]], list[DataPoint]] = defaultdict(list)
    for point in points:
        index[metrics.identity(point.metric)].append(point)
    return index


def _evaluate(alarm: MetricAlarm, points: _PointsByMetric, now_ms: int, previous: AlarmState) -> Evaluation:
    parsed = _parsed(alarm)
    period_ms = alarm.period_seconds * 1000
    end_ms = now_ms - now_ms % _step_ms(alarm)
    start_ms = end_ms - (alarm.evaluation_periods + EXTRA_PERIODS) * period_ms
    observations = _observe(alarm, parsed, points, start_ms, end_ms)
    values = tuple(each.value for each in observations)

    too_few = _too_few_samples(alarm, points, end_ms)
    if too_few is not None:
        return Evaluation(previous, f"{too_few}; the state is kept ({_change(previous, previous)}).", values)
    state, reason = _decide(alarm, observations, previous)
    return Evaluation(state, f"{reason} ({_change(previous, state)}).", values)


def _step_ms(alarm: MetricAlarm) -> int:
    if alarm.evaluation_periods * alarm.period_seconds * 1000 > _DAY_MS:
        return 60 * metrics.MINUTE_MS
    return min(alarm.period_seconds * 1000, metrics.MINUTE_MS)


def _parsed(alarm: MetricAlarm) -> dict[str, Expression]:
    """The alarm's expressions by id, in an order in which each can be evaluated; checks the alarm on the way."""

    def refuse(message: str) -> ValueError:
        return ValueError(f"alarm {alarm.name!r}: {message}")

    ids = [each.id for each in alarm.series]
    for id in ids:
        if ids.count(id) > 1:
            raise refuse(f"the id {id!r} is used twice")
    for what, id in (("watches", alarm.watched), ("compares with", alarm.band_id)):
        if id is not None and id not in ids:
            raise refuse(f"{what} the id {id!r}, which is not one of its own ({', '.join(ids) or 'none'})")
    if alarm.evaluation_periods < 1 or not 1 <= alarm.datapoints_to_alarm <= alarm.evaluation_periods:
        raise refuse(f"{alarm.datapoints_to_alarm} out of {alarm.evaluation_periods} periods is not possible")
    if (alarm.band_id is not None) != (alarm.comparison is Comparison.ABOVE_BAND) or (
        (alarm.band_id is None) == (alarm.threshold is None)
    ):
        raise refuse("either a threshold, or a band together with the comparison above a band")
    for stat in alarm.stats:
        if stat.period_seconds != alarm.period_seconds or stat.period_seconds <= 0:
            raise refuse(
                f"the period of {stat.id!r} is {stat.period_seconds} seconds, the alarm's {alarm.period_seconds}"
            )
    parsed = {
        each.id: expressions.parse(each.expression, ids) for each in alarm.series if isinstance(each, MathExpression)
    }
    bands = [id for id, expression in parsed.items() if isinstance(expression, Band)]
    if bands != ([] if alarm.band_id is None else [alarm.band_id]):
        raise refuse("an ANOMALY_DETECTION_BAND is what the alarm compares with, and nothing else is")
    uses = {id: expressions.references(each) & parsed.keys() for id, each in parsed.items()}
    if any(alarm.band_id in used for used in uses.values()) or alarm.watched == alarm.band_id:
        raise refuse(f"the band {alarm.band_id!r} has two values per period and cannot be used in an expression")
    return {id: parsed[id] for id in _in_order(uses, f"alarm {alarm.name!r}: expressions use one another")}


def _in_order(uses: Mapping[str, Iterable[str]], complaint: str) -> list[str]:
    try:
        return list(TopologicalSorter(uses).static_order())
    except CycleError as error:
        raise ValueError(f"{complaint}: {' -> '.join(error.args[1])}") from None


def _observe(
    alarm: MetricAlarm,
    parsed: Mapping[str, Expression],
    points: _PointsByMetric,
    start_ms: int,
    end_ms: int,
) -> list[_Observation]:
    """What was seen in each period of the evaluation range."""
    period_ms = alarm.period_seconds * 1000
    evaluated = range(start_ms, end_ms, period_ms)
    history_periods = expressions.HISTORY_MS // period_ms if alarm.band_id is not None else 0
    first_ms = start_ms - history_periods * period_ms
    grid = range(first_ms, end_ms, period_ms)

    values: dict[str, dict[int, float]] = {
        stat.id: metrics.series(points.get(metrics.identity(stat.metric), ()), stat, first_ms, end_ms)
        for stat in alarm.stats
    }
    limits = {} if alarm.threshold is None else dict.fromkeys(evaluated, alarm.threshold)
    bands: list[Band] = []
    for id, expression in parsed.items():
        if isinstance(expression, Band):
            bands.append(expression)
        else:
            values[id] = expressions.evaluate(expression, values, grid)
    for each in bands:
        limits = expressions.band(each, values, evaluated)[1]
    watched = values[alarm.watched]
    return [_Observation(begin, watched.get(begin), limits.get(begin)) for begin in evaluated]


def _too_few_samples(alarm: MetricAlarm, points: _PointsByMetric, end_ms: int) -> str | None:
    """Why a percentile says too little to act on; None if it does not, or the alarm does not ask.

    Too few are fewer than 10/(1-p) samples over the evaluation periods, or 10/p for a percentile below the median.
    """
    if alarm.low_samples is None:
        return None
    stat = next((each for each in alarm.stats if each.id == alarm.watched), None)
    percent = None if stat is None else metrics.percentile(stat.statistic)
    if stat is None or percent is None:
        raise ValueError(f"alarm {alarm.name!r}: low samples are a matter of alarms on one percentile")
    if alarm.low_samples == "evaluate" or percent in {0, 100}:
        return None
    needed = math.ceil(1000 / min(percent, 100 - percent))
    start_ms = end_ms - alarm.evaluation_periods * alarm.period_seconds * 1000
    by_period = metrics.samples(points.get(metrics.identity(stat.metric), ()), stat, start_ms, end_ms)
    count = sum(map(len, by_period.values()))
    if count >= needed:
        return None
    return f"{count} samples since {_utc(start_ms)} are too few for {stat.statistic}, which needs {needed}"


def _decide(alarm: MetricAlarm, observations: Sequence[_Observation], previous: AlarmState) -> tuple[AlarmState, str]:
    """The documented rules for real and missing data, and a sentence for people."""
    compare, words = _COMPARE[alarm.comparison]
    breaches = [each.breaches(compare) for each in observations]
    real = [at for at, each in enumerate(breaches) if each is not None][-alarm.evaluation_periods :]
    missing = alarm.evaluation_periods - len(real)
    breaching = sum(breaches[at] is True for at in real)
    needed = alarm.datapoints_to_alarm
    state = _state(alarm, breaches, previous)

    if not real:
        since = _utc(observations[0].begin_ms)
        seen = f"No data since {since}, and missing data counts as {alarm.missing_data}"
        return state, seen
    listed = ", ".join(str(observations[at]) for at in reversed(real))
    unit = f" {alarm.unit}" if alarm.unit else ""
    limit = (
        f"the threshold {alarm.threshold:g}{unit}"
        if alarm.threshold is not None
        else f"the anomaly band, last up to {observations[real[-1]].limit:g}{unit}"
    )
    reason = f"{breaching} of the last {len(real)} data points were {words} {limit}: {listed}; {needed} make an ALARM"
    if missing:
        reason += f"; {missing} missing, counted as {alarm.missing_data}"
    return state, reason


def _state(alarm: MetricAlarm, breaches: Sequence[bool | None], previous: AlarmState) -> AlarmState:
    """The state for the evaluation range, oldest first: breaching, not breaching or missing (None).

    The last N real points decide, from further back if need be. With fewer than N, missing points fill up as the
    alarm says. Nothing but breaching points, yet too few, is the case between: it is an ALARM under `missing` once
    the oldest of them is M periods old, and not enough to go by before; under `ignore` the state is kept.
    """
    real = [each for each in breaches if each is not None][-alarm.evaluation_periods :]
    breaching = sum(real)
    missing = alarm.evaluation_periods - len(real)
    if alarm.missing_data is MissingData.BREACHING:
        breaching += missing
    if breaching >= alarm.datapoints_to_alarm:
        return AlarmState.ALARM
    undecided = all(real)
    if undecided and alarm.missing_data is MissingData.IGNORE:
        return previous
    if undecided and alarm.missing_data is MissingData.MISSING:
        oldest_age = len(breaches) - breaches.index(True) if real else 0
        return AlarmState.ALARM if oldest_age >= alarm.datapoints_to_alarm else AlarmState.INSUFFICIENT_DATA
    return AlarmState.OK


# --- Words ---------------------------------------------------------------------------------------------------


def _utc(timestamp_ms: int) -> str:
    return datetime.fromtimestamp(timestamp_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC").replace(":00 UTC", " UTC")


def _change(previous: AlarmState, state: AlarmState) -> str:
    return f"still {state}" if state is previous else f"{previous} -> {state}"
