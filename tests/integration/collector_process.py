"""A collector on this machine: the rendered configuration, with its addresses and stores exchanged for local ones."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import grpc
import httpx
import yaml

from signoz.roles.collector.config import (
    HEALTH_PORT,
    OTLP_GRPC_PORT,
    OTLP_HTTP_PORT,
    QUEUE_FOLDER,
    SECRETS_FOLDER,
    Generation,
)
from signoz.roles.collector.container import ready_command
from tests.machine import LIMIT_SECONDS, free_port

FILED = {"clickhousetraces", "signozclickhousemetrics", "clickhouselogsexporter"}
STORES = FILED | {"signozclickhousemeter", "metadataexporter"}
Config = dict[str, Any]
T = TypeVar("T")


def localized(text: str, folder: Path) -> Config:
    """Secrets and queue in `folder`, ports of this machine's choice, a ClickHouse that refuses connections."""
    text = text.replace(SECRETS_FOLDER, str(folder / "secrets")).replace(QUEUE_FOLDER, str(folder / "queue"))
    config = yaml.safe_load(text.replace("@clickhouse:9000/", "@127.0.0.1:1/"))
    for receiver in config["receivers"].values():
        for server in [receiver, *receiver.get("protocols", {}).values()]:
            if "endpoint" in server:
                server["endpoint"] = f"127.0.0.1:{free_port()}"
    config["extensions"]["health_check"]["endpoint"] = f"127.0.0.1:{free_port()}"
    reader = config["service"]["telemetry"]["metrics"]["readers"][0]
    reader["pull"]["exporter"]["prometheus"] = {"host": "127.0.0.1", "port": free_port()}
    return config


def with_stores(config: Config, kind: str, settings: Callable[[str], Any], only: set[str] = STORES) -> Config:
    """The configuration with these ClickHouse exporters replaced by exporters of another kind."""
    config = copy.deepcopy(config)

    def renamed(name: str) -> str:
        return f"{kind}/{name}" if name in only else name

    exporters = config["exporters"]
    config["exporters"] = {renamed(name): settings(name) if name in only else exporters[name] for name in exporters}
    for pipeline in config["service"]["pipelines"].values():
        pipeline["exporters"] = [renamed(name) for name in pipeline["exporters"]]
    span_metrics = config["processors"]["signozspanmetrics/delta"]
    span_metrics["metrics_exporter"] = renamed(span_metrics["metrics_exporter"])
    return config


def validate(program: Path, config: Config, folder: Path) -> str:
    """What the components say against a configuration; empty if nothing."""
    path = folder / "validated.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    done = subprocess.run(
        [program, "validate", f"--config={path}"], capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False
    )
    assert (done.returncode != 0) == bool(done.stderr.strip()), done.stderr
    return done.stderr


