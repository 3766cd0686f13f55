"""What of a stack is still in the account, asked of AWS itself and not of the engine's state."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from cloudwatch.clients import ClientFactory
from cloudwatch.plan.model import AgentPlan, CloudWatchPlan
from turnscope.deployment.leftovers_host import host_leftovers
from turnscope.plans import StackPlan


def leftovers(plan: StackPlan, client: ClientFactory) -> list[str]:
    """`kind name` of everything that this stack's plan names and the account still has; SigNoz alone has none there."""
    if plan.cloudwatch is None:
        return []
    found = [f"{kind} {name}" for kind, find in _FINDERS.items() for name in find(plan, client)]
    if plan.host:
        found += [f"{kind} {name}" for kind, name in host_leftovers(plan.host, client)]
    return found


def _pages(client: Any, operation: str, key: str, **arguments: Any) -> Iterator[Any]:
    for page in client.get_paginator(operation).paginate(**arguments):
        yield from page[key]


def _prefix(plan: StackPlan) -> str:
    return f"turnscope-{plan.stack}-"


def _cloudwatch(plan: StackPlan) -> CloudWatchPlan:
    assert plan.cloudwatch  # noqa: S101 - checked by `leftovers`
    return plan.cloudwatch


def _agents(plan: StackPlan) -> tuple[AgentPlan, ...]:
    return _cloudwatch(plan).agents


def _log_groups(plan: StackPlan, client: ClientFactory) -> Iterator[str]:
    for agent in _agents(plan):
        found = _pages(client("logs"), "describe_log_groups", "logGroups", logGroupNamePrefix=agent.log_group.name)
        if agent.log_group.managed and any(group["logGroupName"] == agent.log_group.name for group in found):
            yield agent.log_group.name
    own = (plan.analytics.error_log_group, plan.analytics.validation_log_group) if plan.analytics else ()
    others = (plan.host and plan.host.log_group, plan.forwarding and plan.forwarding.error_log_group)
    for name in (*own, *filter(None, others)):
        found = _pages(client("logs"), "describe_log_groups", "logGroups", logGroupNamePrefix=name)
        yield from (name for group in found if group["logGroupName"] == name)


def _metric_filters(plan: StackPlan, client: ClientFactory) -> Iterator[str]:
    """On log groups that were not ours to delete."""
    for agent in _agents(plan):
        if not agent.log_group.managed:
            listed = _pages(
                client("logs"), "describe_metric_filters", "metricFilters", logGroupName=agent.log_group.name
            )
            yield from (each["filterName"] for each in listed if each["filterName"].startswith(_prefix(plan)))


def _subscription_filters(plan: StackPlan, client: ClientFactory) -> Iterator[str]:
    """On log groups that were not ours to delete."""
    planned = {each.name for part in (plan.analytics, plan.forwarding) if part for each in part.subscriptions}
    for agent in _agents(plan):
        if planned and not agent.log_group.managed:
            listed = _pages(
                client("logs"),
                "describe_subscription_filters",
                "subscriptionFilters",
                logGroupName=agent.log_group.name,
            )
            yield from (each["filterName"] for each in listed if each["filterName"] in planned)


def _buckets(plan: StackPlan, client: ClientFactory) -> Iterator[str]:
    buckets = (
        *(plan.analytics.buckets if plan.analytics else ()),
        *((plan.forwarding.bucket,) if plan.forwarding else ()),
    )
    if buckets:
        account = client("sts").get_caller_identity()["Account"]
        planned = {bucket.name(account) for bucket in buckets}
        yield from (each["Name"] for each in client("s3").list_buckets()["Buckets"] if each["Name"] in planned)


def _delivery_streams(plan: StackPlan, client: ClientFactory) -> Iterator[str]:
    streams = (
        *(plan.analytics.streams if plan.analytics else ()),
        *((plan.forwarding.stream,) if plan.forwarding else ()),
    )
    for stream in streams:
        # No pages, no filter by name: ask for what comes after the last name before this one.
        firehose, name = client("firehose"), stream.name
        if name in firehose.list_delivery_streams(ExclusiveStartDeliveryStreamName=name[:-1])["DeliveryStreamNames"]:
            yield name


