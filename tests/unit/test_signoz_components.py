"""The components of the SigNoz half, against an engine that only writes down what it is asked for."""

from __future__ import annotations

import logging
from typing import Any

import pulumi
import pytest

from core.errors import UserError
from core.roles import Role
from core.secrets.reference import SecretRef
from signoz.container import duration
from signoz.docker_host import MakeReady
from signoz.plan.model import Container, File, HealthCheck, Image, SigNozPlan, VolumeMount
from signoz.plan.volumes import with_setup
from signoz.stack import SigNoz

LIMITS: dict[str, Any] = {
    "image": Image("x", "1"),
    "memory_mib": 64,
    "cpus": 1,
    "open_files": 1024,
    "user": "5:5",
    "read_only_root": True,
}
SECRET = (("a", SecretRef("a")),)


class Recorder(pulumi.runtime.Mocks):
    def __init__(self) -> None:
        self.made: list[tuple[str, str, dict[str, Any]]] = []

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        self.made.append((args.typ, args.inputs.get("name", args.name), dict(args.inputs)))
        return args.name, dict(args.inputs)

    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        return {}, None

    def container(self, name: str) -> dict[str, Any]:
        return next(inputs for kind, made, inputs in self.made if kind.endswith(":Container") and made == name)


def plan(*, text: str = "v: 1", tokens: bool = False) -> SigNozPlan:
    files = (File("/etc/a/conf", text), File("/etc/a/secret", "{secret:a}", mode="0400", owner="5:5", secrets=SECRET))
    watched = File(
        "/etc/a/tokens", "", mode="0400", owner="5:5", secrets=SECRET, compose=lambda known: known["a"], watched=True
    )
    store = Container(
        role=Role.CLICKHOUSE,
        name="store",
        files=(*files[:1], watched) if tokens else files,
        volumes=(VolumeMount("store-data", "/data", keep=True),),
        health=HealthCheck(("true",), interval_seconds=90),
        **LIMITS,
    )
    job = Container(role=Role.MIGRATOR, name="job", one_shot=True, after=(Role.CLICKHOUSE,), **LIMITS)
    ui = Container(role=Role.SIGNOZ, name="ui", after=(Role.MIGRATOR,), health=HealthCheck(("true",)), **LIMITS)
    containers = with_setup((ui, job, store), Image("x", "1"), "setup")
    return SigNozPlan("dev", "dev", "1", "net", containers, labels=(("turnscope.stack", "dev"),))


def run(planned: SigNozPlan, make_ready: MakeReady = lambda _: None, value: str = "s3cret") -> Recorder:
    recorder = Recorder()
    pulumi.runtime.set_mocks(recorder, preview=False)

    @pulumi.runtime.test
    def program() -> object:
        made = SigNoz("signoz", planned, read_secret=lambda _: pulumi.Output.secret(value), make_ready=make_ready)
        return pulumi.Output.all(*made.ready.values())

    program()
    return recorder


def test_each_container_waits_for_those_before_it() -> None:
    """A container is made only once those it needs do their work, whatever the order of the plan."""
    happened: list[str] = []

    class Watching(Recorder):
        def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
            if args.typ.endswith(":Container"):
                happened.append(f"made {args.inputs['name']}")
            return super().new_resource(args)

    recorder = Watching()
    pulumi.runtime.set_mocks(recorder, preview=False)

    @pulumi.runtime.test
    def program() -> object:
        made = SigNoz(
            "signoz",
            plan(),
            read_secret=lambda _: pulumi.Output.secret("s3cret"),
            make_ready=lambda container: happened.append(f"ready {container.name}"),
        )
        return pulumi.Output.all(*made.ready.values())

    program()
    assert happened == [f"{what} {name}" for name in ("setup", "store", "job", "ui") for what in ("made", "ready")]


def test_a_failed_start_stops_the_deployment() -> None:
    """What comes after it is not made."""
    # Every output downstream holds the same failure, and asyncio would print each when the process ends.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    made: list[str] = []

    def make_ready(container: Container) -> None:
        made.append(container.name)
        if container.one_shot and container.role is Role.MIGRATOR:
            raise UserError("migrator ended with exit code 1")

    with pytest.raises(pulumi.RunError, match="migrator ended"):
        run(plan(), make_ready)
    assert "ui" not in made


def test_the_engine_only_makes_containers() -> None:
    """Started by it, one whose start fails would be in nobody's state, with its name in the way."""
    recorder = run(plan())
    for name in ("setup", "store", "job", "ui"):
        container = recorder.container(name)
        assert (container["start"], container["mustRun"], container.get("wait")) == (False, False, None)


def test_containers_are_closed_down() -> None:
    recorder = run(plan())
    for name in ("setup", "store", "job", "ui"):
        container = recorder.container(name)
        assert container["capabilities"]["drops"] == ["ALL"]
        assert container["securityOpts"] == ["no-new-privileges:true"]
        assert container["logOpts"] == {"max-size": "10m", "max-file": "3"}
        assert container["memory"] == container["memorySwap"] == 64
    assert recorder.container("setup")["networkMode"] == "none"
    assert recorder.container("ui")["restart"] == "unless-stopped"
    assert recorder.container("job")["restart"] == "no"


def content_label(recorder: Recorder, name: str) -> str:
    labels = recorder.container(name)["labels"]
    if isinstance(labels, dict):  # a secret, as engine and program pass it on
        labels = labels["value"]
    return next(each["value"] for each in labels if each["label"] == "turnscope.content")


def test_a_changed_file_or_secret_replaces_its_container_alone() -> None:
    """Files are in volumes, so the container itself has to show that they changed."""
    before = run(plan())
    for after in (run(plan(text="v: 2")), run(plan(), value="other")):
        assert content_label(after, "store") != content_label(before, "store")
        assert content_label(after, "ui") == content_label(before, "ui")


def test_a_watched_file_replaces_nothing() -> None:
    assert content_label(run(plan(tokens=True)), "store") == content_label(
        run(plan(tokens=True), value="other"), "store"
    )


def test_an_empty_secret_ends_in_one_message() -> None:
    with pytest.raises(pulumi.RunError, match="Secret a is empty"):
        run(plan(), value="")


@pytest.mark.parametrize(("seconds", "text"), [(5, "5s"), (60, "1m0s"), (90, "1m30s"), (3600, "1h0m0s")])
def test_durations_are_written_as_docker_reads_them_back(seconds: int, text: str) -> None:
    """Any other spelling would be a difference at every deployment."""
    assert duration(seconds) == text
