"""boto3 clients for a stack: the emulator's for a local one, the user's own credentials for the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config

from cloudwatch.provider import emulator_url
from core.environments import Environment
from stacks.settings.model import Settings

ClientFactory = Callable[[str], Any]


def client_factory(settings: Settings) -> ClientFactory:
    """A function from a service's name to its client, in the stack's region."""
    arguments: dict[str, Any] = {"region_name": settings.region}
    if settings.environment == Environment.LOCAL:
        arguments |= {
            "endpoint_url": emulator_url(settings),
            "aws_access_key_id": "local",
            "aws_secret_access_key": "local",
            "config": Config(retries={"total_max_attempts": 2}),
        }
    return lambda service: boto3.client(service, **arguments)
