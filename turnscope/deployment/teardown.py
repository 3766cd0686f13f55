"""Tearing a stack down: show, ask, delete, check."""

from __future__ import annotations

import sys
from collections import Counter

from rich.console import Console
from rich.prompt import Confirm, Prompt

from core.environments import Environment
from core.errors import UserError
from signoz.plan.volumes import volumes
from signoz.stack import database_volume
from turnscope.deployment.deployment import Deployment, Resource
from turnscope.deployment.docker_stack import docker_leftovers
from turnscope.deployment.leftovers import leftovers
from turnscope.deployment.leftovers_host import kept_storage
from turnscope.deployment.progress import short_type
from turnscope.plans import StackPlan

BUCKET, KEY, VOLUME = "aws:s3:Bucket", "aws:kms:Key", "aws:ebs:Volume"
OF_HOST = "host-"
"""How the names of everything around SigNoz' machine begin."""
KEPT_KINDS = {BUCKET: "bucket", VOLUME: "volume"}
HELD = {
    "analytics-": "its events (turnscope:analytics.keep_data)",
    "forwarding-": (
        "the log events that SigNoz did not accept (turnscope:signoz.collector.firehose.log_groups.keep_backup)"
    ),
    OF_HOST: "ClickHouse's old data (turnscope:host.data_volume.keep)",
}
"""What is in a kept bucket, by the beginning of its name in the state."""


def tear_down(deployment: Deployment, *, confirmed: str | None, assume_yes: bool) -> None:
    """Delete the stack and prove that nothing is left.

    Raises `UserError`: exit code 2 where it is refused (prod, protected resources, no answer), 1 where something
    is left.
    """
    stack, settings, console = deployment.stack, deployment.settings, deployment.console
    if settings.environment == Environment.PROD:
        raise UserError(
            f"Stack {stack} has environment prod and cannot be torn down directly. To delete it, set "
            f"turnscope:environment to staging and turnscope:protect to false in stacks/Pulumi.{stack}.yaml, "
            f"run `turnscope up {stack}`, then `turnscope teardown {stack}`."
        )
    deployment.recover_killed_run()
    resources = deployment.resources()
    if not resources:
        console.print(f"Stack {stack} has no resources.")
        _stop_emulator(deployment)
        return
    plan = deployment.plan
    _show(resources, plan, console)
    protected = [resource.name for resource in resources if resource.protected]
    if protected:
        raise UserError(
            f"{len(protected)} resources are protected: {', '.join(protected)}. Set turnscope:protect to false in "
            f"stacks/Pulumi.{stack}.yaml and run `turnscope up {stack}` first. No resource was deleted."
        )
    deployment.refuse_revoked_key()
    _ask(deployment, confirmed, assume_yes)
    progress = deployment.destroy()
    console.print(f"Stack {stack}: {progress.summary()}")
    kept = [
        f"{kind} {resource.id}"
        for resource in resources
        if resource.kept and (kind := KEPT_KINDS.get(short_type(resource.type)))
    ]
    if plan.host:
        kept += kept_storage(plan.host, deployment.clients)
    kept = list(dict.fromkeys(kept))
    left = [each for each in leftovers(plan, deployment.clients) if each not in kept]
    if plan.signoz and plan.host is None:
        left += docker_leftovers(deployment.docker_host, plan.signoz)
    if left:
        listed = "\n".join(f"  {each}" for each in left)
        raise UserError(f"Resources that still exist after the tear-down of {stack}:\n{listed}", exit_code=1)
    besides = f" except the kept resources: {', '.join(kept)}" if kept else ""
    metrics = " (metrics stay until CloudWatch expires them)" if plan.cloudwatch else ""
    console.print(f"Checked: no resources of this stack are left{besides}{metrics}.")
    _stop_emulator(deployment)


def _show(resources: list[Resource], plan: StackPlan, console: Console) -> None:
    cloudwatch, signoz = plan.cloudwatch, plan.signoz
    console.print(
        f"Stack [bold]{plan.stack}[/bold] ({', '.join(filter(None, (plan.environment, plan.region)))}). To be deleted:"
    )
    going = [short_type(resource.type) for resource in resources if not resource.kept]
    for kind, number in sorted(Counter(going).items()):
        console.print(f"  {number:>4}  {kind}")
    for agent in cloudwatch.agents if cloudwatch else ():
        if agent.log_group.managed:
            console.print(f"  including every log event in [bold]{agent.log_group.name}[/bold]")
        else:
            console.print(f"  Kept: log group {agent.log_group.name}, which the stack did not create")
    for resource in resources:
        if short_type(resource.type) == BUCKET:
            if resource.kept:
                held = next(what for part, what in HELD.items() if resource.name.startswith(part))
                console.print(f"  Kept: bucket {resource.id} with {held}; the next up adopts it")
            else:
                console.print(f"  including all objects in bucket [bold]{resource.id}[/bold]")
        elif short_type(resource.type) == VOLUME:
            if resource.kept:
                console.print(
                    f"  Kept: data volume {resource.id} with everything that SigNoz stores "
                    "(turnscope:host.data_volume.keep); the next up adopts it"
                )
            else:
                console.print(f"  including everything that SigNoz stores, on data volume [bold]{resource.id}[/bold]")
        elif resource.kept and short_type(resource.type) == KEY:
            held = "that volume and its cold storage" if resource.name.startswith(OF_HOST) else "that bucket"
            console.print(f"  Kept: KMS key {resource.id}, which is required to read {held}")
    if plan.existing:
        console.print(f"  from SigNoz at {plan.existing.url}, where everything that the stack did not create stays")
    for server in signoz.servers if signoz else ():
        console.print(f"  Kept: {server.kind.removesuffix(' (existing)')} {server.name} with what SigNoz stores there")
    if not signoz or plan.host:
        return
    kept = [volume.name for volume in volumes(signoz.containers) if volume.keep]
    database = database_volume(signoz)
    if database and database not in kept:
        console.print(
            "  including all objects that people created in SigNoz (to keep dashboards, rules and views as files: "
            f"turnscope content export {plan.stack} --all)"
        )
    for name in kept:
        held = ", with the content of SigNoz, which the next up adopts" if name == database else ""
        console.print(f"  Kept: volume {name} (turnscope:signoz.keep_volumes is true){held}")


def _ask(deployment: Deployment, confirmed: str | None, assume_yes: bool) -> None:
    stack = deployment.stack
    if deployment.settings.environment == Environment.STAGING:
        # --yes is for scripts that mean any stack; losing staging takes its name.
        if confirmed is None and sys.stdin.isatty():
            confirmed = Prompt.ask(f"Type the stack's name to delete it ({stack})")
        if confirmed != stack:
            raise UserError(f"Not deleted: environment staging requires the stack's name (--confirm {stack}).")
    elif not assume_yes and confirmed != stack:
        if not sys.stdin.isatty():
            raise UserError("Not deleted: there is no terminal to confirm on. Use --yes.")
        if not Confirm.ask("Delete these resources?", default=False):
            raise UserError("Not deleted.")


def _stop_emulator(deployment: Deployment) -> None:
    if deployment.stop_emulator():
        deployment.console.print("lab: the AWS emulator is stopped.")
