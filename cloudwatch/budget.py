"""The monthly cost budget."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from cloudwatch.plan.model import Budget
from core.component import Component


class CostBudget(Component):
    """Alerts go out when actual cost passes a percentage of the limit, and once when the forecast passes all of it."""

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
