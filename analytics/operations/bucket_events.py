"""Events in the bucket, and records that were rejected on their way to it."""

from __future__ import annotations

import datetime
import functools
import json
import re
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from analytics.operations.comparison import Rejected, Stored
from analytics.operations.engine import QueryEngine
from analytics.operations.progress import Progress
from analytics.operations.retry_policy import patiently
from analytics.operations.target import Target
from analytics.operations.times import HOUR, hour_of, hours_between, own_time
from core.errors import UserError

EARLIER = datetime.timedelta(days=1)
"""A file lies in the folder of the hour in which its oldest record arrived; clocks differ."""


def read_stored(engine: QueryEngine, target: Target, events: tuple[str, ...], since: datetime.datetime) -> list[Stored]:
    """Every event of a file that arrived since, whenever it happened: what is late is there all the same."""
    found = []
    for event in events:
        sql = f"""
            select event_id, min(occurred_at) as occurred_at, min(datehour) as datehour, count(*) as copies
            from {target.plan.database}.{event}
            where datehour >= '{since - EARLIER:%Y/%m/%d/%H}' and event_id is not null
            group by event_id
        """  # noqa: S608 (names from the plan)
        for event_id, occurred_at, datehour, copies in engine.run(sql).rows:
            arrived = datetime.datetime.strptime(datehour, "%Y/%m/%d/%H").replace(tzinfo=datetime.UTC)
            found.append(Stored(event, event_id, own_time(occurred_at, arrived), copies))
    return found


def read_rejected(
    target: Target, events: tuple[str, ...], agent: str | None, since: datetime.datetime, progress: Progress
) -> list[Rejected]:
    """Records that were rejected since; those of an `agent`, and those that do not tell whose they are.

    Raises `UserError` where the bucket is not there or can't be read.
    """
    s3 = target.client("s3")
    found = []
    for event in events:
        for key in _keys(s3, target, event, since):
            progress(f"rejected records of {event}: {len(found)}")
            body = patiently(functools.partial(s3.get_object, Bucket=target.data_bucket, Key=key))["Body"].read()
            for line in body.decode("utf-8", "replace").split("\n"):
                if line.strip():
                    record = json.loads(line)
                    said = _said(record)
                    if agent is None or said.get("agent") in (None, agent):
                        # When it happened, if that can still be read; else when it arrived.
                        arrived = own_time(record.get("arrived_at"), datetime.datetime.now(datetime.UTC))
                        found.append(
                            Rejected(event, own_time(said.get("_timestamp"), arrived), _about(record), record["reason"])
                        )
    return found


def _keys(s3: Any, target: Target, event: str, since: datetime.datetime) -> Iterator[str]:
    """Hour by hour, because folders of many days may hold many files."""
    now = datetime.datetime.now(datetime.UTC)
    for hour in hours_between(hour_of(since) - HOUR, now + HOUR):
        request: dict[str, Any] = {
            "Bucket": target.data_bucket,
            "Prefix": f"{target.plan.rejected_prefix}{event}/{hour:%Y/%m/%d/%H}/",
        }
        while True:
            try:
                page = patiently(functools.partial(s3.list_objects_v2, **request))
            except ClientError as error:
                raise UserError(f"Bucket {target.data_bucket} could not be read: {error}", exit_code=1) from None
            yield from (each["Key"] for each in page.get("Contents", ()))
            if not page.get("IsTruncated"):
                break
            request["ContinuationToken"] = page["NextContinuationToken"]


def _said(record: dict[str, Any]) -> dict[str, Any]:
    try:
        document = json.loads(record.get("raw", ""))
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _about(record: dict[str, Any]) -> str:
    """What equal mistakes have in common: reasons quote what was wrong."""
    return record.get("field") or re.sub(r"\d+", "N", record["reason"].partition(":")[0])
