"""`turnscope analytics`: query a stack's events, check that none is missing, send them again."""

from __future__ import annotations

import datetime
import json
from typing import TYPE_CHECKING, Annotated

import typer

from analytics.operations.progress import shown
from core.environments import Environment
from core.errors import UserError
from turnscope.console import console
from turnscope.lab_extra import require_lab
from turnscope.options import Json, Yes, assumes_yes, deployment_of, project_and_settings

if TYPE_CHECKING:
    from analytics.operations.target import Target

analytics = typer.Typer(help="Query, check and replay events in S3.", no_args_is_help=True)

Stack = Annotated[str, typer.Argument(help="The stack, with analytics (turnscope:analytics).")]
Agent = Annotated[str | None, typer.Option(help="Only the log group of this agent.")]
Event = Annotated[str | None, typer.Option(help="Only this event: voice_metrics or session_analytics.")]
To = Annotated[str | None, typer.Option("--to", help="End of the time range. Default: now.")]
FROM_HELP = "ISO 8601 (UTC without an offset), or relative: -90m, -24h, -7d."


@analytics.command()
def query(
    stack: Stack,
    name: Annotated[str | None, typer.Argument(help="Folder/Name of a named query. Default: list all.")] = None,
    as_json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """List a stack's named queries, or run one."""
    from analytics.operations import named

    if as_json and as_csv:
        raise UserError("--json, --csv: allowed: one of them.")
    found = _target(stack)
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
        answer = found.query_engine(show).run(wanted.sql)
    if as_json:
        print(named.as_json(answer))
    elif as_csv:
        print(named.as_csv(answer), end="")
    else:
        console.print(f"{wanted.name}: {wanted.description}\n", markup=False)
        named.print_answer(answer, console)
        if answer.scanned_bytes is None:
            console.print("lab: DuckDB ran this query instead of Athena.")


@analytics.command()
def check(
    stack: Stack,
    since: Annotated[
        str | None, typer.Option("--from", help=f"Start of the time range: {FROM_HELP} Default: -24h.")
    ] = None,
    to: To = None,
    agent: Agent = None,
    event: Event = None,
    as_json: Json = False,
) -> None:
    """Compare log groups and bucket hour by hour; exit 1 if events are missing."""
    from analytics.operations import check as checking
    from analytics.operations.times import range_of

    first, last = range_of(since, to, datetime.datetime.now(datetime.UTC))
    found = _target(stack)
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
    since: Annotated[str, typer.Option("--from", help=f"Start of the time range: {FROM_HELP}")],
    to: To = None,
    agent: Agent = None,
    event: Event = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also events that are in the bucket; queries read each event once.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would be sent.")] = False,
    yes: Yes = False,
) -> None:
    """Send events that are missing from the bucket again, from the log groups."""
    from analytics.operations import check as checking
    from analytics.operations import replay as replaying
    from analytics.operations.times import range_of

    first, last = range_of(since, to, datetime.datetime.now(datetime.UTC))
    found = _target(stack)
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
    replaying.ask(planned, assume_yes=assumes_yes(yes))
    with shown() as show:
        sent = replaying.send(found.client("firehose"), planned, show)
    console.print(
        f"Sent {sent} events again; they arrive within {checking.delivery_delay_seconds(found)} s. "
        f"Then: turnscope analytics check {stack}"
    )


def _target(stack: str) -> Target:
    """The stack and what answers its queries: Athena, or the lab's engine for a local stack."""
    from analytics.operations.target import target
    from cloudwatch.clients import client_factory
    from turnscope.deployment.local_aws import LocalAws

    project, settings = project_and_settings(stack)
    if settings.environment != Environment.LOCAL:
        return target(stack, settings, deployment_of(stack).clients)
    require_lab()
    LocalAws(project.root, project.stack_directory(stack), stack).require_running()
    from lab.athena_engine import LabEngine

    return target(stack, settings, client_factory(settings), LabEngine)
