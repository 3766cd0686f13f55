"""Console addresses of what a stack holds."""

from __future__ import annotations

from turnscope.plans import StackPlan

AGENTS_LISTED = 10
"""Of more agents only the overviews are listed, which lead to each."""


def console_links(plan: StackPlan) -> dict[str, str]:
    """Name -> address in the AWS console, for a stack in a real account; empty for SigNoz alone."""
    cloudwatch = plan.cloudwatch
    if cloudwatch is None:
        return {}
    region = cloudwatch.region
    suffix = "amazonaws.cn" if region.startswith("cn-") else "aws.amazon.com"
    if region.startswith("us-gov-"):
        suffix = "amazonaws-us-gov.com"
    console = f"https://{region}.console.{suffix}"
    base = f"{console}/cloudwatch/home?region={region}"
    listed = [
        each.name
        for each in cloudwatch.dashboards
        if len(cloudwatch.agents) <= AGENTS_LISTED or each.key.startswith("overview")
    ]
    links = {f"dashboard {name}": f"{base}#dashboards/dashboard/{name}" for name in listed}
    links["alarms"] = f"{base}#alarmsV2:?~(search~'turnscope-{cloudwatch.stack}-)"
    links["saved queries"] = f"{base}#logsV2:logs-insights"
    if plan.analytics:
        links["Athena"] = f"{console}/athena/home?region={region}#/saved-queries"
        links["analytics tables"] = f"{console}/glue/home?region={region}#/v2/data-catalog/tables"
    if plan.analytics or plan.forwarding:
        links["Firehose"] = f"{console}/firehose/home?region={region}#/streams"
    return links
