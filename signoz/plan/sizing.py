"""What a load of calls takes: rows, disk, queue, memory, a machine in AWS and its price. Pure.

Rows and bytes are measured on SigNoz' own tables (`benchmarks/storage.py`, 600 calls of 11 turns, every call with
sentences and identifiers of its own, tables merged): 13.8 spans a turn of 106 bytes, 142 metric points of 2.5 bytes,
log records of 165 bytes. The calls came one after the other, so metric points are an upper bound: calls at the same
time share them. Processor time there: 39 s in the collector and 65 s in ClickHouse for 91,000 spans.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from core.errors import UserError

SPANS_PER_TURN = 14.0
BYTES_PER_SPAN = 110.0
POINTS_PER_TURN = 145.0
BYTES_PER_POINT = 2.5
BYTES_PER_LOG_RECORD = 170.0
LOG_RECORDS_PER_TURN = 5.0
"""An assumption: what agents log is theirs. The recorded agent exports fewer than one."""
PROCESSOR_SECONDS_PER_SPAN = (39.2 + 65.4) / 91_000
"""Of collector and ClickHouse, the span's share of points and log records included."""

BUSIEST_HOUR_SHARE = 0.15
"""Share of a day's calls in its busiest hour: an assumption, of office hours in one time zone."""
BUSY_SHARE = 0.3
"""Of the processors, how much writing may use in the busiest hour; the rest is for queries and merges."""
DISK_USED_SHARE = 0.7
"""Of the data volume, how much telemetry may fill: ClickHouse merges into new parts before it removes the old."""
DISK_BASE_GIB = 20
"""Images, containers' logs, ClickHouse's own logs."""
OUTAGE_HOURS = 4
"""How long the collector's queue on disk holds what arrives in the busiest hour while ClickHouse is down."""
QUEUED_BYTES_PER_SPAN = 2_000.0
"""In the queue, uncompressed: an upper estimate, attributes and resource included."""
MEMORY_TO_DISK = 100
"""GiB of compressed data per GiB of ClickHouse's memory, for general use
(clickhouse.com/docs/guides/sizing-and-hardware-recommendations)."""
OTHERS_MEMORY_GIB = 3.5
"""Everything but ClickHouse, at the default limits, and the system."""
LEAST_CLICKHOUSE_GIB = 4.0
LARGEST_VOLUME_GIB = 16_384
"""Of a gp3 volume: https://docs.aws.amazon.com/ebs/latest/userguide/general-purpose.html"""
GIB = 2**30
HOURS_PER_MONTH = 730


@dataclass(frozen=True)
class Machine:
    """An instance type: processors, GiB of memory, US dollars per hour on demand."""

    name: str
    vcpus: int
    memory_gib: int
    usd_per_hour: float
    burst_share: float = 1.0
    """Of its processors, what it may use all the time."""


MACHINES = (
    # docs.aws.amazon.com/AWSEC2/latest/UserGuide/burstable-credits-baseline-concepts.html
    Machine("t4g.large", 2, 8, 0.0672, burst_share=0.3),
    Machine("m7g.large", 2, 8, 0.0816),
    Machine("m7g.xlarge", 4, 16, 0.1632),
    Machine("m7g.2xlarge", 8, 32, 0.3264),
    Machine("m7g.4xlarge", 16, 64, 0.6528),
    Machine("m7g.8xlarge", 32, 128, 1.3056),
)
PRICES_OF = "us-east-1, on demand, Linux, 2026-06"
"""aws.amazon.com/ec2/pricing/on-demand, aws.amazon.com/ebs/pricing, aws.amazon.com/vpc/pricing"""
GP3_USD_PER_GIB_MONTH = 0.08
SNAPSHOT_USD_PER_GIB_MONTH = 0.05
ADDRESS_USD_PER_HOUR = 0.005


@dataclass(frozen=True)
class Load:
    """Calls, and how many days each signal is kept. Raises `UserError` for what is not above 0."""

    calls_per_day: float
    turns_per_call: float
    trace_days: int
    metric_days: int
    log_days: int

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (value > 0 and math.isfinite(value)):
                raise UserError(f"--{name.replace('_', '-')}: {value:g}: allowed: above 0")

    @property
    def turns_per_day(self) -> float:
        return self.calls_per_day * self.turns_per_call


@dataclass(frozen=True)
class Signal:
    """What one signal takes."""

    name: str
    rows_per_day: float
    bytes_per_row: float
    days: int

    @property
    def gib(self) -> float:
        return self.rows_per_day * self.bytes_per_row * self.days / GIB


