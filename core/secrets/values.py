"""From a reference to a secret's value: out of the stack's configuration, or derived on a local machine. Pure.

Who asks brings the readers: the running program (`core.secrets.program`) has its configuration, the command line asks
the engine for it.
"""

from __future__ import annotations

from collections.abc import Callable

from core.errors import UserError
from core.names import NAMESPACE
from core.secrets.generated import derived
from core.secrets.reference import SecretRef

PASSPHRASE_FILE = "PULUMI_CONFIG_PASSPHRASE_FILE"  # noqa: S105 - the name of a variable
"""The variable that says where a local stack's passphrase is; Pulumi reads the same."""


def secret_value(
    reference: SecretRef,
    *,
    stack: str,
    configured: Callable[[SecretRef], str | None],
    passphrase: Callable[[], str | None],
) -> str:
    """The value behind `reference`.

    `configured` reads the decrypted configuration (None for what is not in it), `passphrase` that of a local stack,
    whose generated secrets are in no configuration (None for any other stack). Raises `UserError` for a secret that
    neither gives.
    """
    value = configured(reference)
    if value is not None:
        return value
    phrase = passphrase()
    if phrase is None:
        raise UserError(f"Secret {reference.path} cannot be read. Set it: {set_command(reference.path, stack)}")
    return derived(phrase, reference)


def set_command(path: str, stack: str | None = None) -> str:
    """The command that sets the secret at `path` of the configuration, of the selected stack by default; it asks for
    the value."""
    return f"pulumi config set {f'-s {stack} ' if stack else ''}--secret --path '{NAMESPACE}:{path}'"
