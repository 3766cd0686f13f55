"""Arguments of the stack's one AWS provider."""

from __future__ import annotations

from typing import Any

import pulumi_aws as aws

from core.component import ReadSecret
from core.environments import Environment
from stacks.settings.model import Lab, Settings

SERVICES = (
    "athena", "budgets", "cloudwatch", "dlm", "ec2", "firehose", "glue", "iam", "kms", "lambda_", "logs", "route53",
    "s3", "scheduler", "sns", "ssm", "sts",
)  # fmt: skip
"""The services that a stack calls, as the provider's `endpoints` names them."""


def provider_args(stack: str, settings: Settings, read_secret: ReadSecret) -> dict[str, Any]:
    """Region, account and tags; in environment `local` the emulator's address instead of AWS' own. `read_secret` gives
    the external ID of a role that is assumed."""
    tags = {
        **settings.tags,
        "Project": "turnscope",
        "Stack": stack,
        "Environment": str(settings.environment),
        "Owner": settings.owner,
    }
    if settings.expires_on:
        tags["Expires"] = settings.expires_on.isoformat()
    arguments: dict[str, Any] = {
        "region": settings.region,
        "default_tags": aws.ProviderDefaultTagsArgs(tags=tags),
    }
    own = settings.aws
    if own.account_ids:
        arguments["allowed_account_ids"] = list(own.account_ids)
    if own.profile:
        arguments["profile"] = own.profile
    if role := own.assume_role:
        external_id = read_secret(role.external_id) if role.external_id else None
        arguments["assume_roles"] = [
            aws.ProviderAssumeRoleArgs(role_arn=role.role_arn, external_id=external_id, session_name=role.session_name)
        ]
    if settings.environment == Environment.LOCAL:
        url = emulator_url(settings)
        arguments |= {
            # Fixed, so that a real account is out of reach even where the shell has its credentials.
            "access_key": "local",
            "secret_key": "local",
            "token": "local",
            "profile": "",
            "endpoints": [aws.ProviderEndpointArgs(**dict.fromkeys(SERVICES, url))],
            "skip_credentials_validation": True,
            "skip_metadata_api_check": True,
            "skip_region_validation": True,
            # The emulator has one name, and no bucket's own beside it.
            "s3_use_path_style": True,
            # What the emulator lacks it answers with 500, which the provider would retry for many minutes.
            "max_retries": 2,
        }
    return arguments


def emulator_url(settings: Settings) -> str:
    """Where the local stack's AWS emulator answers."""
    return f"http://127.0.0.1:{(settings.lab or Lab()).aws_port}"
