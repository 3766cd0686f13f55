"""`turnscope render`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from turnscope.console import console
from turnscope.options import Stack, What, deployment_of, project_and_settings


def render(
    stack: Stack,
    what: Annotated[What, typer.Argument(help="Which files.")] = What.ALL,
    out: Annotated[Path | None, typer.Option("--out", help="Write the files to this folder.")] = None,
    check: Annotated[
        Path | None, typer.Option("--check", help="Compare with this folder; exit 1 with a diff if a file differs.")
    ] = None,
    show_secrets: Annotated[
        bool, typer.Option("--show-secrets", help="With secrets in plain text (read from the engine).")
    ] = False,
) -> None:
    """Print, write or compare the files that a stack would deploy."""
    from stacks.settings.missing import missing_text, missing_values
    from turnscope import rendering
    from turnscope.plans import plan_stack

    project, settings = project_and_settings(stack)
    plan = plan_stack(stack, settings, project.root)
    secrets = None
    if show_secrets and (plan.signoz or plan.existing):
        from turnscope.deployment.secret_values import secret_values

        secrets = secret_values(deployment_of(stack), plan.signoz.containers if plan.signoz else (), plan.content)
    texts = rendering.render(
        what, cloudwatch=plan.cloudwatch, signoz=plan.signoz, host=plan.host, existing=plan.existing, secrets=secrets
    )
    if check:
        rendering.check(texts, check)
        console.print(f"{len(texts)} files in {check} are up to date with stack {stack}.")
    if out:
        rendering.write(texts, out, private=show_secrets)
        console.print(f"Wrote {len(texts)} files to {out}.")
    if not (check or out):
        print(rendering.as_one_text(texts), end="")
    if text := missing_text(stack, missing_values(settings)):
        # Apart from the files, which may be read by a program.
        typer.echo(text, err=True)
