"""Pulumi archives as zip files: the same content gives the same bytes, on any machine and at any time.

Assets and archives travel as objects that carry a signature under a fixed key, see `sdk/go/common/resource/sig`
and `sdk/python/lib/pulumi/runtime/rpc.py` of https://github.com/pulumi/pulumi.
"""

import base64
import hashlib
import io
import os
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

SIGNATURE = "4dabf18193072939515e22adb298388d"
ARCHIVE = "0def7320c3a5731c473e5ecbe6d01bc7"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""Stands for a string that is known only once something else exists (`sdk/go/common/resource/plugin/rpc.go`)."""

_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


class ArchiveError(Exception):
    """An archive that cannot be made into a zip file; the message says which entry and what is possible."""


class UnknownContent(Exception):
    """An archive that holds a value which is known only after another resource exists."""


def zip_bytes(archive: Mapping[str, Any]) -> bytes:
    """A zip of a Pulumi archive object.

    `archive` has `assets` (name -> asset or archive object) or `path` (a folder, or a zip or jar file, which
    is taken as it is). Raises ArchiveError, and UnknownContent during a preview.
    """
    path = Path(_text(archive.get("path", "")))
    if "path" in archive and path.is_file():
        content = path.read_bytes()
        if not zipfile.is_zipfile(io.BytesIO(content)):
            raise ArchiveError(f"{path}: not a zip file; give a folder, a .zip or an AssetArchive")
        return content
    entries = sorted(_entries(archive, ""))
    buffer = io.BytesIO()
    # Stored, not deflated: versions of zlib compress differently, and a hash must not depend on the machine.
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as file:
        for name, content, executable in entries:
            info = zipfile.ZipInfo(name, _ZIP_EPOCH)
            info.create_system = 3  # Unix, whose modes follow
            info.external_attr = (0o100755 if executable else 0o100644) << 16
            file.writestr(info, content)
    return buffer.getvalue()


def write_zip(archive: Mapping[str, Any], folder: Path) -> tuple[Path, str]:
    """Write the zip under its content's name. Returns its path and the base64 SHA-256 that Lambda reports."""
    content = zip_bytes(archive)
    digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
    path = zip_path(digest, folder)
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part")
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
        part.replace(path)
    return path, digest


def zip_path(digest: str, folder: Path) -> Path:
    """Where `write_zip` puts the content with this base64 SHA-256."""
    return folder / f"{base64.b64decode(digest).hex()}.zip"


def _entries(archive: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, bytes, bool]]:
    if "path" in archive:
        folder = Path(_text(archive["path"]))
        if not folder.is_dir():
            raise ArchiveError(f"{folder}: no such folder")
        for path in folder.rglob("*"):
            if path.is_file():
                yield prefix + path.relative_to(folder).as_posix(), path.read_bytes(), os.access(path, os.X_OK)
        return
    if "assets" not in archive:
        raise ArchiveError(f"{prefix or 'archive'}: only folders, files and texts are read, no addresses")
    for name, asset in archive["assets"].items():
        entry = prefix + name.strip("/")
        if asset.get(SIGNATURE) == ARCHIVE:
            yield from _entries(asset, entry + "/")
        elif "text" in asset:
            yield entry, _text(asset["text"]).encode(), False
        elif "path" in asset:
            path = Path(_text(asset["path"]))
            if not path.is_file():
                raise ArchiveError(f"{entry}: {path}: no such file")
            yield entry, path.read_bytes(), os.access(path, os.X_OK)
        else:
            raise ArchiveError(f"{entry}: only files and texts are read, no addresses")


def _text(value: str) -> str:
    if value == UNKNOWN:
        raise UnknownContent
    return value
