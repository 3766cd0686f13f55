"""The settings of a stack: every number of Turnscope, described, with its unit and range.

One model, read from `stacks/base.yaml` under the stack's own file (see `stacks.settings.loading`). The JSON schemas for
editors, the reference page and the configuration section of `Pulumi.yaml` are generated from it
(`stacks.settings.reference`). Validation here needs no network: what AWS alone can know is left to AWS.

Checks across fields are field validators that look at `info.data`, not model validators: pydantic runs them
beside all other errors, so one run reports every problem.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, JsonValue, ValidationInfo, field_validator

from core.environments import Environment
from stacks.settings.analytics import Analytics, environment_problem
from stacks.settings.aws import Aws, Tags
from stacks.settings.cloudwatch import CloudWatchSettings
from stacks.settings.existing_signoz import ExistingAlertRouting, ExistingSigNoz, url_problem
from stacks.settings.fields import (
    NUMBER,
    RETENTION_DAYS,
    Date,
    Email,
    Flag,
    KmsKey,
    Matching,
    Model,
    OneOf,
    Secret,
    Usd,
    problem,
    problems_below,
)
from stacks.settings.host import HostSettings
from stacks.settings.host import environment_problem as host_problem
from stacks.settings.host_gateway import gateway_problem
from stacks.settings.log_delivery import log_delivery_of, log_delivery_problems
from stacks.settings.roles.alertmanager import AlertmanagerSettings
from stacks.settings.roles.collector import LogGroupDelivery
from stacks.settings.roles.content import ContentSettings
from stacks.settings.roles.signoz import SigNozSettings
from stacks.settings.targets import Targets

AgentName = Annotated[
    str,
    Matching("[A-Za-z0-9][A-Za-z0-9_-]{0,62}", "1 to 63 letters, digits, - and _, starting with a letter or digit"),
]
LogGroupName = Annotated[
    str,
    Matching(
        "(?![Aa][Ww][Ss]/)[A-Za-z0-9_./#-]{1,512}",
        "1 to 512 letters, digits and . - _ / #, not starting with aws/ (reserved by AWS; /aws/ is allowed)",
    ),
]


class LogGroups(Model):
    """Retention and encryption of the agents' log groups."""

    retention_days: Annotated[int, OneOf(RETENTION_DAYS), NUMBER] = 30
    """Days that log events are kept. Unlimited retention is not available, because its cost grows without limit."""
    encryption: KmsKey = "aws"
    """`aws` (CloudWatch's own key), `stack-key` (a KMS key that this stack creates), or the ARN of an existing key."""


_MINUTES_OR_HOURS: list[JsonValue] = [{"maximum": 60}, {"multipleOf": 60}]


class SavedQueries(Model):
    """Numbers in the saved queries."""

    row_limit: Annotated[int, Field(ge=1, le=10_000), NUMBER] = 20
    """Maximum number of rows that an investigation query returns."""
    bin_minutes: Annotated[int, Field(ge=1, le=1440, json_schema_extra={"anyOf": _MINUTES_OR_HOURS}), NUMBER] = 5
    """Minutes per data point of a query over time: up to 60, or whole hours. `bin` accepts no other period."""
    lead_team_size_minimum: Annotated[int, Field(ge=1, le=1_000_000), NUMBER] = 5
    """Minimum team size (people) of a qualified lead."""
    lead_monthly_volume_minimum: Annotated[int, Field(ge=1, le=1_000_000_000), NUMBER] = 100
    """Minimum monthly volume (documents) of a qualified lead."""

    @field_validator("bin_minutes")
    @classmethod
    def _minutes_or_hours(cls, value: int) -> int:
        if value > 60 and value % 60:
            raise problem("allowed: 1 to 60, or whole hours up to 1440")
        return value


