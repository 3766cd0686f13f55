"""Dashboards: one per agent, one overview (and one for each part of many agents); alarm thresholds are drawn from the
alarms themselves.

A body is CloudWatch's dashboard JSON as Python data (docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/
CloudWatch-Dashboard-Body-Structure.html). Alarm widgets need ARNs, and so an account: `ACCOUNT_ID` stands there
until deployment. There are no log widgets: each re-runs, and bills, its query at every refresh; the saved
queries are one click away instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from cloudwatch.plan.metric_filters import Metrics
from cloudwatch.plan.model import AgentPlan, Dashboard, Metric, MetricAlarm, Severity
from cloudwatch.plan.parts import parts
from core import events
from stacks.settings.model import Prices

GRID_COLUMNS = 24
ACCOUNT_ID = "{account_id}"
COLOURS = {Severity.WARNING: "#ff9900", Severity.CRITICAL: "#d13212"}
TOKENS_PER_PRICE = 1_000_000
CHARACTERS_PER_PRICE = 1_000
HOUR_SECONDS = 3600

Properties = dict[str, Any]


@dataclass(frozen=True)
class Widget:
    """A widget without its place: rows are laid out left to right, top to bottom."""

    type: str
    width: int
    height: int
    properties: Properties


def lay_out(rows: Iterable[Sequence[Widget]]) -> list[dict[str, Any]]:
    """Places for rows of widgets on the 24-column grid; a row is as high as its highest widget.

    Raises `ValueError` for a row that is wider than the grid.
    """
    placed: list[dict[str, Any]] = []
    top = 0
    for row in rows:
        left = 0
        for widget in row:
            placed.append(
                {
                    "type": widget.type,
                    "x": left,
                    "y": top,
                    "width": widget.width,
                    "height": widget.height,
                    "properties": widget.properties,
                }
            )
            left += widget.width
        if left > GRID_COLUMNS:
            raise ValueError(f"a row of {left} columns on a grid of {GRID_COLUMNS}: {[w.properties for w in row]}")
        top += max((widget.height for widget in row), default=0)
    return placed


def threshold_line(alarm: MetricAlarm) -> dict[str, Any]:
    """Annotation strategy: an alarm's threshold as a line in its severity's colour."""
    if alarm.threshold is None:
        raise ValueError(f"{alarm.name} watches a band, which is no line")
    return {
        "label": f"{alarm.severity}: {alarm.title}",
        "value": alarm.threshold,
        "color": COLOURS[alarm.severity],
    }


def agent_dashboard_name(stack: str, agent: str) -> str:
    return f"turnscope-{stack}-{agent}"


def alarm_arn(region: str, name: str) -> str:
    partition = "aws-cn" if region.startswith("cn-") else "aws-us-gov" if region.startswith("us-gov-") else "aws"
    return f"arn:{partition}:cloudwatch:{region}:{ACCOUNT_ID}:alarm:{name}"


def _line(metric: Metric, **options: Any) -> list[Any]:
    dimensions = [part for pair in metric.dimensions for part in pair]
    return [metric.namespace, metric.name, *dimensions, options]


def _expression(expression: str, label: str, **options: Any) -> list[Any]:
    return [{"expression": expression, "label": label, **options}]


class _Sheet:
    """Widget makers for one region and period."""

    def __init__(self, region: str, period_seconds: int) -> None:
        self.region = region
        self.period_seconds = period_seconds

    def text(self, markdown: str, *, width: int = GRID_COLUMNS, height: int = 2) -> Widget:
        return Widget("text", width, height, {"markdown": markdown})

    def graph(
        self,
        title: str,
        lines: list[list[Any]],
        *,
        unit: str,
        width: int = 12,
        height: int = 6,
        alarms: Sequence[MetricAlarm] = (),
        stat: str = "Sum",
        stacked: bool = False,
        period_seconds: int | None = None,
        maximum: float | None = None,
    ) -> Widget:
        axis: dict[str, Any] = {"min": 0, "label": unit, "showUnits": False}
        if maximum is not None:
            axis["max"] = maximum
        properties: Properties = {
            "title": title,
            "region": self.region,
            "view": "timeSeries",
            "stacked": stacked,
            "stat": stat,
            "period": period_seconds or self.period_seconds,
            "metrics": lines,
            "yAxis": {"left": axis},
        }
        drawn = [threshold_line(alarm) for alarm in alarms if alarm.threshold is not None]
        if drawn:
            properties["annotations"] = {"horizontal": drawn}
        return Widget("metric", width, height, properties)

    def numbers(self, title: str, lines: list[list[Any]], *, width: int = 12, height: int = 4) -> Widget:
        """Totals over the dashboard's time range."""
        return Widget(
            "metric",
            width,
            height,
            {
                "title": title,
                "region": self.region,
                "view": "singleValue",
                "stat": "Sum",
                "period": HOUR_SECONDS,
                "setPeriodToTimeRange": True,
                "metrics": lines,
            },
        )

    def alarms(self, title: str, names: Iterable[str], *, width: int = GRID_COLUMNS, height: int = 3) -> Widget:
        arns = [alarm_arn(self.region, name) for name in names]
        return Widget("alarm", width, height, {"title": title, "alarms": arns})


