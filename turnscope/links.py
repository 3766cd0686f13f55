"""Console addresses of what a stack holds."""

from __future__ import annotations

from cloudwatch.plan.model import CloudWatchPlan


def console_links(plan: CloudWatchPlan) -> dict[str, str]:
    """Name -> address in the AWS console, for a stack in a real account."""
    region = plan.region
    suffix = "amazonaws.cn" if region.startswith("cn-") else "aws.amazon.com"
    if region.startswith("us-gov-"):
        suffix = "amazonaws-us-gov.com"
    console = f"https://{region}.console.{suffix}"
    base = f"{console}/cloudwatch/home?region={region}"
    links = {f"dashboard {each.name}": f"{base}#dashboards/dashboard/{each.name}" for each in plan.dashboards}
    links["alarms"] = f"{base}#alarmsV2:?~(search~'turnscope-{plan.stack}-)"
    links["saved queries"] = f"{base}#logsV2:logs-insights"
    if plan.analytics:
        links["Athena"] = f"{console}/athena/home?region={region}#/saved-queries"
        links["Firehose"] = f"{console}/firehose/home?region={region}#/streams"
        links["analytics tables"] = f"{console}/glue/home?region={region}#/v2/data-catalog/tables"
    return links
