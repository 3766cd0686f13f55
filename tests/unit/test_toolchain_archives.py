"""Archives become the same zip file wherever and whenever they are made."""

import base64
import hashlib
import io
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolchain.archives import (
    ARCHIVE,
    SIGNATURE,
    UNKNOWN,
    ArchiveError,
    UnknownContent,
    write_zip,
    zip_bytes,
    zip_path,
)

ASSET = "c44067f5952c0a294b673a41bacd8c17"
"""The engine's signature of an asset (`sdk/go/common/resource/sig` of https://github.com/pulumi/pulumi)."""
NAMES = st.from_regex(r"[a-z]{1,8}(/[a-z]{1,8}){0,2}\.txt", fullmatch=True)


def text(content: str) -> dict[str, Any]:
    return {SIGNATURE: ASSET, "text": content}


def archive(**assets: dict[str, Any]) -> dict[str, Any]:
    return {SIGNATURE: ARCHIVE, "assets": assets}


@settings(max_examples=30)
@given(st.dictionaries(NAMES, st.text(max_size=20), min_size=1, max_size=6), st.randoms())
def test_zip_depends_on_content_alone(files: dict[str, str], random: Any) -> None:
    """The order in which entries arrive changes nothing, and every entry can be read back."""
    shuffled = list(files.items())
    random.shuffle(shuffled)
    one, two = ({"assets": {k: text(v) for k, v in items}} for items in (files.items(), shuffled))
    assert zip_bytes(one) == zip_bytes(two)
    with zipfile.ZipFile(io.BytesIO(zip_bytes(one))) as file:
        assert {name: file.read(name).decode() for name in file.namelist()} == files


def test_zip_ignores_the_time_of_files_and_keeps_what_can_be_run(tmp_path: Path) -> None:
    """A checkout gives its files new times, which must not update a function; a program must stay one."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "main.py").write_text("x = 1")
    (tmp_path / "lib" / "tool").write_text("#!/bin/sh")
    (tmp_path / "lib" / "tool").chmod(0o755)
    first = zip_bytes({"path": str(tmp_path)})
    os.utime(tmp_path / "main.py", (0, 0))
    (tmp_path / "main.py").chmod(0o600)  # a umask is no content either
    assert zip_bytes({"path": str(tmp_path)}) == first
    with zipfile.ZipFile(io.BytesIO(first)) as file:
        modes = {info.filename: info.external_attr >> 16 & 0o777 for info in file.infolist()}
    assert modes == {"main.py": 0o644, "lib/tool": 0o755}


def test_same_content_by_path_or_text_or_nested_is_the_same_zip(tmp_path: Path) -> None:
    """How a program names its content does not matter."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "a.txt").write_text("A")
    folder = {SIGNATURE: ARCHIVE, "path": str(tmp_path / "lib")}
    file = {SIGNATURE: ASSET, "path": str(tmp_path / "lib" / "a.txt")}
    flat = zip_bytes({"assets": {"lib/a.txt": text("A")}})
    assert zip_bytes({"assets": {"lib": folder}}) == flat
    assert zip_bytes({"assets": {"lib/a.txt": file}}) == flat
    assert zip_bytes({"assets": {"lib": archive(**{"a.txt": text("A")})}}) == flat


def test_written_zip_is_named_by_the_hash_that_lambda_reports(tmp_path: Path) -> None:
    """From the recorded hash alone the file is found again; it may hold secrets, so others cannot read it."""
    path, digest = write_zip(archive(a=text("1")), tmp_path / "zips")
    assert digest == base64.b64encode(hashlib.sha256(path.read_bytes()).digest()).decode()
    assert zip_path(digest, tmp_path / "zips") == path
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]
    assert write_zip(archive(a=text("2")), tmp_path / "zips")[0] != path


def test_given_zip_is_taken_as_it_is(tmp_path: Path) -> None:
    """A zip that the user built is not packed again."""
    path, _ = write_zip(archive(a=text("1")), tmp_path)
    assert zip_bytes({"path": str(path)}) == path.read_bytes()


def test_unknown_content_is_told_apart_from_content() -> None:
    """The engine's placeholder must never end up inside a zip."""
    with pytest.raises(UnknownContent):
        zip_bytes(archive(a=text(UNKNOWN)))


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        (archive(a={SIGNATURE: ASSET, "path": "/no/such/file"}), "/no/such/file"),
        (archive(a={SIGNATURE: ASSET, "uri": "https://example.com/x"}), "a: "),
        ({SIGNATURE: ARCHIVE, "uri": "https://example.com/x"}, "addresses"),
        ({SIGNATURE: ARCHIVE, "path": "/no/such/folder"}, "/no/such/folder"),
        ({SIGNATURE: ARCHIVE, "path": __file__}, "not a zip"),
    ],
)
def test_what_cannot_be_packed_is_named(bad: dict[str, Any], named: str) -> None:
    """A wrong path is the user's to put right, so the message says which."""
    with pytest.raises(ArchiveError, match=named):
        zip_bytes(bad)
