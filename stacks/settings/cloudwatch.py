"""Settings of the CloudWatch half as a whole; its numbers have sections of their own."""

from __future__ import annotations

from typing import Annotated

from stacks.settings.fields import Matching, Model

TopicArn = Annotated[
    str,
    # The name's form: https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html. Alarms notify standard topics:
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
    Matching(
        "arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}",
        "the ARN of a standard topic (arn:aws:sns:REGION:ACCOUNT:NAME)",
    ),
]


class Topics(Model):
    """Existing SNS topics, whose subscriptions and policy are their owner's."""

    critical: TopicArn | None = None
    """ARN of the topic for critical alarms; null for a topic that the stack creates."""
    warning: TopicArn | None = None
    """ARN of the topic for warning alarms; null for a topic that the stack creates. A budget also publishes to it."""

    def of(self, severity: str) -> str | None:
        """Of `critical` or `warning`."""
        return getattr(self, severity)


class CloudWatchSettings(Model):
    """CloudWatch: log groups, saved queries, metrics, alarms, dashboards, notifications."""

    topics: Topics = Topics()
    """Existing SNS topics that alarms notify instead of the stack's own."""
