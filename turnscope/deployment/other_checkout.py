"""Two checkouts on one Docker engine: stacks of one name have containers, networks and volumes of the same names, so
the second is refused before anything is touched."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from core.errors import UserError
from signoz.docker_host import DockerHost
from signoz.plan.model import CHECKOUT_LABEL, STACK_LABEL
from turnscope.deployment.docker_stack import docker

NAMES_SHOWN = 3
_FORMAT = '{{{{.{id}}}}}\t{{{{.{name}}}}}\t{{{{.Label "{label}"}}}}'
_LISTS = {
    "container": ("ps", "--all", "--no-trunc", "ID", "Names"),
    "network": ("network", "ls", "--no-trunc", "ID", "Name"),
    # A volume has no other identity than its name.
    "volume": ("volume", "ls", "Name", "Name"),
}


@dataclass(frozen=True)
class Held:
    """Something of a stack on the Docker host, with the checkout that made it."""

    kind: str
    """container, network or volume"""
    id: str
    name: str
    checkout: str
    """The project's folder; empty for what carries no such label."""


def held_on_host(host: DockerHost, stack: str) -> list[Held]:
    """What the Docker host has under the stack's name, whoever made it."""
    found: list[Held] = []
    for kind, (*command, id_field, name_field) in _LISTS.items():
        shown = _FORMAT.format(id=id_field, name=name_field, label=CHECKOUT_LABEL)
        listed = docker(host, *command, "--filter", f"label={STACK_LABEL}={stack}", "--format", shown)
        found += [Held(kind, *line.split("\t")) for line in listed.stdout.splitlines()]
    return found


def refuse_other_checkout(
    held: Iterable[Held], stack: str, project: Path, docker_host: str, known: Callable[[], Collection[str]]
) -> None:
    """Raises `UserError` (exit code 2) where another checkout holds the names of `stack` on the Docker host.

    `known` gives the ids in this stack's own state, and is asked only for what a folder made that is no longer there:
    this checkout, before it was moved. What such a folder left in volumes is nobody's, and is adopted.
    """
    by_checkout: defaultdict[str, list[Held]] = defaultdict(list)
    for each in held:
        if each.checkout not in ("", str(project)):
            by_checkout[each.checkout].append(each)
    problems: list[str] = []
    for checkout, things in sorted(by_checkout.items()):
        if Path(checkout).is_dir():
            problems.append(_of_another(checkout, things, stack, docker_host))
            continue
        own = known()
        if left := [each for each in things if each.kind != "volume" and each.id not in own]:
            problems.append(_of_nobody(checkout, left, stack, docker_host))
    if problems:
        raise UserError(
            "\n".join(problems) + f"\nOr deploy this checkout's stack under another name: copy "
            f"stacks/Pulumi.{stack}.yaml to stacks/Pulumi.NAME.yaml, set other ports there (turnscope:signoz.gateway, "
            "turnscope:lab.aws_port), and run `turnscope up NAME`. Nothing was changed."
        )


def _of_another(checkout: str, things: list[Held], stack: str, docker_host: str) -> str:
    if all(each.kind == "volume" for each in things):
        removal = f"`{_remove('volume', things, docker_host)}`"
        return (
            f"The checkout {checkout} keeps the data of its stack {stack} in volumes of this Docker engine that have "
            f"the names of this one's ({_names(things)}). Delete that data if nobody needs it: {removal}."
        )
    return (
        f"Stack {stack} is deployed on this Docker engine from another checkout, {checkout}, under the same names "
        f"({_names(things)}). Delete it there first: `turnscope teardown {stack}` in {checkout}."
    )


def _of_nobody(checkout: str, things: list[Held], stack: str, docker_host: str) -> str:
    kinds = dict.fromkeys(each.kind for each in things)
    removals = "; ".join(
        f"`{_remove(kind, [each for each in things if each.kind == kind], docker_host)}`" for kind in kinds
    )
    return (
        f"This Docker engine has a stack {stack} of a checkout that no longer exists, {checkout}, under the same names "
        f"({_names(things)}). Delete it first: {removals}."
    )


def _names(things: list[Held]) -> str:
    shown = ", ".join(f"{each.kind} {each.name}" for each in things[:NAMES_SHOWN])
    more = len(things) - NAMES_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def _remove(kind: str, things: list[Held], docker_host: str) -> str:
    options = ["--force"] if kind == "container" else []
    return " ".join(["docker", "-H", docker_host, kind, "rm", *options, *(each.name for each in things)])