class Alarms(Model):
    """Evaluation of an agent's alarms. The thresholds are its `targets`."""

    errors_per_period: Annotated[int, Field(ge=1, le=1_000_000), NUMBER] = 10
    """Error log lines in one period above which the warning alarm fires."""
    no_data_minutes: Annotated[int, Field(ge=5, le=1440), NUMBER] | None = 60
    """Minutes without log events after which the critical alarm fires; null for agents that may be idle."""
    anomaly_band_standard_deviations: Annotated[float, Field(gt=0, le=10), NUMBER] | None = 2
    """Width of the anomaly band of total latency; null disables the anomaly alarm."""
    period_seconds: Annotated[int, Field(ge=60, le=3600, multiple_of=60), NUMBER] = 300
    """Seconds that one data point covers."""
    evaluation_periods: Annotated[int, Field(ge=1, le=100), NUMBER] = 3
    """Number of periods that an alarm evaluates (N of M-out-of-N)."""
    datapoints_to_alarm: Annotated[int, Field(ge=1, le=100), NUMBER] = 2
    """Number of these periods that must breach (M of M-out-of-N)."""
    low_samples: Literal["gate", "evaluate", "ignore"] = "gate"
    """Percentiles of few turns: `gate` evaluates only periods with at least `minimum_samples` turns; `evaluate`
    evaluates all periods; `ignore` is CloudWatch's rule, which keeps the state below 10/(1-p) turns (200 for P95)."""
    minimum_samples: Annotated[int, Field(ge=1, le=10_000), NUMBER] = 10
    """Minimum number of turns (tool calls, for tool success) in a period, with `low_samples: gate`."""
    notify_per: Literal["agent", "alarm"] = "agent"
    """`agent`: one composite alarm per severity notifies, and the critical one suppresses the warning one; `alarm`:
    every metric alarm notifies directly."""

    @field_validator("evaluation_periods")
    @classmethod
    def _window_within_a_day(cls, value: int, info: ValidationInfo) -> int:
        period = info.data.get("period_seconds")
        if period and period * value > 86_400:
            raise problem(f"allowed: at most {86_400 // period}, the number of {period}-second periods in a day")
        return value

    @field_validator("datapoints_to_alarm")
    @classmethod
    def _at_most_evaluated(cls, value: int, info: ValidationInfo) -> int:
        periods = info.data.get("evaluation_periods")
        if periods is not None and value > periods:
            raise problem(f"allowed: at most evaluation_periods ({periods})")
        return value


EventVersion = Literal["v1", "v2"]


class Agent(Model):
    """One voice agent."""

    log_group: LogGroupName | None = None
    """Name of the log group; null for `/aws/livekit/<agent>`."""
    log_group_exists: Flag = False
    """The log group exists already (for example, created by LiveKit's log forwarding): the stack uses it, does not
    change it, and keeps it at tear-down."""
    events: EventVersion = "v2"
    """`v2`: its `session_analytics` events have `tool_calls_total` and `tool_failures_total`, like those of
    `turnscope_agent`; `v1`: they have not, so 20 metric filters count the first ten tool calls of a session."""
    targets: Targets = Targets()
    """Targets of this agent that override the stack's `targets`."""
    alarms: Alarms = Alarms()
    """Alarm settings of this agent that override the stack's `alarms`."""


class LlmPrice(Model):
    """Price of an LLM."""

    input_usd_per_million_tokens: Usd
    """US dollars per million input tokens."""
    output_usd_per_million_tokens: Usd
    """US dollars per million output tokens."""


class SttPrice(Model):
    """Price of speech to text."""

    usd_per_minute: Usd
    """US dollars per minute of audio."""


class TtsPrice(Model):
    """Price of text to speech."""

    usd_per_thousand_characters: Usd
    """US dollars per thousand characters."""


ModelName = Annotated[str, Matching("[A-Za-z0-9][A-Za-z0-9._:/-]{0,99}", "1 to 100 letters, digits and . _ : / -")]


class Prices(Model):
    """List prices by model name, as the agent reports it, to compute cost from usage."""

    llm: dict[ModelName, LlmPrice] = {}
    """LLMs."""
    stt: dict[ModelName, SttPrice] = {}
    """Speech-to-text models."""
    tts: dict[ModelName, TtsPrice] = {}
    """Text-to-speech models."""


