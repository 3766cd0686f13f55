"""How much disk and processor time telemetry takes: recorded calls sent to a running local stack, and its store.

    .venv/bin/turnscope up local --yes
    .venv/bin/python benchmarks/storage.py [--calls N] [--stack STACK]

The calls are sent as an agent sends them and spread over a day, each with identifiers and sentences of its own, lest
they compress better than calls of real people. SigNoz' own tables are merged, then counted; what was in them before is
subtracted. `signoz/plan/sizing.py` holds what came out.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import random
import re
import secrets
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from core.roles import Role
from lab.telemetry import export, resource_of
from lab.telemetry_store import Counts, TelemetryStore
from simulate import telemetry
from simulate.telemetry import Call
from turnscope.agent_environment import Protocol
from turnscope.agent_gateway import environment_of
from turnscope.options import deployment_of
from turnscope.recorded_calls import telemetry_store

DATABASES = {"signoz_traces": "span", "signoz_metrics": "metric point", "signoz_logs": "log record"}
COUNTED = {
    "signoz_traces": "signoz_index_v3",
    "signoz_metrics": "samples_v4",
    "signoz_logs": "logs_v2",
}
"""The table with a row for each span, value of a metric point, and log record."""
SPOKEN = ("lk.pii.user_transcript", "lk.pii.user_input", "lk.pii.input_text", "lk.pii.response.text")
KEPT = ("trace_id", *telemetry.WRITTEN_TIMES)
SPOKEN_IN_MESSAGES = re.compile(r'(?<="content": ")[^"]+(?=")')
WORDS_SPOKEN = (8, 30)
IDENTIFIER = re.compile(r"[0-9a-f]{6,}")
DAY_SECONDS = 86_400
STORED_SECONDS = 300.0


@dataclass(frozen=True)
class Measured:
    """What is measured of a stack's ClickHouse, and of its containers."""

    store: TelemetryStore

    def merge(self) -> None:
        of_signoz = f"WHERE database IN ({_list(DATABASES)}) AND engine LIKE '%MergeTree'"
        tables = self.store.ask(f"SELECT concat(database, '.', name) FROM system.tables {of_signoz}")  # noqa: S608
        for table in tables.split():
            self.store.ask(f"OPTIMIZE TABLE {table} FINAL")

    def rows(self) -> dict[str, int]:
        counted = {base: f"SELECT count() FROM {base}.{table}" for base, table in COUNTED.items()}  # noqa: S608
        return {base: int(self.store.ask(query)) for base, query in counted.items()}

    def bytes_on_disk(self) -> dict[str, dict[str, int]]:
        """Database -> table -> bytes."""
        found: dict[str, dict[str, int]] = {base: {} for base in DATABASES}
        of_signoz = f"WHERE active AND database IN ({_list(DATABASES)})"
        columns = "database, table, sum(bytes_on_disk)"
        lines = self.store.ask(f"SELECT {columns} FROM system.parts {of_signoz} GROUP BY database, table")  # noqa: S608
        for line in lines.splitlines():
            base, table, size = line.split("\t")
            found[base][table] = int(size)
        return found

    def processor_seconds(self, role: Role) -> float:
        socket = self.store.host.address.removeprefix("unix://")
        url = f"http://docker/containers/{self.store.plan.container(role).name}/stats"
        with httpx.Client(transport=httpx.HTTPTransport(uds=socket), timeout=30) as client:
            used = client.get(url, params={"stream": "false"}).json()["cpu_stats"]["cpu_usage"]
        return used["total_usage"] / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--calls", type=int, default=600)
    parser.add_argument("--stack", default="local")
    arguments = parser.parse_args()
    store, environment = _stack(arguments.stack)
    store.merge()
    rows, sizes = store.rows(), store.bytes_on_disk()
    used = {role: store.processor_seconds(role) for role in (Role.COLLECTOR, Role.CLICKHOUSE)}
    sent, started = _send(arguments.calls, environment), time.monotonic()
    _wait(store, {base: rows[base] + number for base, number in sent.items()})
    used = {role: store.processor_seconds(role) - before for role, before in used.items()}
    store.merge()
    turns = arguments.calls * sum(_turns(name) for name in telemetry.names()) / len(telemetry.names())
    print(
        f"{arguments.calls} calls, {turns:.0f} turns; stored {time.monotonic() - started:.0f} s after the last was sent"
    )
    after_rows, after = store.rows(), store.bytes_on_disk()
    for base, what in DATABASES.items():
        number = after_rows[base] - rows[base]
        grown = {table: size - sizes[base].get(table, 0) for table, size in after[base].items()}
        total = sum(grown.values())
        largest = ", ".join(
            f"{table} {grown[table] / number:.1f}" for table in heapq.nlargest(4, grown, grown.__getitem__)
        )
        print(f"{what:<13}{number:>9}  {number / turns:6.1f} a turn {total / number:8.1f} bytes each ({largest})")
    spans = after_rows["signoz_traces"] - rows["signoz_traces"]
    for role, seconds in used.items():
        print(f"{role:<13}{seconds:7.1f} s of processor time, {spans / seconds:.0f} spans with their points a second")


