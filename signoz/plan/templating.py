"""Configuration texts from `templates/`."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from xml.sax.saxutils import escape

import jinja2

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"


def render(template: str, **context: object) -> str:
    """The text of `templates/<template>`; a name that `context` lacks is an error."""
    return _environment().get_template(template).render(context)


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(  # noqa: S701 (configuration texts, not HTML)
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    # A JSON string is a YAML string.
    environment.filters.update(quoted=lambda value: json.dumps(value, ensure_ascii=False), xml=escape)
    return environment