def _percentiles(metric: Metric, target: int) -> list[list[Any]]:
    """The median, the percentile that targets are about, and the slowest."""
    return [_line(metric, stat=f"p{each}", label=f"P{each}") for each in sorted({50, target, 99})]


def _tool_success(metrics: Metrics) -> list[list[Any]]:
    return [
        _line(metrics.tool_calls, id="calls", visible=False),
        _line(metrics.tool_failures, id="failures", visible=False),
        _expression("100 * (calls - FILL(failures, 0)) / calls", "Tool success (%)", id="success"),
    ]


def _session_success(metrics: Metrics) -> list[list[Any]]:
    failed = [
        _line(metrics.sessions(reason), id=f"failed{index}", visible=False)
        for index, reason in enumerate(events.FAILED_CLOSE_REASONS)
    ]
    failures = " - ".join(f"FILL(failed{index}, 0)" for index in range(len(failed)))
    return [
        _line(metrics.session_duration, stat="SampleCount", id="sessions", visible=False),
        *failed,
        _expression(f"100 * (sessions - {failures}) / sessions", "Session success (%)", id="success"),
    ]


def _qualified_leads(metrics: Metrics) -> list[list[Any]]:
    return [
        _line(metrics.qualified_leads, label="Qualified leads", id="leads"),
        _line(metrics.session_duration, stat="SampleCount", id="sessions", visible=False),
        _expression("100 * FILL(leads, 0) / sessions", "Share of sessions (%)", id="share"),
    ]


def _over_models(metric: Metric, label: str, id: str) -> list[Any]:
    """The sum of a metric over all its models: one filter cannot publish the sum too.

    docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/search-expression-syntax.html: names of a namespace and of
    dimensions in quotes, all of a metric's dimensions. At most 100 series are found.
    """
    dimensions = ",".join(f'"{name}"' for name, _ in metric.dimensions)
    search = f"""'{{"{metric.namespace}",{dimensions}}} MetricName="{metric.name}"'"""
    return _expression(f"SUM(SEARCH({search}, 'Sum'))", label, id=id)


def cost_lines(metrics: Metrics, prices: Prices) -> list[list[Any]]:
    """Cost in US dollars per priced model: usage metrics, hidden, and an expression over each.

    Usage of a model without a price is in no line; the saved query "Cost/Per day by model" counts such sessions.
    """
    lines: list[list[Any]] = []
    for index, (model, price) in enumerate(prices.llm.items()):
        lines += [
            _line(metrics.llm_input_tokens(model), id=f"in{index}", visible=False),
            _line(metrics.llm_output_tokens(model), id=f"out{index}", visible=False),
            _expression(
                f"(FILL(in{index}, 0) * {price.input_usd_per_million_tokens:g}"
                f" + FILL(out{index}, 0) * {price.output_usd_per_million_tokens:g}) / {TOKENS_PER_PRICE}",
                f"{model} (LLM)",
                id=f"llm{index}",
            ),
        ]
    for index, (model, price) in enumerate(prices.stt.items()):
        lines += [
            _line(metrics.stt_audio(model), id=f"audio{index}", visible=False),
            _expression(f"FILL(audio{index}, 0) / 60 * {price.usd_per_minute:g}", f"{model} (STT)", id=f"stt{index}"),
        ]
    for index, (model, price) in enumerate(prices.tts.items()):
        lines += [
            _line(metrics.tts_characters(model), id=f"text{index}", visible=False),
            _expression(
                f"FILL(text{index}, 0) / {CHARACTERS_PER_PRICE} * {price.usd_per_thousand_characters:g}",
                f"{model} (TTS)",
                id=f"tts{index}",
            ),
        ]
    return lines


