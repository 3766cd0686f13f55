"""The monthly cost budget."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from cloudwatch.plan.model import Budget
from core.component import Component


class CostBudget(Component):
    """An AWS budget of the monthly cost, in US dollars, of the plan's services.

    It alerts each time that the actual cost passes one of the plan's percentages of the limit, and when the forecast
    passes all of it: to the SNS topic `topic_arn` (whose policy must let budgets.amazonaws.com publish) and to the
    plan's e-mail addresses. It stops nothing. Deletion removes the budget; AWS keeps the cost data.
    """

    def __init__(
        self,
        name: str,
        plan: Budget,
        *,
        topic_arn: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)

        def alert(kind: str, percent: int) -> aws.budgets.BudgetNotificationArgs:
            return aws.budgets.BudgetNotificationArgs(
                comparison_operator="GREATER_THAN",
                notification_type=kind,
                threshold=percent,
                threshold_type="PERCENTAGE",
                subscriber_sns_topic_arns=[topic_arn],
                subscriber_email_addresses=list(plan.emails) or None,
            )

        aws.budgets.Budget(
            f"{name}-{plan.key}",
            name=plan.name,
            budget_type="COST",
            limit_amount=f"{plan.monthly_limit_usd:g}",
            limit_unit="USD",
            time_unit="MONTHLY",
            cost_filters=[aws.budgets.BudgetCostFilterArgs(name="Service", values=list(plan.services))],
            notifications=[alert("ACTUAL", percent) for percent in plan.alert_percents] + [alert("FORECASTED", 100)],
            opts=self.child(),
        )
        self.register_outputs({})
