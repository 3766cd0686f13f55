"""Targets: how fast, reliable and cheap calls should be. Each number is written once, here.

Alarms, dashboards, saved queries, Athena queries, SigNoz' rules and the collector's sampling all take theirs from this
model; tests/unit/test_targets.py lists which takes which. When an alarm fires on a target (periods, samples) is in
`stacks.settings.model.Alarms` and `stacks.settings.roles.content.Thresholds`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from stacks.settings.fields import NUMBER, Model, OneOf, problem

PERCENTILES = (50, 75, 90, 95, 99)
"""What CloudWatch, Logs Insights, Athena and SigNoz all compute: SigNoz has a function for each percentile, and these
are the ones that it has for spans and metrics alike (github.com/SigNoz/signoz at v0.138.0,
`pkg/querybuilder/agg_funcs.go`, `pkg/types/metrictypes`)."""

Seconds = Annotated[float, Field(gt=0, le=60), NUMBER]
Percent = Annotated[float, Field(gt=0, le=100), NUMBER]
UsdPerUse = Annotated[float, Field(gt=0, le=10_000), NUMBER]
UsdPerDay = Annotated[float, Field(gt=0, le=1_000_000), NUMBER]


class _Stage(Model):
    """A stage of a turn, with the seconds that its percentile should stay below."""

    @field_validator("critical_seconds", check_fields=False)
    @classmethod
    def _critical_above_warning(cls, value: float | None, info: ValidationInfo) -> float | None:
        warning = info.data.get("warning_seconds")
        if value is not None and warning is not None and value <= warning:
            raise problem(f"allowed: above warning_seconds ({warning})")
        return value


class TotalLatency(_Stage):
    """Total latency of a turn: from the end of the caller's speech to the first sound of the answer."""

    warning_seconds: Seconds = 1.5
    """Seconds above which the percentile of turns raises a warning. A turn above it counts as slow."""
    critical_seconds: Seconds = 2.0
    """Seconds above which the percentile of turns raises a critical alarm. Must be above warning_seconds."""
    goal_seconds: Seconds = 0.6
    """Seconds within which an answer feels like conversation: the average of turns should be below. At most
    warning_seconds."""
    goal_percent: Percent = 95
    """Percent of turns that should be answered within goal_seconds."""

    @field_validator("goal_seconds")
    @classmethod
    def _goal_within_warning(cls, value: float, info: ValidationInfo) -> float:
        warning = info.data.get("warning_seconds")
        if warning is not None and value > warning:
            raise problem(f"allowed: at most warning_seconds ({warning})")
        return value


class LlmTtft(_Stage):
    """LLM time to first token."""

    warning_seconds: Seconds = 0.7
    """Seconds above which the percentile of turns raises a warning."""
    critical_seconds: Seconds | None = None
    """Seconds above which the percentile of turns raises a critical alarm; null for none. Must be above
    warning_seconds."""


class TtsTtfb(_Stage):
    """TTS time to first byte."""

    warning_seconds: Seconds = 0.3
    """Seconds above which the percentile of turns raises a warning."""
    critical_seconds: Seconds | None = None
    """Seconds above which the percentile of turns raises a critical alarm; null for none. Must be above
    warning_seconds."""


class EouDelay(_Stage):
    """End of utterance delay: from the end of the caller's speech to the decision that the turn has ended."""

    warning_seconds: Seconds | None = None
    """Seconds above which the percentile of turns raises a warning; null for none. What is usual depends on the agent's
    endpointing: LiveKit waits 0.5 to 3 seconds by default."""
    critical_seconds: Seconds | None = None
    """Seconds above which the percentile of turns raises a critical alarm; null for none. Must be above
    warning_seconds."""


class Targets(Model):
    """Targets of an agent's calls: latency, quality and cost. Alarms, dashboards, queries and rules use them."""

    percentile: Annotated[int, OneOf(PERCENTILES), NUMBER] = 95
    """Percentile of turns that latency targets are about."""
    total_latency: TotalLatency = TotalLatency()
    """Total latency of a turn."""
    llm_ttft: LlmTtft = LlmTtft()
    """LLM time to first token."""
    tts_ttfb: TtsTtfb = TtsTtfb()
    """TTS time to first byte."""
    eou_delay: EouDelay = EouDelay()
    """End of utterance delay."""
    tool_success_percent: Percent = 95
    """Percent of tool calls that should succeed."""
    cost_per_call_usd: UsdPerUse = 0.20
    """US dollars of models per call, on average, above which a warning is raised. Costs are usage times `prices`."""
    cost_per_minute_usd: UsdPerUse = 0.20
    """US dollars of models per minute of calls, on average, above which a warning is raised."""
    model_spend_per_day_usd: UsdPerDay | None = None
    """US dollars of models in 24 hours above which a warning is raised; null for none."""
    model_spend_per_tenant_and_day_usd: UsdPerDay | None = None
    """US dollars of models for one tenant in 24 hours above which a warning is raised; null for none."""
