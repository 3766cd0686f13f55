"""The policy of every bucket that a stack makes. Pure."""

from __future__ import annotations

from typing import Any


def tls_only_policy(arn: str) -> dict[str, Any]:
    """Nobody reads or writes over plain HTTP. The one statement with every action: it takes away."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "DenyPlainHttp",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [arn, f"{arn}/*"],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        ],
    }