def plan_agent_dashboard(
    stack: str, region: str, agent: AgentPlan, prices: Prices, period_seconds: int, part: str = ""
) -> Dashboard:
    """Latency first, then why, then what callers did, then what it cost. `part`: of the saved queries, which have the
    agent in it (`Part.suffix`)."""
    metrics, percentile = Metrics(agent.namespace), agent.targets.percentile
    sheet = _Sheet(region, period_seconds)
    alarms = {alarm.key: alarm for alarm in agent.alarms}

    def lines_of(*keys: str) -> list[MetricAlarm]:
        return [alarms[key] for key in keys if key in alarms]

    runbooks = " · ".join(f"[{alarm.key}]({alarm.runbook_url})" for alarm in (*agent.composite_alarms, *agent.alarms))
    saved = f"Saved queries: Logs Insights, folder `{stack}`{part}, for log group `{agent.log_group.name}`."
    rows: list[list[Widget]] = [
        [sheet.text(f"# {agent.name} ({stack})\n{saved} Runbooks: {runbooks}", height=3)],
        [
            sheet.alarms(
                "Alarms",
                (*(alarm.name for alarm in agent.composite_alarms), *(alarm.name for alarm in agent.alarms)),
                height=4,
            )
        ],
        [
            sheet.graph(
                "Total latency",
                _percentiles(metrics.total_latency, percentile),
                unit="Seconds",
                alarms=lines_of("total-latency-warning", "total-latency-critical"),
                width=16,
                height=8,
            ),
            sheet.graph(
                "Where a turn's time goes (mean)",
                [
                    _line(metrics.eou_delay, stat="Average", label="End of utterance"),
                    _line(metrics.llm_ttft, stat="Average", label="LLM time to first token"),
                    _line(metrics.tts_ttfb, stat="Average", label="TTS time to first byte"),
                ],
                unit="Seconds",
                stacked=True,
                width=8,
                height=8,
            ),
        ],
        [
            sheet.graph(
                "LLM time to first token",
                _percentiles(metrics.llm_ttft, percentile),
                unit="Seconds",
                alarms=lines_of("llm-ttft", "llm-ttft-critical"),
                width=8,
            ),
            sheet.graph(
                "TTS time to first byte",
                _percentiles(metrics.tts_ttfb, percentile),
                unit="Seconds",
                alarms=lines_of("tts-ttfb", "tts-ttfb-critical"),
                width=8,
            ),
            sheet.graph(
                "End of utterance",
                _percentiles(metrics.eou_delay, percentile),
                unit="Seconds",
                alarms=lines_of("eou-delay", "eou-delay-critical"),
                width=8,
            ),
        ],
        [
            sheet.graph(
                "Turns and sessions",
                [
                    _line(metrics.total_latency, stat="SampleCount", label="Turns"),
                    _line(metrics.interruptions, label="Interrupted answers"),
                    _line(metrics.session_duration, stat="SampleCount", label="Sessions"),
                ],
                unit="Count",
                width=8,
            ),
            sheet.graph(
                "Errors",
                [_line(metrics.errors, label="Error log lines")],
                unit="Count",
                alarms=lines_of("errors"),
                width=8,
            ),
            sheet.graph(
                "Tool success",
                _tool_success(metrics),
                unit="Percent",
                alarms=lines_of("tool-success"),
                maximum=100,
                width=8,
            ),
        ],
        [
            sheet.graph(
                "Session duration",
                [_line(metrics.session_duration, stat=stat, label=stat.upper()) for stat in ("p50", "p95")],
                unit="Seconds",
                width=6,
            ),
            sheet.graph(
                "Sessions by close reason",
                [_line(metrics.sessions(reason), label=reason) for reason in events.CLOSE_REASONS],
                unit="Count",
                stacked=True,
                width=6,
            ),
            sheet.graph("Session success", _session_success(metrics), unit="Percent", maximum=100, width=6),
            sheet.numbers("Qualified leads in this time range", _qualified_leads(metrics), width=6, height=6),
        ],
        [
            sheet.numbers(
                "Usage in this time range",
                [
                    _line(metrics.session_duration, stat="SampleCount", label="Sessions"),
                    _line(metrics.llm_tokens, label="LLM tokens"),
                    _over_models(metrics.stt_audio(""), "Speech to text (s)", "stt"),
                    _over_models(metrics.tts_characters(""), "Text to speech (characters)", "tts"),
                ],
                width=10,
                height=6,
            ),
            *_cost_widgets(sheet, metrics, prices),
        ],
    ]
    return Dashboard(f"agent-{agent.name}", agent_dashboard_name(stack, agent.name), {"widgets": lay_out(rows)})


