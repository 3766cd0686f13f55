"""`turnscope content`: what SigNoz holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from core.errors import UserError
from turnscope.console import console
from turnscope.options import Json, deployment_of

if TYPE_CHECKING:
    from signoz.content.api.client import SigNozClient
    from turnscope.deployment.deployment import Deployment

content = typer.Typer(help="Content of SigNoz: dashboards, alert rules, channels.", no_args_is_help=True)
Stack = Annotated[str, typer.Argument(help="A stack with SigNoz.")]


@content.command("list")
def list_content(stack: Stack, as_json: Json = False) -> None:
    """List a stack's content, with its source file and its address in SigNoz."""
    from turnscope.content.listing import rows

    found = rows(_deployment(stack))
    if as_json:
        print(json.dumps(found, indent=2))
        return
    table = Table(box=None, pad_edge=False)
    for column in ("kind", "key", "title", "source", "deployed"):
        table.add_column(column, overflow="fold")
    for row in found:
        table.add_row(*(escape(row[name]) for name in ("kind", "key", "title", "source", "deployed")))
    console.print(table)


@content.command("export")
def export(
    stack: Stack,
    kind: Annotated[str, typer.Option(help="Kinds of objects, separated by commas.")] = "dashboards,rules,views",
    out: Annotated[Path | None, typer.Option(help="Folder. Default: the folder of the stack's own content.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also objects that Turnscope deployed.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite existing files with a different content.")] = False,
) -> None:
    """Export objects that people created in SigNoz to files of the stack; the next up adopts the objects."""
    from signoz.content.build import FOLDER, content_folder
    from signoz.content.resource_types import kind_of
    from turnscope.content import export as exporting

    wanted = [each.strip() for each in kind.split(",") if each.strip()]
    if unknown := sorted(set(wanted) - set(exporting.FOLDERS)):
        raise UserError(
            f"--kind {','.join(unknown)}: allowed: {', '.join(exporting.FOLDERS)} (retention and prices are settings)"
        )
    deployment = _deployment(stack)
    client = _client(deployment)
    deployed = {
        (known, each.id): each.name.partition("/")[2]
        for each in deployment.resources()
        if (known := kind_of(each.type)) is not None
    }
    files = exporting.exported(client, wanted, deployed, everything=everything)
    if not files:
        console.print(f"Stack {stack}: there are no {', '.join(wanted)} in SigNoz that Turnscope did not deploy.")
        return
    root = deployment.project.root
    folder = out or content_folder(stack, deployment.settings, root) or root / FOLDER / stack
    written = exporting.write(files, folder, force=force)
    for path in written:
        console.print(f"wrote {path}")
    console.print(f"{len(files)} objects, {len(files) - len(written)} of them unchanged, in {folder}.")
    if replacing := [each.path for each in files if each.deployed]:
        console.print(f"From now on these files replace shipped content: {', '.join(replacing)}.")
    if hidden := [each.path for each in files if exporting.REPLACE_ME in each.text]:
        console.print(f"The files contain no secrets. Replace {exporting.REPLACE_ME} in: {', '.join(hidden)}.")


def _deployment(stack: str) -> Deployment:
    deployment = deployment_of(stack)
    settings = deployment.settings
    if settings.signoz is None and settings.existing_signoz is None:
        raise UserError(
            f"Stack {stack} has no SigNoz (turnscope:signoz or turnscope:existing_signoz), so it has no content."
        )
    return deployment


def _client(deployment: Deployment) -> SigNozClient:
    """Raises `UserError` where the stack has no key: it is not up, or has no content; or SigNoz does not take it."""
    if existing := deployment.settings.existing_signoz:
        from turnscope.deployment.existing_signoz import checked_client

        return checked_client(deployment.stack, existing, deployment.secret(existing.api_key))
    from signoz.content.access import access_of
    from signoz.content.api.client import SigNozClient
    from turnscope.deployment.docker_stack import root_certificate_reader

    settings, stack, plan = deployment.settings.signoz, deployment.stack, deployment.plan.signoz
    assert settings is not None  # noqa: S101 - checked by `_deployment`
    assert plan is not None  # noqa: S101 - a stack with the settings has the plan
    reader = root_certificate_reader(settings, plan, deployment.docker_host, deployment.directory)
    access = access_of(settings, reader, deployment.machine_address())
    key = deployment.api_key()
    if key is None or access is None:
        raise UserError(
            f"Stack {stack} has no API key of SigNoz: it is made by `turnscope up {stack}`, for a stack with "
            "turnscope:signoz.content."
        )
    return SigNozClient(
        str(access.address),
        api_key=key,
        root_certificate=access.read_root_certificate(),
        server_name=access.server_name,
    )
