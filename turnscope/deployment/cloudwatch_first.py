"""A local stack's first deployment, where programs or images have to be built for it.

SigNoz takes most of them, everything else only Pulumi. So everything else is deployed, and shown, as soon as Pulumi is
built, while what SigNoz takes is still being built. The deployment after that adds SigNoz.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import toolchain
from core.names import NAMESPACE
from signoz.plan.model import SigNozPlan
from turnscope.deployment.beside import run_beside
from turnscope.deployment.deployment import Deployment
from turnscope.deployment.docker_stack import ensure_lab_images, lab_roles
from turnscope.deployment.other_checkout import held_on_host
from turnscope.deployment.progress import EngineProgress
from turnscope.deployment.runs import JOURNAL
from turnscope.lab_extra import require_lab

Report = Callable[[EngineProgress, dict[str, Any]], None]


def deploy_cloudwatch_first(deployment: Deployment, report: Report) -> None:
    """Deploy everything but SigNoz and `report` it, and build what SigNoz takes; `deployment.up()` then adds SigNoz.

    Does nothing for a stack that is or was deployed, and where nothing has to be built. Raises `UserError` as
    `Deployment.up` does, with all that is missing for either half before anything is built.
    """
    signoz = deployment.settings.signoz
    if signoz is None or deployment.settings.cloudwatch is None or not _is_first(deployment):
        return
    require_lab()
    programs = toolchain.to_build(deployment.parts)
    if programs:
        toolchain.supply(deployment.parts, assume_yes=deployment.assume_yes, console=deployment.console)
    if "docker-engine" in deployment.parts:
        toolchain.ensure(("docker-engine",), assume_yes=deployment.assume_yes, console=deployment.console)
    if deployment.plan.host is None and held_on_host(deployment.docker_host, deployment.stack):
        return  # perhaps another checkout's: to be refused before anything is deployed
    deployment.choose_images()
    plan = deployment.plan.signoz
    images = plan is not None and _supply_images(plan, deployment)
    if plan is None or not (programs or images):
        return
    deployment.console.print("SigNoz follows the rest of the stack, when its programs and images are built.")
    _deploy_beside_builds(deployment, plan, report)


def _is_first(deployment: Deployment) -> bool:
    """Whether the stack is local and, as far as files tell, was never deployed since its last teardown."""
    if not deployment.is_local or deployment.recover or (deployment.directory / JOURNAL).exists():
        return False
    states = deployment.project.private / "state"
    names = (f"{deployment.stack}.json", f"{deployment.stack}.json.gz")
    return not any(path.name in names for path in states.glob(".pulumi/stacks/**/*"))


def _supply_images(plan: SigNozPlan, deployment: Deployment) -> bool:
    """Whether lab images have to be built; what that needs is there then."""
    roles = lab_roles(plan)
    if not roles:
        return False
    from lab.images import build

    todo = build.to_build(roles)
    build.supply(todo, deployment.console, assume_yes=deployment.assume_yes)
    return bool(todo)


def _deploy_beside_builds(deployment: Deployment, plan: SigNozPlan, report: Report) -> None:
    commands = deployment.commands = toolchain.Commands()
    first = Deployment(
        deployment.project,
        deployment.stack,
        # Without SigNoz there is no machine for it.
        deployment.settings.model_copy(update={"signoz": None, "host": None}),
        deployment.console,
        assume_yes=deployment.assume_yes,
        overrides={f"{NAMESPACE}:{section}": None for section in ("signoz", "host")},
        commands=commands,
    )
    # The scripts that Pulumi finds its plugins by depend on which plugins there are: Docker's comes after them.
    pulumi_is_there = threading.Event()

    def deploy() -> None:
        _ = first.tools
        pulumi_is_there.set()
        if first.resources():
            return  # without SigNoz in its settings the engine would delete the stack's
        report(*first.up())

    def build_programs() -> None:
        pulumi_is_there.wait()
        if not commands.stopped:
            _ = deployment.tools

    def build_images() -> None:
        ensure_lab_images(
            plan,
            deployment.console,
            assume_yes=deployment.assume_yes,
            commands=commands,
            images_after=pulumi_is_there,
        )

    def stop() -> None:
        commands.stop()
        pulumi_is_there.set()

    run_beside(deploy, (build_programs, build_images), stop)
