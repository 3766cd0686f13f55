"""How to sign in to a stack's SigNoz."""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import UserError
from core.secrets.reference import SecretRef
from signoz.roles.gateway import external_url
from stacks.settings.model import Settings


@dataclass(frozen=True)
class Administrator:
    """SigNoz' first user, and where its pages are."""

    url: str
    email: str
    password: SecretRef


def administrator(stack: str, settings: Settings) -> Administrator:
    """Raises `UserError` for a stack that does not run SigNoz, and for a release whose first visitor administers it."""
    if settings.existing_signoz:
        raise UserError(
            f"Stack {stack} does not run its SigNoz and has no account there: sign in with your own at "
            f"{settings.existing_signoz.url}."
        )
    if settings.signoz is None:
        raise UserError(f"Stack {stack} has no SigNoz (turnscope:signoz).")
    url, root = external_url(settings.signoz.gateway), settings.signoz.root_user
    if root is None:
        raise UserError(
            f"SigNoz {settings.signoz.release} has no administrator from the settings: the first person who opens "
            f"{url} registers as the administrator."
        )
    return Administrator(url, root.email, root.password)