class Receivers(Model):
    """Receivers of the alarms of one severity."""

    emails: tuple[Email, ...] = ()
    """E-mail addresses; each one must confirm AWS's subscription e-mail first."""
    slack_webhook_url: Secret | None = None
    """URL of a Slack incoming webhook (secret)."""
    pagerduty_integration_url: Secret | None = None
    """Integration URL of the Amazon CloudWatch integration of a PagerDuty service (secret)."""


SEVERITIES = ("critical", "warning")


class Notifications(Model):
    """Receivers by severity."""

    critical: Receivers = Receivers()
    """Receivers of critical alarms, such as a pager."""
    warning: Receivers = Receivers()
    """Receivers of warning alarms, for working hours."""


class Budget(Model):
    """A monthly cost budget for the AWS services that this stack uses."""

    monthly_limit_usd: Annotated[float, Field(gt=0, le=1_000_000), NUMBER]
    """US dollars per month."""
    alert_percents: Annotated[
        tuple[Annotated[int, Field(ge=1, le=1000), NUMBER], ...], Field(min_length=1, max_length=5)
    ] = (80, 100)
    """Percentages of the limit at which AWS sends an alert; AWS allows five."""
    emails: Annotated[tuple[Email, ...], Field(max_length=10)] = ()
    """E-mail addresses that AWS notifies in addition to the warning topic; AWS allows ten."""


class Lab(Model):
    """The AWS emulator of the local stack."""

    aws_port: Annotated[int, Field(ge=1024, le=65_535), NUMBER] = 4599
    """TCP port of the emulator on 127.0.0.1."""


