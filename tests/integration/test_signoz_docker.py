"""Containers on a real Docker engine, through the real engine and provider, of a small image in every role.

The tests of this module build on each other, in order: a stack is made, changed, broken, mended and deleted.
"""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import pulumi_docker as docker
import pytest
from pulumi import automation
from pulumi.automation.errors import CommandError
from rich.console import Console

import toolchain
from core.roles import Role
from core.secrets.reference import SecretRef
from lab.images.build import ensure_images
from signoz.docker_host import DockerHost
from signoz.plan.model import Container, File, HealthCheck, Image, Port, SigNozPlan, VolumeMount
from signoz.plan.volumes import with_setup
from signoz.stack import SigNoz
from tests.machine import LIMIT_SECONDS, RUN, free_port
from toolchain import docker_engine
from turnscope.deployment.engine import Engine

pytestmark = pytest.mark.skipif(not docker_engine.answers(), reason="no Docker engine answers")

PREFIX = f"t-r-{RUN}"
USER = "1234:1234"
HOST = "unix:///var/run/docker.sock"
SERVE = "trap 'exit 0' TERM; while :; do sleep 0.1; done"
STORE, JOB, PAGES, SETUP = (f"{PREFIX}-{name}" for name in ("store", "job", "pages", "setup"))


@dataclass
class World:
    """What the stack is to be, and the engine that makes it so."""

    image: Image
    port: int
    stack: automation.Stack = field(init=False)
    config: str = "v: 1"
    secrets: dict[str, str] = field(default_factory=lambda: {"password": "p'1 $x", "token": "first"})
    job: str = "cat /etc/job/password; touch /shared/migrated"
    healthy: str = "test -e /data/started"
    keep: bool = True
    start_timeout_seconds: int = int(LIMIT_SECONDS)

    def plan(self) -> SigNozPlan:
        common: dict[str, Any] = {
            "image": self.image, "memory_mib": 64, "cpus": 0.5, "open_files": 1024, "user": USER,
            "read_only_root": True, "stop_grace_seconds": 5,
        }  # fmt: skip
        password = (("password", SecretRef("password")),)
        shared = VolumeMount(f"{PREFIX}-shared", "/shared")
        store = Container(
            role=Role.CLICKHOUSE,
            name=STORE,
            entrypoint=("/bin/sh", "-c", f"touch /data/started; {SERVE}"),
            files=(
                File("/etc/store/config.yaml", self.config, mode="0444", owner=USER),
                File("/etc/store/secrets/password", "{secret:password}", mode="0400", owner=USER, secrets=password),
                File(
                    "/etc/store/secrets/tokens", "{secret:token}", mode="0400", owner=USER,
                    secrets=(("token", SecretRef("token")),), watched=True,
                ),
            ),
            volumes=(VolumeMount(f"{PREFIX}-store-data", "/data", keep=self.keep),),
            health=HealthCheck(("sh", "-c", self.healthy), interval_seconds=1, start_period_seconds=1),
            start_timeout_seconds=self.start_timeout_seconds,
            **common,
        )  # fmt: skip
        job = Container(
            role=Role.MIGRATOR,
            name=JOB,
            entrypoint=("/bin/sh", "-c", self.job),
            files=(File("/etc/job/password", "x", mode="0444", owner=USER),),
            volumes=(shared,),
            after=(Role.CLICKHOUSE,),
            one_shot=True,
            **common,
        )
        pages = Container(
            role=Role.GATEWAY,
            name=PAGES,
            # Fails at once where the job has not done its work: the order is what is tested.
            entrypoint=("/bin/sh", "-c", f"test -e /shared/migrated && {SERVE}"),
            volumes=(shared,),
            ports=(Port(8080, self.port, "127.0.0.1"),),
            after=(Role.MIGRATOR,),
            health=HealthCheck(("test", "-e", "/shared/migrated"), interval_seconds=1, start_period_seconds=1),
            capabilities=("CAP_NET_BIND_SERVICE",),
            start_timeout_seconds=self.start_timeout_seconds,
            **common,
        )
        containers = with_setup((pages, job, store), self.image, SETUP)
        return SigNozPlan("it", "local", "0", PREFIX, containers, labels=(("turnscope.stack", PREFIX),))

    def program(self) -> None:
        provider = docker.Provider("docker", host=HOST)
        SigNoz(
            "signoz",
            self.plan(),
            read_secret=lambda reference: pulumi.Output.secret(self.secrets[reference.path]),
            make_ready=DockerHost(HOST).make_ready,
            opts=pulumi.ResourceOptions(provider=provider),
        )

    def up(self) -> dict[str, int]:
        """What changed: operation -> number of resources, `same` left out."""
        summary = self.stack.up(suppress_outputs=True).summary.resource_changes or {}
        return {str(operation): count for operation, count in summary.items() if operation != "same"}

    def failing_up(self) -> str:
        with pytest.raises(CommandError) as failed:
            self.stack.up(suppress_outputs=True)
        return str(failed.value)


