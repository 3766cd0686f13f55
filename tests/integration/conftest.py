"""A project of its own for each test module: real engine, real provider, emulated AWS on a free port."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import pytest
from typer.testing import CliRunner, Result

from lab import emulator
from stacks.settings.loading import load
from stacks.settings.model import Settings
from tests import machine
from tests.machine import LIMIT_SECONDS, free_port
from turnscope.app import app
from turnscope.plans import StackPlan, plan_stack

ROOT = Path(__file__).parents[2]
COPIED = (
    "Pulumi.yaml", "__main__.py", "analytics", "cloudwatch", "core", "forwarding", "host", "lab", "signoz", "simulate",
    "stacks", "templates", "toolchain", "turnscope",
)  # fmt: skip
STACK = """\
config:
  turnscope:environment: local
  turnscope:owner: tests
  turnscope:agents: {{{agents}}}
  turnscope:alarms: {{period_seconds: 60, datapoints_to_alarm: 1, minimum_samples: 2, no_data_minutes: null}}
  turnscope:notifications:
    critical: {{emails: [oncall@example.com]}}
  turnscope:budget: {{monthly_limit_usd: 10}}
  turnscope:lab: {{aws_port: {port}}}
"""
AGENT = "voice-agent: {}"
NO_LIFECYCLES = "rejected_days: null, results_days: null"
"""Settings of analytics: for a bucket's lifecycle the AWS provider waits 55 seconds, so one module has them."""


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

    def turnscope(self, *arguments: str, timeout_seconds: float = LIMIT_SECONDS) -> subprocess.CompletedProcess[str]:
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

    def turnscope_here(self, *arguments: str) -> Result:
        """The same in this process, for commands that are run often: most of one's time goes into its imports.

        A `UserError` is the result's `exception`."""
        with patch.dict(os.environ, {"TURNSCOPE_PROJECT": str(self.root)}):
            return CliRunner().invoke(app, arguments)

    def change(self, old: str, new: str) -> None:
        text = self.stack_file.read_text()
        assert old in text
        self.stack_file.write_text(text.replace(old, new))


def succeeded(run: subprocess.CompletedProcess[str]) -> str:
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


@functools.cache
def _engine_environment(checkout: Checkout) -> str:
    return succeeded(checkout.turnscope("shell", "local"))


def by_hand(checkout: Checkout, *commands: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """`pulumi` with each of `commands` in turn, in the environment that `turnscope shell` prints, until one fails."""
    script = "\n".join(["set -e", _engine_environment(checkout), *(f"pulumi {each}" for each in commands)])
    return subprocess.run(
        ["bash", "-c", script],
        cwd=checkout.root,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )


def pulumi(checkout: Checkout, *commands: str, stdin: str = "") -> str:
    """The same, where it succeeds: what it printed."""
    return succeeded(by_hand(checkout, *commands, stdin=stdin))


def make_checkout(root: Path) -> Checkout:
    """A copy of the project in `root`, with stack files but for the local one."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            # With compiled files: each command would compile what it imports anew. Others are being written meanwhile.
            shutil.copytree(source, root / name, ignore=shutil.ignore_patterns("*.pyc.*"))
        else:
            shutil.copy2(source, root / name)
    (root / ".venv").symlink_to(Path(sys.prefix), target_is_directory=True)
    return Checkout(root)


@pytest.fixture(scope="session", autouse=True)
def own_run() -> Iterator[None]:
    """Nothing of this run is left afterwards, nor of one before that was interrupted."""
    machine.begin()
    yield
    machine.end()


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    made = make_checkout(tmp_path_factory.mktemp("project"))
    made.stack_file.write_text(STACK.format(port=free_port(), agents=AGENT))
    yield made
    emulator.stop(made.root / ".turnscope" / "local")
