"""Prices of language models for SigNoz' AI pages, from the stack's price table. Pure.

SigNoz works out costs with them, in attributes of its own; what Turnscope's panels and rules show is counted by the
collector, from the same table.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from signoz.content.model import ContentObject, Kind
from stacks.settings.model import LlmPrice

SOURCE = "prices.llm"
PROVIDER = "turnscope"
"""SigNoz wants one; the price table is by model alone."""


def plan_prices(prices: Mapping[str, LlmPrice]) -> tuple[ContentObject, ...]:
    """A pricing rule for each model; it is matched by its name alone, as the collector does."""
    return tuple(_rule(model, price) for model, price in sorted(prices.items()))


def _rule(model: str, price: LlmPrice) -> ContentObject:
    body = {
        "modelName": model,
        "provider": PROVIDER,
        "modelPattern": [model],
        "unit": "per_million_tokens",
        "pricing": {"input": price.input_usd_per_million_tokens, "output": price.output_usd_per_million_tokens},
        "isOverride": True,
        "enabled": True,
    }
    return ContentObject(Kind.LLM_PRICES, re.sub("[^A-Za-z0-9._-]", "-", model), model, body, f"{SOURCE}.{model}")
