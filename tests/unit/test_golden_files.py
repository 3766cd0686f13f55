"""Golden files: each case is as it was reviewed, no file is left over; and how variants are kept."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.golden_cases import GOLDENS
from tests.golden_files import FOLDER, Golden, applied, difference, misplaced, problem, update

EVERY = [pytest.param(golden, case, id=f"{golden.folder}/{case}") for golden in GOLDENS for case in golden.cases]


@pytest.fixture
def compared(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--update-golden"):
        pytest.skip("golden files are being written")


@pytest.mark.usefixtures("compared")
@pytest.mark.parametrize(("golden", "case"), EVERY)
def test_is_as_it_was_reviewed(golden: Golden, case: str) -> None:
    """A rendered text changes only when somebody meant it to."""
    if found := problem(golden, case):
        pytest.fail(f"{found}\nIf this is right, write it with --update-golden", pytrace=False)


def test_every_file_belongs_to_a_case(request: pytest.FixtureRequest) -> None:
    """A file that no case reads would be taken for something that is tested. With the option, all are written here:
    by one test, as tests may run in several processes."""
    if request.config.getoption("--update-golden"):
        update(GOLDENS)
    assert misplaced(GOLDENS) == []


@pytest.mark.usefixtures("compared")
def test_no_text_is_kept_twice() -> None:
    """Cases with the same text are named in the index; of a difference, its own name is no part of what it says."""
    for golden in GOLDENS:
        texts = [path.read_text() for path in (FOLDER / golden.folder).iterdir() if path.is_file()]
        said = {re.sub(r"\A(--- .*\n)\+\+\+ .*\n", r"\1", text) for text in texts}
        assert len(said) == len(texts), golden.folder


# --- How they are kept ---

LINES = st.lists(st.sampled_from(("a:", "b:", "  c", "  d", "    e", "")), max_size=12)


@given(LINES, LINES)
def test_base_and_difference_give_the_text(before: list[str], after: list[str]) -> None:
    """Without line numbers too: where the same lines are in several places, a hunk has more of what is around it."""
    base, text = ("".join(f"{line}\n" for line in lines) for lines in (before, after))
    header, *lines = difference(base, text, "base", "variant").removeprefix("--- base\n").splitlines()
    assert header == "+++ variant"
    hunks: list[list[str]] = []
    for line in lines:
        if line.startswith("@@"):
            hunks.append([])
        hunks[-1].append(line)
    assert applied(before, hunks) == after


def test_a_difference_says_where_it_is() -> None:
    base = "a:\n  b:\n    x: 1\n    y: 2\n    z: 3\nc:\n  x: 1\n"
    assert difference(base, base.replace("z: 3", "z: 4"), "small", "large") == (
        "--- small\n+++ large\n@@ a: > b: @@\n     y: 2\n-    z: 3\n+    z: 4\n c:\n"
    )


def test_a_text_without_an_end_of_line_is_refused() -> None:
    with pytest.raises(ValueError, match="large does not end"):
        difference("a\n", "a\nb", "small", "large")


TEXTS = {"base": "a\nb\n", "same": "a\nb\n", "other": "a\nc\n", "also": "a\nc\n"}


def golden_of(texts: dict[str, str]) -> Golden:
    bases = dict.fromkeys(texts.keys() - {"base"}, "base")
    return Golden("folder", ".txt", tuple(texts), texts.__getitem__, bases)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    update([golden_of(TEXTS)], tmp_path)
    return tmp_path


def test_a_file_for_each_text(folder: Path) -> None:
    assert sorted(path.name for path in (folder / "folder").iterdir()) == ["base.txt", "other.diff"]
    assert (folder / "identical.yaml").read_text().splitlines()[1:] == ["folder:", "  base: [same]", "  other: [also]"]


@pytest.mark.parametrize("case", TEXTS)
def test_every_change_of_a_text_is_found(case: str, folder: Path) -> None:
    """Also where the case has no file of its own."""
    assert problem(golden_of(TEXTS), case, folder) is None
    assert "+b!" in (problem(golden_of({**TEXTS, case: "a\nb!\n"}), case, folder) or "")


def test_what_is_left_over_is_found_and_removed(folder: Path) -> None:
    """Whole files, differences, folders, and names in the index."""
    (folder / "gone").mkdir()
    for name in ("gone/x.txt", "folder/old.diff", "folder/same.diff"):
        (folder / name).write_text("x\n")
    assert misplaced([golden_of(TEXTS)], folder) == ["folder/old.diff", "folder/same.diff", "gone/x.txt"]
    fewer = golden_of({case: text for case, text in TEXTS.items() if case != "same"})
    update([golden_of(TEXTS)], folder)
    assert misplaced([fewer], folder) == ["identical.yaml: folder: same"]
    update([fewer], folder)
    assert misplaced([fewer], folder) == []
    assert not (folder / "gone").exists()
