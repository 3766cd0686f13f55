"""A project of its own for each test module: real engine, real provider, emulated AWS on a free port."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab import emulator
from stacks.settings.loading import load
from stacks.settings.model import Settings
from turnscope.plans import StackPlan, plan_stack

ROOT = Path(__file__).parents[2]
COPIED = (
    "Pulumi.yaml", "__main__.py", "analytics", "cloudwatch", "core", "lab", "signoz", "simulate", "stacks", "templates",
    "toolchain", "turnscope",
)  # fmt: skip
STACK = """\
config:
  turnscope:environment: local
  turnscope:owner: tests
  turnscope:alarms: {{period_seconds: 60, datapoints_to_alarm: 1, minimum_samples: 2, no_data_minutes: null}}
  turnscope:notifications:
    critical: {{emails: [oncall@example.com]}}
  turnscope:budget: {{monthly_limit_usd: 10}}
  turnscope:lab: {{aws_port: {port}}}
"""


@dataclass(frozen=True)
class Checkout:
    """A copy of the project with one local stack."""

    root: Path

    @property
    def stack_file(self) -> Path:
        return self.root / "stacks" / "Pulumi.local.yaml"

    @property
    def settings(self) -> Settings:
        return load("local", self.root)

    @property
    def plan(self) -> StackPlan:
        return plan_stack("local", self.settings, self.root)

    def turnscope(self, *arguments: str, timeout_seconds: float = 120) -> subprocess.CompletedProcess[str]:
        """Run the command line here, as a user without a terminal does."""
        return subprocess.run(
            [sys.executable, "-m", "turnscope", *arguments],
            cwd=self.root,
            env={**os.environ, "COLUMNS": "200", "PYTHONPATH": str(self.root), "CI": ""},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            check=False,
        )

    def change(self, old: str, new: str) -> None:
        text = self.stack_file.read_text()
        assert old in text
        self.stack_file.write_text(text.replace(old, new))


def make_checkout(root: Path) -> Checkout:
    """A copy of the project in `root`, with stack files but for the local one."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, root / name)
    (root / ".venv").symlink_to(Path(sys.prefix), target_is_directory=True)
    return Checkout(root)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    made = make_checkout(tmp_path_factory.mktemp("project"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    made.stack_file.write_text(STACK.format(port=port))
    yield made
    emulator.stop(made.root / ".turnscope" / "local")
