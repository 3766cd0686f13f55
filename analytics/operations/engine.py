"""What answers Athena's SQL."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from botocore.exceptions import ClientError

from analytics.operations.progress import Progress
from analytics.operations.retry_policy import patiently
from analytics.plan.model import AnalyticsPlan
from cloudwatch.clients import ClientFactory
from core.errors import UserError

POLL_SECONDS = (0.2, 0.5, 1.0, 2.0)
"""Waits between looks at a running query; the last for as long as it takes."""
MIB = 1024 * 1024


@dataclass(frozen=True)
class Answer:
    """A query's rows. `scanned_bytes` is what Athena charges by; None where nothing is charged."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    scanned_bytes: int | None = None

    def records(self) -> list[dict[str, Any]]:
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


class QueryEngine(Protocol):
    def run(self, sql: str) -> Answer:
        """Run a query. Raises `UserError` for one that fails, with the reason."""
        ...


class AthenaEngine:
    """Athena, in the stack's workgroup."""

    def __init__(
        self,
        client: ClientFactory,
        plan: AnalyticsPlan,
        progress: Progress = lambda _: None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._athena, self._plan, self._progress, self._sleep = client("athena"), plan, progress, sleep

    def run(self, sql: str) -> Answer:
        try:
            started = patiently(
                lambda: self._athena.start_query_execution(
                    QueryString=sql,
                    QueryExecutionContext={"Database": self._plan.database},
                    WorkGroup=self._plan.workgroup.name,
                )
            )
            execution = self._wait(started["QueryExecutionId"])
            scanned = execution.get("Statistics", {}).get("DataScannedInBytes", 0)
            columns, rows = self._results(started["QueryExecutionId"])
        except ClientError as error:
            failed = error.response["Error"]
            raise self._failure(f"{failed['Code']}: {failed.get('Message', '')}") from None
        return Answer(columns, rows, scanned)

    def _wait(self, identifier: str) -> dict[str, Any]:
        """The execution once it has succeeded. Interrupted, it is stopped: it would go on, and be charged."""
        began = time.monotonic()
        looks = 0
        try:
            while True:
                execution = patiently(lambda: self._athena.get_query_execution(QueryExecutionId=identifier))[
                    "QueryExecution"
                ]
                status = execution["Status"]
                if status["State"] == "SUCCEEDED":
                    return execution
                if status["State"] in ("FAILED", "CANCELLED"):
                    raise self._failure(status.get("StateChangeReason") or status["State"].lower())
                scanned = execution.get("Statistics", {}).get("DataScannedInBytes", 0)
                self._progress(
                    f"Athena: {status['State'].lower()}, {time.monotonic() - began:.0f} s, {mebibytes(scanned)} read"
                )
                self._sleep(POLL_SECONDS[min(looks, len(POLL_SECONDS) - 1)])
                looks += 1
        except KeyboardInterrupt:
            self._athena.stop_query_execution(QueryExecutionId=identifier)
            raise UserError("Interrupted; the query was stopped.", exit_code=130) from None

    def _results(self, identifier: str) -> tuple[tuple[str, ...], tuple[tuple[Any, ...], ...]]:
        columns: list[dict[str, Any]] = []
        rows: list[tuple[Any, ...]] = []
        request: dict[str, Any] = {"QueryExecutionId": identifier, "MaxResults": 1000}
        first = True
        while True:
            page = patiently(lambda: self._athena.get_query_results(**request))
            columns = page["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
            found = page["ResultSet"]["Rows"]
            # A SELECT's first row holds the columns' names; UNLOAD has no rows.
            for row in found[1:] if first else found:
                cells = (cell.get("VarCharValue") for cell in row["Data"])
                rows.append(tuple(_value(cell, column["Type"]) for cell, column in zip(cells, columns, strict=True)))
            first = False
            self._progress(f"Athena: {len(rows)} rows")
            if not page.get("NextToken"):
                return tuple(column["Name"] for column in columns), tuple(rows)
            request["NextToken"] = page["NextToken"]

    def _failure(self, reason: str) -> UserError:
        plan = self._plan
        up = f"run `turnscope up {plan.stack}` first"
        for words, text in (
            (
                ("Bytes scanned limit was exceeded",),
                f"The query would read more than {plan.workgroup.scan_limit_mib} MiB, the limit of workgroup "
                f"{plan.workgroup.name}: use a shorter time range, or raise turnscope:analytics.scan_limit_mib.",
            ),
            (
                ("TABLE_NOT_FOUND", "SCHEMA_NOT_FOUND", "TABLE_REDIRECTION_ERROR", "EntityNotFoundException"),
                f"A table of {plan.database} does not exist: {up}.",
            ),
            (
                ("WorkGroup is not found", "WorkGroup not found", f"WorkGroup {plan.workgroup.name} is not found"),
                f"Workgroup {plan.workgroup.name} does not exist: {up}.",
            ),
            (
                ("AccessDenied", "Access Denied", "Insufficient permissions", "PERMISSION_DENIED", "not authorized"),
                "You do not have permission for this (docs/how-to/analytics-export.md lists what a reader needs).",
            ),
        ):
            if any(word.lower() in reason.lower() for word in words):
                return UserError(f"{text} Athena says: {reason}", exit_code=1)
        return UserError(f"Athena could not answer: {reason}", exit_code=1)


def mebibytes(number: int) -> str:
    return f"{number / MIB:,.1f} MiB"


def _value(text: str | None, kind: str) -> Any:
    """A cell of GetQueryResults, which is text whatever its type."""
    if text is None:
        return None
    match kind:
        case "tinyint" | "smallint" | "integer" | "bigint":
            return int(text)
        case "real" | "float" | "double":
            return float(text)
        case "decimal":
            return Decimal(text)
        case "boolean":
            return text == "true"
        case _:
            return text
