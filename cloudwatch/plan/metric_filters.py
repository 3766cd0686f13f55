"""Metric filters: which log events become which metrics.

An agent has a metric namespace of its own instead of an `agent` dimension: a dimension's value can only come
from a field of the event, and events need not carry the agent's name. A pattern asks for a number (`>= 0`)
before its value is taken: LiveKit reports a time to first token of -1 when there was none.

A filter gives one metric, and every one is a resource of every agent: what another metric says too has none. The number
of turns is the sample count of their total latency, that of sessions the sample count of their duration, and the usage
of all models the sum over `Model`.
"""

from __future__ import annotations

from collections.abc import Iterator

from cloudwatch.plan.model import Metric, MetricFilter
from core import events
from core.events import Field
from stacks.settings.model import EventVersion, SavedQueries

TOOL_CALLS_COUNTED = 10
"""Tool calls of a session that are counted where its event has no totals (`events: v1`). A filter adds one value per
event, so each position in the list has its own pair of filters; calls past the tenth count neither as calls nor as
failures."""

MODEL = "Model"
"""The dimension of metrics that are priced per model."""

CLOSE_REASON = "CloseReason"
"""The dimension of sessions: LiveKit has few reasons (`core.events.CLOSE_REASONS`), so few metrics come of it."""


def agent_namespace(stack: str, agent: str) -> str:
    return f"Turnscope/{stack}/{agent}"


class Metrics:
    """The names of an agent's metrics, by namespace: what alarms and dashboards refer to."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.total_latency = Metric(namespace, "TotalLatency", "Seconds")
        self.eou_delay = Metric(namespace, "EndOfUtteranceDelay", "Seconds")
        self.llm_ttft = Metric(namespace, "LlmTimeToFirstToken", "Seconds")
        self.tts_ttfb = Metric(namespace, "TtsTimeToFirstByte", "Seconds")
        self.interruptions = Metric(namespace, "Interruptions", "Count")
        self.session_duration = Metric(namespace, "SessionDuration", "Seconds")
        self.qualified_leads = Metric(namespace, "QualifiedLeads", "Count")
        self.tool_calls = Metric(namespace, "ToolCalls", "Count")
        self.tool_failures = Metric(namespace, "ToolFailures", "Count")
        self.errors = Metric(namespace, "Errors", "Count")
        self.llm_tokens = Metric(namespace, "LlmTokens", "Count")

    def sessions(self, close_reason: str) -> Metric:
        return Metric(self.namespace, "Sessions", "Count", ((CLOSE_REASON, close_reason),))

    def llm_input_tokens(self, model: str) -> Metric:
        return Metric(self.namespace, "LlmInputTokens", "Count", ((MODEL, model),))

    def llm_output_tokens(self, model: str) -> Metric:
        return Metric(self.namespace, "LlmOutputTokens", "Count", ((MODEL, model),))

    def stt_audio(self, model: str) -> Metric:
        return Metric(self.namespace, "SttAudio", "Seconds", ((MODEL, model),))

    def tts_characters(self, model: str) -> Metric:
        return Metric(self.namespace, "TtsCharacters", "Count", ((MODEL, model),))


def incoming_log_events(log_group_name: str) -> Metric:
    """CloudWatch's own count of events that a log group received."""
    return Metric("AWS/Logs", "IncomingLogEvents", "None", (("LogGroupName", log_group_name),))


