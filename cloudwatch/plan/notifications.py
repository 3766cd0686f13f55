"""Topics per severity with their subscriptions, and the cost budget."""

from __future__ import annotations

from cloudwatch.plan.model import Budget, Severity, Subscription, Topic
from stacks.settings import model as settings
from stacks.settings.cloudwatch import Topics

BUDGETED_SERVICES = (
    "AmazonCloudWatch",
    "Amazon Simple Notification Service",
    "AWS Lambda",
    "AWS Key Management Service",
)
"""Cost Explorer's names of the services that a stack uses; custom metrics carry no tag, so a budget by tag
would miss most of the bill."""
DELIVERY_SERVICES = ("Amazon Kinesis Firehose", "Amazon Simple Storage Service")
"""And those that deliver log events, to the analytics or to SigNoz."""
ANALYTICS_SERVICES = ("AWS Glue", "Amazon Athena")
"""And those that the analytics use besides."""


def existing_topics(topics: Topics) -> tuple[tuple[Severity, str], ...]:
    """The ARNs of those that the settings name."""
    return tuple((severity, arn) for severity in Severity if (arn := topics.of(severity)))


def plan_topics(stack: str, notifications: settings.Notifications, topics: Topics) -> tuple[Topic, ...]:
    """One topic per severity without an existing one, also without receivers: alarms have somewhere to speak, and one
    can be added."""
    receivers = {Severity.CRITICAL: notifications.critical, Severity.WARNING: notifications.warning}
    return tuple(
        Topic(str(severity), f"turnscope-{stack}-{severity}", severity, _subscriptions(of))
        for severity, of in receivers.items()
        if not topics.of(severity)
    )


def _subscriptions(receivers: settings.Receivers) -> tuple[Subscription, ...]:
    found = [Subscription(f"email-{address}", "email", address) for address in receivers.emails]
    if receivers.pagerduty_integration_url:
        found.append(Subscription("pagerduty", "pagerduty", receivers.pagerduty_integration_url))
    if receivers.slack_webhook_url:
        found.append(Subscription("slack", "slack", receivers.slack_webhook_url))
    return tuple(found)


def plan_budget(
    stack: str, budget: settings.Budget | None, *, analytics: bool = False, forwarding: bool = False
) -> Budget | None:
    """`analytics` and `forwarding`: whether log events are delivered there, or to SigNoz."""
    if budget is None:
        return None
    services = BUDGETED_SERVICES
    if analytics or forwarding:
        services += DELIVERY_SERVICES
    if analytics:
        services += ANALYTICS_SERVICES
    return Budget(
        "monthly-cost",
        f"turnscope-{stack}-monthly-cost",
        budget.monthly_limit_usd,
        services,
        tuple(sorted(set(budget.alert_percents))),
        budget.emails,
    )
