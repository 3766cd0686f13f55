"""What SigNoz' store has of a call, asked of ClickHouse in its container.

With ClickHouse's own client, which the released image and the lab's both have. Tables and columns:
github.com/SigNoz/signoz-otel-collector, exporter/clickhousetracesexporter, signozclickhousemetrics and
clickhouselogsexporter.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from core.errors import UserError
from core.roles import Role
from signoz.docker_host import DockerHost
from signoz.plan.model import SigNozPlan
from signoz.roles.clickhouse import DATABASE_USER
from simulate.telemetry import Call

LATENCY_SPAN, LATENCY_KEY = "agent_turn", "lk.e2e_latency"
"""What SigNoz' dashboards take a turn's end-to-end latency from."""


@dataclass(frozen=True)
class Counts:
    """How much of a call there is."""

    spans: int
    metric_points: int
    log_records: int

    @classmethod
    def of(cls, call: Call) -> Counts:
        return cls(len(call.spans), len(call.points), len(call.log_records))

    def __ge__(self, other: Counts) -> bool:
        return (
            self.spans >= other.spans
            and self.metric_points >= other.metric_points
            and self.log_records >= other.log_records
        )


@dataclass(frozen=True)
class Stored:
    """What the store has of a call. `turns`: those with an end-to-end latency; P95 in seconds, None without one."""

    counts: Counts
    turns: int
    e2e_latency_p95_seconds: float | None


@dataclass(frozen=True)
class TelemetryStore:
    """The ClickHouse of a stack's SigNoz."""

    host: DockerHost
    plan: SigNozPlan
    password: str = field(repr=False)

    def ask(self, query: str) -> str:
        """What ClickHouse answers. Raises `UserError`: exit code 1 where it does not, 2 for one that is not the
        stack's own."""
        if not any(each.role == Role.CLICKHOUSE for each in self.plan.containers):
            raise UserError(
                f"Stack {self.plan.stack} has no ClickHouse of its own (signoz.clickhouse.external), so there is no "
                "container in which stored telemetry could be counted. Ask that ClickHouse yourself."
            )
        return self.host.run_in(
            self.plan.container(Role.CLICKHOUSE),
            *("clickhouse-client", f"--user={DATABASE_USER}", f"--query={query}"),
            # clickhouse.com/docs/interfaces/cli, environment variable options
            environment={"CLICKHOUSE_PASSWORD": self.password},
        )

    def stored(self, call: Call) -> Stored:
        """Raises `UserError` (exit code 1) where ClickHouse does not answer."""
        spans, points, records, turns, p95 = self.ask(query(call)).split()
        latency = float(p95) if int(turns) else math.nan
        counts = Counts(int(spans), int(points), int(records))
        return Stored(counts, int(turns), None if math.isnan(latency) else latency)

    def collector_log(self) -> str:
        """The collector's last log lines."""
        return self.host.last_log_lines(self.plan.container(Role.COLLECTOR))


def query(call: Call) -> str:
    """One row: spans, metric points, log records, turns with a latency, their P95 in seconds.

    Spans and log records are found by the call's trace IDs; metric points, which have none, by name and time. Of a
    histogram SigNoz stores each part as a metric of its own: its count is there once for each point.
    """
    traces = _list(call.trace_ids)
    names = _list({f"{each.metric}.count" if each.is_histogram else each.metric for each in call.points})
    times = ", ".join(str(time) for time in sorted({each.time_ms for each in call.points})) or "0"
    spans = f"FROM signoz_traces.distributed_signoz_index_v3 WHERE trace_id IN ({traces})"
    points = f"FROM signoz_metrics.distributed_samples_v4 WHERE metric_name IN ({names}) AND unix_milli IN ({times})"
    records = f"FROM signoz_logs.distributed_logs_v2 WHERE trace_id IN ({traces})"
    turns = f"{spans} AND name = '{LATENCY_SPAN}' AND mapContains(attributes_number, '{LATENCY_KEY}')"
    columns = (
        f"SELECT count() {spans}",
        f"SELECT count() {points}",
        f"SELECT count() {records}",
        f"SELECT count() {turns}",
        f"SELECT quantile(0.95)(attributes_number['{LATENCY_KEY}']) {turns}",
    )
    return "SELECT " + ", ".join(f"({column})" for column in columns)


def _list(texts: Iterable[str]) -> str:
    """For `IN (...)`, which wants at least one."""
    quoted = [json.dumps(text)[1:-1].replace("'", "\\'") for text in sorted(texts)]
    return ", ".join(f"'{text}'" for text in quoted) or "''"
