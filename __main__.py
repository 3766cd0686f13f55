"""The Pulumi program: settings -> plan -> components -> exports."""

from pathlib import Path

import pulumi
import pulumi_aws as aws

from cloudwatch.agent import AgentObservability
from cloudwatch.budget import CostBudget
from cloudwatch.dashboards import Dashboards
from cloudwatch.log_groups import LogEncryptionKey
from cloudwatch.notifications import NotificationTopic
from cloudwatch.plan.build import plan_cloudwatch
from cloudwatch.plan.model import SecretRef, Severity
from cloudwatch.provider import provider_args
from earshot.errors import UserError
from stacks.loading import load_from_engine, secret_value

stack = pulumi.get_stack()
try:
    settings = load_from_engine(Path(__file__).parent)
except UserError as error:
    raise pulumi.RunError(str(error)) from None
plan = plan_cloudwatch(stack, settings)


def read_secret(reference: SecretRef) -> pulumi.Output[str]:
    section = pulumi.Config().require_secret_object(reference.path.split(".")[0])
    return section.apply(lambda values: secret_value(values, reference))


provider = aws.Provider("aws", **provider_args(stack, settings))
within = pulumi.ResourceOptions(provider=provider)
account_id = aws.get_caller_identity_output(opts=pulumi.InvokeOutputOptions(provider=provider)).account_id

topics = {
    topic.severity: NotificationTopic(
        f"notify-{topic.key}", topic, account_id=account_id, read_secret=read_secret, opts=within
    ).arn
    for topic in plan.topics
}
key_arn = None
if any(agent.log_group.managed and agent.log_group.encrypt == "stack-key" for agent in plan.agents):
    key_arn = LogEncryptionKey(f"earshot-{stack}-logs", region=plan.region, account_id=account_id, opts=within).arn
agents = {
    agent.name: AgentObservability(agent.name, agent, topics=topics, stack_key_arn=key_arn, opts=within)
    for agent in plan.agents
}
Dashboards("dashboard", plan.dashboards, account_id=account_id, opts=within)
if plan.budget:
    CostBudget("budget", plan.budget, topic_arn=topics[Severity.WARNING], opts=within)

pulumi.export("log_groups", {name: agent.log_group_name for name, agent in agents.items()})
pulumi.export("topics", {str(severity): arn for severity, arn in topics.items()})
pulumi.export("dashboards", [dashboard.name for dashboard in plan.dashboards])
