"""The environments that a stack can be of."""

from enum import StrEnum


class Environment(StrEnum):
    LOCAL = "local"
    DEV = "dev"
    STAGING = "staging"
    PROD = "prod"
