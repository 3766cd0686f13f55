"""A deployed stack's secrets in clear, for the few commands that must show them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pulumi.automation.errors import CommandError

from core.errors import UserError
from core.names import NAMESPACE
from core.secrets.generated import derived
from core.secrets.program import PASSPHRASE_FILE
from core.secrets.reference import SecretRef
from signoz.plan.model import SigNozPlan
from turnscope.deployment.deployment import Deployment


def secret_values(deployment: Deployment, plan: SigNozPlan) -> dict[str, str]:
    """Every secret that the plan's files and content hold, by its path. Raises `UserError`."""
    references = {
        reference for container in plan.containers for file in container.files for _, reference in file.secrets
    }
    references |= {reference for each in plan.content.objects for _, reference in each.secrets}
    return values(deployment, references)


def values(deployment: Deployment, references: Iterable[SecretRef]) -> dict[str, str]:
    """The values of these references, by path: derived for a local stack, out of the configuration for the rest."""
    return {reference.path: _value(deployment, reference) for reference in references}


def _value(deployment: Deployment, reference: SecretRef) -> str:
    try:
        return deployment.config_value(f"{NAMESPACE}:{reference.path}")
    except CommandError:
        if not deployment.is_local:
            raise UserError(
                f"Secret {reference.path} cannot be read. Set it: "
                f"pulumi config set -s {deployment.stack} --secret --path '{NAMESPACE}:{reference.path}'"
            ) from None
    passphrase = Path(deployment.environment[PASSPHRASE_FILE]).read_text()
    return derived(passphrase, reference)
