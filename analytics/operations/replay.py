"""Sends events of the log groups to the bucket once more: those that it lacks, or all of a range."""

from __future__ import annotations

import datetime
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from rich.prompt import Confirm

from analytics.operations.batches import Record, calls, records
from analytics.operations.check import check
from analytics.operations.comparison import Logged
from analytics.operations.log_events import read_log_events
from analytics.operations.progress import Progress
from analytics.operations.retry_policy import ATTEMPTS, patiently, wait_seconds
from analytics.operations.target import Target
from core.errors import UserError


@dataclass(frozen=True)
class Replay:
    """What is to be sent, by stream."""

    records: dict[str, tuple[Record, ...]]

    @property
    def events(self) -> int:
        return sum(record.events for found in self.records.values() for record in found)


def lines_to_send(
    target: Target,
    *,
    since: datetime.datetime,
    to: datetime.datetime,
    agent: str | None,
    event: str | None,
    everything: bool,
    progress: Progress,
) -> tuple[Sequence[Logged], Sequence[str]]:
    """Each event once, and what is to be known about them.

    Raises `UserError` as `check` does.
    """
    if everything:
        found = read_log_events(target, target.log_groups(agent), target.events(event), since, to, progress)
        unique = {(line.event, line.key): line for line in found.events}
        lines, rejected, notes = list(unique.values()), found.rejected, list(found.warnings)
    else:
        checked = check(target, since=since, to=to, agent=agent, event=event, progress=progress)
        lines, rejected, notes = list(checked.comparison.missing), checked.rejected, list(checked.warnings)
        if young := sum(each.on_the_way for each in checked.comparison.hours):
            notes.append(f"{young} events are on the way and are not sent.")
    if rejected:
        notes.append(f"{rejected} lines are not sent, record validation rejects them: see turnscope analytics check.")
    return lines, notes


def plan_replay(target: Target, lines: Sequence[Logged]) -> Replay:
    """`lines` in envelopes, by the name of the stream that takes them."""
    filters = {each.stream_key: each.name for each in target.plan.subscriptions}
    return Replay(
        {
            stream.name: tuple(
                records(
                    [line for line in lines if line.event == stream.event],
                    account_id=target.account_id,
                    subscription_filter=filters[stream.key],
                )
            )
            for stream in target.plan.streams
            if any(line.event == stream.event for line in lines)
        }
    )


def ask(replay: Replay, *, assume_yes: bool) -> None:
    """Raises `UserError` unless it is to be sent."""
    if assume_yes:
        return
    if not sys.stdin.isatty():
        raise UserError("No event was sent: there is no terminal to confirm on. Use --yes.")
    if not Confirm.ask(f"Send {replay.events} events again?", default=True):
        raise UserError("No event was sent.")


def send(firehose: Any, replay: Replay, progress: Progress, sleep: Callable[[float], object] = time.sleep) -> int:
    """Send all; returns the number of events.

    Raises `UserError` (exit code 1; 130 when interrupted) that says how far it came.
    """
    sent = 0
    try:
        for stream, found in replay.records.items():
            for batch in calls(found):
                _put(firehose, stream, batch, sleep)
                sent += sum(record.events for record in batch)
                progress(f"{stream}: {sent} of {replay.events} events sent")
    except KeyboardInterrupt:
        raise UserError(f"Interrupted: {_far(sent, replay)}", exit_code=130) from None
    except (BotoCoreError, ClientError, _NotTakenError) as error:
        raise UserError(f"Firehose did not accept all records: {error}\n{_far(sent, replay)}", exit_code=1) from None
    return sent


class _NotTakenError(Exception):
    pass


def _put(firehose: Any, stream: str, batch: tuple[Record, ...], sleep: Callable[[float], object]) -> None:
    """A call succeeds though Firehose takes only some of its records: the others are sent again, ever more slowly."""
    left: Sequence[Record] = batch
    code = ""
    for attempt in range(1, ATTEMPTS + 1):
        entries = [{"Data": record.data} for record in left]
        answer = patiently(
            lambda entries=entries: firehose.put_record_batch(DeliveryStreamName=stream, Records=entries), sleep
        )
        outcomes = list(zip(left, answer["RequestResponses"], strict=True))
        left = [record for record, outcome in outcomes if outcome.get("ErrorCode")]
        if not left:
            return
        code = next(outcome["ErrorCode"] for _, outcome in outcomes if outcome.get("ErrorCode"))
        sleep(wait_seconds(attempt))
    raise _NotTakenError(f"{stream} rejected {len(left)} records {ATTEMPTS} times, last with {code}")


def _far(sent: int, replay: Replay) -> str:
    return (
        f"at least {sent} of {replay.events} events were sent. It is safe to run this again: what has arrived by then "
        "is not sent twice, and what is, queries read once."
    )