def _databases(plan: StackPlan, client: ClientFactory) -> Iterator[str]:
    if plan.analytics:
        listed = _pages(client("glue"), "get_databases", "DatabaseList")
        yield from (each["Name"] for each in listed if each["Name"] == plan.analytics.database)


def _workgroups(plan: StackPlan, client: ClientFactory) -> Iterator[str]:
    token: dict[str, str] = {}
    while plan.analytics:
        answer = client("athena").list_work_groups(**token)
        yield from (each["Name"] for each in answer["WorkGroups"] if each["Name"] == plan.analytics.workgroup.name)
        if not answer.get("NextToken"):
            return
        token = {"NextToken": answer["NextToken"]}


def _roles(plan: StackPlan, client: ClientFactory) -> Iterator[str]:
    planned = {role.name for role in plan.analytics.roles} if plan.analytics else set[str]()
    if plan.forwarding:
        planned |= {plan.forwarding.delivery_role, plan.forwarding.subscription_role}
    if planned:
        listed = _pages(client("iam"), "list_roles", "Roles")
        yield from (each["RoleName"] for each in listed if each["RoleName"] in planned)


def _saved_queries(plan: StackPlan, client: ClientFactory) -> Iterator[str]:
    prefix, planned = f"{plan.stack}/", {query.name for query in _cloudwatch(plan).saved_queries}
    token: dict[str, str] = {}
    while True:
        answer = client("logs").describe_query_definitions(queryDefinitionNamePrefix=prefix, **token)
        yield from (each["name"] for each in answer["queryDefinitions"] if each["name"] in planned)
        if not answer.get("nextToken"):
            return
        token = {"nextToken": answer["nextToken"]}


def _alarms(plan: StackPlan, client: ClientFactory) -> Iterator[str]:
    arguments = {"AlarmNamePrefix": _prefix(plan), "AlarmTypes": ["MetricAlarm", "CompositeAlarm"]}
    for page in client("cloudwatch").get_paginator("describe_alarms").paginate(**arguments):
        yield from (each["AlarmName"] for kind in ("MetricAlarms", "CompositeAlarms") for each in page.get(kind, []))


def _dashboards(plan: StackPlan, client: ClientFactory) -> Iterator[str]:
    listed = _pages(client("cloudwatch"), "list_dashboards", "DashboardEntries", DashboardNamePrefix=_prefix(plan))
    yield from (each["DashboardName"] for each in listed)


def _topics(plan: StackPlan, client: ClientFactory) -> Iterator[str]:
    names = (each["TopicArn"].rsplit(":", 1)[-1] for each in _pages(client("sns"), "list_topics", "Topics"))
    yield from (name for name in names if name.startswith(_prefix(plan)))


def _functions(plan: StackPlan, client: ClientFactory) -> Iterator[str]:
    listed = _pages(client("lambda"), "list_functions", "Functions")
    yield from (each["FunctionName"] for each in listed if each["FunctionName"].startswith(_prefix(plan)))


def _budgets(plan: StackPlan, client: ClientFactory) -> Iterator[str]:
    account = client("sts").get_caller_identity()["Account"]
    listed = _pages(client("budgets"), "describe_budgets", "Budgets", AccountId=account)
    yield from (each["BudgetName"] for each in listed if each["BudgetName"].startswith(_prefix(plan)))


_FINDERS: dict[str, Callable[[StackPlan, ClientFactory], Iterator[str]]] = {
    "log group": _log_groups,
    "metric filter": _metric_filters,
    "subscription filter": _subscription_filters,
    "saved query": _saved_queries,
    "alarm": _alarms,
    "dashboard": _dashboards,
    "topic": _topics,
    "function": _functions,
    "budget": _budgets,
    "bucket": _buckets,
    "delivery stream": _delivery_streams,
    "Glue database": _databases,
    "workgroup": _workgroups,
    "role": _roles,
}