@dataclass
class Collector:
    """A running collector that stores in files below `folder`."""

    program: Path
    config: Config
    folder: Path
    process: subprocess.Popen[bytes] | None = None
    log_files: list[Path] = field(default_factory=list)

    def start(self) -> Collector:
        path = self.folder / "collector.yaml"
        path.write_text(yaml.safe_dump(self.config, sort_keys=False))
        (self.folder / "stored").mkdir(exist_ok=True)
        self.log_files.append(self.folder / f"collector-{len(self.log_files)}.log")
        with self.log_files[-1].open("wb") as log:
            self.process = subprocess.Popen([self.program, f"--config={path}"], stdout=log, stderr=log)
        wait_for(self._accepts, lambda: f"the collector did not start:\n{self.log[-3000:]}")
        return self

    def _accepts(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"the collector ended:\n{self.log[-3000:]}"
        return self.ready()

    def ready(self) -> bool:
        """Whether the container's own readiness command succeeds, on the ports that are used here."""
        *shell, command = ready_command(Generation.CURRENT)
        health = self.config["extensions"]["health_check"]["endpoint"]
        here = {HEALTH_PORT: health, OTLP_GRPC_PORT: self.endpoint("grpc"), OTLP_HTTP_PORT: self.endpoint("http")}

        def moved(address: re.Match[str]) -> str:
            return here.pop(int(address[1])).replace(":", "/")

        command = re.sub(r"127\.0\.0\.1/(\d+)", moved, command)
        assert not here, "the command does not ask every port"
        return (
            subprocess.run([*shell, command], capture_output=True, timeout=LIMIT_SECONDS, check=False).returncode == 0
        )

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(LIMIT_SECONDS)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(LIMIT_SECONDS)

    @property
    def log(self) -> str:
        return "".join(path.read_text() for path in self.log_files)

    def endpoint(self, protocol: str) -> str:
        return self.config["receivers"]["otlp"]["protocols"][protocol]["endpoint"]

    def post(self, signal: str, body: Mapping[str, Any], authorization: str | None) -> int:
        """Send OTLP/HTTP; returns the status."""
        headers = {"Content-Type": "application/json"}
        if authorization is not None:
            headers["Authorization"] = authorization
        return post(f"http://{self.endpoint('http')}/v1/{signal}", json.dumps(body).encode(), headers)

    def call(self, authorization: str | None) -> grpc.StatusCode:
        """Send an empty OTLP/gRPC request; returns the status."""
        with grpc.insecure_channel(self.endpoint("grpc")) as channel:
            export = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
            metadata = () if authorization is None else (("authorization", authorization),)
            try:
                export(b"", metadata=metadata, timeout=60)
            except grpc.RpcError as error:
                return error.code()  # pyright: ignore[reportAttributeAccessIssue] (every RpcError of a call has one)
            return grpc.StatusCode.OK

    def spans(self) -> list[dict[str, Any]]:
        """Stored spans; their `attributes` are a dictionary, with the resource's under `resource`."""
        return [
            {**span, "attributes": attributes(span), "resource": attributes(resource["resource"])}
            for resource in self._stored("clickhousetraces", "resourceSpans")
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        ]

    def records(self) -> list[dict[str, Any]]:
        """Stored log records, as `spans`."""
        return [
            {**record, "attributes": attributes(record), "resource": attributes(resource["resource"])}
            for resource in self._stored("clickhouselogsexporter", "resourceLogs")
            for scope in resource["scopeLogs"]
            for record in scope["logRecords"]
        ]

    def points(self, name: str) -> list[dict[str, Any]]:
        """Stored data points of a metric, as `spans`."""
        return [
            {**point, "attributes": attributes(point), "resource": attributes(resource["resource"])}
            for resource in self._stored("signozclickhousemetrics", "resourceMetrics")
            for scope in resource["scopeMetrics"]
            for metric in scope["metrics"]
            if metric["name"] == name
            for kind in ("sum", "gauge", "histogram", "exponentialHistogram")
            for point in metric.get(kind, {}).get("dataPoints", [])
        ]

    def metric_names(self) -> set[str]:
        return {
            metric["name"]
            for resource in self._stored("signozclickhousemetrics", "resourceMetrics")
            for scope in resource["scopeMetrics"]
            for metric in scope["metrics"]
        }

    def _stored(self, store: str, kind: str) -> Iterator[dict[str, Any]]:
        text = (self.folder / "stored" / f"{store}.json").read_text()
        for line in text.split("\n")[:-1]:  # the last is empty, or still being written
            yield from json.loads(line).get(kind, [])


def in_files(config: Config, folder: Path) -> Config:
    """Spans, points and records go to files below `folder`; what SigNoz keeps besides goes nowhere."""

    def file(name: str) -> Any:
        return {"path": str(folder / "stored" / f"{name}.json"), "flush_interval": "50ms"}

    return with_stores(with_stores(config, "file", file, FILED), "nop", lambda _: None, STORES - FILED)


def post(url: str, body: bytes, headers: Mapping[str, str]) -> int:
    # A server does not see space at a value's end (RFC 9110, section 5.5), and httpx refuses to send any.
    sent = {name: value.strip() for name, value in headers.items()}
    return httpx.post(url, content=body, headers=sent, timeout=60, trust_env=False).status_code


def attributes(owner: Mapping[str, Any]) -> dict[str, Any]:
    """OTLP's list of attributes as a dictionary of plain values."""
    return {each["key"]: plain(each["value"]) for each in owner.get("attributes", [])}


def plain(value: Mapping[str, Any]) -> Any:
    for kind, content in value.items():
        match kind:
            case "intValue":
                return int(content)
            case "kvlistValue":
                return {each["key"]: plain(each["value"]) for each in content.get("values", [])}
            case "arrayValue":
                return [plain(each) for each in content.get("values", [])]
            case _:
                return content
    return None


def encoded(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A dictionary as OTLP's list of attributes."""
    return [{"key": key, "value": _any_value(value)} for key, value in values.items()]


def _any_value(value: Any) -> dict[str, Any]:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case dict():
            return {"kvlistValue": {"values": encoded(value)}}
        case _:
            return {"stringValue": value}


def wait_for(condition: Callable[[], T], otherwise: Callable[[], str], seconds: float = LIMIT_SECONDS) -> T:
    """The condition's value once it is true; fails with what `otherwise` says."""
    deadline = time.monotonic() + seconds
    while True:
        if value := condition():
            return value
        assert time.monotonic() < deadline, otherwise()
        time.sleep(0.05)
