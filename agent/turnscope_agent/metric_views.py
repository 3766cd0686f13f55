"""How LiveKit's metrics are aggregated: buckets that percentiles can be taken from, and no attribute per call."""

from __future__ import annotations

from typing import Any

SECONDS = (
    *(0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 5.0),
    *(7.5, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0, 300.0),
)
"""Bounds for durations: fine where callers notice, with the usual thresholds (0.3, 0.7, 1.5, 2.0) among them, so that
the share above one is exact. OpenTelemetry's default bounds (0, 5, 10, ...) are made for milliseconds: every turn
falls between 0 and 5."""

TOKENS = tuple(4.0**power for power in range(14))
"""Bounds that the GenAI conventions name for token counts (github.com/open-telemetry/semantic-conventions-genai)."""

METER = "livekit-agents"

ATTRIBUTES = {
    *("model_name", "model_provider", "lk.agent_name", "connection_reused", "severity"),
    *("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "gen_ai.response.model"),
    *("gen_ai.token.type", "gen_ai.tool.name", "gen_ai.agent.name", "error.type"),
}
"""What stays on a point. LiveKit adds `room_id` and `job_id`: with them every call would be a new series."""


def metric_views(*, explicit: bool) -> list[Any]:
    """One view per kind of instrument. Histograms have the bounds above if `explicit`, else what the exporter prefers
    (OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION)."""
    from opentelemetry.sdk.metrics import Counter, Histogram
    from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, View

    def histogram(unit: str, bounds: tuple[float, ...]) -> View:
        return View(
            instrument_type=Histogram,
            instrument_unit=unit,
            meter_name=METER,
            attribute_keys=ATTRIBUTES,
            aggregation=ExplicitBucketHistogramAggregation(bounds) if explicit else None,
        )

    return [
        histogram("s", SECONDS),
        histogram("{token}", TOKENS),
        View(instrument_type=Counter, meter_name=METER, attribute_keys=ATTRIBUTES),
    ]
