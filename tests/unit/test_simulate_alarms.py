"""Alarm evaluation: the documented tables row by row, and properties that hold for any data."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudwatch.plan.model import (
    AlarmState,
    Comparison,
    CompositeAlarm,
    MathExpression,
    Metric,
    MetricAlarm,
    MetricStat,
    MissingData,
    Severity,
)
from simulate.alarms import Evaluation, evaluate_all, evaluate_composite, suppressed
from simulate.metrics import DataPoint

OK, ALARM, NO_DATA = AlarmState.OK, AlarmState.ALARM, AlarmState.INSUFFICIENT_DATA
METRIC = Metric("Voice", "Ttft", "Seconds")
MINUTE = 60_000
NOW = 1_800_000_000_000 // MINUTE * MINUTE
PERIOD = 300_000


def _alarm(
    *,
    periods: int = 3,
    needed: int = 3,
    missing: MissingData = MissingData.MISSING,
    statistic: str = "Average",
    name: str = "ttft",
    period_seconds: int = PERIOD // 1000,
) -> MetricAlarm:
    return MetricAlarm(
        key=name,
        name=name,
        title="",
        description="",
        severity=Severity.WARNING,
        runbook_url="",
        series=(MetricStat("m", METRIC, statistic, period_seconds),),
        watched="m",
        comparison=Comparison.ABOVE,
        threshold=10.0,
        period_seconds=period_seconds,
        evaluation_periods=periods,
        datapoints_to_alarm=needed,
        missing_data=missing,
        unit="s",
    )


def evaluate(alarm: MetricAlarm, points: list[DataPoint], now_ms: int, previous: AlarmState) -> Evaluation:
    return evaluate_all([alarm], points, now_ms, {alarm.name: previous})[alarm.name]


def _points(range_text: str, period_ms: int = PERIOD) -> list[DataPoint]:
    """Data points for a row of the documentation's tables: X breaches, 0 does not, - is missing; newest last."""
    marks = range_text.split()
    return [
        DataPoint(METRIC, NOW - (len(marks) - place) * period_ms, 20.0 if mark == "X" else 1.0)
        for place, mark in enumerate(marks)
        if mark != "-"
    ]


KEEP = None
TREATMENTS = (MissingData.MISSING, MissingData.IGNORE, MissingData.BREACHING, MissingData.NOT_BREACHING)
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
THREE_OF_THREE = [
    ("0 - X - X", (OK, OK, OK, OK)),
    ("0 - - - -", (OK, OK, OK, OK)),
    ("- - - - -", (NO_DATA, KEEP, ALARM, OK)),
    ("0 X X - X", (ALARM, ALARM, ALARM, ALARM)),
    ("- - X - -", (ALARM, KEEP, ALARM, OK)),
    # From the page's text on premature alarms, and its earlier editions' tables.
    ("- - - - X", (NO_DATA, KEEP, ALARM, OK)),
    ("- - - X -", (NO_DATA, KEEP, ALARM, OK)),
    ("- - - X 0", (OK, OK, OK, OK)),
    ("- - X - 0", (OK, OK, OK, OK)),
    ("X - - - -", (ALARM, KEEP, ALARM, OK)),
]
TWO_OF_THREE = [
    ("0 - X - X", (ALARM, ALARM, ALARM, ALARM)),
    ("0 0 X 0 X", (ALARM, ALARM, ALARM, ALARM)),
    ("0 - X - -", (OK, OK, ALARM, OK)),
    ("- - - - 0", (OK, OK, ALARM, OK)),
    ("- - - X -", (ALARM, KEEP, ALARM, OK)),
    ("- - - - X", (NO_DATA, KEEP, ALARM, OK)),
]


@pytest.mark.parametrize("previous", list(AlarmState))
@pytest.mark.parametrize("treatment", range(4), ids=[each.value for each in TREATMENTS])
@pytest.mark.parametrize(
    ("needed", "row", "expected"),
    [(3, *each) for each in THREE_OF_THREE] + [(2, *each) for each in TWO_OF_THREE],
)
def test_missing_data_as_documented(
    needed: int, row: str, expected: tuple[AlarmState | None, ...], treatment: int, previous: AlarmState
) -> None:
    """Every row of both tables, under every treatment, from every state before."""
    alarm = _alarm(needed=needed, missing=TREATMENTS[treatment])
    evaluation = evaluate(alarm, _points(row), NOW, previous)
    assert evaluation.state is (expected[treatment] or previous)
    assert [value is None for value in evaluation.recent_values] == [mark == "-" for mark in row.split()]


