"""A deployed stack's secrets in clear, for the few commands that must show them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pulumi.automation.errors import CommandError

from core.names import NAMESPACE
from core.secrets.placeholders import ACCOUNT_ID
from core.secrets.reference import SecretRef
from core.secrets.values import PASSPHRASE_FILE, secret_value
from signoz.content.model import ContentPlan
from signoz.plan.model import Container
from turnscope.deployment.deployment import Deployment
from turnscope.rendering import ACCOUNT


def secret_values(deployment: Deployment, containers: Iterable[Container], content: ContentPlan) -> dict[str, str]:
    """Every secret that the containers' files and the content hold, by its path; and a word in place of the AWS
    account's ID, which is asked of nobody here. Raises `UserError`."""
    references = {reference for container in containers for file in container.files for _, reference in file.secrets}
    references |= {reference for each in content.objects for _, reference in each.secrets}
    return {ACCOUNT_ID.path: ACCOUNT} | values(deployment, references - {ACCOUNT_ID})


def values(deployment: Deployment, references: Iterable[SecretRef]) -> dict[str, str]:
    """The values of these references, by path. Raises `UserError` for one without a value."""

    def configured(reference: SecretRef) -> str | None:
        try:
            return deployment.config_value(f"{NAMESPACE}:{reference.path}")
        except CommandError:
            return None

    def passphrase() -> str | None:
        return Path(deployment.environment[PASSPHRASE_FILE]).read_text() if deployment.is_local else None

    return {
        reference.path: secret_value(reference, stack=deployment.stack, configured=configured, passphrase=passphrase)
        for reference in references
    }