class Settings(Model):
    """A stack of Turnscope."""

    environment: Environment
    """local, dev, staging or prod: determines what may be deleted, what must be set before a deployment, and whether
    AWS is emulated."""
    owner: Annotated[str, Field(min_length=1, max_length=128)]
    """The team that owns this stack; a tag on all resources."""
    region: Annotated[str, Matching("[a-z]{2}(-[a-z]+)+-[0-9]", "an AWS region such as us-west-1")] = "us-west-1"
    """AWS region."""
    aws: Aws = Aws()
    """The AWS account and how it is reached."""
    tags: Tags = {}
    """Tags of all AWS resources, and labels of all containers, in addition to those that Turnscope sets."""
    protect: Flag = False
    """Refuse to delete log groups and resources with data; required in prod."""
    expires_on: Date | None = None
    """The day after which this stack may be torn down (YYYY-MM-DD); a tag. Not allowed in prod."""
    runbook_base_url: Annotated[str, Matching(r"https?://\S+[^/\s]", "an http(s) URL without a trailing slash")]
    """URL of the runbooks; the link of an alarm is this URL plus `/<alarm>.md`."""
    agents: Annotated[dict[AgentName, Agent], Field(min_length=1, max_length=1000)]
    """The voice agents, by name. How many AWS' quotas allow: docs/reference/quotas.md."""
    log_groups: LogGroups = LogGroups()
    """Retention and encryption of the agents' log groups."""
    saved_queries: SavedQueries = SavedQueries()
    """Numbers in the saved queries."""
    targets: Targets = Targets()
    """How fast, reliable and cheap calls should be, for all agents."""
    alarms: Alarms = Alarms()
    """Evaluation of alarms, for all agents."""
    prices: Prices = Prices()
    """List prices, to compute cost from usage."""
    cloudwatch: CloudWatchSettings | None = CloudWatchSettings()
    """CloudWatch; null for a stack of SigNoz alone, which has no AWS resources."""
    notifications: Notifications = Notifications()
    """Receivers of alarms."""
    budget: Budget | None = None
    """A monthly cost budget."""
    analytics: Analytics | None = None
    """Events in S3 as Parquet files, queried with Athena; null for a stack without analytics."""
    signoz: SigNozSettings | None = None
    """SigNoz on a Docker host; null for a stack without SigNoz. `turnscope init STACK` generates its secrets."""
    existing_signoz: ExistingSigNoz | None = None
    """A SigNoz that the stack does not run, such as SigNoz Cloud, to deploy content to; null with section `signoz`."""
    host: HostSettings | None = None
    """A machine for SigNoz in AWS, which the stack makes; null where `signoz.docker_host` names one, and without
    SigNoz."""
    lab: Lab | None = None
    """The AWS emulator; only in environment local."""

    @field_validator("aws")
    @classmethod
    def _no_account_in_local(cls, value: Aws, info: ValidationInfo) -> Aws:
        if value != Aws() and info.data.get("environment") == Environment.LOCAL:
            raise problem("allowed: nothing, in environment local, whose AWS is emulated")
        return value

    @field_validator("protect")
    @classmethod
    def _prod_is_protected(cls, value: bool, info: ValidationInfo) -> bool:
        if not value and info.data.get("environment") == Environment.PROD:
            raise problem("allowed: true, in environment prod")
        return value

    @field_validator("expires_on")
    @classmethod
    def _prod_does_not_expire(cls, value: datetime.date | None, info: ValidationInfo) -> datetime.date | None:
        if value and info.data.get("environment") == Environment.PROD:
            raise problem("allowed: null, in environment prod")
        return value

    @field_validator("agents")
    @classmethod
    def _one_agent_per_log_group(cls, value: dict[str, Agent]) -> dict[str, Agent]:
        groups: dict[str, str] = {}
        for name, agent in value.items():
            group = agent.log_group or default_log_group(name)
            if group in groups:
                raise problem(f"allowed: a separate log group per agent; {groups[group]} and {name} share {group}")
            groups[group] = name
        return value

    @field_validator("cloudwatch")
    @classmethod
    def _topics_of_this_region(
        cls, value: CloudWatchSettings | None, info: ValidationInfo
    ) -> CloudWatchSettings | None:
        region = info.data.get("region")
        for severity in SEVERITIES:
            arn = value.topics.of(severity) if value else None
            if arn and region and arn.split(":")[3] != region:
                raise problem(
                    f"topics.{severity}: allowed: a topic in {region}, the only region that its alarms notify"
                )
        return value

    @field_validator("notifications")
    @classmethod
    def _receivers_of_own_topics(cls, value: Notifications, info: ValidationInfo) -> Notifications:
        if _without_cloudwatch(info) and value != Notifications():
            raise problem("allowed: nothing, because cloudwatch is null; SigNoz' receivers: signoz.alertmanager")
        cloudwatch = info.data.get("cloudwatch")
        for severity in SEVERITIES:
            if cloudwatch and cloudwatch.topics.of(severity) and getattr(value, severity) != Receivers():
                raise problem(
                    f"{severity}: allowed: nothing, because cloudwatch.topics.{severity} is an existing topic, which "
                    "has receivers of its own"
                )
        return value

    @field_validator("budget", "analytics", "host")
    @classmethod
    def _with_cloudwatch(
        cls, value: Budget | Analytics | HostSettings | None, info: ValidationInfo
    ) -> Budget | Analytics | HostSettings | None:
        if value and _without_cloudwatch(info):
            raise problem(f"allowed: null, because cloudwatch is null: {_WHY_CLOUDWATCH[info.field_name or '']}")
        return value

    @field_validator("existing_signoz")
    @classmethod
    def _one_signoz(cls, value: ExistingSigNoz | None, info: ValidationInfo) -> ExistingSigNoz | None:
        if "signoz" not in info.data:
            return value
        if value and info.data["signoz"]:
            raise problem("allowed: null, because the stack runs its own SigNoz (section signoz)")
        if not value and not info.data["signoz"] and _without_cloudwatch(info):
            raise problem(
                "allowed: a section, or a section signoz, because cloudwatch is null: the stack would be empty"
            )
        environment = info.data.get("environment")
        if value and environment and (text := url_problem(value, environment)):
            raise problem(text)
        return value

    @field_validator("signoz")
    @classmethod
    def _log_groups_reach_it(cls, value: SigNozSettings | None, info: ValidationInfo) -> SigNozSettings | None:
        known = info.data
        if value and all(each in known for each in ("environment", "cloudwatch", "analytics")):
            found = log_delivery_problems(
                value, known["environment"], cloudwatch=known["cloudwatch"], analytics=known["analytics"]
            )
            if error := problems_below("signoz", found):
                raise error
        return value

    @field_validator("analytics")
    @classmethod
    def _analytics_fit(cls, value: Analytics | None, info: ValidationInfo) -> Analytics | None:
        environment, agents = info.data.get("environment"), info.data.get("agents")
        if value and environment and agents and (text := environment_problem(value, environment, agents)):
            raise problem(text)
        return value

    @field_validator("host")
    @classmethod
    def _host_fits(cls, value: HostSettings | None, info: ValidationInfo) -> HostSettings | None:
        environment, signoz = info.data.get("environment"), info.data.get("signoz")
        cold = signoz.clickhouse.cold_storage if isinstance(signoz, SigNozSettings) else None
        if value is None and cold and cold.bucket is None:
            raise problem(
                "missing: a section, because signoz.clickhouse.cold_storage has no bucket: with a machine of its own "
                "the stack makes one; without, set bucket and region there"
            )
        if value is None or environment is None:
            return value
        text = host_problem(value, environment, info.data.get("region"))
        text = text or (gateway_problem(value, signoz, environment) if signoz else None)
        role = info.data["aws"].assume_role if "aws" in info.data else None
        if role and role.external_id:
            # The program between ssh and the machine runs without the engine, which decrypts it.
            text = text or "allowed: null with aws.assume_role.external_id, without which ssh cannot take the role"
        if "signoz" in info.data and signoz is None:
            text = text or "allowed: null, because the stack has no SigNoz (section signoz), which the machine is for"
        if text:
            raise problem(text)
        return value

    @field_validator("lab")
    @classmethod
    def _lab_is_local(cls, value: Lab | None, info: ValidationInfo) -> Lab | None:
        if value and info.data.get("environment") not in (Environment.LOCAL, None):
            raise problem("allowed: null, except in environment local")
        return value

    @property
    def slow_turn_seconds(self) -> float:
        """Total latency above which a turn counts as slow, for any of the agents: the strictest of their targets."""
        return min(each.targets.total_latency.warning_seconds for each in (self, *self.agents.values()))

    @property
    def content_target(self) -> ContentTarget | None:
        """The SigNoz that content is deployed to; None for a stack without content."""
        if self.existing_signoz:
            existing = self.existing_signoz
            return ContentTarget("existing_signoz", existing.content, existing.alertmanager)
        if self.signoz and self.signoz.content:
            return ContentTarget("signoz", self.signoz.content, self.signoz.alertmanager)
        return None

    @property
    def log_delivery(self) -> LogGroupDelivery | None:
        """How the agents' log groups are delivered to SigNoz; None where they are not."""
        return log_delivery_of(self.signoz)

    def log_group_name(self, agent: str) -> str:
        return self.agents[agent].log_group or default_log_group(agent)


@dataclass(frozen=True)
class ContentTarget:
    """The settings that content is made from, of the stack's own SigNoz and of an existing one alike.

    `section` is where they are in the settings, for messages.
    """

    section: str
    content: ContentSettings
    alertmanager: AlertmanagerSettings | ExistingAlertRouting


_WHY_CLOUDWATCH = {
    "analytics": "it reads the agents' log groups",
    "budget": "it alerts a topic of AWS",
    "host": "its log and its alarms are CloudWatch's",
}


def _without_cloudwatch(info: ValidationInfo) -> bool:
    """Whether CloudWatch was left out on purpose, and not by a mistake of its own."""
    return "cloudwatch" in info.data and info.data["cloudwatch"] is None


def default_log_group(agent: str) -> str:
    """The name that LiveKit Cloud's log forwarding gives to an agent's log group."""
    return f"/aws/livekit/{agent}"
