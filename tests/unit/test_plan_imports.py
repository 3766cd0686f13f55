"""What planning loads: nothing of the lab, whose packages a deployment to an account does not have."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.conftest import SECURE, SIGNOZ

ROOT = Path(__file__).parents[2]
ALERTMANAGER = {
    "receivers": {"ops": {"webhook_url": SECURE}},
    "default_receiver": "ops",
}
LAB = {"lab", "moto", "flask", "duckdb", "pyarrow"}

PLAN = """
import sys
from pathlib import Path
from stacks.settings.loading import load
from turnscope.plans import plan_stack
stack, project = sys.argv[1], Path(sys.argv[2])
plan_stack(stack, load(stack, project), project)
print(*sys.modules)
"""
COMMAND = """
import runpy, sys
sys.argv = ["turnscope", "plan", sys.argv[1]]
try:
    runpy.run_module("turnscope", run_name="__main__")
except SystemExit as ended:
    assert not ended.code, ended.code
print(*sys.modules)
"""


def loaded(program: str, *arguments: str | Path, project: Path = ROOT) -> set[str]:
    """The top-level packages in memory after `program`, in an interpreter of its own."""
    ran = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=ROOT,
        env={**os.environ, "TURNSCOPE_PROJECT": str(project)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return {name.partition(".")[0] for name in ran.stdout.splitlines()[-1].split()}


def project_with_signoz(folder: Path, stack: str, **over: Any) -> Path:
    """A copy of the stack files in which `stack` has SigNoz."""
    (folder / "Pulumi.yaml").write_text((ROOT / "Pulumi.yaml").read_text())
    shutil.copytree(ROOT / "stacks", folder / "stacks", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    file = folder / "stacks" / f"Pulumi.{stack}.yaml"
    document = yaml.safe_load(file.read_text())
    document["config"]["turnscope:signoz"] = SIGNOZ | over
    file.write_text(yaml.safe_dump(document))
    return folder


@pytest.mark.parametrize("program", [PLAN, COMMAND], ids=["plan", "command"])
def test_planning_prod_loads_nothing_of_the_lab(program: str) -> None:
    assert loaded(program, "prod", ROOT) & LAB == set()


@pytest.mark.parametrize("program", [PLAN, COMMAND], ids=["plan", "command"])
def test_planning_signoz_in_prod_loads_nothing_of_the_lab(program: str, tmp_path: Path) -> None:
    project = project_with_signoz(tmp_path, "prod", alertmanager=ALERTMANAGER)
    found = loaded(program, "prod", project, project=project)
    assert "signoz" in found
    assert found & LAB == set()


def test_lab_images_are_the_one_thing_that_needs_the_lab(tmp_path: Path) -> None:
    """And the check above sees it where it is loaded."""
    project = project_with_signoz(tmp_path, "local", images={"source": "lab"})
    assert loaded(PLAN, "local", project) & LAB == {"lab"}