def plan_metric_filters(
    stack: str, agent: str, log_group_name: str, *, event_version: EventVersion, numbers: SavedQueries
) -> tuple[MetricFilter, ...]:
    """An agent's filters. `event_version` says whether its sessions have totals of their tool calls; `numbers` has what
    a qualified lead is."""
    metrics = Metrics(agent_namespace(stack, agent))

    def metric_filter(
        key: str, metric: Metric, pattern: str, value: str = "1", dimensions: tuple[tuple[str, str], ...] = ()
    ) -> MetricFilter:
        return MetricFilter(
            key=key,
            name=f"turnscope-{stack}-{key}",
            log_group_name=log_group_name,
            pattern=f"{{ {pattern} }}",
            namespace=metric.namespace,
            metric_name=metric.name,
            value=value,
            unit=metric.unit,
            dimensions=dimensions,
        )

    def event(event_type: str, *conditions: str) -> str:
        return " && ".join((f'{events.EVENT_TYPE.selector} = "{event_type}"', *conditions))

    def number(key: str, metric: Metric, event_type: str, field: Field) -> MetricFilter:
        return metric_filter(key, metric, event(event_type, f"{field.selector} >= 0"), field.selector)

    def per_model(key: str, metric: Metric, field: Field, model: Field) -> MetricFilter:
        pattern = event(events.SESSION_ANALYTICS, f"{field.selector} >= 0", f"{model.selector} = *")
        return metric_filter(key, metric, pattern, field.selector, ((MODEL, model.selector),))

    def tool_call(index: int) -> tuple[MetricFilter, MetricFilter]:
        call = f"{events.TOOL_CALLS.selector}[{index}]"
        return (
            metric_filter(
                f"tool-calls-{index}", metrics.tool_calls, event(events.SESSION_ANALYTICS, f"{call}.tool = *")
            ),
            metric_filter(
                f"tool-failures-{index}",
                metrics.tool_failures,
                event(events.SESSION_ANALYTICS, f"{call}.success IS FALSE"),
            ),
        )

    def tool_calls() -> Iterator[MetricFilter]:
        if event_version == "v1":
            for index in range(TOOL_CALLS_COUNTED):
                yield from tool_call(index)
            return
        for key, metric, field in (
            ("tool-calls", metrics.tool_calls, events.TOOL_CALLS_TOTAL),
            ("tool-failures", metrics.tool_failures, events.TOOL_FAILURES_TOTAL),
        ):
            # Not of 0 calls: a success rate of none would be a division by zero.
            yield metric_filter(key, metric, event(events.SESSION_ANALYTICS, f"{field.selector} > 0"), field.selector)

    is_lead = (
        f"({events.TEAM_SIZE.selector} >= {numbers.lead_team_size_minimum}"
        f" || {events.MONTHLY_VOLUME.selector} >= {numbers.lead_monthly_volume_minimum})"
    )
    return (
        number("total-latency", metrics.total_latency, events.VOICE_METRICS, events.TOTAL_LATENCY),
        number("eou-delay", metrics.eou_delay, events.VOICE_METRICS, events.EOU_DELAY),
        number("llm-ttft", metrics.llm_ttft, events.VOICE_METRICS, events.LLM_TTFT),
        number("tts-ttfb", metrics.tts_ttfb, events.VOICE_METRICS, events.TTS_TTFB),
        metric_filter(
            "interruptions",
            metrics.interruptions,
            event(events.VOICE_METRICS, f"{events.INTERRUPTED.selector} IS TRUE"),
        ),
        number("session-duration", metrics.session_duration, events.SESSION_ANALYTICS, events.DURATION_SECONDS),
        metric_filter(
            "close-reason",
            metrics.sessions(""),
            event(events.SESSION_ANALYTICS, f"{events.CLOSE_REASON.selector} = *"),
            dimensions=((CLOSE_REASON, events.CLOSE_REASON.selector),),
        ),
        metric_filter("qualified-leads", metrics.qualified_leads, event(events.SESSION_ANALYTICS, is_lead)),
        *tool_calls(),
        metric_filter("errors", metrics.errors, '$.level = "ERROR" || $.level = "CRITICAL"'),
        number("llm-tokens", metrics.llm_tokens, events.SESSION_ANALYTICS, events.LLM_TOKENS),
        per_model("llm-input-tokens", metrics.llm_input_tokens(""), events.LLM_INPUT_TOKENS, events.LLM_MODEL),
        per_model("llm-output-tokens", metrics.llm_output_tokens(""), events.LLM_OUTPUT_TOKENS, events.LLM_MODEL),
        per_model("stt-audio", metrics.stt_audio(""), events.STT_AUDIO_SECONDS, events.STT_MODEL),
        per_model("tts-characters", metrics.tts_characters(""), events.TTS_CHARACTERS, events.TTS_MODEL),
    )
