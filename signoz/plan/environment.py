"""Variables that hold secrets, for programs that take a secret in no other way. Pure.

They are in a file that the container's shell reads before it becomes the program: `docker inspect`, and whoever reads
a container's definition, sees none of them.
"""

from __future__ import annotations

import shlex

from signoz.plan.files import rendered_file
from signoz.plan.model import File

PATH = "/etc/turnscope/secrets/environment.sh"


def environment_file(variables: dict[str, str], *, owner: str) -> File:
    """A file that sets variables; values hold secrets as placeholders, of the kind that the value needs."""
    lines = [f"export {name}={_word(value)}" for name, value in variables.items()]
    return rendered_file(PATH, "\n".join([*lines, ""]), owner=owner)


def _word(value: str) -> str:
    """The value as a word of the shell: a `{shell:...}` placeholder becomes one by itself, the rest is quoted here."""
    return value if value.startswith("{shell:") else shlex.quote(value)


def then(command: str) -> str:
    """A shell's command line that runs `command` with these variables set."""
    return f". {PATH} && {command}"
