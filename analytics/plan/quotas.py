"""AWS' quotas on what a stack's analytics hold. But for the subscription filters nothing grows with the agents."""

from __future__ import annotations

import json
from collections import Counter

from analytics.plan.iam import Names, role_policy
from analytics.plan.model import AnalyticsPlan
from cloudwatch.plan.quotas import LOGS, Quota

_ACCOUNT = "123456789012"
"""Every account's id has as many digits."""


def _subscriptions(plan: AnalyticsPlan) -> int:
    return max(Counter(each.log_group_name for each in plan.subscriptions).values())


def _policy_characters(plan: AnalyticsPlan) -> int:
    names = Names(plan, _ACCOUNT)
    return max(len(json.dumps(role_policy(role, names), separators=(",", ":"))) for role in plan.roles)


QUOTAS: tuple[Quota[AnalyticsPlan], ...] = (
    Quota("subscription filters of a log group", 2, LOGS, _subscriptions),
    Quota(
        "delivery streams in an account and region",
        50,
        "https://docs.aws.amazon.com/firehose/latest/dev/limits.html",
        lambda plan: len(plan.streams),
    ),
    Quota(
        "characters of a role's inline policies",
        10_240,
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html",
        _policy_characters,
    ),
)
