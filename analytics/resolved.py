"""What only a deployment knows, for every component of the analytics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import pulumi

from analytics.plan.iam import Arns, Names
from analytics.plan.model import AnalyticsPlan

N = TypeVar("N", bound=Arns[Any])


@dataclass(frozen=True)
class InAccount(Generic[N]):
    """The account, and the key of a plan's buckets (None for S3's own keys)."""

    account_id: pulumi.Output[str]
    key_arn: pulumi.Input[str] | None
    names: pulumi.Output[N]
    """ARNs of everything in the plan."""


class Known(InAccount[Names]):
    """The same for the analytics."""

    @classmethod
    def of(cls, plan: AnalyticsPlan, account_id: pulumi.Input[str], key_arn: pulumi.Input[str] | None) -> Known:
        account = pulumi.Output.from_input(account_id)
        names = pulumi.Output.all(account, key_arn).apply(lambda found: Names(plan, found[0], found[1]))
        return cls(account, key_arn, names)
