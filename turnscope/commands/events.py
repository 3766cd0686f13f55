"""`turnscope events`: the events that agents write."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer
from rich.table import Table

from core.errors import UserError
from turnscope.console import console
from turnscope.options import Json, project_and_settings

if TYPE_CHECKING:
    from analytics.plan.record_schema import RecordSchema
    from analytics.record_validation.lines import Checked

events = typer.Typer(help="The events that agents write.", no_args_is_help=True)


@events.callback()
def _group() -> None:
    # Without a callback, Typer makes a group with one command that command.
    pass


@events.command()
def check(
    file: Annotated[str, typer.Argument(help="A log, one event per line; - for standard input.")],
    stack: Annotated[
        str | None,
        typer.Option(help="A stack with analytics: with its extra fields and limits. Default: the events as shipped."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check lines as the analytics' record validation does; exit 1 where one is rejected, or none is an event."""
    from analytics.record_validation import lines

    schema = _schema(stack)
    try:
        with _opened(file) as stream:
            checked = lines.check(stream, schema)
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error.strerror or error}") from None
    if as_json:
        print(json.dumps(_as_data(checked, schema), indent=2))
    else:
        _print_report(checked, schema, "stdin" if file == "-" else file)
    if checked.rejected or not checked.accepted.total():
        raise typer.Exit(1)


def _schema(stack: str | None) -> RecordSchema:
    from analytics.plan.record_schema import record_schema, shipped_record_schema

    if stack is None:
        return shipped_record_schema()
    from analytics.plan.build import plan_analytics

    _, settings = project_and_settings(stack)
    plan = plan_analytics(stack, settings)
    if plan is None:
        raise UserError(f"--stack {stack}: allowed: a stack with analytics (turnscope:analytics), or no --stack.")
    return record_schema(plan)


def _opened(file: str) -> contextlib.AbstractContextManager[BinaryIO]:
    return contextlib.nullcontext(sys.stdin.buffer) if file == "-" else Path(file).open("rb")


def _as_data(checked: Checked, schema: RecordSchema) -> dict[str, Any]:
    rejected = [each.event for each in checked.rejected]
    return {
        "lines": checked.lines,
        "other": checked.other,
        "events": {event: {"accepted": checked.accepted[event], "rejected": rejected.count(event)} for event in schema},
        "rejected": [
            {"line": each.number, "event": each.event, "field": each.field, "reason": each.reason}
            for each in checked.rejected
        ],
    }


def _print_report(checked: Checked, schema: RecordSchema, name: str) -> None:
    for each in checked.rejected:
        console.print(f"{name}:{each.number}: {each.event}: {each.reason}", markup=False)
    table = Table("event", box=None, pad_edge=False)
    for column in ("accepted", "rejected"):
        table.add_column(column, justify="right")
    for event, counts in _as_data(checked, schema)["events"].items():
        table.add_row(event, str(counts["accepted"]), str(counts["rejected"]))
    console.print(table)
    console.print(f"other lines: {checked.other}", markup=False)
    if not (checked.rejected or checked.accepted.total()):
        console.print(
            f"{name}: no event. An event is a JSON object on one line whose _event_type is {' or '.join(schema)}.",
            markup=False,
        )
