"""Events of a time range in the log groups."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from analytics.operations.comparison import Logged
from analytics.operations.lines import Lines
from analytics.operations.progress import Progress
from analytics.operations.retry_policy import patiently
from analytics.operations.target import Target
from analytics.operations.times import from_milliseconds, milliseconds, own_time
from core.errors import UserError

EARLY, LATE = datetime.timedelta(minutes=10), datetime.timedelta(hours=1)
"""By so much a line's time in CloudWatch Logs may differ from the one that the event states: clocks differ, and lines
are shipped late. A line that came later still counts in a range that reaches until then."""


@dataclass(frozen=True)
class FromLog:
    events: tuple[Logged, ...]
    """Those that belong into the bucket, each line as often as it is there."""
    rejected: int
    """Lines that the record validation rejects."""
    warnings: tuple[str, ...]


def read_log_events(
    target: Target,
    log_groups: tuple[str, ...],
    events: tuple[str, ...],
    since: datetime.datetime,
    to: datetime.datetime,
    progress: Progress,
) -> FromLog:
    """What happened from `since` until before `to`, by the events' own times.

    Raises `UserError` for a log group that is gone.
    """
    logs = target.client("logs")
    lines = Lines(target.plan)
    found: list[Logged] = []
    rejected = 0
    warnings = []
    for log_group in log_groups:
        warnings += _retention_warning(logs, log_group, since)
        for event in events:
            pattern = next(each.pattern for each in target.plan.subscriptions if each.stream_key == _key(target, event))
            for read, each in enumerate(_pages(logs, log_group, pattern, since, to), 1):
                if read % 1000 == 0:
                    progress(f"{log_group}: {read} lines with {event}")
                verdict = lines.examine(each["message"], event)
                timestamp = from_milliseconds(each["timestamp"])
                moment = own_time(verdict.timestamp, timestamp)
                if not since <= moment < to:
                    continue
                rejected += verdict.rejected
                if verdict.key is not None:
                    arrived = from_milliseconds(each.get("ingestionTime", each["timestamp"]))
                    found.append(
                        Logged(event, verdict.key, moment, arrived, log_group, each["timestamp"], each["message"])
                    )
    return FromLog(tuple(found), rejected, tuple(warnings))


def _key(target: Target, event: str) -> str:
    return next(stream.key for stream in target.plan.streams if stream.event == event)


def _pages(
    logs: Any, log_group: str, pattern: str, since: datetime.datetime, to: datetime.datetime
) -> Iterator[dict[str, Any]]:
    request: dict[str, Any] = {
        "logGroupName": log_group,
        "filterPattern": pattern,
        "startTime": max(0, milliseconds(since - EARLY)),
        "endTime": milliseconds(to + LATE),
    }
    while True:
        try:
            page = patiently(functools.partial(logs.filter_log_events, **request))
        except logs.exceptions.ResourceNotFoundException:
            raise UserError(f"Log group {log_group} does not exist.", exit_code=1) from None
        except ClientError as error:
            raise UserError(f"Log group {log_group} could not be read: {error}", exit_code=1) from None
        yield from page["events"]
        if not page.get("nextToken"):
            return
        request["nextToken"] = page["nextToken"]


def _retention_warning(logs: Any, log_group: str, since: datetime.datetime) -> list[str]:
    pages = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=log_group)
    try:
        groups = [group for page in pages for group in page["logGroups"] if group["logGroupName"] == log_group]
    except ClientError as error:
        raise UserError(f"Log group {log_group} could not be read: {error}", exit_code=1) from None
    days = groups[0].get("retentionInDays") if groups else None
    if days is None:
        return []
    oldest = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=days)
    if since >= oldest - EARLY:
        return []
    return [
        f"Log group {log_group} keeps {days} days: it no longer has events from before {oldest:%Y-%m-%d %H:%M} UTC."
    ]
