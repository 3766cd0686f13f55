"""The released Pulumi CLI: https://www.pulumi.com/docs/iac/download-install/versions/

A release is one archive per platform, beside a file with the SHA-256 of each.
"""

import hashlib
import shutil
import tarfile
from pathlib import Path

from core.errors import UserError
from toolchain import pins

BASE = "https://get.pulumi.com/releases/sdk"
TIMEOUT_SECONDS = 4.0
"""Per connection and read: a machine that cannot reach the releases notices soon."""


def archive_name(version: str = pins.RELEASE_CLI) -> str:
    """This platform's archive of a release."""
    return f"pulumi-v{version}-{pins.release_platform()}.tar.gz"


def checksum(base: str = BASE, version: str = pins.RELEASE_CLI) -> str | None:
    """The published SHA-256 of this platform's archive; None when the releases cannot be reached."""
    # Of the standard library: `python -m toolchain` asks before anything is installed.
    import urllib.request
    from http.client import HTTPException

    try:
        with urllib.request.urlopen(f"{base}/pulumi-{version}-checksums.txt", timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
            text = answer.read().decode()
    except (OSError, HTTPException, ValueError):
        return None
    return find_checksum(text, archive_name(version))


def find_checksum(checksums: str, name: str) -> str | None:
    """The sum of one file in a list with `SUM  NAME` on each line."""
    for line in checksums.splitlines():
        if line.split()[1:] == [name]:
            return line.split()[0].lower()
    return None


def download(folder: Path, expected: str, base: str = BASE, version: str = pins.RELEASE_CLI) -> None:
    """Put the CLI and its language hosts into `folder`/bin. Raises UserError when the archive is not as published."""
    import httpx

    name = archive_name(version)
    url = f"{base}/{name}"
    archive = folder / name
    digest = hashlib.sha256()
    # As published: a server that may compress would send other bytes.
    headers = {"Accept-Encoding": "identity"}
    try:
        with (
            httpx.stream("GET", url, headers=headers, timeout=60, follow_redirects=True) as answer,
            archive.open("wb") as file,
        ):
            if not answer.is_success:
                raise UserError(f"{url}: HTTP {answer.status_code}. Run again to retry.", exit_code=1)
            for chunk in answer.iter_raw(1 << 20):
                digest.update(chunk)
                file.write(chunk)
    except (OSError, httpx.HTTPError) as error:
        raise UserError(f"{url}: {error}. Run again to retry.", exit_code=1) from error
    if digest.hexdigest() != expected:
        raise UserError(
            f"{url}: its SHA-256 is {digest.hexdigest()}, but {expected} is published. Not installed; "
            "run again. If the error persists, a proxy changes downloads.",
            exit_code=1,
        )
    with tarfile.open(archive) as file:
        file.extractall(folder / "unpacked", filter="data")
    (folder / "unpacked" / "pulumi").rename(folder / "bin")
    shutil.rmtree(folder / "unpacked")
    archive.unlink()
