"""Plan objects: frozen descriptions of what a stack will hold.

Enumerations keep CloudWatch's own spelling as their values, so that a plan object can be handed to the API,
to the provider and to the simulator without a translation table.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from core.secrets.reference import SecretRef
from stacks.settings.targets import Targets


class Severity(StrEnum):
    """How urgent an alarm is; each severity has one notification topic."""

    CRITICAL = "critical"
    """Someone is paged now."""
    WARNING = "warning"
    """Someone looks during working hours."""


class Comparison(StrEnum):
    """CloudWatch's comparison operators (PutMetricAlarm, `ComparisonOperator`)."""

    ABOVE = "GreaterThanThreshold"
    AT_LEAST = "GreaterThanOrEqualToThreshold"
    BELOW = "LessThanThreshold"
    AT_MOST = "LessThanOrEqualToThreshold"
    ABOVE_BAND = "GreaterThanUpperThreshold"


class MissingData(StrEnum):
    """What a period without a data point counts as (PutMetricAlarm, `TreatMissingData`)."""

    MISSING = "missing"
    IGNORE = "ignore"
    BREACHING = "breaching"
    NOT_BREACHING = "notBreaching"


class AlarmState(StrEnum):
    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


@dataclass(frozen=True)
class LogGroup:
    """An agent's log group.

    `managed` is false for a group that exists already (LiveKit Cloud's forwarder made it, say): nothing about it
    is changed and teardown leaves it.
    """

    key: str
    name: str
    managed: bool
    retention_days: int
    encrypt: Literal["aws", "stack-key"] | str
    """`aws`: CloudWatch's own encryption; `stack-key`: a KMS key that this stack makes; else a key's ARN."""
    protect: bool
    """Refuse deletion: by the engine, and kept by teardown."""


@dataclass(frozen=True)
class SavedQuery:
    """A Logs Insights query definition over the log groups of up to 50 agents; `/` in its name makes folders in the
    console."""

    key: str
    name: str
    description: str
    log_group_names: tuple[str, ...]
    query: str


@dataclass(frozen=True)
class Metric:
    """A CloudWatch metric's identity. An alarm sees nothing unless namespace, name and every dimension match."""

    namespace: str
    name: str
    unit: str = "None"
    dimensions: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class MetricFilter:
    """Turns matching log events into data points of `namespace`/`metric_name`.

    `value` is a selector (`$.llm.ttft`) or a number as text. There is never a default value: zeros would pull a
    percentile to 0, and CloudWatch refuses one beside dimensions. `dimensions` maps a dimension's name to a
    selector, at most three.
    """

    key: str
    name: str
    log_group_name: str
    pattern: str
    namespace: str
    metric_name: str
    value: str
    unit: str
    dimensions: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class MetricStat:
    """One metric's statistic per period, for an alarm or a graph.

    `statistic` is `Average`, `Sum`, `Minimum`, `Maximum`, `SampleCount` or a percentile such as `p95`.
    """

    id: str
    metric: Metric
    statistic: str
    period_seconds: int
    label: str = ""


@dataclass(frozen=True)
class MathExpression:
    """A metric-math expression over the ids beside it."""

    id: str
    expression: str
    label: str = ""


@dataclass(frozen=True)
class MetricAlarm:
    """An alarm on one series.

    `series` holds the statistics and expressions; `watched` is the id whose values are compared. With
    `band_id` the comparison is with that expression's anomaly band and `threshold` is None.
    `low_samples` (`evaluate` or `ignore`) is CloudWatch's own handling of percentiles over few samples; it exists
    only for an alarm on a single percentile, else None.
    """

    key: str
    name: str
    title: str
    description: str
    severity: Severity
    runbook_url: str
    series: tuple[MetricStat | MathExpression, ...]
    watched: str
    comparison: Comparison
    threshold: float | None
    period_seconds: int
    evaluation_periods: int
    datapoints_to_alarm: int
    missing_data: MissingData
    unit: str = ""
    band_id: str | None = None
    low_samples: Literal["evaluate", "ignore"] | None = None
    notifies: bool = False
    """Whether the alarm itself notifies the topic of its severity, or only through a composite alarm."""
    recovers: bool = False
    """Whether it moves the EC2 instance that it watches to other hardware (`ec2:recover`,
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/UsingAlarmActions.html)."""

    @property
    def stats(self) -> tuple[MetricStat, ...]:
        return tuple(entry for entry in self.series if isinstance(entry, MetricStat))


@dataclass(frozen=True)
class CompositeAlarm:
    """An alarm over other alarms: in ALARM while any of `alarm_names` is.

    While `suppressor_name` is in ALARM its actions are held back, for `suppressor_wait_seconds` at the start and
    `suppressor_extension_seconds` after the end (PutCompositeAlarm, `ActionsSuppressor*`).
    """

    key: str
    name: str
    title: str
    description: str
    severity: Severity
    runbook_url: str
    alarm_names: tuple[str, ...]
    suppressor_name: str | None = None
    suppressor_wait_seconds: int = 0
    suppressor_extension_seconds: int = 0
    notifies: bool = True

    @property
    def rule(self) -> str:
        """The rule in CloudWatch's alarm-rule language."""
        return " OR ".join(f'ALARM("{name}")' for name in self.alarm_names)


@dataclass(frozen=True)
class Dashboard:
    """A dashboard; `body` is CloudWatch's dashboard body as Python data."""

    key: str
    name: str
    body: dict[str, Any] = field(hash=False)


@dataclass(frozen=True)
class Subscription:
    """A receiver of a topic: `email` has `address`; `pagerduty` and `slack` a secret address."""

    key: str
    kind: Literal["email", "pagerduty", "slack"]
    address: str | SecretRef


@dataclass(frozen=True)
class Topic:
    """The notification topic of one severity."""

    key: str
    name: str
    severity: Severity
    subscriptions: tuple[Subscription, ...]


@dataclass(frozen=True)
class Budget:
    """A monthly cost budget; each threshold (percent of the limit) alerts by e-mail and the warning topic."""

    key: str
    name: str
    monthly_limit_usd: float
    services: tuple[str, ...]
    alert_percents: tuple[int, ...]
    emails: tuple[str, ...]


@dataclass(frozen=True)
class AgentPlan:
    """Everything of one agent."""

    name: str
    namespace: str
    log_group: LogGroup
    targets: Targets
    metric_filters: tuple[MetricFilter, ...]
    alarms: tuple[MetricAlarm, ...]
    composite_alarms: tuple[CompositeAlarm, ...]


@dataclass(frozen=True)
class CloudWatchPlan:
    """What a stack holds in CloudWatch, apart from the alarms on its analytics (`analytics.plan`)."""

    stack: str
    environment: str
    region: str
    topics: tuple[Topic, ...]
    agents: tuple[AgentPlan, ...]
    saved_queries: tuple[SavedQuery, ...]
    dashboards: tuple[Dashboard, ...]
    budget: Budget | None
    existing_topics: tuple[tuple[Severity, str], ...] = ()
    """ARNs of topics that take the place of the stack's own; nothing about them is changed."""

    @property
    def metric_filters(self) -> tuple[MetricFilter, ...]:
        return tuple(each for agent in self.agents for each in agent.metric_filters)

    @property
    def alarms(self) -> tuple[MetricAlarm, ...]:
        return tuple(each for agent in self.agents for each in agent.alarms)

    @property
    def composite_alarms(self) -> tuple[CompositeAlarm, ...]:
        return tuple(each for agent in self.agents for each in agent.composite_alarms)
