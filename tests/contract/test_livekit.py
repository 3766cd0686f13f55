"""`test_agent_livekit.py` in each interpreter that has livekit-agents, the lowest supported and the newest."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.contract.conftest import NO_PYTHON, livekit_pythons, name_of
from tests.machine import LIMIT_SECONDS

ROOT = Path(__file__).parents[2]
TESTS = "tests/contract/test_agent_livekit.py"


@pytest.mark.parametrize("livekit_python", livekit_pythons() or [None], ids=name_of)
def test_the_agent_with_this_livekit(livekit_python: Path | None, tmp_path: Path) -> None:
    """Without pytest's own path, on which agent/ is, nor this process's: there the installed wheel is tested."""
    if livekit_python is None:
        pytest.skip(NO_PYTHON)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "PYTHON"))}
    command = [livekit_python.absolute(), "-m", "pytest", "-o", "pythonpath=", "-p", "no:cacheprovider"]
    ran = subprocess.run(
        [*command, f"--basetemp={tmp_path / 'tests'}", TESTS],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=2 * LIMIT_SECONDS,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "skipped" not in ran.stdout, ran.stdout
