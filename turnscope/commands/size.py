"""`turnscope size`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from turnscope.console import console
from turnscope.options import Json

if TYPE_CHECKING:
    from signoz.plan.sizing import Load, Size

CLUSTER = "Docker Swarm with a ClickHouse cluster"


def size(
    calls_per_day: Annotated[float, typer.Option(help="Calls a day, of all agents.")],
    turns_per_call: Annotated[float, typer.Option(help="Turns of a call: answers of the agent.")],
    retention_days: Annotated[
        int | None, typer.Option(min=1, help="Days that every signal is kept; default: each signal's default.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Print the machine, disks and cost that SigNoz takes for a number of calls."""
    from signoz.plan import sizing
    from stacks.settings.roles.content import Retention

    default = Retention()
    load = sizing.Load(
        calls_per_day=calls_per_day,
        turns_per_call=turns_per_call,
        trace_days=retention_days or default.traces.days,
        metric_days=retention_days or default.metrics.days,
        log_days=retention_days or default.logs.days,
    )
    found = sizing.size(load)
    if as_json:
        data = {"load": asdict(load), "size": asdict(found), "monthly_usd": found.monthly_usd}
        print(json.dumps(data | {"assumptions": sizing.assumptions()}, indent=2))
        return
    _print(load, found)
    console.print("\n[bold]assumptions[/bold]")
    for line in sizing.assumptions():
        console.print(f"  {line}", highlight=False, soft_wrap=True)


def _print(load: Load, found: Size) -> None:
    from rich.table import Table

    console.print(
        f"{load.calls_per_day:,.0f} calls a day of {load.turns_per_call:g} turns: "
        f"{found.spans_per_second:,.1f} spans a second in the busiest hour",
        highlight=False,
    )
    table = Table("signal", "rows a day", "days", "stored", pad_edge=False, box=None)
    for column in table.columns[1:]:
        column.justify = "right"
    for signal in found.signals:
        table.add_row(signal.name, f"{signal.rows_per_day:,.0f}", str(signal.days), f"{signal.gib:,.1f} GiB")
    table.add_row("", "", "", f"{found.stored_gib:,.1f} GiB")
    console.print(table)
    costs = found.monthly_usd
    if found.machine is None or costs is None:
        console.print(
            f"\nOne machine is not enough. It takes {CLUSTER}: {found.shards} shards with 2 replicas each, 3 Keepers "
            f"and {found.shards} collectors or more, which Turnscope does not deploy. Or store less: fewer days, or a "
            "sample of the calls (turnscope:signoz.collector.tail_sampling).",
            highlight=False,
            soft_wrap=True,
        )
        return
    console.print(
        f"\nmachine: {found.machine.name} ({found.machine.vcpus} vCPUs, {found.machine.memory_gib} GiB), of which "
        f"writing uses {found.busy_vcpus:.2f} vCPUs in the busiest hour\n"
        f"data volume: {found.volume_gib} GiB\n"
        f"settings: signoz.clickhouse.memory_mib: {found.clickhouse_memory_mib}, signoz.collector.queue.size_mib: "
        f"{found.queue_mib}",
        highlight=False,
    )
    table = Table("US dollars a month", "", pad_edge=False, box=None)
    table.columns[1].justify = "right"
    for what, usd in costs.items():
        table.add_row(what, f"{usd:,.2f}")
    table.add_row("", f"{sum(costs.values()):,.2f}")
    console.print(table)