def test_points_before_the_evaluation_range_do_not_count() -> None:
    """The range is two periods longer than the evaluation periods, as in the documented example."""
    assert evaluate(_alarm(), _points("X X X - - - - -"), NOW, OK).state is NO_DATA
    assert evaluate(_alarm(), _points("X X X - -"), NOW, OK).state is ALARM


def test_only_complete_periods_count_and_they_move_on_by_the_minute() -> None:
    """As documented for a five-minute period: minutes 1 to 5, then at the next minute 2 to 6."""
    alarm = _alarm(periods=1, needed=1, statistic="SampleCount")
    points = [DataPoint(METRIC, NOW + minute * MINUTE, 1.0) for minute in range(-20, 20)]
    assert evaluate(alarm, points, NOW + MINUTE - 1, OK) == evaluate(alarm, points, NOW, OK)
    assert evaluate(alarm, points, NOW, OK).recent_values == (5, 5, 5)
    burst = [DataPoint(METRIC, NOW + 1, 1.0)] * 11
    assert evaluate(alarm, points + burst, NOW + MINUTE - 1, OK).state is OK
    assert evaluate(alarm, points + burst, NOW + MINUTE, OK).state is ALARM
    assert evaluate(alarm, points + burst, NOW + 5 * MINUTE, OK).state is ALARM
    assert evaluate(alarm, points + burst, NOW + 6 * MINUTE, OK).recent_values == (5, 16, 5)


@pytest.mark.parametrize(("period_seconds", "step_seconds"), [(60, 60), (300, 60), (30, 30), (10, 10)])
def test_how_often_periods_move_on(period_seconds: int, step_seconds: int) -> None:
    """By the minute, or by the period where that is shorter."""
    alarm = _alarm(periods=1, needed=1, period_seconds=period_seconds)
    points = [DataPoint(METRIC, NOW, 99.0)]
    assert evaluate(alarm, points, NOW + step_seconds * 1000 - 1, OK).state is NO_DATA
    assert evaluate(alarm, points, NOW + step_seconds * 1000, OK).state is ALARM


def test_an_alarm_over_more_than_a_day_looks_at_whole_hours() -> None:
    """The documented multi-day example: the failure at 10:02 shows at 11:03 and not at 10:03."""
    hour = 60 * MINUTE
    ten = NOW // hour * hour
    alarm = _alarm(periods=3, needed=1, period_seconds=24 * 3600)
    points = [DataPoint(METRIC, ten - 30 * hour, 1.0), DataPoint(METRIC, ten + 2 * MINUTE, 99.0)]
    assert evaluate(alarm, points, ten + 3 * MINUTE, OK).state is OK
    assert evaluate(alarm, points, ten + hour + 3 * MINUTE, OK).state is ALARM
    one_day = _alarm(periods=1, needed=1, period_seconds=24 * 3600)
    assert evaluate(one_day, points, ten + 3 * MINUTE, OK).state is ALARM


@pytest.mark.parametrize(
    ("comparison", "states"),
    [
        (Comparison.ABOVE, (OK, OK, ALARM)),
        (Comparison.AT_LEAST, (OK, ALARM, ALARM)),
        (Comparison.BELOW, (ALARM, OK, OK)),
        (Comparison.AT_MOST, (ALARM, ALARM, OK)),
    ],
)
def test_comparisons(comparison: Comparison, states: tuple[AlarmState, ...]) -> None:
    """Below, at and above the threshold of 10."""
    alarm = replace(_alarm(periods=1, needed=1), comparison=comparison)
    seen = tuple(evaluate(alarm, [DataPoint(METRIC, NOW - 1, value)], NOW, OK).state for value in (9.0, 10.0, 11.0))
    assert seen == states


