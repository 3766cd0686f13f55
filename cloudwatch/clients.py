"""boto3 clients for a stack: the emulator's for a local one, those of its account for the rest."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
)
from botocore.exceptions import BotoCoreError, ClientError, ProfileNotFound
from botocore.session import Session as CoreSession

from cloudwatch.provider import emulator_url
from core.environments import Environment
from core.errors import UserError
from core.secrets.reference import SecretRef
from stacks.settings.aws import AssumeRole, Aws
from stacks.settings.model import Settings

ClientFactory = Callable[[str], Any]
SecretValue = Callable[[SecretRef], str]


def client_factory(settings: Settings, secret_value: SecretValue | None = None) -> ClientFactory:
    """A function from a service's name to its client, in the stack's region and account. `secret_value` reads the
    external ID of a role that is assumed, where the settings have one.

    The function raises `UserError` for a profile that there is not, and for a role without credentials to assume it.
    """
    if settings.environment == Environment.LOCAL:
        url, config = emulator_url(settings), Config(retries={"total_max_attempts": 2})
        emulated = boto3.Session("local", "local", region_name=settings.region)
        return lambda service: emulated.client(service, endpoint_url=url, config=config)  # pyright: ignore[reportCallIssue, reportArgumentType, reportUnknownVariableType]
    session = cache(lambda: _session(settings, secret_value))
    return lambda service: session().client(service)


def account_id(settings: Settings, client: ClientFactory) -> str:
    """The account that the credentials are of.

    Raises `UserError`: exit code 2 for one that `aws.account_ids` does not name, 1 where AWS does not answer.
    """
    try:
        found = client("sts").get_caller_identity()["Account"]
    except (BotoCoreError, ClientError) as error:
        raise UserError(f"AWS did not return the account ID: {error}", exit_code=1) from None
    allowed = settings.aws.account_ids
    if allowed and found not in allowed:
        raise UserError(
            f"The credentials are of AWS account {found}; allowed: {', '.join(allowed)} (turnscope:aws.account_ids). "
            "Nothing was changed."
        )
    return found


def _session(settings: Settings, secret_value: SecretValue | None) -> Any:
    core = _core_session(settings)
    if role := settings.aws.assume_role:
        source = core.get_credentials()
        if source is None:
            raise UserError(
                f"No AWS credentials found with which to assume {role.role_arn} (turnscope:aws.assume_role): sign in "
                "as for the AWS CLI, or set turnscope:aws.profile."
            )
        fetcher = AssumeRoleCredentialFetcher(
            core.create_client, source, role.role_arn, extra_args=_role_arguments(role, secret_value)
        )
        # Another session with the same profile: the first one has credentials already.
        core = _core_session(settings)
        core.register_component("credential_provider", CredentialResolver([_AssumedRole(fetcher)]))
    return boto3.Session(botocore_session=core)


def _core_session(settings: Settings) -> Any:
    own: Aws = settings.aws
    try:
        core = CoreSession(profile=own.profile)
        core.set_config_variable("region", settings.region)
        _ = core.get_scoped_config()
    except ProfileNotFound:
        known = ", ".join(CoreSession().available_profiles) or "none"
        raise UserError(
            f"turnscope:aws.profile: {own.profile}: allowed: a profile of this machine ({known})."
        ) from None
    return core


def _role_arguments(role: AssumeRole, secret_value: SecretValue | None) -> dict[str, str]:
    arguments = {"RoleSessionName": role.session_name}
    if role.external_id and secret_value:
        arguments["ExternalId"] = secret_value(role.external_id)
    return arguments


class _AssumedRole(CredentialProvider):
    """Credentials of a role, got when they are first needed and again before they expire."""

    METHOD = "assume-role"

    def __init__(self, fetcher: AssumeRoleCredentialFetcher) -> None:
        super().__init__()
        self._fetcher = fetcher

    def load(self) -> Any:
        return DeferredRefreshableCredentials(self._fetcher.fetch_credentials, self.METHOD)
