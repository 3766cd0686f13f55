"""What the tests' own configuration does: modules stay with one worker, and what was skipped is said at the end."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as Xml
from pathlib import Path

from tests.conftest import LONGEST_FIRST

CONFTEST = Path(__file__).parents[1] / "conftest.py"
ENVIRONMENTS = (".venv-livekit-lowest", ".venv-livekit-newest")
WORKER = 'record_property("worker", os.environ["PYTEST_XDIST_WORKER"])'
TOGETHER = f"""
import os, pytest

@pytest.mark.parametrize("number", range(8))
def test_in_order(number, record_property):
    {WORKER}
"""
DIVIDED = f"""
import os, pytest

@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("python", {ENVIRONMENTS})
def test_of_an_environment(python, number, record_property):
    {WORKER}
"""
SKIPPED = """
import pytest

@pytest.mark.skipif(True, reason="no engine answers")
@pytest.mark.parametrize("number", range(3))
def test_skipped(number): ...

def test_skipped_in_the_middle():
    pytest.skip("NOT TESTED: no server")
"""
MODULE = 'import pytest\npytest.skip("no interpreter", allow_module_level=True)\n'


def test_modules_stay_together_and_what_is_skipped_is_said(tmp_path: Path) -> None:
    modules = {"together": TOGETHER, "divided": DIVIDED, "skipped": SKIPPED, "module": MODULE}
    (tmp_path / "conftest.py").write_text(CONFTEST.read_text())
    for name, text in modules.items():
        (tmp_path / f"test_{name}.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-n", "3", "--junitxml=report.xml", "-p", "no:cacheprovider"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    ran: dict[str, list[tuple[str, str]]] = {}
    for case in Xml.parse(tmp_path / "report.xml").iter("testcase"):  # noqa: S314 - pytest wrote it
        for worker in case.iter("property"):
            ran.setdefault(case.attrib["classname"], []).append((case.attrib["name"], worker.attrib["value"]))
    assert len({worker for _, worker in ran["test_together"]}) == 1
    assert [name for name, _ in ran["test_together"]] == [f"test_in_order[{number}]" for number in range(8)]
    for environment in ENVIRONMENTS:
        assert len({worker for name, worker in ran["test_divided"] if environment in name}) == 1
    *_, title, first, second, third, totals = run.stdout.splitlines()
    assert "NOT TESTED: 5 skipped" in title
    assert [line.split(maxsplit=1) for line in (first, second, third)] == [
        ["3", "no engine answers"], ["1", "no interpreter"], ["1", "no server"],
    ]  # fmt: skip
    assert "16 passed, 5 skipped" in totals


def test_modules_that_start_first_are_there() -> None:
    """One that was renamed or divided would start last, and every run would wait for it."""
    assert [name for name in LONGEST_FIRST if not (CONFTEST.parent / f"{name}.py").is_file()] == []
