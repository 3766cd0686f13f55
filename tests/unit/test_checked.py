"""A check runs once for each content, and always where nothing can be remembered."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.checked import Checked, digest, of_files


def wrong() -> None:
    raise ValueError("wrong")


def test_what_passed_is_not_checked_again_also_by_another_process(tmp_path: Path) -> None:
    file = tmp_path / "private" / "checked"
    Checked(file).check(lambda: None, "checker 1", "text")
    Checked(file).check(wrong, "checker 1", "text")
    for other in (("checker 2", "text"), ("checker 1", "text "), ("checker 1", "te", "xt"), ("checker 1text",)):
        with pytest.raises(ValueError, match="wrong"):
            Checked(file).check(wrong, *other)


def test_what_failed_fails_again(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match="wrong"):
            Checked(tmp_path / "checked").check(wrong, "text")


def test_without_a_file_each_check_runs() -> None:
    checked = Checked()
    checked.check(lambda: None, "text")
    with pytest.raises(ValueError, match="wrong"):
        checked.check(wrong, "text")


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    Checked(tmp_path / "file" / "checked").check(lambda: None, "text")


def test_another_version_of_a_check_is_another_check(tmp_path: Path) -> None:
    path = tmp_path / "check.py"
    path.write_text("1")
    before = of_files([path])
    path.write_text("2")
    assert of_files([path]) != before
    assert digest("ab", "c") != digest("a", "bc")
