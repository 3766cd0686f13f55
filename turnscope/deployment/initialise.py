"""What a new stack takes before its first deployment: secrets that nobody needs to choose, and what its owner knows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pulumi import automation
from pulumi.automation.errors import CommandError
from rich.console import Console

import toolchain
from core.environments import Environment
from core.errors import UserError
from core.names import NAMESPACE
from core.project import Project
from core.secrets.generated import GENERATED, random_secret
from core.secrets.reference import SecretRef
from stacks.settings.loading import load, load_with, raw_settings
from stacks.settings.missing import missing_values
from turnscope.deployment.backend import engine_environment
from turnscope.deployment.engine import Engine
from turnscope.deployment.failure import engine_words
from turnscope.deployment.questions import Question, Value, questions

Ask = Callable[[Question], str]
"""Puts one question to the owner; an empty answer leaves the setting as it is."""
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Initialised:
    """Paths of settings in the stack's file."""

    generated: tuple[str, ...]
    answered: tuple[str, ...]


def initialise(project: Project, stack: str, console: Console, *, ask: Ask | None, tell: Tell) -> Initialised:
    """Ask for what only the stack's owner knows (with `ask`), generate the secrets that are missing, and write both
    into the stack's file, secrets encrypted with the stack's own key. An answer that the settings reject is told, and
    asked for again; nothing is written before the last answer.

    Raises `UserError` for settings with mistakes, for a local stack, whose secrets are derived, and where the engine
    refuses (exit code 1).
    """
    settings, raw = load(stack, project.root), raw_settings(stack, project.root)
    if settings.environment == Environment.LOCAL:
        raise UserError(
            f"Stack {stack} is local: its secrets are derived from this machine's passphrase. No change was made."
        )
    answers = _asked(questions(settings, raw), project, stack, ask, tell) if ask else []
    lacking = {each.key for each in missing_values(settings)}
    generated = [Value(path, random_secret(), secret=True) for path in GENERATED if path in lacking]
    if answers or generated:
        _write([*answers, *generated], project, stack, settings.environment, console)
    return Initialised(tuple(each.path for each in generated), tuple(each.path for each in answers))


def _asked(asked: Sequence[Question], project: Project, stack: str, ask: Ask, tell: Tell) -> list[Value]:
    given: list[Value] = []
    for question in asked:
        while answer := ask(question).strip():
            try:
                values = [*given, *question.values(answer)]
                known = {each.path: SecretRef(each.path) if each.secret else each.value for each in values}
                load_with(stack, project.root, known)
            except (ValueError, UserError) as error:
                tell(_problem(question.path, str(error)))
            else:
                given = values
                break
    return given


def _problem(path: str, message: str) -> str:
    """What of a message about all settings is about the one; it is in no file yet, so the place is left out."""
    about = [line[line.index(path) :] for line in message.splitlines() if path in line]
    return "\n".join(about) or message


def _write(values: Sequence[Value], project: Project, stack: str, where: Environment, console: Console) -> None:
    tools = toolchain.ensure(("pulumi",), assume_yes=True, console=console)
    environment = engine_environment(project, where, tools.env)
    engine = Engine(tools.pulumi, tools.version, on_interrupt=lambda: None)
    options = automation.LocalWorkspaceOptions(env_vars=environment, pulumi_command=engine)
    directory = str(project.root)
    try:
        automation.create_or_select_stack(stack, work_dir=directory, opts=options)
        for each in values:
            kind = "--secret" if each.secret else "--plaintext"
            # By standard input: arguments are in every list of processes.
            command = ["config", "set", f"{NAMESPACE}:{each.path}", "--path", kind, "--stack", stack]
            engine.run(command, directory, environment, given=each.value)
    except CommandError as error:
        raise UserError(
            f"The settings of stack {stack} were not all written; run the command again when this is fixed.\n"
            f"{engine_words(error)}",
            exit_code=1,
        ) from None
