"""Making the secrets of a stack that nobody needs to choose."""

from __future__ import annotations

from pulumi import automation
from pulumi.automation.errors import CommandError
from rich.console import Console

import toolchain
from core.environments import Environment
from core.errors import UserError
from core.names import NAMESPACE
from core.project import Project
from core.secrets.generated import missing, random_secret
from stacks.settings.loading import raw_settings
from turnscope.deployment.backend import engine_environment
from turnscope.deployment.engine import Engine
from turnscope.deployment.failure import engine_words


def initialise(project: Project, stack: str, console: Console) -> list[str]:
    """Generate what is missing into the stack's file, encrypted with the stack's own key; returns their paths.

    Raises `UserError` for a local stack, whose secrets are derived, for one without a `signoz` section, and where the
    engine refuses (exit code 1).
    """
    raw = raw_settings(stack, project.root)
    where = raw.get("environment")
    if where not in list(Environment):
        raise UserError(
            f"Stack {stack}: turnscope:environment: {where or 'not set'}: allowed: {', '.join(Environment)}."
        )
    if where == Environment.LOCAL:
        raise UserError(
            f"Stack {stack} is local: its secrets are derived from this machine's passphrase. No change was made."
        )
    if not isinstance(raw.get("signoz"), dict):
        raise UserError(f"Stack {stack} has no section turnscope:signoz. Only this section has secrets to generate.")
    wanted = missing(raw)
    if not wanted:
        return []
    tools = toolchain.ensure(("pulumi",), assume_yes=True, console=console)
    environment = engine_environment(project, Environment(where), tools.env)
    engine = Engine(tools.pulumi, tools.version, on_interrupt=lambda: None)
    options = automation.LocalWorkspaceOptions(env_vars=environment, pulumi_command=engine)
    try:
        selected = automation.create_or_select_stack(stack, work_dir=str(project.root), opts=options)
        for reference in wanted:
            secret = automation.ConfigValue(random_secret(), secret=True)
            selected.set_config(f"{NAMESPACE}:{reference.path}", secret, path=True)
    except CommandError as error:
        raise UserError(
            f"The secrets of stack {stack} were not all written; run the command again when this is fixed.\n"
            f"{engine_words(error)}",
            exit_code=1,
        ) from None
    return [reference.path for reference in wanted]
