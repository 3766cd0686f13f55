"""The emulator's buckets: what denies plain HTTP denies nothing on this machine, and everything else still does."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytest.importorskip("moto")

from lab.additions.bucket_policies import without_tls_statements

PLAIN_HTTP: dict[str, Any] = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Resource": "arn:aws:s3:::b/*",
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}


@pytest.mark.parametrize(
    "other",
    [
        {**PLAIN_HTTP, "Condition": {}},
        {**PLAIN_HTTP, "Condition": {"Bool": {"aws:SecureTransport": "true"}}},
        {key: value for key, value in PLAIN_HTTP.items() if key != "Condition"},
    ],
)
def test_only_the_statement_on_plain_http_is_left_out(other: dict[str, Any]) -> None:
    policy = json.dumps({"Version": "2012-10-17", "Statement": [PLAIN_HTTP, other]}).encode()
    assert json.loads(without_tls_statements(policy)) == {"Version": "2012-10-17", "Statement": [other]}
