"""What a load of calls takes."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from core.errors import UserError
from signoz.plan import sizing
from signoz.plan.sizing import MACHINES, Load, size
from simulate import telemetry
from turnscope.app import app

CALLS = st.floats(min_value=0.1, max_value=1e8)
TURNS = st.floats(min_value=1, max_value=1000)
DAYS = st.integers(min_value=1, max_value=3650)


def load(calls: float, turns: float = 10, days: int = 15) -> Load:
    return Load(calls, turns, days, days, days)


@given(CALLS, TURNS, DAYS, st.floats(min_value=1, max_value=100))
def test_more_calls_never_take_less(calls: float, turns: float, days: int, more: float) -> None:
    small, large = size(load(calls, turns, days)), size(load(calls * more, turns, days))
    for name in ("stored_gib", "volume_gib", "queue_mib", "clickhouse_memory_mib", "busy_vcpus", "shards"):
        assert getattr(small, name) <= getattr(large, name), name
    order = [*(machine.name for machine in MACHINES), None]
    assert order.index(small.machine and small.machine.name) <= order.index(large.machine and large.machine.name)


@given(CALLS, TURNS, DAYS)
def test_a_machine_holds_what_it_is_chosen_for(calls: float, turns: float, days: int) -> None:
    found = size(load(calls, turns, days))
    assert found.stored_gib == pytest.approx(sum(signal.gib for signal in found.signals))
    assert found.volume_gib * sizing.DISK_USED_SHARE >= found.stored_gib
    if found.machine:
        assert found.machine.memory_gib * 1024 > found.clickhouse_memory_mib
        assert found.busy_vcpus <= found.machine.vcpus
        assert found.volume_gib <= sizing.LARGEST_VOLUME_GIB
        assert found.monthly_usd
        assert min(found.monthly_usd.values()) > 0
    else:
        assert found.shards >= 2
        assert found.monthly_usd is None


@pytest.mark.parametrize("load_", [(0.0, 1.0, 1), (-1.0, 1.0, 1), (1.0, 0.0, 1), (1.0, 1.0, 0), (math.inf, 1.0, 1)])
def test_what_is_not_above_zero_is_refused(load_: tuple[float, float, int]) -> None:
    with pytest.raises(UserError, match="allowed: above 0"):
        load(*load_)


def test_the_spans_of_a_turn_are_those_of_the_recorded_calls() -> None:
    spans = [span for name in telemetry.names() for span in telemetry.recorded(name).spans]
    turns = sum(span["name"] == "agent_turn" for span in spans)
    assert len(spans) / turns == pytest.approx(sizing.SPANS_PER_TURN, rel=0.05)


def test_the_command_says_what_it_assumes_and_where_one_machine_ends() -> None:
    small = CliRunner().invoke(app, ["size", "--calls-per-day", "1000", "--turns-per-call", "10"])
    assert small.exit_code == 0
    assert "machine: t4g.large" in small.output
    assert all(line in small.output for line in sizing.assumptions())
    large = CliRunner().invoke(app, ["size", "--calls-per-day", "1e7", "--turns-per-call", "10"])
    assert "One machine is not enough" in large.output
    assert "shards" in large.output


def test_retention_days_are_those_of_every_signal() -> None:
    arguments = ["size", "--calls-per-day", "1000", "--turns-per-call", "10", "--json"]
    default = CliRunner().invoke(app, arguments).output
    week = CliRunner().invoke(app, [*arguments, "--retention-days", "7"]).output
    assert '"metric_days": 30' in default
    assert all(f'"{name}_days": 7' in week for name in ("trace", "metric", "log"))