def run(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True).stdout.strip()


def ids() -> dict[str, str]:
    found = run("ps", "-a", "--no-trunc", "--filter", f"name={PREFIX}-", "--format", "{{.Names}} {{.ID}}")
    return dict(line.split() for line in found.splitlines())


def state(name: str) -> dict[str, Any]:
    return json.loads(run("container", "inspect", name))[0]["State"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    console = Console(stderr=True)
    tools = toolchain.ensure(("pulumi", "docker-provider"), assume_yes=True, console=console)
    image = ensure_images([Role.SETUP], console, environment="local", assume_yes=True)[Role.SETUP]
    made = World(image, free_port())
    folder: Path = tmp_path_factory.mktemp("pulumi")
    (folder / "state").mkdir()
    options = automation.LocalWorkspaceOptions(
        work_dir=str(folder),
        pulumi_command=Engine(tools.pulumi, tools.version, on_interrupt=lambda: None),
        env_vars={**tools.env, "PULUMI_BACKEND_URL": (folder / "state").as_uri(), "PULUMI_CONFIG_PASSPHRASE": "x"},
        project_settings=automation.ProjectSettings("it", "python"),
    )
    made.stack = automation.create_or_select_stack("it", "it", program=made.program, opts=options)
    yield made
    for name in ids():
        run("rm", "-f", name)
    for volume in run("volume", "ls", "-q", "--filter", f"name={PREFIX}-").splitlines():
        run("volume", "rm", volume)
    for network in run("network", "ls", "-q", "--filter", f"name={PREFIX}").splitlines():
        run("network", "rm", network)


def test_containers_start_in_order_and_do_their_work(world: World) -> None:
    world.up()
    assert state(STORE)["Health"]["Status"] == state(PAGES)["Health"]["Status"] == "healthy"
    assert (state(JOB)["Status"], state(JOB)["ExitCode"]) == ("exited", 0)
    assert state(SETUP)["FinishedAt"] < state(STORE)["StartedAt"] < state(JOB)["StartedAt"]
    assert state(JOB)["FinishedAt"] < state(PAGES)["StartedAt"]


def test_files_are_there_for_their_user_alone(world: World) -> None:
    """A read-only root takes no upload, so they come through volumes that belong to root at first."""
    assert run("exec", STORE, "stat", "-c", "%U:%u %a", "/etc/store/secrets/password") == "UNKNOWN:1234 400"
    assert run("exec", STORE, "cat", "/etc/store/secrets/password") == world.secrets["password"]
    assert run("exec", STORE, "cat", "/etc/store/config.yaml") == "v: 1"
    for path in ("/etc/store/config.yaml", "/etc/x"):
        written = subprocess.run(
            ["docker", "exec", STORE, "sh", "-c", f"echo > {path}"], capture_output=True, check=False
        )
        assert written.returncode != 0
        assert b"Read-only" in written.stderr
    seen = run("container", "inspect", *ids())
    assert not [secret for secret in world.secrets.values() if secret in seen]


def test_a_second_up_changes_nothing(world: World) -> None:
    before = ids()
    assert world.up() == {}
    assert ids() == before


def test_the_host_is_as_the_state_says(world: World) -> None:
    """A difference after our own `up` would be a false drift for ever."""
    changes = world.stack.refresh(suppress_outputs=True).summary.resource_changes or {}
    assert {str(operation) for operation in changes} == {"same"}


def changed_by_up(world: World) -> set[str]:
    before = ids()
    world.up()
    return {name for name, found in ids().items() if found != before.get(name)}


def test_a_changed_file_replaces_its_container_alone(world: World) -> None:
    world.config = "v: 2"
    assert changed_by_up(world) == {SETUP, STORE}
    assert run("exec", STORE, "cat", "/etc/store/config.yaml") == "v: 2"


def test_a_changed_secret_replaces_its_container_alone(world: World) -> None:
    world.secrets["password"] = "p2"
    assert changed_by_up(world) == {SETUP, STORE}
    assert run("exec", STORE, "cat", "/etc/store/secrets/password") == "p2"


def test_a_watched_secret_changes_under_the_running_container(world: World) -> None:
    world.secrets["token"] = "second"
    assert changed_by_up(world) == {SETUP}
    assert run("exec", STORE, "cat", "/etc/store/secrets/tokens") == "second"


def test_a_container_that_somebody_stopped_is_started(world: World) -> None:
    run("stop", STORE)
    assert changed_by_up(world) == set()
    assert state(STORE)["Health"]["Status"] == "healthy"


def test_a_failed_job_is_named_and_stops_what_comes_after(world: World) -> None:
    pages = state(PAGES)["StartedAt"]
    good, world.job = world.job, "echo no such table; exit 3"
    message = world.failing_up()
    assert "migrator ended with exit code 3" in message
    assert "no such table" in message
    assert "migrator ended with exit code 3" in world.failing_up(), "a second up took it for done"
    world.job = good
    world.up()
    assert state(JOB)["ExitCode"] == 0
    assert state(PAGES)["StartedAt"] == pages


def test_a_container_that_stays_unhealthy_is_named(world: World) -> None:
    good, world.healthy = world.healthy, "exit 1"
    patience, world.start_timeout_seconds = world.start_timeout_seconds, 5
    assert "clickhouse is not healthy after 5 seconds" in world.failing_up()
    world.healthy, world.start_timeout_seconds = good, patience
    world.up()
    assert state(STORE)["Health"]["Status"] == "healthy"


def test_a_port_that_is_taken_leaves_nothing_in_the_way(world: World) -> None:
    """The container exists when its start fails; the next deployment goes on from it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        world.port = taken.getsockname()[1]
        assert "gateway could not be started" in world.failing_up()
    world.up()
    assert state(PAGES)["Health"]["Status"] == "healthy"


def test_destroy_leaves_only_what_is_kept(world: World) -> None:
    world.stack.destroy(suppress_outputs=True)
    assert ids() == {}
    assert run("volume", "ls", "-q", "--filter", f"name={PREFIX}-") == f"{PREFIX}-store-data"
    assert run("network", "ls", "-q", "--filter", f"name={PREFIX}") == ""


def test_kept_data_is_taken_up_again_and_goes_when_told(world: World) -> None:
    world.healthy = "test -e /data/marked"
    run("run", "--rm", "-v", f"{PREFIX}-store-data:/data", world.image.reference, "touch", "/data/marked")
    world.up()
    assert state(STORE)["Health"]["Status"] == "healthy"
    world.keep = False
    world.up()
    world.stack.destroy(suppress_outputs=True)
    assert run("volume", "ls", "-q", "--filter", f"name={PREFIX}-") == ""
