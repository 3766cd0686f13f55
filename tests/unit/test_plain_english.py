"""Texts that users read keep to plain English: words that were once dropped from them do not return.

Pages, stack files, schemas, content of SigNoz and queries as a whole; of Python the texts that a program prints or
deploys, not docstrings and comments (descriptions of settings are read in the reference page).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATTERNS = (
    "*.md",
    "*.yaml",
    "agent/*.md",
    "docs/**/*.md",
    "docs/**/*.json",
    "stacks/*.yaml",
    "stacks/*.json",
    "tools/*.md",
    "signoz/content/library/**/*.yaml",
    "templates/insights/*",
    "templates/athena/*",
)
ROOMS = (
    "agent",
    "analytics",
    "cloudwatch",
    "core",
    "host",
    "lab",
    "signoz",
    "simulate",
    "stacks",
    "toolchain",
    "turnscope",
)

# Each with the plain words in its place.
DROPPED = {
    r"(alarms?|alerts?|groups?|rules?|channels?|receivers?|ones?|it) speaks?|speaks? (for|through|up)": "notifies",
    r"(is|are|be|been|was|were) told": "is notified; is reported",
    r"hears? (of|nothing)": "is notified; receives",
    r"(takes?|taken|took) up": "adopts",
    r"has it not|has them not": "but did not store it",
    r"for in what|in what (a stack|one) differs": "overrides",
    r"but for (what|those|it)|(all|everything|nothing|none|is left) but for": "except",
    r"mend(s|ed|ing)?": "fix, correct",
    r"stands? (in the|on the|there|beside|under)": "is in",
    r"(lies?|lying|lay) (below|over|beside|in|by|around)": "is under",
    r"each for (itself|himself)|for itself": "independently, directly",
    r"(of|for) (one's|his|their) own choice|of your choice": "configurable",
    r"as ever": "unchanged",
    r"dear(er|est|ly)?": "expensive",
    r"leaves? (it|this alarm|the anomaly alarm) out": "disables, omits",
    r"without a word": "silently",
    r"teardown leaves": "tear-down keeps",
    r"makes? (it )?all anew|afresh": "again",
    r"(nobody|somebody) is there": "there is no terminal",
}
DROPPED_WORDS = re.compile("|".join(rf"\b(?:{words})\b" for words in DROPPED), re.IGNORECASE)


def files() -> list[str]:
    return sorted({str(path.relative_to(ROOT)) for pattern in PATTERNS for path in ROOT.glob(pattern)})


def printed(text: str) -> Iterator[tuple[int, str]]:
    """The texts of a module apart from docstrings, with their lines."""
    tree = ast.parse(text)
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value


def dropped(text: str) -> list[str]:
    return [found.group() for found in DROPPED_WORDS.finditer(" ".join(text.split()))]


@pytest.mark.parametrize("sentence", ["It has it not.", "Nobody is told.", "Mend the\n  cause.", "A group speaks:"])
def test_a_dropped_word_is_found(sentence: str) -> None:
    assert dropped(sentence)


@pytest.mark.parametrize("file", files())
def test_no_page_has_a_dropped_word(file: str) -> None:
    assert dropped((ROOT / file).read_text()) == []


@pytest.mark.parametrize("room", ROOMS)
def test_no_message_has_a_dropped_word(room: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {word}"
        for path in sorted((ROOT / room).rglob("*.py"))
        for line, text in printed(path.read_text())
        for word in dropped(text)
    ]
    assert found == []
