"""The order of work in a local stack's first deployment; with fakes for all that builds or deploys."""

from __future__ import annotations

import threading
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

import toolchain
from core.errors import UserError
from core.project import Project
from lab.images import build as images
from lab.images.catalogue import BASE
from stacks.settings.loading import load
from tests.unit.conftest import ROOT
from turnscope.deployment import cloudwatch_first
from turnscope.deployment import deployment as deployment_module
from turnscope.deployment.beside import run_beside
from turnscope.deployment.deployment import Deployment, Resource
from turnscope.deployment.local_config import write_config
from turnscope.deployment.progress import EngineProgress

SECONDS = 60


class Machine:
    """What was asked of it, in order; and what it lacks."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done: list[str] = []
        self.programs = ["pulumi", "bridge", "docker-provider", "wrappers"]
        self.images = [BASE]
        self.held: list[Any] = []
        self.resources: list[Resource] = []
        self.fails: dict[str, BaseException] = {}
        self.may_end = {"docker-provider": threading.Event(), "images": threading.Event()}
        self.project = Project(tmp_path)
        monkeypatch.setattr(toolchain, "to_build", lambda parts: self.programs)
        monkeypatch.setattr(toolchain, "supply", lambda parts, **_: self.does("supply programs"))
        monkeypatch.setattr(toolchain, "ensure", self.ensure)
        monkeypatch.setattr(cloudwatch_first, "held_on_host", lambda *_: self.held)
        monkeypatch.setattr(deployment_module, "choose_images", lambda *_: self.does("choose images"))
        monkeypatch.setattr(deployment_module, "load", lambda *_: self.settings)
        monkeypatch.setattr(images, "to_build", lambda roles: self.images)
        monkeypatch.setattr(images, "supply", lambda *_, **__: self.does("supply images"))
        monkeypatch.setattr(cloudwatch_first, "lab_roles", lambda plan: ["a role"])
        monkeypatch.setattr(cloudwatch_first, "ensure_lab_images", self.ensure_images)
        monkeypatch.setattr(Deployment, "resources", lambda deployment: self.resources)
        monkeypatch.setattr(Deployment, "up", lambda deployment: self.up(deployment))
        self.settings = load("local", ROOT)

    def does(self, what: str) -> None:
        self.done.append(what)
        if what in self.fails:
            raise self.fails[what]

    def ensure(self, parts: tuple[str, ...], *, commands: toolchain.Commands | None = None, **_: Any) -> str:
        if "docker-provider" in parts:
            self._wait("docker-provider", commands)
        self.does(f"ensure {parts[-1]}")
        return "tools"

    def ensure_images(self, *_: Any, commands: toolchain.Commands, images_after: threading.Event, **__: Any) -> None:
        assert images_after.wait(SECONDS)
        self._wait("images", commands)
        self.does("images")

    def _wait(self, what: str, commands: toolchain.Commands | None) -> None:
        while not self.may_end[what].wait(0.01):
            if commands and commands.stopped:
                raise UserError("stopped", exit_code=1)

    def up(self, deployment: Deployment) -> tuple[EngineProgress, dict[str, Any]]:
        assert deployment.tools == "tools"
        assert deployment.settings.signoz is None
        config = write_config(ROOT / "stacks" / "Pulumi.local.yaml", deployment.directory, deployment._overrides)
        assert yaml.safe_load(config.read_text())["config"]["turnscope:signoz"] is None
        self.does("up without SigNoz")
        return EngineProgress(deployment.console, "deploying"), {}

    def run(self, **options: Any) -> Deployment:
        deployment = Deployment(self.project, "local", self.settings, Console(file=StringIO()), **options)

        def report(*_: Any) -> None:
            self.done.append("report")
            for event in self.may_end.values():
                event.set()

        cloudwatch_first.deploy_cloudwatch_first(deployment, report)
        return deployment


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def test_everything_but_signoz_is_shown_before_the_rest_is_built(machine: Machine) -> None:
    """Nothing that SigNoz takes ends before the first result here, so nothing waits for it; and nobody is asked for
    anything once building has begun."""
    deployment = machine.run()
    assert machine.done[:4] == ["supply programs", "ensure docker-engine", "choose images", "supply images"]
    assert machine.done[4:7] == ["ensure aws-provider", "up without SigNoz", "report"]
    # Part docker-engine is the last of what the whole stack takes.
    assert sorted(machine.done[7:]) == ["ensure docker-engine", "images"]
    assert deployment.settings.signoz is not None


@pytest.mark.parametrize(("programs", "lab_images"), [(["docker-provider"], []), ([], [BASE])])
def test_either_half_of_the_builds_is_reason_enough(
    machine: Machine, programs: list[str], lab_images: list[Any]
) -> None:
    """Images alone take minutes too."""
    machine.programs, machine.images = programs, lab_images
    machine.run()
    assert "up without SigNoz" in machine.done


def test_one_deployment_where_nothing_has_to_be_built(machine: Machine) -> None:
    """A second run of the engine would only take time."""
    machine.programs, machine.images = [], []
    machine.run()
    assert not {"up without SigNoz", "images", "supply programs"} & set(machine.done)


@pytest.mark.parametrize("left", ["state/.pulumi/stacks/turnscope/local.json", "local/run.jsonl"])
def test_a_deployed_stack_is_left_alone(machine: Machine, left: str) -> None:
    """Settings without SigNoz would have the engine delete it."""
    path = machine.project.private / left
    path.parent.mkdir(parents=True)
    path.touch()
    machine.run()
    assert machine.done == []


def test_what_a_teardown_leaves_is_no_deployed_stack(machine: Machine) -> None:
    """The engine keeps a copy of the state that it deleted."""
    path = machine.project.private / "state/.pulumi/stacks/turnscope/local.json.bak"
    path.parent.mkdir(parents=True)
    path.touch()
    machine.run()
    assert "up without SigNoz" in machine.done


def test_a_state_that_files_did_not_show_is_left_alone(machine: Machine) -> None:
    """The engine has the last word on what is deployed."""
    machine.resources = [Resource("docker:index/container:Container", "clickhouse", "1", protected=False, kept=False)]
    for event in machine.may_end.values():
        event.set()
    machine.run()
    assert "up without SigNoz" not in machine.done
    assert "images" in machine.done


def test_recovery_and_other_checkouts_come_first(machine: Machine) -> None:
    """What another checkout has on this engine is refused before anything is deployed; `--recover` is for one run."""
    machine.run(recover=True)
    assert machine.done == []
    machine.held = ["a container"]
    machine.run()
    assert machine.done == ["supply programs", "ensure docker-engine"]


@pytest.mark.parametrize("missing", ["supply programs", "supply images"])
def test_what_is_missing_is_said_before_anything_is_built(machine: Machine, missing: str) -> None:
    """Not after five minutes of compiling."""
    machine.fails[missing] = UserError("Missing: debootstrap")
    with pytest.raises(UserError, match="Missing: debootstrap"):
        machine.run()
    assert not {"ensure aws-provider", "images", "up without SigNoz"} & set(machine.done)


def test_a_failed_build_fails_the_run_after_its_first_result(machine: Machine) -> None:
    """As it does without anything beside it, with its own message and exit code; the other build ends too."""
    machine.fails["images"] = UserError("lab-base failed", exit_code=1)
    machine.may_end["docker-provider"] = threading.Event()
    with pytest.raises(UserError, match="lab-base failed") as failed:
        machine.run()
    assert failed.value.exit_code == 1
    assert "report" in machine.done


@pytest.mark.parametrize("at", ["ensure aws-provider", "up without SigNoz"])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), UserError("Interrupted", exit_code=130)])
def test_ctrl_c_stops_both(machine: Machine, at: str, error: BaseException) -> None:
    """While Pulumi is built and while the engine runs."""
    machine.fails[at] = error
    with pytest.raises(type(error)):
        machine.run()
    assert "images" not in machine.done
    assert "report" not in machine.done
    for thread in threading.enumerate():
        if thread is not threading.main_thread() and thread.daemon and "run" in thread.name:
            thread.join(SECONDS)
            assert not thread.is_alive()


def test_work_beside_ends_before_an_error_is_raised() -> None:
    """Nothing is written any more once the message is printed."""
    stopped, ended = threading.Event(), list[str]()

    def beside() -> None:
        assert stopped.wait(SECONDS)
        ended.append("cleaned up")

    def first() -> None:
        raise UserError("no")

    with pytest.raises(UserError, match="no"):
        run_beside(first, (beside, beside), stopped.set)
    assert ended == ["cleaned up"] * 2


def test_work_beside_is_waited_for() -> None:
    """The deployment that follows needs it; and nothing is stopped where nothing failed."""
    first_ended, ended = threading.Event(), list[str]()

    def beside() -> None:
        assert first_ended.wait(SECONDS)
        ended.append("built")

    run_beside(first_ended.set, (beside,), lambda: pytest.fail("stopped"))
    assert ended == ["built"]
