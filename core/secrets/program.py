"""Secrets in the running Pulumi program."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pulumi

from core.component import ReadSecret
from core.errors import UserError
from core.secrets.placeholders import ACCOUNT_ID
from core.secrets.reference import SecretRef, location_of, value_at
from core.secrets.values import PASSPHRASE_FILE, secret_value


def read_secret(reference: SecretRef) -> pulumi.Output[str]:
    """The value behind a reference, as a Pulumi secret. The deployment fails for one that has no value."""
    name = str(location_of(reference.path)[0])
    section = pulumi.Config().get_secret_object(name)
    known = pulumi.Output.from_input(None) if section is None else section
    return pulumi.Output.secret(known.apply(lambda found: _value({name: found}, reference)))


def with_account(read: ReadSecret, account_id: pulumi.Input[str]) -> ReadSecret:
    """`read`, which also knows the AWS account's ID (`ACCOUNT_ID`)."""
    return lambda reference: pulumi.Output.from_input(account_id) if reference == ACCOUNT_ID else read(reference)


def _value(configuration: dict[str, Any], reference: SecretRef) -> str:
    def configured(reference: SecretRef) -> str | None:
        value = value_at(configuration, reference.path)
        return None if value is None else str(value)

    try:
        return secret_value(reference, stack=pulumi.get_stack(), configured=configured, passphrase=_passphrase)
    except UserError as error:
        raise pulumi.RunError(str(error)) from None


def _passphrase() -> str | None:
    """None where there is no such file. Settings were validated, so it is asked for on a local stack alone."""
    path = os.environ.get(PASSPHRASE_FILE)
    return Path(path).read_text() if path else None