def _stack(stack: str) -> tuple[Measured, dict[str, str]]:
    deployment = deployment_of(stack)
    settings, plan = deployment.settings.signoz, deployment.plan.signoz
    if settings is None or plan is None:
        sys.exit(f"Stack {stack} has no SigNoz.")
    agent = next(iter(deployment.settings.agents))
    return Measured(telemetry_store(deployment, settings, plan)), environment_of(deployment, agent, Protocol.HTTP)


def _send(calls: int, environment: dict[str, str]) -> dict[str, int]:
    """Rows that are to come, by database."""
    resource = resource_of(environment)
    now, expected = time.time_ns(), dict.fromkeys(DATABASES, 0)
    recorded = {name: telemetry.recorded(name) for name in telemetry.names()}
    words = _words()
    for number, name in zip(range(calls), itertools.cycle(recorded)):
        end_ns = now - number * DAY_SECONDS * 1_000_000_000 // calls
        again = recorded[name].sent_again(end_ns=end_ns, resource=resource, trace_ids=telemetry.fresh_trace_ids([name]))
        call = _Different(words).call(again)
        export(call, environment)
        counts = Counts.of(call)
        for base, more in zip(DATABASES, (counts.spans, counts.metric_points, counts.log_records), strict=True):
            expected[base] += more
    return expected


class _Different:
    """Other identifiers and sentences for one call: the same one everywhere in it, of the same length where it is an
    identifier."""

    def __init__(self, words: list[str]) -> None:
        self._words = words
        self._made: dict[str, str] = {}

    def call(self, recorded: Call) -> Call:
        return Call(tuple(telemetry.Request(each.signal, self._value(each.document)) for each in recorded.requests))

    def _value(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._value(each) for each in value]
        if not isinstance(value, dict):
            return value
        if value.get("key") in KEPT:
            return value
        if value.get("key") in SPOKEN:
            return {"key": value["key"], "value": {"stringValue": self._sentence(value["value"]["stringValue"])}}
        return {key: self._text(each) if key == "stringValue" else self._value(each) for key, each in value.items()}

    def _text(self, text: str) -> str:
        text = SPOKEN_IN_MESSAGES.sub(lambda found: self._sentence(found[0]), text)
        return IDENTIFIER.sub(lambda found: self._identifier(found[0]), text)

    def _sentence(self, text: str) -> str:
        said = " ".join(random.choices(self._words, k=random.randint(*WORDS_SPOKEN)))  # noqa: S311
        return self._made.setdefault(text.strip(), said)

    def _identifier(self, text: str) -> str:
        return self._made.setdefault(text, secrets.token_hex(len(text))[: len(text)])


def _words() -> list[str]:
    """English words, as often as they are written: of this project's pages."""
    pages = (Path(__file__).resolve().parents[1] / "docs").rglob("*.md")
    return [word for page in pages for word in re.findall(r"\b[a-z]{2,12}\b", page.read_text(encoding="utf-8"))]


def _wait(store: Measured, expected: dict[str, int]) -> None:
    """Of metrics there are more rows than points: histograms have one for each part, and spans make metrics."""
    deadline = time.monotonic() + STORED_SECONDS
    while any(found < expected[base] for base, found in store.rows().items()):
        if time.monotonic() > deadline:
            sys.exit(f"the store has {store.rows()} of {expected}")
        time.sleep(1)


def _turns(name: str) -> int:
    spans = telemetry.recorded(name).spans
    return sum(1 for span in spans if span["name"] == "agent_turn")


def _list(texts: Iterable[str]) -> str:
    return ", ".join(f"'{text}'" for text in texts)


if __name__ == "__main__":
    main()