@dataclass(frozen=True)
class Size:
    """What a load takes. `machine` and the costs are None where one machine is not enough."""

    signals: tuple[Signal, ...]
    stored_gib: float
    volume_gib: int
    queue_mib: int
    clickhouse_memory_mib: int
    spans_per_second: float
    """In the busiest hour."""
    busy_vcpus: float
    """Processors that writing uses in the busiest hour."""
    machine: Machine | None
    shards: int
    """Of a ClickHouse cluster, where one machine is not enough; 1 otherwise."""

    @property
    def monthly_usd(self) -> dict[str, float] | None:
        """Cost by what it is for; snapshots hold the stored data once, and what changes of it daily."""
        if self.machine is None:
            return None
        return {
            self.machine.name: self.machine.usd_per_hour * HOURS_PER_MONTH,
            f"gp3 volume, {self.volume_gib} GiB": self.volume_gib * GP3_USD_PER_GIB_MONTH,
            "snapshots": (self.stored_gib + DISK_BASE_GIB) * SNAPSHOT_USD_PER_GIB_MONTH,
            "public address": ADDRESS_USD_PER_HOUR * HOURS_PER_MONTH,
        }


def size(load: Load) -> Size:
    """What `load` takes."""
    turns = load.turns_per_day
    signals = (
        Signal("spans", turns * SPANS_PER_TURN, BYTES_PER_SPAN, load.trace_days),
        Signal("metric points", turns * POINTS_PER_TURN, BYTES_PER_POINT, load.metric_days),
        Signal("log records", turns * LOG_RECORDS_PER_TURN, BYTES_PER_LOG_RECORD, load.log_days),
    )
    stored = sum(signal.gib for signal in signals)
    spans_per_second = turns * SPANS_PER_TURN * BUSIEST_HOUR_SHARE / 3600
    queue_gib = spans_per_second * 3600 * OUTAGE_HOURS * QUEUED_BYTES_PER_SPAN / GIB
    # The queue is on the data volume too, one for each signal; those of metrics and logs are smaller.
    volume = math.ceil(stored / DISK_USED_SHARE + 2 * queue_gib + DISK_BASE_GIB)
    clickhouse = max(LEAST_CLICKHOUSE_GIB, stored / MEMORY_TO_DISK)
    busy = spans_per_second * PROCESSOR_SECONDS_PER_SPAN
    fitting = [
        machine
        for machine in MACHINES
        if machine.memory_gib >= clickhouse + OTHERS_MEMORY_GIB
        and machine.vcpus * BUSY_SHARE * machine.burst_share >= busy
        and volume <= LARGEST_VOLUME_GIB
    ]
    largest = MACHINES[-1]
    needed = max(
        volume / LARGEST_VOLUME_GIB,
        clickhouse / (largest.memory_gib - OTHERS_MEMORY_GIB),
        busy / (largest.vcpus * BUSY_SHARE),
    )
    return Size(
        signals=signals,
        stored_gib=stored,
        volume_gib=volume,
        queue_mib=max(512, math.ceil(queue_gib * 1024 / 256) * 256),
        clickhouse_memory_mib=math.ceil(clickhouse * 1024),
        spans_per_second=spans_per_second,
        busy_vcpus=busy,
        machine=fitting[0] if fitting else None,
        shards=1 if fitting else max(2, math.ceil(needed)),
    )


def assumptions() -> tuple[str, ...]:
    """What `size` takes for granted, for a reader."""
    return (
        f"{SPANS_PER_TURN:g} spans a turn of {BYTES_PER_SPAN:g} bytes, {POINTS_PER_TURN:g} metric points of "
        f"{BYTES_PER_POINT:g} bytes: measured on SigNoz' tables with recorded calls, after compression",
        f"{LOG_RECORDS_PER_TURN:g} log records a turn of {BYTES_PER_LOG_RECORD:g} bytes: the size measured, the number "
        "assumed",
        f"{BUSIEST_HOUR_SHARE:.0%} of a day's calls in its busiest hour",
        f"writing uses at most {BUSY_SHARE:.0%} of the processors then; {1 / PROCESSOR_SECONDS_PER_SPAN:.0f} spans a "
        "second and processor, measured",
        f"telemetry fills at most {DISK_USED_SHARE:.0%} of the volume, beside {DISK_BASE_GIB} GiB of the system's",
        f"the collector's queue holds {OUTAGE_HOURS} of the busiest hours without ClickHouse",
        f"one GiB of ClickHouse's memory for {MEMORY_TO_DISK} GiB stored, at least {LEAST_CLICKHOUSE_GIB:g} GiB",
        f"prices: {PRICES_OF}; without traffic, taxes and discounts",
    )