def test_the_reason_names_values_threshold_times_and_change() -> None:
    """A person can act on it without opening a graph."""
    alarm = _alarm(periods=2, needed=2, missing=MissingData.BREACHING)
    reason = evaluate(alarm, _points("- - - X"), NOW, OK).reason
    for part in (
        "1 of the last 1 data points",
        "20 (2027-01-15 07:55 UTC)",
        "above the threshold 10 s",
        "1 missing",
        "breaching",
        "OK -> ALARM",
    ):
        assert part in reason
    assert "still OK" in evaluate(alarm, _points("0 0 0 0"), NOW, OK).reason
    assert "No data since 2027-01-15 07:40 UTC" in evaluate(alarm, [], NOW, OK).reason


@pytest.mark.parametrize(
    ("statistic", "needed"), [("p95", 200), ("p99", 1000), ("p50", 20), ("p10", 100), ("p99.9", 10000)]
)
def test_few_samples_keep_the_state_when_asked_to(statistic: str, needed: int) -> None:
    """Fewer than 10/(1-p) samples over the evaluation periods, 10/p below the median; one more decides."""
    alarm = replace(_alarm(periods=2, needed=1, statistic=statistic), low_samples="ignore")
    old = [DataPoint(METRIC, NOW - 2 * PERIOD - 1, 20.0)] * needed
    enough = [DataPoint(METRIC, NOW - 1 - each * (2 * PERIOD - 1) // (needed - 1), 20.0) for each in range(needed)]
    for previous in AlarmState:
        evaluation = evaluate(alarm, old + enough[1:], NOW, previous)
        assert evaluation.state is previous
        assert f"{needed - 1} samples" in evaluation.reason
    assert evaluate(alarm, old + enough, NOW, OK).state is ALARM
    assert evaluate(replace(alarm, low_samples="evaluate"), enough[:1], NOW, OK).state is ALARM


def test_an_alarm_on_metric_math() -> None:
    """An error rate over two metrics, through a second expression; a period without requests has no value."""
    errors, requests = Metric("Voice", "Errors"), Metric("Voice", "Requests")
    alarm = replace(
        _alarm(periods=2, needed=2, missing=MissingData.NOT_BREACHING),
        series=(
            MathExpression("percent", "100 * rate"),
            MathExpression("rate", "FILL(errors, 0) / requests"),
            MetricStat("errors", errors, "Sum", 300),
            MetricStat("requests", requests, "Sum", 300),
        ),
        watched="percent",
    )
    points = [
        DataPoint(requests, NOW - 3 * PERIOD, 10),
        DataPoint(requests, NOW - 2 * PERIOD, 10),
        DataPoint(errors, NOW - 2 * PERIOD, 2),
        DataPoint(errors, NOW - PERIOD, 1),
    ]
    evaluation = evaluate(alarm, points, NOW, OK)
    assert evaluation.recent_values == (None, 0, 20, None)
    assert evaluation.state is OK
    assert evaluate(alarm, [*points, DataPoint(requests, NOW - PERIOD, 4)], NOW, OK).state is ALARM


STAT = MetricStat("m", METRIC, "Average", 300)
USED = MathExpression("e", "band + 1")
BAND: dict[str, object] = {
    "series": (STAT, MathExpression("band", "ANOMALY_DETECTION_BAND(m)")),
    "comparison": Comparison.ABOVE_BAND,
    "threshold": None,
    "band_id": "band",
}


def test_an_anomaly_alarm_compares_with_the_metrics_own_past() -> None:
    """High for this metric is an ALARM, low is not, and without enough past there is nothing to compare with."""
    past = [DataPoint(METRIC, NOW - each * PERIOD, 100.0 + each % 3) for each in range(2, 42)]
    alarm = replace(_alarm(periods=1, needed=1), **BAND)  # pyright: ignore[reportArgumentType]
    for value, state in ((101.0, OK), (103.5, ALARM), (1.0, OK)):
        evaluation = evaluate(alarm, [*past, DataPoint(METRIC, NOW - PERIOD, value)], NOW, OK)
        assert evaluation.state is state
        assert "anomaly band" in evaluation.reason
    assert evaluate(alarm, [*past[:5], DataPoint(METRIC, NOW - PERIOD, 999)], NOW, OK).state is NO_DATA


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"watched": "x"}, "watches the id 'x'"),
        ({"band_id": "x"}, "compares with the id 'x'"),
        ({"datapoints_to_alarm": 4}, "4 out of 3"),
        ({"datapoints_to_alarm": 0}, "0 out of 3"),
        ({"threshold": None}, "either a threshold"),
        ({"comparison": Comparison.ABOVE_BAND}, "either a threshold"),
        ({"period_seconds": 60}, "period of 'm' is 300"),
        ({"series": (STAT, STAT)}, "used twice"),
        ({"series": (replace(STAT, statistic="Mean"),)}, "unknown statistic 'Mean'"),
        ({"series": (STAT, MathExpression("e", "n + 1")), "watched": "e"}, "unknown id 'n'"),
        ({"series": (MathExpression("e", "f + m"), MathExpression("f", "e"), STAT)}, "use one another"),
        ({"series": (STAT, MathExpression("e", "ANOMALY_DETECTION_BAND(m)"))}, "compares with"),
        ({"low_samples": "ignore"}, "percentile"),
        ({**BAND, "watched": "band"}, "two values"),
        ({**BAND, "series": (STAT, USED, MathExpression("band", "ANOMALY_DETECTION_BAND(m)"))}, "two values"),
    ],
)
def test_a_contradictory_alarm_is_an_error(change: dict[str, object], said: str) -> None:
    """Each with a message that says what; never a quiet wrong state."""
    with pytest.raises(ValueError, match=said):
        evaluate(replace(_alarm(), **change), [], NOW, OK)  # pyright: ignore[reportArgumentType]


