"""What a real agent's telemetry is once the rendered collector configuration has been through it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.secrets.reference import SecretRef
from signoz.roles.collector.config import CLICKHOUSE_PASSWORD, LANGFUSE_CREDENTIALS, TOKENS, render_collector
from signoz.roles.collector.credentials import langfuse_credentials, token_file
from tests.collector_cases import collector_context, collector_settings
from tests.contract import names
from tests.integration.collector_process import Collector, Config, in_files, localized, wait_for
from tests.machine import LIMIT_SECONDS, free_port

ROOT = Path(__file__).parents[2]
AGENT = Path(__file__).with_name("rich_agent.py")
TOKEN = "contract-token-" + "a" * 20
RESOURCE = "service.name=receptionist,deployment.environment.name=staging"
SERVICE = "receptionist"
AWAITED = {"lk_agents_worker_load", "turnscope.calls", "otelcol_exporter_queue_size"}
"""Metrics that come late: from a scrape, or of a call that has ended."""
SCRAPE_SECONDS = 10
"""The shortest that settings allow."""


@dataclass(frozen=True)
class Emission:
    """The names that were stored, by where a query finds them; and the agent's own JSON lines."""

    livekit: str
    """Version of livekit-agents."""
    spans: dict[str, set[str]]
    """Span name -> keys of its attributes."""
    resource: set[str]
    """Keys of resource attributes of spans, metrics and log records."""
    metrics: dict[str, set[str]]
    """Metric -> keys of its points' attributes."""
    log_attributes: set[str]
    lines: list[dict[str, Any]]
    imported: Path
    """The agent's `turnscope_agent`."""
    environment: Path
    """The folder of its interpreter."""

    def line_paths(self, event_type: str | None = None) -> set[str]:
        """Dotted paths in the lines: of one event, or of LiveKit's own."""
        found = (line for line in self.lines if line.get("_event_type") == event_type)
        return {path for line in found for path in names.paths(line)}


def emitted(python: Path, program: Path, folder: Path) -> Emission:
    """Run `rich_agent.py` with `python`, which has livekit-agents, against a collector of the current release."""
    port = free_port()
    collector = Collector(program, _configuration(folder, port), folder).start()
    agent = subprocess.Popen(
        [python, AGENT, str(port)],
        env=_environment(collector.endpoint("http"), folder),
        stdin=subprocess.PIPE,
        stdout=(folder / "agent.out").open("wb"),
        stderr=(folder / "agent.err").open("wb"),
    )
    try:
        said = lambda: (folder / "agent.err").read_text()  # noqa: E731
        wait_for(lambda: "CALL OVER" in said() or agent.poll() is not None, said, LIMIT_SECONDS)
        assert agent.poll() is None, said()
        wait_for(
            lambda: collector.metric_names() >= AWAITED,
            lambda: f"stored: {sorted(collector.metric_names())}",
            LIMIT_SECONDS,
        )
        agent.communicate(b"\n", timeout=LIMIT_SECONDS)
        (imported,) = re.findall(r"^IMPORTED (.+)$", said(), re.MULTILINE)
        return _read(collector, folder / "agent.out", python, Path(imported))
    finally:
        agent.kill()
        agent.wait()
        collector.stop()


def _configuration(folder: Path, worker_port: int) -> Config:
    """As rendered, with files in place of ClickHouse. Langfuse, which is nowhere, has a queue as ClickHouse would."""
    langfuse = {
        "public_key": SecretRef("langfuse.public_key"),
        "secret_key": SecretRef("langfuse.secret_key"),
        "base_url": "https://127.0.0.1:1",
    }
    settings = collector_settings(
        scrape={"workers": [f"127.0.0.1:{worker_port}"], "interval_seconds": SCRAPE_SECONDS},
        langfuse=langfuse,
        log_level="warn",
    )
    secrets = {
        TOKENS: token_file({"agents": TOKEN}),
        CLICKHOUSE_PASSWORD: "unused",
        LANGFUSE_CREDENTIALS: langfuse_credentials("pk-lf-0123456789abcdef", "sk-lf-0123456789abcdef"),
    }
    (folder / "secrets").mkdir(parents=True)
    for name, text in secrets.items():
        (folder / "secrets" / name).write_text(text)
    config = localized(render_collector(settings, collector_context("staging")), folder)
    own = config["service"]["telemetry"]["metrics"]["readers"][0]["pull"]["exporter"]["prometheus"]
    scrape = config["receivers"]["prometheus"]["config"]["scrape_configs"][0]
    scrape |= {"scrape_interval": "2s", "static_configs": [{"targets": [f"127.0.0.1:{own['port']}"]}]}
    return in_files(config, folder)


def _environment(endpoint: str, folder: Path) -> dict[str, str]:
    shared = folder / "prometheus"
    shared.mkdir()
    foreign = ("OTEL_", "LANGFUSE_", "LIVEKIT_")
    clean = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
    return clean | {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{endpoint}",
        "OTEL_EXPORTER_OTLP_HEADERS": f"Authorization=Bearer%20{TOKEN}",
        "OTEL_SERVICE_NAME": SERVICE,
        "OTEL_RESOURCE_ATTRIBUTES": RESOURCE,
        "OTEL_METRIC_EXPORT_INTERVAL": "1000",
        # Some of LiveKit's own metrics exist only where several processes share them.
        "PROMETHEUS_MULTIPROC_DIR": str(shared),
    }


def _version(python: Path) -> str:
    command = "from importlib.metadata import version; print(version('livekit-agents'))"
    return subprocess.run([python, "-c", command], capture_output=True, text=True, check=True).stdout.strip()


def _read(collector: Collector, output: Path, python: Path, imported: Path) -> Emission:
    spans: dict[str, set[str]] = {}
    resource: set[str] = set()
    for span in collector.spans():
        spans.setdefault(span["name"], set()).update(span["attributes"])
        resource |= span["resource"].keys()
    metrics: dict[str, set[str]] = {}
    for name in collector.metric_names():
        for point in collector.points(name):
            # SigNoz stores the parts of a histogram as metrics of their own.
            parts = ("", ".bucket", ".count", ".sum") if "bucketCounts" in point else ("",)
            for part in parts:
                metrics.setdefault(f"{name}{part}", set()).update(point["attributes"])
            resource |= point["resource"].keys()
    log_attributes: set[str] = set()
    for record in collector.records():
        log_attributes |= record["attributes"].keys()
        resource |= record["resource"].keys()
    lines = [json.loads(line) for line in output.read_text().splitlines() if line.startswith("{")]
    return Emission(_version(python), spans, resource, metrics, log_attributes, lines, imported, python.parents[1])
