"""The Pulumi program: settings -> plans -> components -> exports."""

from pathlib import Path

import pulumi
import pulumi_aws as aws
import pulumi_docker as docker

from cloudwatch.agent import AgentObservability
from cloudwatch.budget import CostBudget
from cloudwatch.dashboards import Dashboards
from cloudwatch.log_groups import LogEncryptionKey
from cloudwatch.notifications import NotificationTopic
from cloudwatch.plan.model import Severity
from cloudwatch.provider import provider_args
from earshot.errors import UserError
from earshot.plans import plans
from earshot.program_secrets import read_secret
from signoz.docker_host import DockerHost
from signoz.provider import provider_args as docker_provider_args
from signoz.stack import SigNoz
from stacks.loading import load_from_engine

project, stack = Path(__file__).parent, pulumi.get_stack()
try:
    settings = load_from_engine(project)
    plan, signoz = plans(stack, settings, project)
except UserError as error:
    raise pulumi.RunError(str(error)) from None

within = pulumi.ResourceOptions(provider=aws.Provider("aws", **provider_args(stack, settings)))
account_id = aws.get_caller_identity_output(opts=pulumi.InvokeOutputOptions(provider=within.provider)).account_id

topics = {
    topic.severity: NotificationTopic(
        f"notify-{topic.key}", topic, account_id=account_id, read_secret=read_secret, opts=within
    ).arn
    for topic in plan.topics
}
key_arn = None
if any(agent.log_group.managed and agent.log_group.encrypt == "stack-key" for agent in plan.agents):
    key_arn = LogEncryptionKey(f"earshot-{stack}-logs", region=plan.region, account_id=account_id, opts=within).arn
for agent in plan.agents:
    AgentObservability(agent.name, agent, topics=topics, stack_key_arn=key_arn, opts=within)
Dashboards("dashboard", plan.dashboards, account_id=account_id, opts=within)
if plan.budget:
    CostBudget("budget", plan.budget, topic_arn=topics[Severity.WARNING], opts=within)
if settings.signoz and signoz:
    on_host = pulumi.ResourceOptions(provider=docker.Provider("docker", **docker_provider_args(settings.signoz)))
    make_ready = DockerHost(settings.signoz.docker_host).make_ready
    SigNoz("signoz", signoz, read_secret=read_secret, make_ready=make_ready, opts=on_host)

pulumi.export("log_groups", {agent.name: agent.log_group.name for agent in plan.agents})
pulumi.export("topics", {str(severity): arn for severity, arn in topics.items()})
pulumi.export("dashboards", [dashboard.name for dashboard in plan.dashboards])
