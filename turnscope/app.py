"""The command line."""

from __future__ import annotations

import json
import os
import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from core.errors import UserError
from core.project import Project, find_project
from turnscope.agent_environment import Protocol
from turnscope.commands.analytics import analytics
from turnscope.commands.content import content
from turnscope.console import console
from turnscope.rendering import What

if TYPE_CHECKING:
    from stacks.settings.model import Settings

# Whatever touches the engine, AWS or the emulator is imported by the command that needs it: `--help` and `plan`
# answer at once.

app = typer.Typer(
    name="turnscope",
    help="Observability for voice agents, as code.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
lab = typer.Typer(help="The AWS emulator of the local stack.", no_args_is_help=True)
app.add_typer(lab, name="lab")
app.add_typer(analytics, name="analytics")
app.add_typer(content, name="content")

Stack = Annotated[
    str, typer.Argument(help="The stack: local, dev, staging, prod, or a file stacks/Pulumi.<stack>.yaml.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; CI=true does the same.")]
Refresh = Annotated[
    bool, typer.Option("--refresh", help="Look first at what is there: finds what was changed by hand, in SigNoz too.")
]


class Form(StrEnum):
    SHELL = "shell"
    DOTENV = "dotenv"
    JSON = "json"


Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def main() -> None:
    """Run the command line; a `UserError` becomes its message and exit code."""
    try:
        app()
    except UserError as error:
        Console(stderr=True, highlight=False, soft_wrap=True, markup=False).print(str(error))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        Console(stderr=True).print("Interrupted.")
        sys.exit(130)


@app.command()
def up(stack: Stack, refresh: Refresh = False, yes: Yes = False) -> None:
    """Create or change a stack: make it what its settings say."""
    deployment = _deployment(stack, yes)
    progress, outputs = deployment.up(refresh=refresh)
    verb = "is up to date" if not progress.changed else "is up"
    console.print(f"Stack [bold]{stack}[/bold] {verb}: {progress.summary()}")
    _print_outputs(outputs)
    if not deployment.is_local:
        _print_links(stack, deployment.settings)


@app.command()
def preview(
    stack: Stack,
    diff: Annotated[bool, typer.Option("--diff", help="Show every property that would change.")] = False,
    refresh: Refresh = False,
    yes: Yes = False,
) -> None:
    """Show what up would change."""
    progress = _deployment(stack, yes).preview(show_diff=diff, refresh=refresh)
    console.print(f"Stack [bold]{stack}[/bold], previewed: {progress.summary()}")


@app.command()
def teardown(
    stack: Stack,
    confirm: Annotated[
        str | None, typer.Option("--confirm", help="The stack's name: the answer staging asks for.")
    ] = None,
    yes: Yes = False,
) -> None:
    """Delete a stack, and check that nothing is left."""
    from turnscope.deployment.teardown import tear_down

    tear_down(_deployment(stack, yes), confirmed=confirm, assume_yes=_assume_yes(yes))


@app.command()
def outputs(
    stack: Stack,
    show_secrets: Annotated[bool, typer.Option("--show-secrets", help="Print secrets in clear.")] = False,
    as_json: Json = False,
) -> None:
    """Print what a deployed stack exports."""
    found = _deployment(stack).outputs(show_secrets=show_secrets)
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        _print_outputs(found)


@app.command()
def plan(stack: Stack, as_json: Json = False) -> None:
    """Print what would exist, without engine or network."""
    from stacks.settings.loading import load
    from turnscope.plan_table import counted, describe, summary
    from turnscope.plans import plans

    root = find_project().root
    described = describe(*plans(stack, load(stack, root), root))
    if as_json:
        print(json.dumps(described, indent=2))
        return
    for kind in described["counts"]:
        console.print(f"\n[bold]{kind}[/bold]")
        table = Table.grid(padding=(0, 2))
        for row in described["resources"]:
            if row["kind"] == kind:
                table.add_row("", escape(row["name"]), escape(summary(row)))
        console.print(table)
    console.print(f"\n{len(described['resources'])} in stack {stack}: {counted(described['counts'])}")


@app.command()
def render(
    stack: Stack,
    what: Annotated[What, typer.Argument(help="Which texts.")] = What.ALL,
    out: Annotated[Path | None, typer.Option("--out", help="Write them into this folder.")] = None,
    check: Annotated[
        Path | None, typer.Option("--check", help="Compare with this folder: exit 1 with a diff where it differs.")
    ] = None,
    show_secrets: Annotated[
        bool, typer.Option("--show-secrets", help="With secrets in clear (asks the engine).")
    ] = False,
) -> None:
    """Print or compare the files that a stack would deploy."""
    from stacks.settings.loading import load
    from turnscope import rendering
    from turnscope.deployment.secret_values import secret_values
    from turnscope.plans import plans

    project = find_project()
    settings = load(stack, project.root)
    cloudwatch, signoz = plans(stack, settings, project.root)
    secrets = secret_values(_deployment(stack), signoz) if show_secrets and signoz else None
    texts = rendering.render(what, cloudwatch=cloudwatch, signoz=signoz, secrets=secrets)
    if check:
        rendering.check(texts, check)
        console.print(f"{len(texts)} files in {check} are what stack {stack} would deploy.")
    if out:
        rendering.write(texts, out, private=show_secrets)
        console.print(f"Wrote {len(texts)} files to {out}.")
    if not (check or out):
        print(rendering.as_one_text(texts), end="")


@app.command()
def env(
    stack: Stack,
    agent: Annotated[str | None, typer.Option(help="The agent's name. Default: the first of the stack.")] = None,
    form: Annotated[Form, typer.Option("--format", help="shell, dotenv or json.")] = Form.SHELL,
    protocol: Annotated[Protocol, typer.Option(help="How the agent sends.")] = Protocol.HTTP,
) -> None:
    """Print what an agent needs in its environment, token included."""
    from turnscope.agent_environment import FORMATS
    from turnscope.agent_gateway import environment_of

    print(FORMATS[form](environment_of(_deployment(stack), agent, protocol)), end="")


@app.command()
def login(
    stack: Stack,
    show_secrets: Annotated[bool, typer.Option("--show-secrets", help="With the password in clear.")] = False,
    as_json: Json = False,
) -> None:
    """Print how to sign in to a stack's SigNoz."""
    from stacks.settings.loading import load
    from turnscope.deployment.secret_values import values
    from turnscope.sign_in import administrator

    found = administrator(stack, load(stack, find_project().root))
    secret = found.password
    password = values(_deployment(stack), [secret])[secret.path] if show_secrets else "[secret]"
    rows = {"url": found.url, "email": found.email, "password": password}
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    for name, value in rows.items():
        # Plain print: a terminal's width breaks no password, and markup eats none of it.
        print(f"{name:<10}{value}")
    if not show_secrets:
        console.print(f"`turnscope login {stack} --show-secrets` prints the password.")


@app.command()
def init(stack: Stack) -> None:
    """Generate a stack's passwords and tokens, encrypted in its file."""
    from turnscope.deployment.initialise import initialise

    made = initialise(find_project(), stack, console)
    console.print("\n".join(f"made {path}" for path in made) or f"Stack {stack} has all its secrets.")


@app.command()
def lock(stack: Stack) -> None:
    """Pin a stack's images by digest, asking their registry."""
    from core.releases import find_release
    from signoz.plan.images import registry_images
    from stacks.settings.loading import load
    from turnscope.deployment.image_lock import lock as write_lock

    project = find_project()
    settings = load(stack, project.root)
    if not settings.signoz:
        raise UserError(f"Stack {stack} has no SigNoz (turnscope:signoz), so no images to lock.")
    own = settings.signoz
    images = registry_images(own.images, find_release(own.release), own.gateway.image, {})
    config = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"
    console.print(f"Wrote {write_lock(stack, project.root, images.values(), config)}.")


@app.command()
def toolchain(
    status: Annotated[bool, typer.Option("--status", help="Only show what is there and what is missing.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Also Docker, its plugin and the collector.")] = False,
    yes: Yes = False,
) -> None:
    """Find, download or build Pulumi and its plugins."""
    import toolchain as tools

    if not status:
        found = tools.ensure(
            tools.PARTS if everything else tools.AWS_PARTS, assume_yes=_assume_yes(yes), console=console
        )
        console.print(f"Pulumi {found.version} ({found.source}): {found.pulumi}")
    table = Table(box=None, pad_edge=False)
    for column in ("part", "state", "where, or how to get it"):
        table.add_column(column, overflow="fold")
    for part in tools.status():
        table.add_row(part.name, part.state, str(part.where or part.how_to_get))
    console.print(table)


@app.command()
def shell(stack: Stack) -> None:
    """Print the environment for pulumi by hand, for eval."""
    deployment = _deployment(stack)
    for name, value in deployment.environment.items():
        print(f"export {name}={shlex.quote(value)}")
    if deployment.is_local:
        print("unset PULUMI_CONFIG_PASSPHRASE")


@app.command()
def settings(
    write: Annotated[
        bool, typer.Option("--write", help="Write the schema, the reference page and Pulumi.yaml.")
    ] = False,
) -> None:
    """Check or write the files generated from the settings model."""
    from stacks.settings import reference

    root = find_project().root
    if write:
        for path in reference.write(root):
            console.print(f"wrote {path}")
        return
    differences = reference.check(root)
    if differences:
        raise UserError("\n".join(differences) + "\nRun: turnscope settings --write", exit_code=1)
    console.print("The generated settings files are up to date.")


@lab.command("start")
def lab_start(stack: Annotated[str, typer.Argument(help="A stack of environment local.")] = "local") -> None:
    """Start the AWS emulator, as up does by itself."""
    from lab import emulator
    from stacks.settings.model import Lab

    project, loaded = _local(stack)
    port = (loaded.lab or Lab()).aws_port
    running = emulator.start(project.stack_directory(stack), port, project=project.root, stack=stack)
    console.print(f"lab: AWS is emulated at {running.url} (process {running.pid}, log {running.log_path})")


@lab.command("stop")
def lab_stop(stack: Annotated[str, typer.Argument(help="A stack of environment local.")] = "local") -> None:
    """Stop the AWS emulator; the next up fills a new one."""
    from lab import emulator

    project, _ = _local(stack)
    stopped = emulator.stop(project.stack_directory(stack))
    console.print("lab: stopped." if stopped else "lab: it was not running.")


@lab.command("status")
def lab_status(stack: Annotated[str, typer.Argument(help="A stack of environment local.")] = "local") -> None:
    """Show whether the AWS emulator runs, and where."""
    from lab import emulator

    project, _ = _local(stack)
    running = emulator.status(project.stack_directory(stack))
    if running is None:
        raise UserError(f"lab: not running; start it with `turnscope up {stack}`.", exit_code=1)
    console.print(f"lab: AWS is emulated at {running.url} (process {running.pid}, log {running.log_path})")


@lab.command("send")
def lab_send(
    log: Annotated[
        str | None, typer.Argument(help="A recording's name, or a file of JSON log lines. Default: every recording.")
    ] = None,
    stack: Annotated[str, typer.Option(help="A stack of environment local.")] = "local",
    agent: Annotated[
        str | None, typer.Option(help="The agent whose log group receives it. Default: the first.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Send a real agent's log; print metrics and alarm states."""
    from lab.send import print_report, send

    project, loaded = _local(stack)
    report = send(project, stack, loaded, log, agent)
    if as_json:
        print(json.dumps(report, indent=2))
    else:
        print_report(report, console)


def _deployment(stack: str, yes: bool = False):
    from stacks.settings.loading import load
    from turnscope.deployment.deployment import Deployment

    project = find_project()
    return Deployment(project, stack, load(stack, project.root), console, assume_yes=_assume_yes(yes))


def _local(stack: str):
    from lab.guard import refuse_outside_local
    from stacks.settings.loading import load

    project: Project = find_project()
    loaded = load(stack, project.root)
    refuse_outside_local(str(loaded.environment))
    return project, loaded


def _assume_yes(yes: bool) -> bool:
    return yes or os.environ.get("CI", "").lower() in ("1", "true")


def _print_outputs(found: dict[str, object]) -> None:
    for name, value in found.items():
        text = value if isinstance(value, str) else json.dumps(value)
        console.print(f"  {name}: {text}", markup=False)


def _print_links(stack: str, settings: Settings) -> None:
    from cloudwatch.plan.build import plan_cloudwatch
    from turnscope.links import console_links

    for name, address in console_links(plan_cloudwatch(stack, settings)).items():
        console.print(f"  {name}: {address}", markup=False)
