"""The Pulumi program: settings -> plan -> components -> exports."""

from pathlib import Path

import pulumi
import pulumi_aws as aws
import pulumi_docker as docker

from analytics.component import Analytics
from cloudwatch.provider import provider_args
from cloudwatch.stack import make_cloudwatch
from core.errors import UserError
from core.names import PRIVATE
from core.secrets.program import read_secret, with_account
from forwarding.component import make_forwarding
from host.component import make_host
from signoz.content.access import access_of
from signoz.provider import provider_args as docker_args
from signoz.roles.gateway import external_url
from signoz.stack import SigNoz, make_existing
from stacks.settings.missing import refuse_missing
from turnscope.deployment.docker_stack import root_certificate_reader
from turnscope.docker_address import docker_host, provider_address
from turnscope.plans import plan_stack
from turnscope.program import load_from_engine

project, stack = Path(__file__).parent, pulumi.get_stack()
try:
    settings = load_from_engine(project)
    refuse_missing(stack, settings)
    plan = plan_stack(stack, settings, project)
except UserError as error:
    raise pulumi.RunError(str(error)) from None

exports, machine = {}, None
if plan.cloudwatch:
    within = pulumi.ResourceOptions(provider=aws.Provider("aws", **provider_args(stack, settings, read_secret)))
    account = aws.get_caller_identity_output(opts=pulumi.InvokeOutputOptions(provider=within.provider)).account_id
    cloudwatch = make_cloudwatch(plan.cloudwatch, account_id=account, read_secret=read_secret, opts=within)
    exports |= cloudwatch.exports
    logs, topics = cloudwatch.log_groups, cloudwatch.topics
    if plan.analytics:
        made = Analytics("analytics", plan.analytics, account_id=account, topics=topics, log_groups=logs, opts=within)
        exports |= {"analytics_buckets": made.buckets, "athena_workgroup": made.workgroup}
    exports |= make_forwarding(plan.forwarding, account, topics, logs, read_secret, opts=within)
    machine = make_host(plan.host, account, topics, opts=within)
    read_secret = with_account(read_secret, account)
    exports |= machine.exports if machine else {}
if settings.signoz and plan.signoz:
    engine = docker_host(plan, settings.signoz, project)
    arguments = docker_args(settings.signoz, **provider_address(plan, machine))
    on_host = pulumi.ResourceOptions(provider=docker.Provider("docker", **arguments))
    read_certificate = root_certificate_reader(settings.signoz, plan.signoz, engine, project / PRIVATE / stack)
    access = access_of(settings.signoz, read_certificate, machine.api_address if machine else None)
    SigNoz("signoz", plan.signoz, read_secret=read_secret, make_ready=engine.make_ready, access=access, opts=on_host)
    exports |= {"signoz": external_url(settings.signoz.gateway)}
exports |= make_existing(settings.existing_signoz, plan.content, read_secret)

for name, value in exports.items():
    pulumi.export(name, value)