def _cost_widgets(sheet: _Sheet, metrics: Metrics, prices: Prices) -> list[Widget]:
    lines = cost_lines(metrics, prices)
    if not lines:
        return []
    return [
        sheet.graph(
            "Cost per hour by model",
            lines,
            unit="US dollars",
            stacked=True,
            width=14,
            period_seconds=HOUR_SECONDS,
        )
    ]


def plan_overviews(stack: str, region: str, agents: Sequence[AgentPlan], period_seconds: int) -> tuple[Dashboard, ...]:
    """Every agent side by side: one overview, or of more than 50 agents one for each part (`cloudwatch.plan.parts`),
    and over them one that shows the state of all and leads to each.

    A widget shows at most 100 alarms, of which an agent has two composite ones; and nobody reads a graph of more lines.
    """
    sheet = _Sheet(region, period_seconds)
    name = f"turnscope-{stack}-overview"
    of = parts(agents)
    if len(of) == 1:
        return (_overview("overview", name, stack, stack, sheet, agents),)
    rows = [[sheet.text(f"# Voice agents ({stack}): {len(agents)} in {len(of)} parts", height=1)]]
    for part in of:
        title = f"Part {part.number}: {part.agents[0].name} to {part.agents[-1].name}"
        link = f"[Part {part.number}, {len(part.agents)} agents](#dashboards:name={name}-{part.number})"
        rows += [[sheet.text(link, height=1)], [_states(sheet, title, part.agents)]]
    return (
        Dashboard("overview", name, {"widgets": lay_out(rows)}),
        *(
            _overview(
                f"overview-{part.number}",
                f"{name}-{part.number}",
                f"{stack}, part {part.number} of {part.count}",
                stack,
                sheet,
                part.agents,
            )
            for part in of
        ),
    )


def _states(sheet: _Sheet, title: str, agents: Sequence[AgentPlan]) -> Widget:
    names = (alarm.name for agent in agents for alarm in agent.composite_alarms)
    return sheet.alarms(title, names, height=2 + len(agents))


def _overview(key: str, name: str, title: str, stack: str, sheet: _Sheet, agents: Sequence[AgentPlan]) -> Dashboard:
    """State first, then one line per agent in each graph."""
    named = [(agent, Metrics(agent.namespace)) for agent in agents]
    headline = {"total-latency-warning", "total-latency-critical"}
    thresholds = {
        (alarm.threshold, alarm.severity): alarm for agent in agents for alarm in agent.alarms if alarm.key in headline
    }
    percentiles = sorted({agent.targets.percentile for agent in agents})
    success: list[list[Any]] = []
    for index, (agent, metrics) in enumerate(named):
        success += [
            _line(metrics.tool_calls, id=f"calls{index}", visible=False),
            _line(metrics.tool_failures, id=f"failures{index}", visible=False),
            _expression(
                f"100 * (calls{index} - FILL(failures{index}, 0)) / calls{index}",
                agent.name,
                id=f"success{index}",
            ),
        ]
    links = " · ".join(
        f"[{agent.name}](#dashboards:name={agent_dashboard_name(stack, agent.name)})" for agent in agents
    )
    rows = [
        [sheet.text(f"# Voice agents ({title})\n{links}")],
        [_states(sheet, "Agents", agents)],
        [
            sheet.graph(
                f"Total latency {' and '.join(f'P{each}' for each in percentiles)}",
                [
                    _line(
                        metrics.total_latency,
                        stat=f"p{agent.targets.percentile}",
                        label=agent.name if len(percentiles) == 1 else f"{agent.name} P{agent.targets.percentile}",
                    )
                    for agent, metrics in named
                ],
                unit="Seconds",
                alarms=list(thresholds.values()),
                width=16,
                height=8,
            ),
            sheet.graph(
                "Turns",
                [_line(metrics.total_latency, stat="SampleCount", label=agent.name) for agent, metrics in named],
                unit="Count",
                stacked=True,
                width=8,
                height=8,
            ),
        ],
        [
            sheet.graph(
                "Errors",
                [_line(metrics.errors, label=agent.name) for agent, metrics in named],
                unit="Count",
                width=8,
            ),
            sheet.graph("Tool success", success, unit="Percent", maximum=100, width=8),
            sheet.graph(
                "LLM tokens per hour",
                [_line(metrics.llm_tokens, label=agent.name) for agent, metrics in named],
                unit="Tokens",
                stacked=True,
                width=8,
                period_seconds=HOUR_SECONDS,
            ),
        ],
    ]
    return Dashboard(key, name, {"widgets": lay_out(rows)})
