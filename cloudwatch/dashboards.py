"""Dashboards."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

from cloudwatch.plan.dashboards import ACCOUNT_ID
from cloudwatch.plan.model import Dashboard
from core.component import Component


class Dashboards(Component):
    """A CloudWatch dashboard for each of the plan.

    `account_id` completes the ARNs of alarms in their bodies, which the plan cannot know. CloudWatch overwrites
    a dashboard of the same name, and refuses a body that it cannot read. Deletion removes the dashboards, and with them
    what was edited by hand.
    """

    def __init__(
        self,
        name: str,
        plan: Sequence[Dashboard],
        *,
        account_id: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        for dashboard in plan:
            text = json.dumps(dashboard.body, ensure_ascii=False)
            aws.cloudwatch.Dashboard(
                f"{name}-{dashboard.key}",
                dashboard_name=dashboard.name,
                dashboard_body=pulumi.Output.from_input(account_id).apply(
                    lambda account, text=text: text.replace(ACCOUNT_ID, account)
                ),
                opts=self.child(),
            )
        self.register_outputs({})
