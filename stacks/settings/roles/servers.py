"""What settings of servers have in common that somebody else runs."""

from __future__ import annotations

from typing import Annotated

from pydantic import ValidationInfo

from stacks.settings.fields import Matching, problem

ServerName = Annotated[
    str,
    Matching(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", "a host name or an IPv4 address", format="hostname"),
]
CertificatesPem = Annotated[
    str,
    Matching(
        r"\s*-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s-]+-----END CERTIFICATE-----\s*",
        "PEM text that starts with -----BEGIN CERTIFICATE-----",
    ),
]
Identifier = Annotated[
    str, Matching("[A-Za-z_][A-Za-z0-9_-]{0,62}", "1 to 63 letters, digits, _ and -, no digit first")
]


def only_if_checked(value: str | None, info: ValidationInfo) -> str | None:
    """Certificates of CAs (`ca_certificates_pem`) where `tls` before them asks for a check. Raises what pydantic
    reports."""
    if value and info.data.get("tls", "verify-full") != "verify-full":
        raise problem("allowed: null, except with tls: verify-full, which checks the certificate")
    return value
