"""Configuration texts of SigNoz' containers, from `templates/`."""

from __future__ import annotations

import json
from xml.sax.saxutils import escape

from core.templating import TEMPLATES_FOLDER, Templates


def render(template: str, **context: object) -> str:
    """The text of `templates/<template>`. Raises `ValueError`, see `core.templating.Templates.render`."""
    return _TEMPLATES.render(template, context)


def quoted(value: object) -> str:
    """A value as JSON, which is YAML."""
    return json.dumps(value, ensure_ascii=False)


def ottl_string(text: str) -> str:
    """A string literal of OTTL, inside the collector's configuration, which takes `$$` for `$`."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{escaped}"'


_TEMPLATES = Templates(TEMPLATES_FOLDER, {"quoted": quoted, "xml": escape, "ottl": ottl_string}, final_newline=True)
