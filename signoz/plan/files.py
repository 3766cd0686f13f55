"""What is in a file once its secrets are known, and what a reader may see of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from core.errors import UserError
from core.secrets import placeholders as marks
from signoz.plan.model import File

MASK = "[secret]\n"


def content(file: File, values: Mapping[str, str]) -> str:
    """The text with its secrets in it; `values` are those by mark. Raises `UserError`, which shows no value, for a
    secret that is empty: no protection at all, and most programs would not mind."""
    for name, value in values.items():
        if not value.strip():
            how = f"pulumi config set --secret --path 'turnscope:{name}'"
            raise UserError(f"Secret {name} is empty; allowed: a value. Set it: {how}")
    if file.compose:
        return file.compose(values)
    return marks.fill(file.text, values)


def masked(file: File) -> str:
    """The text with its marks left in."""
    return MASK if file.compose else file.text