marks = st.lists(st.sampled_from("X0-"), min_size=1, max_size=8)
sizes = st.integers(1, 5).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n)))
treatments = st.sampled_from(TREATMENTS)
states = st.sampled_from(list(AlarmState))


@given(marks, sizes, treatments, states, st.integers(0, 7))
def test_more_breaching_points_never_end_an_alarm(
    row: list[str], size: tuple[int, int], missing: MissingData, previous: AlarmState, place: int
) -> None:
    """Whatever is made to breach, an ALARM stays an ALARM."""
    alarm = _alarm(periods=size[0], needed=size[1], missing=missing)
    worse = row.copy()
    worse[place % len(row)] = "X"
    if evaluate(alarm, _points(" ".join(row)), NOW, previous).state is ALARM:
        assert evaluate(alarm, _points(" ".join(worse)), NOW, previous).state is ALARM


@given(marks, sizes, states)
def test_silence_and_good_values_never_alarm_under_not_breaching(
    row: list[str], size: tuple[int, int], previous: AlarmState
) -> None:
    """Without a breaching point there is no ALARM, and without any point it is OK."""
    alarm = _alarm(periods=size[0], needed=size[1], missing=MissingData.NOT_BREACHING)
    assert evaluate(alarm, _points(" ".join(row).replace("X", "-")), NOW, previous).state is OK
    assert evaluate(alarm, [], NOW, previous).state is OK


@given(st.lists(st.sampled_from("X0"), min_size=7, max_size=10), sizes, treatments, states)
def test_complete_data_is_counted_whatever_the_treatment(
    row: list[str], size: tuple[int, int], missing: MissingData, previous: AlarmState
) -> None:
    """Without gaps an alarm is M breaching out of the last N, and neither treatment nor history matter."""
    alarm = _alarm(periods=size[0], needed=size[1], missing=missing)
    expected = ALARM if row[-size[0] :].count("X") >= size[1] else OK
    assert evaluate(alarm, _points(" ".join(row)), NOW, previous).state is expected


def _composite(name: str, *below: str, **suppressor: int) -> CompositeAlarm:
    return CompositeAlarm(
        key=name,
        name=name,
        title="",
        description="",
        severity=Severity.CRITICAL,
        runbook_url="",
        alarm_names=below,
        suppressor_name="deploying" if suppressor else None,
        suppressor_wait_seconds=suppressor.get("wait", 0),
        suppressor_extension_seconds=suppressor.get("extension", 0),
    )


@given(st.lists(states, min_size=1, max_size=4), states)
def test_a_composite_alarm_is_in_alarm_while_one_below_is(below: list[AlarmState], previous: AlarmState) -> None:
    """Otherwise it is OK, also over alarms without data."""
    named = {f"a{each}": state for each, state in enumerate(below)}
    evaluation = evaluate_composite(_composite("c", *named), named, previous)
    assert evaluation.state is (ALARM if ALARM in below else OK)
    assert all((name in evaluation.reason) or state is not ALARM for name, state in named.items())


