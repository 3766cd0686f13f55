"""The configuration of a collector before a SigNoz that the stack does not run. Pure."""

from __future__ import annotations

from signoz.plan import templating
from signoz.roles.collector.config import CollectorContext, transformations
from stacks.settings.existing_signoz import ExistingCollector, Ingest

KEY_VARIABLE = "SIGNOZ_INGESTION_KEY"
"""The variable in the collector's environment that holds `ingest.key`."""


def render_existing_collector(settings: ExistingCollector, ingest: Ingest, context: CollectorContext) -> str:
    """The configuration as YAML, of components in
    github.com/open-telemetry/opentelemetry-collector-releases/tree/main/distributions/otelcol-contrib. Holds no secret.
    """
    return templating.render(
        "collector-existing.yaml.j2", **transformations(settings, context), ingest=ingest, key_variable=KEY_VARIABLE
    )
