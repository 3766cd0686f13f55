"""`turnscope analytics`: ask, check and mend the analytics of a stack."""

from __future__ import annotations

import datetime
import json
import os
import sys
from typing import Annotated

import typer
from rich.console import Console

from analytics.operations.progress import shown
from core.errors import UserError

# What touches AWS or the emulator is imported by the command that needs it, as in turnscope.app.

analytics = typer.Typer(help="Events in S3 and Athena: ask, check, send again.", no_args_is_help=True)

_width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else 160
console = Console(highlight=False, soft_wrap=True, width=_width)

Stack = Annotated[str, typer.Argument(help="The stack, with analytics (turnscope:analytics).")]
Agent = Annotated[str | None, typer.Option(help="One agent's log group alone.")]
Event = Annotated[str | None, typer.Option(help="One event alone: voice_metrics or session_analytics.")]
To = Annotated[str | None, typer.Option("--to", help="Until when. Default: now.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
FROM_HELP = "ISO 8601 (UTC without an offset), or so long ago: -90m, -24h, -7d."


@analytics.command()
def query(
    stack: Stack,
    name: Annotated[str | None, typer.Argument(help="A named query's Folder/Name. Default: list them.")] = None,
    as_json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """List a stack's named queries, or run one."""
    from analytics.operations import named
    from analytics.operations.engine import query_engine
    from analytics.operations.target import target

    if as_json and as_csv:
        raise UserError("--json, --csv: allowed: one of them.")
    found = target(stack)
    queries = named.deployed(found)
    if name is None:
        if as_csv:
            raise UserError("--csv: allowed with the NAME of a query.")
        if as_json:
            print(json.dumps(named.list_data(queries), indent=2, ensure_ascii=False))
        else:
            named.print_list(queries, stack, console)
        return
    wanted = named.find(queries, name)
    with shown() as show:
        answer = query_engine(found.client, found.settings, found.plan, show).run(wanted.sql)
    if as_json:
        print(named.as_json(answer))
    elif as_csv:
        print(named.as_csv(answer), end="")
    else:
        console.print(f"{wanted.name}: {wanted.description}\n", markup=False)
        named.print_answer(answer, console)
        if answer.scanned_bytes is None:
            console.print("lab: answered by DuckDB, which stands in for Athena.")


@analytics.command()
def check(
    stack: Stack,
    since: Annotated[str | None, typer.Option("--from", help=f"From when: {FROM_HELP} Default: -24h.")] = None,
    to: To = None,
    agent: Agent = None,
    event: Event = None,
    as_json: Json = False,
) -> None:
    """Compare log groups and bucket by the hour; exit 1 where events are missing."""
    from analytics.operations import check as checking
    from analytics.operations.target import target
    from analytics.operations.times import range_of

    first, last = range_of(since, to, datetime.datetime.now(datetime.UTC))
    found = target(stack)
    with shown() as show:
        checked = checking.check(found, since=first, to=last, agent=agent, event=event, progress=show)
    if as_json:
        print(json.dumps(checking.as_data(checked), indent=2))
    else:
        checking.print_report(checked, stack, console)
    if not checked.comparison.complete:
        raise typer.Exit(1)


@analytics.command()
def replay(
    stack: Stack,
    since: Annotated[str, typer.Option("--from", help=f"From when: {FROM_HELP}")],
    to: To = None,
    agent: Agent = None,
    event: Event = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also what the bucket has; queries read each event once.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be sent.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; CI=true does the same.")] = False,
) -> None:
    """Send events of the log groups again: those that the bucket lacks."""
    from analytics.operations import check as checking
    from analytics.operations import replay as replaying
    from analytics.operations.target import target
    from analytics.operations.times import range_of

    first, last = range_of(since, to, datetime.datetime.now(datetime.UTC))
    found = target(stack)
    with shown() as show:
        lines, notes = replaying.lines_to_send(
            found, since=first, to=last, agent=agent, event=event, everything=everything, progress=show
        )
    for note in notes:
        console.print(note, style="yellow", markup=False)
    planned = replaying.plan_replay(found, lines)
    if not planned.events:
        console.print("Nothing to send: every event of the log groups is in the bucket, or on the way.")
        return
    for stream, batch in planned.records.items():
        events = sum(record.events for record in batch)
        console.print(
            f"{stream}: {events} events, {sum(len(each.data) for each in batch) / 1024:,.0f} KiB", markup=False
        )
    if dry_run:
        return
    replaying.ask(planned, assume_yes=yes or os.environ.get("CI", "").lower() in ("1", "true"))
    with shown() as show:
        sent = replaying.send(found.client("firehose"), planned, show)
    console.print(
        f"Sent {sent} events again; they arrive within {checking.delivery_delay_seconds(found)} s. "
        f"Then: turnscope analytics check {stack}"
    )
