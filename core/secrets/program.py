"""Secrets in the running Pulumi program: out of the stack's configuration, or derived on a local machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pulumi

from core.secrets.generated import derived
from core.secrets.reference import SecretRef
from stacks.settings.loading import secret_value

PASSPHRASE_FILE = "PULUMI_CONFIG_PASSPHRASE_FILE"  # noqa: S105 - the name of a variable


def read_secret(reference: SecretRef) -> pulumi.Output[str]:
    """The value behind a reference, as a Pulumi secret."""
    section = pulumi.Config().get_secret_object(reference.path.split(".")[0])
    value = (pulumi.Output.from_input({}) if section is None else section).apply(lambda found: _value(found, reference))
    return pulumi.Output.secret(value)


def _value(configuration: Any, reference: SecretRef) -> str:
    try:
        return secret_value(configuration, reference)
    except (KeyError, IndexError, TypeError):
        # Settings were validated, so only a local stack's generated secrets are in no configuration.
        passphrase = Path(os.environ[PASSPHRASE_FILE]).read_text()
        return derived(passphrase, reference)
