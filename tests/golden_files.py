"""Golden files: what was rendered the last time somebody reviewed it.

A folder of `tests/golden` holds the cases of one `Golden`: a case's whole text, or what differs from its base
(`<case>.diff`). Cases with the same text share one file; `tests/golden/identical.yaml` names them.
`python -m pytest tests/unit/test_golden_files.py --update-golden` writes all of it anew.
"""

from __future__ import annotations

import difflib
import itertools
import shutil
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import yaml

FOLDER = Path(__file__).parent / "golden"
INDEX = "identical.yaml"
INDEX_HEADER = "# By folder: the case that has a file, and the cases with the same text. Written by --update-golden.\n"
SECTION_CHARACTERS = 110

Identical = Mapping[str, Mapping[str, Collection[str]]]
"""Folder -> case with a file -> cases with the same text."""


@dataclass(frozen=True)
class Golden:
    """Rendered texts, kept in one folder."""

    folder: str
    suffix: str
    """Of a file that holds a whole text."""
    cases: tuple[str, ...]
    render: Callable[[str], str]
    bases: Mapping[str, str] = field(default_factory=dict)
    """Case -> the case that its file is the difference to."""

    @cached_property
    def holders(self) -> dict[str, str]:
        """Case -> the first case with the same text; whole files come first, then bases, then the order of `cases`."""
        ordered = sorted(self.cases, key=lambda case: (case in self.bases, case not in self.bases.values()))
        first: dict[str, str] = {}
        return {case: first.setdefault(self.render(case), case) for case in ordered}

    def file(self, case: str) -> str:
        """Path of the case's own file below `tests/golden`."""
        return f"{self.folder}/{case}{'.diff' if case in self.bases else self.suffix}"

    def content(self, case: str) -> str:
        """What the case's own file holds."""
        if base := self.bases.get(case):
            return difference(self.render(base), self.render(case), base, case)
        return self.render(case)


# --- Files ---


def written(goldens: Collection[Golden]) -> dict[str, str]:
    """Every file, by path below `tests/golden`, as it has to be."""
    files: dict[str, str] = {}
    identical: dict[str, dict[str, list[str]]] = {}
    for golden in goldens:
        same: dict[str, list[str]] = defaultdict(list)
        for case, holder in sorted(golden.holders.items()):
            if case == holder:
                files[golden.file(case)] = golden.content(case)
            else:
                same[holder].append(case)
        if same:
            identical[golden.folder] = dict(same)
    return {**files, INDEX: INDEX_HEADER + yaml.safe_dump(identical, default_flow_style=None, width=110)}


def update(goldens: Collection[Golden], folder: Path = FOLDER) -> None:
    """Write every file anew; what belongs to no case is gone afterwards."""
    files = written(goldens)
    shutil.rmtree(folder, ignore_errors=True)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def read_identical(folder: Path = FOLDER) -> Identical:
    path = folder / INDEX
    return yaml.safe_load(path.read_text()) if path.is_file() else {}


def misplaced(goldens: Collection[Golden], folder: Path = FOLDER) -> list[str]:
    """Files that belong to no case, and entries of the index that name none."""
    identical = read_identical(folder)
    known = {INDEX, *(golden.file(case) for golden in goldens for case in golden.cases)}
    known -= {golden.file(case) for golden in goldens for case in _holders(identical, golden.folder)}
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    cases = {golden.folder: set(golden.cases) for golden in goldens}
    entries = {
        f"{INDEX}: {at}: {case}"
        for at, same in identical.items()
        for case in {*same, *_holders(identical, at)} - cases.get(at, set())
    }
    return sorted((found - known) | entries)


def problem(golden: Golden, case: str, folder: Path = FOLDER) -> str | None:
    """How the rendered text of a case differs from the reviewed one; None where it does not."""
    holder = _holders(read_identical(folder), golden.folder).get(case)
    if holder:
        return _unequal(golden.render(holder), golden.render(case), holder, case)
    name = golden.file(case)
    path = folder / name
    if not path.is_file():
        return f"tests/golden/{name} is missing"
    return _unequal(path.read_text(), golden.content(case), f"golden/{name}", "rendered")


def _holders(identical: Identical, folder: str) -> dict[str, str]:
    """Case without a file -> the case that has it."""
    return {case: holder for holder, cases in identical.get(folder, {}).items() for case in cases}


def _unequal(expected: str, found: str, name: str, found_name: str) -> str | None:
    if expected == found:
        return None
    lines = difflib.unified_diff(expected.splitlines(), found.splitlines(), name, found_name, lineterm="")
    return "\n".join(lines)


# --- Differences ---


def difference(base: str, text: str, base_name: str, name: str) -> str:
    """A unified diff for readers: each hunk is headed by the section it is in, not by line numbers, which every
    change of the base would shift. With the base it gives the text (`applied`): hunks have one line of context, or as
    many as that needs. Both texts end with a line's end.
    """
    before, after = base.splitlines(), text.splitlines()
    for context in range(1, len(before) + 2):
        hunks = list(_hunks(before, after, context))
        if _joined(applied(before, hunks)) == text:
            return _joined([f"--- {base_name}", f"+++ {name}", *itertools.chain(*hunks)])
    raise ValueError(f"{base_name} or {name} does not end with a line's end")


def applied(base: Sequence[str], hunks: Collection[Sequence[str]]) -> list[str]:
    """`base` with each hunk at the first place after the one before where its old lines are."""
    result: list[str] = []
    done = 0
    for _, *lines in hunks:
        old = [line[1:] for line in lines if line[0] in " -"]
        place = next((at for at in range(done, len(base) + 1) if list(base[at : at + len(old)]) == old), done)
        result += [*base[done:place], *(line[1:] for line in lines if line[0] in " +")]
        done = place + len(old)
    return [*result, *base[done:]]


def _joined(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _hunks(before: Sequence[str], after: Sequence[str], context: int) -> Iterator[list[str]]:
    # One for each context: grouping changes what it holds.
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for group in matcher.get_grouped_opcodes(context):
        hunk = [" ".join(("@@", *_section(before, group[0][1]), "@@"))]
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                hunk += [f" {line}" for line in before[i1:i2]]
            else:
                hunk += [f"-{line}" for line in before[i1:i2]]
                hunk += [f"+{line}" for line in after[j1:j2]]
        yield hunk


def _section(lines: Sequence[str], at: int) -> list[str]:
    """The lines that the line, or the next with text, is indented under, outermost first, as one text; none at the
    top."""
    indent = next((_indent(line) for line in lines[at:] if line.strip()), 0)
    above: list[str] = []
    for line in reversed(lines[:at]):
        if line.strip() and _indent(line) < indent:
            indent = _indent(line)
            above.insert(0, line.strip()[:SECTION_CHARACTERS])
    return [" > ".join(above)] if above else []


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
