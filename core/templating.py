"""Texts from `templates/`: configuration files and queries, with Jinja2. Pure, apart from reading the templates."""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import jinja2

TEMPLATES_FOLDER = Path(__file__).resolve().parents[1] / "templates"


@dataclass(frozen=True)
class Templates:
    """The templates of `folder`, and the filters (name -> function) that they may use beside Jinja's own.

    A name that a template uses and its context lacks is an error. A line that holds only a block tag leaves nothing
    behind. The line end after a template's last line is kept with `final_newline` alone.
    """

    folder: Path
    filters: Mapping[str, Callable[[Any], str]]
    final_newline: bool = False

    def names(self, suffix: str) -> list[str]:
        """The names of all templates that end with `suffix`, sorted."""
        return sorted(path.name for path in self.folder.glob(f"*{suffix}"))

    def render(self, name: str, context: Mapping[str, object]) -> str:
        """The text that a template makes of `context`.

        Raises `ValueError` for a mistake in the template, a name that `context` lacks and a value that a filter
        refuses; its message begins with the template and the line, and names the file of a macro that is elsewhere.
        """
        try:
            return self._environment.get_template(name).render(context)
        except (jinja2.TemplateError, ValueError) as error:
            raise ValueError(f"{name}{_place(error, name)}: {error}") from error

    @functools.cached_property
    def _environment(self) -> jinja2.Environment:
        environment = jinja2.Environment(  # noqa: S701 (configuration and queries, not HTML)
            loader=jinja2.FileSystemLoader(self.folder),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=self.final_newline,
            bytecode_cache=bytecode_cache(f"template-{self.final_newline:d}"),
        )
        environment.filters.update(self.filters)
        return environment


def bytecode_cache(options: str) -> jinja2.BytecodeCache | None:
    """Compiled templates of earlier runs, by content, in a folder of this user below the system's temporary one.

    Jinja finds them by a template's name and text; `options` stands for the environment's, which change the code too.
    """
    try:
        return jinja2.FileSystemBytecodeCache(pattern=f"turnscope-{options}-%s.cache")
    except (OSError, RuntimeError):  # a folder that is not this user's alone
        return None


def decimal(value: float) -> str:
    """A filter: a number in plain digits, as query languages do not document exponents."""
    number = Decimal(str(value))
    if not number.is_finite():
        raise ValueError(f"{value} is not a number that a query can contain")
    return format(number, "f")


def _place(error: Exception, name: str) -> str:
    """`, line 3`, with the file's name where the line is in another file than `name`; empty where it is in none."""
    frames = [each for each in traceback.extract_tb(error.__traceback__) if each.filename.endswith(".j2")]
    if not frames:
        return ""
    file = Path(frames[-1].filename).name
    return f", line {frames[-1].lineno}" if file == name else f", in {file}, line {frames[-1].lineno}"
