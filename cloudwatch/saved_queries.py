"""Saved Logs Insights queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_aws as aws

from cloudwatch.plan.model import SavedQuery
from core.component import Component


class SavedQueries(Component):
    """A Logs Insights query definition for each of the plan; `/` in a name makes a folder.

    `log_groups` has the name of each log group that the plan names, known once the group exists. Queries were checked
    when they were planned (`cloudwatch.insights`). Raises `KeyError` for a log group that is not in `log_groups`.
    Deletion removes the definitions; nobody's results depend on them.
    """

    def __init__(
        self,
        name: str,
        plan: Sequence[SavedQuery],
        *,
        log_groups: Mapping[str, pulumi.Input[str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        for query in plan:
            aws.cloudwatch.QueryDefinition(
                f"{name}-{query.key}",
                name=query.name,
                query_string=query.query,
                log_group_names=[log_groups[group] for group in query.log_group_names],
                opts=self.child(),
            )
        self.register_outputs({})
