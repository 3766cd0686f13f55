"""Bucket policies that deny plain HTTP.

AWS applies a statement only where its condition holds; `aws:SecureTransport` is false for a request over plain HTTP.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-securetransport

moto 5.2.5 takes an unmet condition for a denial, so that such a policy denies everything; and it serves plain HTTP.
Here a request counts as one over TLS, because it never leaves this machine.
"""

from __future__ import annotations

import json
from typing import Any

from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3.models import FakeBucket


def without_tls_statements(policy: bytes) -> bytes:
    """The policy without the statements that concern only plain HTTP."""
    document: dict[str, Any] = json.loads(policy)
    kept = [each for each in document.get("Statement", []) if not _concerns_plain_http(each)]
    return json.dumps({**document, "Statement": kept}).encode()


def _concerns_plain_http(statement: dict[str, Any]) -> bool:
    return statement.get("Condition", {}).get("Bool", {}).get("aws:SecureTransport") == "false"


def get_permission(self: FakeBucket, action: str, resource: str) -> PermissionResult:
    if self.policy is None:
        return PermissionResult.NEUTRAL
    return IAMPolicy(without_tls_statements(self.policy).decode()).is_action_permitted(action, resource)


def install() -> None:
    FakeBucket.get_permission = get_permission
