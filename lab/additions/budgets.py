"""Budgets: subscribers of a notification, changes to a budget, and tags.

AWS lists the subscribers of a notification (DescribeSubscribersForNotification), replaces a budget's definition and
keeps its notifications (UpdateBudget), and keeps tags by ARN (`ResourceTags` of CreateBudget, TagResource,
UntagResource, ListTagsForResource).
https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_Operations_AWS_Budgets.html

moto stores the subscribers but cannot list them, and has none of the others.
"""

from __future__ import annotations

import json
from typing import Any

from moto.budgets.exceptions import NotFoundException
from moto.budgets.models import Budget, BudgetsBackend
from moto.budgets.responses import BudgetsResponse
from moto.utilities.tagging_service import TaggingService

_create_budget = BudgetsResponse.create_budget


def _budget(response: BudgetsResponse, name: str) -> Any:
    budgets = response.backend.budgets[response._get_param("AccountId")]
    if name not in budgets:
        raise NotFoundException(f"Unable to get budget: {name} - the budget doesn't exist.")
    return budgets[name]


def _tagger(backend: BudgetsBackend) -> TaggingService:
    return vars(backend).setdefault(
        "tagger", TaggingService(tag_name="ResourceTags", key_name="Key", value_name="Value")
    )


def create_budget(self: BudgetsResponse) -> str:
    answer = _create_budget(self)
    tags: list[dict[str, str]] = self._get_param("ResourceTags") or []
    arn = f"arn:aws:budgets::{self._get_param('AccountId')}:budget/{self._get_param('Budget')['BudgetName']}"
    _tagger(self.backend).tag_resource(arn, tags)
    return answer


def update_budget(self: BudgetsResponse) -> str:
    new: dict[str, Any] = self._get_param("NewBudget")
    budget = _budget(self, new["BudgetName"])
    # A new one, for the checks and defaults that a definition goes through.
    renewed = Budget({"TimePeriod": budget.budget["TimePeriod"], **new}, notifications=[])
    budget.budget = vars(renewed)["budget"]
    return "{}"


def describe_subscribers_for_notification(self: BudgetsResponse) -> str:
    wanted: dict[str, Any] = self._get_param("Notification")
    for notification in _budget(self, self._get_param("BudgetName")).notifications:
        # NotificationState is AWS's own to set, so it does not identify a notification.
        if all(notification.details.get(k) == v for k, v in wanted.items() if k != "NotificationState"):
            return json.dumps({"Subscribers": notification.subscribers})
    raise NotFoundException("Unable to get subscribers - the notification doesn't exist.")


def list_tags_for_resource(self: BudgetsResponse) -> str:
    return json.dumps(_tagger(self.backend).list_tags_for_resource(self._get_param("ResourceARN")))


def tag_resource(self: BudgetsResponse) -> str:
    _tagger(self.backend).tag_resource(self._get_param("ResourceARN"), self._get_param("ResourceTags"))
    return "{}"


def untag_resource(self: BudgetsResponse) -> str:
    _tagger(self.backend).untag_resource_using_names(self._get_param("ResourceARN"), self._get_param("ResourceTagKeys"))
    return "{}"


def install() -> None:
    for operation in (
        create_budget,
        update_budget,
        describe_subscribers_for_notification,
        list_tags_for_resource,
        tag_resource,
        untag_resource,
    ):
        setattr(BudgetsResponse, operation.__name__, operation)
