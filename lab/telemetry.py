"""Sends recorded calls to a stack's SigNoz as an agent does, and reports what its store counted.

By OTLP through the gateway: over TLS, verified with what the agent's environment names, and with its token.
"""

from __future__ import annotations

import ssl
import time
import urllib.parse
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any, Protocol

import httpx
from rich.console import Console
from rich.table import Table

from core.errors import UserError
from lab.telemetry_store import Counts, Stored
from simulate import telemetry
from simulate.telemetry import Call

WAIT_SECONDS = 60.0
"""For the store: the collector's queue flushes every 2 s, and a busy machine takes its time."""
SEND_SECONDS = 30.0
POLL_SECONDS = 0.5
REPEATED = (429, 502, 503, 504)
"""What a sender repeats (opentelemetry.io/docs/specs/otlp/#retryable-response-codes)."""


class Store(Protocol):
    def stored(self, call: Call) -> Stored: ...

    def collector_log(self) -> str: ...


def send(
    names: Iterable[str],
    environment: Mapping[str, str],
    store: Store,
    *,
    trace_ids: Mapping[str, str],
    address: str | None = None,
    wait_seconds: float = WAIT_SECONDS,
) -> list[dict[str, Any]]:
    """Send the recorded calls of these names, each as a new call that has just ended, and report each as plain data.

    `environment` is the agent's, as `turnscope env` prints it; `trace_ids` has what to send for the recorded ones;
    `address` is the gateway's IP address where no DNS knows its name. Returns when the store has counted everything
    that was sent. Where less arrives (a stack may sample or filter), `wait_seconds` pass first. Raises `UserError`
    (exit code 1) where the gateway does not accept a call, or the store has no spans, no metric points or no log
    records of one.
    """
    calls: dict[str, Call] = {}
    for name in names:
        calls[name] = telemetry.recorded(name).sent_again(
            end_ns=time.time_ns(), resource=resource_of(environment), trace_ids=trace_ids
        )
        export(calls[name], environment, address=address)
    deadline = time.monotonic() + wait_seconds
    return [_counted(name, call, store, deadline) for name, call in calls.items()]


def export(
    call: Call,
    environment: Mapping[str, str],
    *,
    address: str | None = None,
    send_seconds: float = SEND_SECONDS,
    transport: httpx.BaseTransport | None = None,
) -> None:
    """Post each request of the call. Raises `UserError` (exit code 1) where one is not accepted."""
    endpoint = environment["OTEL_EXPORTER_OTLP_ENDPOINT"]
    named = httpx.URL(endpoint)
    certificate = environment.get("OTEL_EXPORTER_OTLP_CERTIFICATE")
    header, _, value = environment["OTEL_EXPORTER_OTLP_HEADERS"].partition("=")
    client = httpx.Client(
        base_url=named.copy_with(host=address) if address else named,
        headers={header: urllib.parse.unquote(value), "Host": named.netloc.decode()},
        verify=ssl.create_default_context(cafile=certificate),
        timeout=send_seconds,
        # A proxy of this machine's does not know the gateway.
        trust_env=False,
        transport=transport,
    )
    deadline = time.monotonic() + send_seconds
    with client:
        for request in call.requests:
            try:
                answer = _post(client, request, named.host, deadline)
            except httpx.HTTPError as error:
                raise UserError(f"The gateway at {endpoint} does not answer: {error}", exit_code=1) from None
            _refuse_rejected(endpoint, request.signal, answer)


def _post(client: httpx.Client, request: telemetry.Request, server_name: str, deadline: float) -> httpx.Response:
    while True:
        answer = client.post(f"/v1/{request.signal}", json=request.document, extensions={"sni_hostname": server_name})
        if answer.status_code not in REPEATED or time.monotonic() > deadline:
            return answer
        time.sleep(POLL_SECONDS)


def _refuse_rejected(endpoint: str, signal: str, answer: httpx.Response) -> None:
    if answer.status_code != 200:
        raise UserError(
            f"The gateway at {endpoint} did not accept the call's {signal}: {answer.status_code} {answer.text.strip()}",
            exit_code=1,
        )
    # A field for each signal (rejectedSpans, ...); a collector that took everything leaves it out.
    partial = answer.json().get("partialSuccess") or {} if answer.content else {}
    if any(int(number) for key, number in partial.items() if key.startswith("rejected")):
        raise UserError(f"The collector rejected a part of the call's {signal}: {partial}", exit_code=1)


def _counted(name: str, call: Call, store: Store, deadline: float) -> dict[str, Any]:
    sent = Counts.of(call)
    while not (found := store.stored(call)).counts >= sent and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    missing = [
        kind.replace("_", " ") for kind, number in asdict(sent).items() if number and not asdict(found.counts)[kind]
    ]
    if missing:
        raise UserError(
            f"The gateway accepted the recorded call {name}, but SigNoz' store has none of its {', '.join(missing)} "
            f"yet. The collector is between them. {store.collector_log()}",
            exit_code=1,
        )
    return {
        "recording": name,
        **asdict(found.counts),
        "sent": asdict(sent),
        "turns": found.turns,
        "e2e_latency_p95_seconds": found.e2e_latency_p95_seconds,
        "trace_ids": list(call.trace_ids),
    }


def resource_of(environment: Mapping[str, str]) -> dict[str, str]:
    """What OpenTelemetry's SDK makes of the variables."""
    pairs = (each.partition("=") for each in environment["OTEL_RESOURCE_ATTRIBUTES"].split(","))
    named = {key: urllib.parse.unquote(value) for key, _, value in pairs}
    return named | {"service.name": environment["OTEL_SERVICE_NAME"]}


def print_calls(calls: list[dict[str, Any]], console: Console) -> None:
    """What the store counted, call by call."""
    table = Table("recorded call", "spans", "metric points", "log records", "turns", "P95 end-to-end", pad_edge=False)
    table.box = None
    for column in table.columns[1:]:
        column.justify = "right"
    for each in calls:
        p95 = each["e2e_latency_p95_seconds"]
        counts = (_share(each[kind], number) for kind, number in each["sent"].items())
        table.add_row(each["recording"], *counts, str(each["turns"]), "-" if p95 is None else f"{p95:.2f} s")
    console.print(table)


def _share(found: int, sent: int) -> str:
    return str(found) if found == sent else f"{found} of {sent}"
