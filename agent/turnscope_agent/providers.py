"""OpenTelemetry of one job process: what collects, batches and exports, and what empties it at the end."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing.util
import os
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module, metadata
from typing import Any

from turnscope_agent.destinations import Destinations, Langfuse, Protocol, destinations
from turnscope_agent.metric_views import metric_views
from turnscope_agent.reporting import guarded, quieten_opentelemetry, warn_once

SPAN_DELAY_MILLISECONDS = 1_000
"""Longest wait of an ended span: what a killed process loses. OTEL_BSP_SCHEDULE_DELAY says otherwise."""
METRIC_INTERVAL_MILLISECONDS = 10_000
"""Time between two exports of metrics. OTEL_METRIC_EXPORT_INTERVAL says otherwise."""
FLUSH_SECONDS = 3.0
"""Longest wait for the collector at the end of a job, and again at the end of its process: LiveKit kills a process
10 s (`shutdown_process_timeout`) after it was told to go."""

DISTRIBUTION = "turnscope-agent"
"""This package's name in its own metadata."""
EXPORTERS = {
    "traces": ("trace_exporter", "OTLPSpanExporter"),
    "metrics": ("metric_exporter", "OTLPMetricExporter"),
    "logs": ("_log_exporter", "OTLPLogExporter"),
}


@dataclass(frozen=True)
class Options:
    """What `turnscope_agent.setup` was called with. Pickled into every job process."""

    allow_pii: bool | None = None
    attributes: tuple[tuple[str, str], ...] = ()

    @property
    def content_allowed(self) -> bool:
        """As LiveKit decides it: yes, unless told otherwise here or by LIVEKIT_TELEMETRY_ALLOW_PII."""
        if self.allow_pii is not None:
            return self.allow_pii
        return os.environ.get("LIVEKIT_TELEMETRY_ALLOW_PII", "1").strip().lower() not in ("0", "false", "no", "off", "")


_lock = threading.Lock()
_installed = False
_providers: list[Any] = []


@guarded
def install(options: Options, span_processors: tuple[Any, ...] = ()) -> None:
    """Set up the providers that the environment asks for, the first time that this process asks.

    `span_processors` see every span first. A provider that the application has set itself is left alone.
    """
    global _installed
    with _lock:
        if _installed:
            return
        _installed = True
    found = destinations(os.environ)
    for problem in found.problems:
        warn_once(problem)
    if not (found.otlp or found.langfuse):
        return
    quieten_opentelemetry()
    resource = _resource()
    _start_tracing(found, resource, options, span_processors)
    if "metrics" in found.otlp:
        _start_metrics(found.otlp["metrics"], resource)
    if "logs" in found.otlp:
        _start_logs(found.otlp["logs"], resource, options)
    # Job processes end without atexit before Python 3.13, but not without this.
    multiprocessing.util.Finalize(None, shut_down, exitpriority=10)


def _resource() -> Any:
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource

    resource = Resource.create({"telemetry.distro.name": DISTRIBUTION, "telemetry.distro.version": _version()})
    if str(resource.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        warn_once("OTEL_SERVICE_NAME is not set: telemetry carries service.name=livekit-agent.")
        resource = resource.merge(Resource({SERVICE_NAME: "livekit-agent"}))
    if "service.instance.id" not in resource.attributes:
        resource = resource.merge(Resource({"service.instance.id": str(uuid.uuid4())}))
    return resource


def _version() -> str:
    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "unknown"


@guarded
def _start_tracing(found: Destinations, resource: Any, options: Options, span_processors: tuple[Any, ...]) -> None:
    from livekit.agents.telemetry import set_tracer_provider  # pyright: ignore[reportMissingImports]
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    if isinstance(trace.get_tracer_provider(), TracerProvider):
        warn_once("The application has set a tracer provider: it is kept, and Turnscope exports no traces.")
        return
    exporters = []
    if "traces" in found.otlp:
        exporters.append(_exporter("traces", found.otlp["traces"]))
    if found.langfuse:
        exporters.append(_langfuse_exporter(found.langfuse))
    exporters = [exporter for exporter in exporters if exporter is not None]
    if not exporters:
        return
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    for processor in span_processors:
        provider.add_span_processor(processor)
    delay = _unless_set("OTEL_BSP_SCHEDULE_DELAY", SPAN_DELAY_MILLISECONDS)
    for exporter in exporters:
        provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=delay))
    # LiveKit stamps room_id and job_id only where the provider has attributes of its own.
    stamped: Any = {"telemetry.distro.name": DISTRIBUTION}
    set_tracer_provider(provider, metadata=stamped, allow_pii=options.content_allowed)
    trace.set_tracer_provider(provider)
    _providers.append(provider)


