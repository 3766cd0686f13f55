"""Collector settings that the golden files and the offline validation both go through."""

from __future__ import annotations

from typing import Any

from core.secrets.reference import SecretRef
from signoz.roles.collector.config import CollectorContext, Generation
from signoz.roles.collector.existing import render_existing_collector
from stacks.settings.existing_signoz import ExistingCollector, Ingest
from stacks.settings.model import Prices
from stacks.settings.roles.collector import CollectorSettings

ENVIRONMENTS = ("local", "dev", "staging", "prod")
PRICES = Prices.model_validate(
    {
        "llm": {
            "gpt-4o-mini": {"input_usd_per_million_tokens": 0.15, "output_usd_per_million_tokens": 0.60},
            "gpt-4.1-mini": {"input_usd_per_million_tokens": 0.40, "output_usd_per_million_tokens": 1.60},
        },
        "stt": {"nova-3": {"usd_per_minute": 0.0043}},
        "tts": {"eleven_turbo_v2_5": {"usd_per_thousand_characters": 0.30}},
    }
)
LANGFUSE = {"public_key": SecretRef("langfuse.public_key"), "secret_key": SecretRef("langfuse.secret_key")}
FIREHOSE = {"access_key": SecretRef("firehose.access_key")}
OPTIONS: dict[str, dict[str, Any]] = {
    "redact-content": {"redact_content": True},
    "keep-tool-span-names": {"rename_tool_spans": False},
    "keep-metric-attributes": {"dropped_metric_attributes": ()},
    "no-span-metrics": {"span_metrics": False},
    "scrape": {"scrape": {"agents": ["agent.internal:8000"], "workers": ["agent.internal:9465"]}},
    "tail-sampling": {"tail_sampling": {}},
    "langfuse": {"langfuse": LANGFUSE},
    "langfuse-without-keys": {"langfuse": {}},
    "firehose-logs": {"firehose": FIREHOSE},
    "firehose-metrics": {"firehose": {**FIREHOSE, "logs": False, "metrics": "opentelemetry1.0"}},
    "no-opamp": {"opamp": False},
    "numbers": {
        "memory_mib": 4096,
        "queue": {"size_mib": 2048, "give_up_after_hours": 48, "batch_items": 20_000, "batch_seconds": 5},
        "log_level": "warn",
    },
}
OPTIONS["everything"] = {
    **{key: value for name in ("redact-content", "scrape", "langfuse") for key, value in OPTIONS[name].items()},
    "firehose": {**FIREHOSE, "metrics": "json"},
    "tail_sampling": {"keep_percent": 1},
}


def collector_settings(**over: Any) -> CollectorSettings:
    """The least settings, and what is given over them."""
    return CollectorSettings.model_validate({"tokens": {"agents": SecretRef("collector.tokens.agents")}, **over})


def collector_context(environment: str = "dev", generation: Generation = Generation.CURRENT) -> CollectorContext:
    return CollectorContext(environment=environment, prices=PRICES, slow_turn_seconds=1.5, generation=generation)


# --- A collector before a SigNoz that is there already ---

INGEST = {"endpoint": "https://ingest.us.signoz.cloud:443", "key": SecretRef("existing_signoz.ingest.key")}
EXISTING: dict[str, dict[str, Any]] = {
    "least": {},
    "everything": {"redact_content": True, "rename_tool_spans": False, **OPTIONS["scrape"]},
}


def existing_collector(case: str) -> str:
    """The rendered configuration of a case of `EXISTING`."""
    settings = ExistingCollector.model_validate({"endpoint": "http://localhost:4318", **EXISTING[case]})
    return render_existing_collector(settings, Ingest.model_validate(INGEST), collector_context())
