"""Certificates of a CA of the tests' own, for servers on this machine."""

from __future__ import annotations

import subprocess
from pathlib import Path


def certificate(folder: Path, name: str, signed_by: str | None = None) -> None:
    """`name`.pem and `name`.key: of a CA, or of `localhost`, signed by one."""
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-days", "2", "-subj", f"/CN={name}", "-out", f"{name}.pem", "-keyout", f"{name}.key"]
    if signed_by:
        command += ["-CA", f"{signed_by}.pem", "-CAkey", f"{signed_by}.key", "-addext", "subjectAltName=DNS:localhost"]
        command += ["-addext", "basicConstraints=critical,CA:FALSE"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