@guarded
def _start_metrics(protocol: Protocol, resource: Any) -> None:
    from opentelemetry import metrics
    from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider, ObservableCounter
    from opentelemetry.sdk.metrics.export import AggregationTemporality, PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource

    if isinstance(metrics.get_meter_provider(), MeterProvider):
        warn_once("The application has set a meter provider: it is kept, and Turnscope exports no metrics.")
        return
    preference = os.environ.get("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "").strip().lower()
    delta = preference in ("", "delta")
    # A process lives for one call: a cumulative counter would start at 0 with each.
    temporality = (
        dict.fromkeys((Counter, Histogram, ObservableCounter), AggregationTemporality.DELTA) if delta else None
    )
    exporter = _exporter("metrics", protocol, preferred_temporality=temporality)
    if exporter is None:
        return
    if delta:
        # A process is a call, so its id would make a new series of each. Deltas of several processes add up without.
        kept = {key: value for key, value in resource.attributes.items() if key != "service.instance.id"}
        resource = Resource(kept, resource.schema_url)
    aggregation = os.environ.get("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "").strip().lower()
    provider = MeterProvider(
        [
            PeriodicExportingMetricReader(
                exporter,
                export_interval_millis=_unless_set("OTEL_METRIC_EXPORT_INTERVAL", METRIC_INTERVAL_MILLISECONDS),
            )
        ],
        resource=resource,
        shutdown_on_exit=False,
        views=metric_views(explicit=aggregation != "base2_exponential_bucket_histogram"),
    )
    metrics.set_meter_provider(provider)
    _providers.append(provider)


@guarded
def _start_logs(protocol: Protocol, resource: Any, options: Options) -> None:
    from livekit.agents.telemetry import pii  # pyright: ignore[reportMissingImports]
    from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler, LogRecordProcessor
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

    class ContentFilter(LogRecordProcessor):
        """Removes what LiveKit marks as content; what an application writes into a message stays."""

        def on_emit(self, log_record: Any) -> None:
            log_record.log_record.attributes = pii.filter_attributes(log_record.log_record.attributes)

        def shutdown(self) -> None:
            """Holds nothing."""

        def force_flush(self, timeout_millis: int = 0) -> bool:
            return True

    exporter = _exporter("logs", protocol)
    if exporter is None:
        return
    provider = LoggerProvider(resource=resource, shutdown_on_exit=False)
    if not options.content_allowed:
        provider.add_log_record_processor(ContentFilter())
    delay = _unless_set("OTEL_BLRP_SCHEDULE_DELAY", SPAN_DELAY_MILLISECONDS)
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter, schedule_delay_millis=delay))
    with warnings.catch_warnings():
        # Its successor is in another package; LiveKit itself still uses this one.
        warnings.simplefilter("ignore", DeprecationWarning)
        handler = LoggingHandler(logging.INFO, provider)
    # On the root logger before the job starts, LiveKit adds the job's log context fields to what passes.
    logging.getLogger().addHandler(handler)
    _providers.append(provider)


def _unless_set(variable: str, value: int) -> int | None:
    """`value`, or None where `variable` is set, which OpenTelemetry then reads."""
    return None if os.environ.get(variable) else value


@guarded
def _exporter(signal: str, protocol: Protocol, **options: Any) -> Any:
    certificate = os.environ.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_CERTIFICATE") or os.environ.get(
        "OTEL_EXPORTER_OTLP_CERTIFICATE"
    )
    if certificate and not os.path.isfile(certificate):  # noqa: PTH113
        warn_once(f"No telemetry is sent: the CA file {certificate} (OTEL_EXPORTER_OTLP_CERTIFICATE) does not exist.")
        return None
    module, name = EXPORTERS[signal]
    package = "grpc" if protocol is Protocol.GRPC else "http"
    if certificate and protocol is Protocol.HTTP:
        options["session"] = _session_trusting(certificate)
    return getattr(import_module(f"opentelemetry.exporter.otlp.proto.{package}.{module}"), name)(**options)


def _session_trusting(ca_file: str) -> Any:
    """For an exporter over HTTP: REQUESTS_CA_BUNDLE, which many images set, would win over the exporter's CA file."""
    import requests

    class Session(requests.Session):
        def merge_environment_settings(self, *args: Any, **kwargs: Any) -> Any:
            return {**super().merge_environment_settings(*args, **kwargs), "verify": ca_file}

    return Session()


@guarded
def _langfuse_exporter(langfuse: Langfuse) -> Any:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # pyright: ignore[reportMissingImports]

    with _without_otlp_settings():
        return OTLPSpanExporter(endpoint=langfuse.endpoint, headers=dict(langfuse.headers))


@contextlib.contextmanager
def _without_otlp_settings() -> Iterator[None]:
    """An exporter made within does not take over the collector's headers and certificates, its token among them."""
    hidden: Mapping[str, str] = {key: value for key, value in os.environ.items() if key.startswith("OTEL_EXPORTER_")}
    for key in hidden:
        del os.environ[key]
    try:
        yield
    finally:
        os.environ.update(hidden)


def flush() -> None:
    """Send what has been collected; returns after `FLUSH_SECONDS` at the latest."""
    _together([provider.force_flush for provider in _providers])


def shut_down() -> None:
    """Send what has been collected and stop; returns after `FLUSH_SECONDS` at the latest."""
    for provider in _providers:
        # What is logged from here on could not be sent.
        for handler in [each for each in logging.getLogger().handlers if _sends_to(each, provider)]:
            logging.getLogger().removeHandler(handler)
    _together([provider.shutdown for provider in _providers])
    _providers.clear()


def _sends_to(handler: logging.Handler, provider: Any) -> bool:
    return getattr(handler, "_logger_provider", None) is provider


def _together(steps: list[Callable[[], Any]]) -> None:
    """Run `steps` beside each other: OpenTelemetry's own limits add up to minutes when a collector is away."""
    threads = [threading.Thread(target=guarded(step), daemon=True) for step in steps]
    try:
        for thread in threads:
            thread.start()
    except RuntimeError:  # From Python 3.12 on, an ending main process starts no thread.
        for step in steps:
            guarded(step)()
        return
    end = time.monotonic() + FLUSH_SECONDS
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    if any(thread.is_alive() for thread in threads):
        warn_once(f"The collector did not accept everything within {FLUSH_SECONDS:g} s; the rest may be lost.")
