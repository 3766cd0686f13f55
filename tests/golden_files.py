"""Golden files: what a renderer wrote the last time somebody looked at it.

`python -m pytest --update-golden` writes them anew; the difference is then reviewed like any other.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "golden"
OPTION = "--update-golden"

CheckGolden = Callable[[str, str], None]


def add_option(parser: pytest.Parser) -> None:
    """For `pytest_addoption` of the outermost conftest."""
    parser.addoption(OPTION, action="store_true", help="write golden files instead of comparing with them")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> CheckGolden:
    """`golden("collector/dev.yaml", text)` fails with a diff where `tests/golden/` has another text."""

    def check(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption(OPTION):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            return
        if not path.is_file():
            pytest.fail(f"tests/golden/{name} is missing; {OPTION} writes it", pytrace=False)
        if (expected := path.read_text()) != text:
            lines = difflib.unified_diff(expected.splitlines(), text.splitlines(), f"golden/{name}", "rendered")
            pytest.fail("\n".join([*lines, f"If this is right: {OPTION}"]), pytrace=False)

    return check
