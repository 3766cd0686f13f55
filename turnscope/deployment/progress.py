"""What a user sees while the engine works.

On a terminal: one line that counts, with the operations under way. Elsewhere: a line per operation, so that a CI
log tells afterwards what happened.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from types import TracebackType
from typing import Self

from pulumi.automation import EngineEvent
from pulumi.automation.events import OpType, StepEventMetadata
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.text import Text

from host.ready import WAITING

# A replacement is reported once, by its creation: its other steps are not here.
PAST = {
    "create": "created",
    "create-replacement": "replaced",
    "update": "updated",
    "delete": "deleted",
    "import": "imported",
    "read": "read",
    "refresh": "refreshed",
    "same": "unchanged",
}
FROM_A_PLUGIN = "info#err"
"""Severity of what a plugin writes to its error stream (github.com/pulumi/pulumi, sdk/go/common/resource/plugin)."""
COLOUR_CODES = re.compile(r"<\{%.*?%\}>|\x1b\[[0-9;]*m")


def resource_name(urn: str) -> str:
    return urn.rsplit("::", 1)[-1]


def short_type(token: str) -> str:
    """`aws:cloudwatch/metricAlarm:MetricAlarm` -> `aws:cloudwatch:MetricAlarm`."""
    token = token.removeprefix("pulumi-python:dynamic/")
    package, _, rest = token.partition(":")
    module, _, name = rest.rpartition(":")
    return f"{package}:{module.partition('/')[0]}:{name}" if module else token


class EngineProgress:
    """Follows engine events; afterwards holds what changed and what went wrong.

    `counts` maps `created`, `updated`, `replaced`, `deleted`, `unchanged` to numbers of real resources
    (components, providers and the stack itself do not count). `failures` are (resource, message) pairs.
    """

    def __init__(self, console: Console, doing: str) -> None:
        self._console = console
        self._doing = doing
        self._running: dict[str, tuple[str, float]] = {}
        self._started = time.monotonic()
        self._live: Live | None = None
        self.counts: Counter[str] = Counter()
        self.failures: list[tuple[str, str]] = []

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live = Live(console=self._console, get_renderable=self._line, refresh_per_second=8, transient=True)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    @property
    def changed(self) -> int:
        return sum(number for what, number in self.counts.items() if what not in ("unchanged", "read", "refreshed"))

    def summary(self) -> str:
        order = ("created", "updated", "replaced", "deleted", "unchanged")
        parts = [f"{self.counts[what]} {what}" for what in order if self.counts[what]]
        return f"{', '.join(parts) or 'no changes'} ({self.seconds:.1f} s)"

    def on_event(self, event: EngineEvent) -> None:
        if event.resource_pre_event:
            self._begin(event.resource_pre_event.metadata)
        elif event.res_outputs_event:
            self._end(event.res_outputs_event.metadata)
        elif event.res_op_failed_event:
            self._running.pop(event.res_op_failed_event.metadata.urn, None)
        elif event.diagnostic_event and event.diagnostic_event.severity == "error":
            urn = event.diagnostic_event.urn or ""
            message = _said(COLOUR_CODES.sub("", event.diagnostic_event.message).strip())
            if message and not _is_repetition(message, self.failures):
                self.failures.append((resource_name(urn) if urn else "", message))
        elif event.diagnostic_event and event.diagnostic_event.severity == FROM_A_PLUGIN:
            message = COLOUR_CODES.sub("", event.diagnostic_event.message).strip()
            if message.startswith(WAITING):
                self._console.print(f"  {escape(message)}", soft_wrap=True)

    def _begin(self, metadata: StepEventMetadata) -> None:
        if _counts(metadata) and _operation(metadata) != "same":
            self._running[metadata.urn] = (_operation(metadata), time.monotonic())

    def _end(self, metadata: StepEventMetadata) -> None:
        operation = _operation(metadata)
        _, since = self._running.pop(metadata.urn, ("", time.monotonic()))
        if not _counts(metadata) or operation not in PAST:
            return
        done = PAST[operation]
        self.counts[done] += 1
        if not self._live and done not in ("unchanged", "read", "refreshed"):
            seconds = time.monotonic() - since
            name = escape(resource_name(metadata.urn))
            self._console.print(f"  {done:<9} {short_type(metadata.type):<36} {name} ({seconds:.1f} s)", soft_wrap=True)

    def _line(self) -> Text:
        done = ", ".join(f"{number} {what}" for what, number in sorted(self.counts.items()))
        names = [resource_name(urn) for urn in list(self._running)]
        under_way = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        parts = [f"{self._doing} {self.seconds:.0f} s", done, under_way]
        return Text(" · ".join(part for part in parts if part), overflow="ellipsis", no_wrap=True)


def _said(message: str) -> str:
    """What a dynamic provider raised, out of the traceback that the SDK sends in its place."""
    if "Traceback (most recent call last)" in message:
        for raised in (".ContentError: ", ".HostError: ", ".LabError: "):
            _, found, sentence = message.rpartition(raised)
            if found:
                return sentence
    return message


def _is_repetition(message: str, failures: list[tuple[str, str]]) -> bool:
    """The engine and the language host each say a failure again in words of their own."""
    summaries = ("update failed", "preview failed", "resource refresh failed", "destroy failed")
    return message in summaries or any(known in message for _, known in failures)


def _operation(metadata: StepEventMetadata) -> str:
    return metadata.op.value if isinstance(metadata.op, OpType) else str(metadata.op)


def _counts(metadata: StepEventMetadata) -> bool:
    """Only what exists outside the engine: no components, providers or the stack."""
    return not metadata.type.startswith(("turnscope:", "pulumi:"))
