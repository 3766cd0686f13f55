"""Lambda function configuration.

AWS returns the function's `LoggingConfig` (by default plain text into /aws/lambda/<name>) and takes every part of
the configuration in UpdateFunctionConfiguration.
https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionConfiguration.html

moto has no `LoggingConfig`, and its update ignores the tracing configuration and the KMS key too.
"""

from __future__ import annotations

from typing import Any

from moto.awslambda.models import LambdaFunction

_LOGGING = "logging_config"

_init = LambdaFunction.__init__
_get_configuration = LambdaFunction.get_configuration
_update_configuration = LambdaFunction.update_configuration


def _logging_config(function: LambdaFunction, given: dict[str, Any] | None) -> dict[str, Any]:
    config = {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{function.function_name}", **(given or {})}
    if config["LogFormat"] == "JSON":
        config = {"ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO", **config}
    return config


def __init__(self: LambdaFunction, account_id: str, spec: dict[str, Any], region: str, version: str | int = 1) -> None:
    _init(self, account_id, spec, region, version)
    vars(self)[_LOGGING] = _logging_config(self, spec.get("LoggingConfig"))


def get_configuration(self: LambdaFunction, on_create: bool = False) -> dict[str, Any]:
    return {**_get_configuration(self, on_create), "LoggingConfig": vars(self)[_LOGGING]}


def update_configuration(self: LambdaFunction, config_updates: dict[str, Any]) -> dict[str, Any]:
    if "LoggingConfig" in config_updates:
        vars(self)[_LOGGING] = _logging_config(self, config_updates["LoggingConfig"])
    if "TracingConfig" in config_updates:
        self.tracing_config = config_updates["TracingConfig"]
    if "KMSKeyArn" in config_updates:
        self.kms_key_arn = config_updates["KMSKeyArn"]
    return _update_configuration(self, config_updates)


def install() -> None:
    LambdaFunction.__init__ = __init__
    LambdaFunction.get_configuration = get_configuration
    LambdaFunction.update_configuration = update_configuration
