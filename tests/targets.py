"""Targets for tests: the defaults, and one where the defaults have none, so that everything with a target exists."""

from __future__ import annotations

from typing import Any

from stacks.settings.targets import Targets

OPTIONAL: dict[str, Any] = {
    "llm_ttft": {"critical_seconds": 7.7},
    "tts_ttfb": {"critical_seconds": 5.5},
    "eou_delay": {"warning_seconds": 1.1, "critical_seconds": 4.4},
    "model_spend_per_day_usd": 310,
    "model_spend_per_tenant_and_day_usd": 37,
}
"""What the defaults leave null."""
ALL = Targets.model_validate(OPTIONAL)
