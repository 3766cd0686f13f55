"""A stack without CloudWatch: what the commands make of it, without an engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console
from typer.testing import CliRunner, Result

import toolchain
from core.errors import UserError
from core.project import Project
from lab.plan_source import load as watched
from tests.unit.conftest import MINIMAL, SECURE, SIGNOZ, settings_with
from turnscope.app import app
from turnscope.deployment.cloudwatch_first import deploy_cloudwatch_first
from turnscope.deployment.deployment import Deployment
from turnscope.deployment.leftovers import leftovers
from turnscope.links import console_links
from turnscope.plans import plan_stack


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "stacks").mkdir()
    (tmp_path / "Pulumi.yaml").touch()
    settings = {**MINIMAL, "environment": "local", "cloudwatch": None, "signoz": SIGNOZ}
    config = {f"turnscope:{key}": value for key, value in settings.items()}
    (tmp_path / "stacks" / "Pulumi.alone.yaml").write_text(yaml.safe_dump({"config": config}))
    monkeypatch.setenv("TURNSCOPE_PROJECT", str(tmp_path))
    return tmp_path


@pytest.fixture
def deployment(project: Path, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    """On a machine on which no part of the toolchain is built."""
    monkeypatch.setattr(toolchain, "to_build", lambda parts: list(parts))
    settings = settings_with(environment="local", cloudwatch=None, signoz=SIGNOZ)
    return Deployment(Project(project), "alone", settings, Console(quiet=True))


def turnscope(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def test_its_plan_is_signoz_and_its_targets(project: Path) -> None:
    run = turnscope("plan", "alone", "--json")
    assert run.exit_code == 0, run.output
    data = json.loads(run.stdout)
    assert (data["stack"], data["environment"], data["region"]) == ("alone", "local", None)
    assert list(data["targets"]) == ["receptionist"]
    kinds = set(data["counts"])
    assert {"network", "container"} <= kinds
    assert all(kind in ("network", "volume", "container") or kind.startswith("SigNoz ") for kind in kinds)
    assert turnscope("plan", "alone").exit_code == 0


def test_its_files_are_signoz_alone(project: Path) -> None:
    run = turnscope("render", "alone", "all")
    assert run.exit_code == 0
    assert "==> insights/" not in run.stdout
    refused = turnscope("render", "alone", "insights").exception
    assert isinstance(refused, UserError)
    assert "has no CloudWatch" in str(refused)


def test_it_has_nothing_to_link_to_or_leave_in_aws(deployment: Deployment) -> None:
    plan = plan_stack("alone", deployment.settings, deployment.project.root)
    assert console_links(plan) == {}
    assert leftovers(plan, lambda service: pytest.fail(f"{service} was asked")) == []
    assert watched(deployment.project.root, "alone").agents == ()  # type: ignore[union-attr]


def test_it_needs_no_provider_of_aws_unless_it_is_there(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is there can delete what the stack had before."""
    assert "aws-provider" not in deployment.parts
    monkeypatch.setattr(toolchain, "to_build", lambda parts: [])
    assert "aws-provider" in deployment.parts


@pytest.mark.parametrize("before", [False, True])
def test_the_emulator_starts_for_what_was_there_before(
    deployment: Deployment, before: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And for nothing else."""
    state: list[dict[str, Any]] = [{"type": "aws:sns/topic:Topic", "urn": "x"}] if before else []
    started: list[str] = []

    class Aws:
        def start(self, *_: Any) -> str:
            started.append("emulator")
            return "instance"

        def is_another(self, _: str) -> bool:
            return False

        def remember(self, _: str) -> None: ...

    monkeypatch.setattr(Deployment, "_state", lambda _: state)
    monkeypatch.setattr(Deployment, "_local_aws", Aws())
    with deployment._aws():
        pass
    assert started == (["emulator"] if before else [])


def test_nothing_of_it_is_deployed_first(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain, "supply", lambda *_, **__: pytest.fail("something was prepared"))
    deploy_cloudwatch_first(deployment, lambda *_: pytest.fail("something was deployed"))


def test_a_log_of_ones_own_has_nowhere_to_go(project: Path) -> None:
    refused = turnscope("lab", "send", "my.log", "--stack", "alone").exception
    assert isinstance(refused, UserError)
    assert "a log file has no traces" in str(refused)


def test_secrets_of_the_stack_file_are_none_of_awss() -> None:
    """A role would be assumed for nothing: its settings stay allowed, as a stack may get CloudWatch again."""
    role = {"role_arn": "arn:aws:iam::123456789012:role/deploy", "external_id": SECURE}
    assert settings_with(cloudwatch=None, signoz=SIGNOZ, aws={"assume_role": role}).cloudwatch is None