def test_each_alarm_is_evaluated_from_its_own_state_before() -> None:
    """One that is new has no data before."""
    alarms = [_alarm(name="high", periods=1, needed=1), _alarm(name="kept", missing=MissingData.IGNORE)]
    points = [DataPoint(METRIC, NOW - 1, 20.0)]
    result = evaluate_all(alarms, points, NOW, {"kept": OK})
    assert {name: each.state for name, each in result.items()} == {"high": ALARM, "kept": OK}
    assert evaluate_all(alarms, points, NOW, {})["kept"].state is NO_DATA


@given(st.lists(st.tuples(st.integers(0, 6), st.sampled_from([1.0, 20.0])), max_size=8), st.lists(states, max_size=3))
def test_alarms_do_not_influence_one_another(values: list[tuple[int, float]], previous: list[AlarmState]) -> None:
    """Together they come to what each comes to alone, in any order."""
    points = [DataPoint(METRIC, NOW - ago * PERIOD - 1, value) for ago, value in values]
    alarms = [_alarm(name=f"a{number}", needed=1 + number) for number in range(len(previous))]
    before = {alarm.name: state for alarm, state in zip(alarms, previous, strict=True)}
    alone = {alarm.name: evaluate(alarm, points, NOW, before[alarm.name]) for alarm in alarms}
    assert evaluate_all(alarms, points, NOW, before) == alone
    assert evaluate_all(alarms[::-1], points[::-1], NOW, before) == alone


def test_two_alarms_of_one_name_are_an_error() -> None:
    with pytest.raises(ValueError, match="more than one alarm is called ttft"):
        evaluate_all([_alarm(), _alarm()], [], NOW, {})


@pytest.mark.parametrize(
    ("below", "said"), [(["nothing"], "'nothing', which is not an alarm here"), ([], "watches no alarm")]
)
def test_impossible_composites_are_errors(below: list[str], said: str) -> None:
    """An unknown name, nothing to watch."""
    with pytest.raises(ValueError, match=said):
        evaluate_composite(_composite("a", *below), {"ttft": OK}, OK)


def test_a_composite_watches_composites_too() -> None:
    """It is given the states of the alarms below it, whatever they are."""
    middle = evaluate_composite(_composite("middle", "high", "kept"), {"high": ALARM, "kept": OK}, OK)
    top = evaluate_composite(_composite("top", "middle"), {"middle": middle.state}, NO_DATA)
    assert (middle.state, top.state) == (ALARM, ALARM)


# The six documented examples: a wait period of 2 and an extension period of 3 time units, here seconds
# (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Create_Composite_Alarm.html). Each is the composite
# alarm's changes, the suppressor's changes, and what holds its actions back at each time from 0 on.
W, E, S, _ = "WaitPeriod", "ExtensionPeriod", "Alarm", None
EXAMPLES = {
    "not suppressed after WaitPeriod": ([2], [], [_, _, W, W, _, _]),
    "suppressed by alarm before WaitPeriod expires": ([2], [(3, ALARM)], [_, _, W, S, S, S]),
    "state change during WaitPeriod": ([2, 3], [], [_, _, W, W, W, _]),
    "state change during suppression by alarm": ([2], [(1, ALARM)], [_, S, S, S, S, S]),
    "not suppressed after ExtensionPeriod": ([2], [(3, ALARM), (6, OK)], [_, _, W, S, S, S, E, E, E, _, _]),
    "state change during ExtensionPeriod": ([2, 7], [(3, ALARM), (6, OK)], [_, _, W, S, S, S, E, W, W, _, _]),
}


@pytest.mark.parametrize("example", EXAMPLES)
def test_actions_are_suppressed_as_documented(example: str) -> None:
    """The documented examples, at every second."""
    changes, history, expected = EXAMPLES[example]
    alarm = _composite("c", "a", wait=2, extension=3)
    suppressor = [(at * 1000, state) for at, state in history]
    seen = [
        suppressed(alarm, max([at for at in changes if at <= now], default=-9) * 1000, suppressor, now * 1000)
        for now in range(len(expected))
    ]
    assert seen == expected


def test_without_a_suppressor_actions_are_always_taken() -> None:
    """Whatever another alarm's history says."""
    assert suppressed(_composite("c", "a"), NOW, [(0, ALARM)], NOW) is None
