"""Building Go programs: what they share, what is left out of them, and in which order they compile."""

import itertools
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from toolchain import golang, otelcol
from toolchain.golang import Edit, EditedModule, Go, Program
from toolchain.parts import PARTS, Context, Store
from toolchain.turns import Turns

RECEIVER = "github.com/open-telemetry/opentelemetry-collector-contrib/receiver/prometheusreceiver"
SOURCES = {
    "go.mod": f"module example.com/x\n\nrequire {RECEIVER} v0.144.0\n",
    "go.sum": "",
    "factory.go": '_ "github.com/prometheus/prometheus/discovery/install" // registers\n',
    "config.go": '"github.com/prometheus/prometheus/discovery/kubernetes"\n',
    "internal/provider/docker_buildx_build.go": '_ "github.com/docker/buildx/driver/kubernetes"\n',
    "internal/provider/resource_docker_buildx_builder.go": '_ "github.com/docker/buildx/driver/kubernetes"\n',
}
"""Of every module that is downloaded: what is edited in any of them."""


@pytest.fixture
def commands(tmp_path: Path) -> tuple[list[list[str]], golang.Run]:
    """What a build runs, with a module cache in which every module has the same files, read-only as in Go's."""
    ran: list[list[str]] = []
    cache = tmp_path / "cache"
    for name, text in SOURCES.items():
        (cache / name).parent.mkdir(parents=True, exist_ok=True)
        (cache / name).write_text(text)
        (cache / name).chmod(0o444)

    def run(command: list[str], folder: Path, env: Mapping[str, str]) -> str:
        ran.append(command)
        return f'{{"Dir": "{cache}"}}' if "download" in command else ""

    return ran, run


def build_all(tmp_path: Path, run: golang.Run) -> None:
    context = Context(Store(tmp_path / "store"), {}, Go("go"))
    for name, part in PARTS.items():
        if part.uses_go and part.build:
            folder = tmp_path / "made" / name
            folder.mkdir(parents=True)
            part.build(context, folder, run)


def test_programs_share_what_they_compile(commands: tuple[list[list[str]], golang.Run], tmp_path: Path) -> None:
    """The build cache has an entry for each set of compiler flags: another set for one program compiles all again."""
    ran, run = commands
    build_all(tmp_path, run)
    builds = [command for command in ran if "build" in command]
    assert len(builds) == 4
    assert {tuple(each for each in command if each.startswith(("-gcflags", "-trimpath"))) for command in builds} == {
        ("-gcflags=all=-dwarf=false",)
    }


def test_nothing_is_downloaded_while_a_turn_is_held(
    commands: tuple[list[list[str]], golang.Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a build needs is listed, and so downloaded, right before it, with the same tags."""
    ran, run = commands
    build_all(tmp_path, run)
    for before, command in itertools.pairwise(ran):
        if "build" in command:
            assert "list" in before
            assert before[-1] == command[-1]
            tags = [each for each in command if each.startswith("-tags")]
            assert tags == [each for each in before if each.startswith("-tags")]


def test_clients_of_clouds_are_left_out(commands: tuple[list[list[str]], golang.Run], tmp_path: Path) -> None:
    """Three fifths of what the collector, two fifths of what Docker's provider would compile."""
    ran, run = commands
    build_all(tmp_path, run)
    made = tmp_path / "made"
    receiver = made / "collector-source" / "edited"
    assert "install" not in (receiver / "factory.go").read_text()
    assert '"github.com/prometheus/prometheus/discovery/file"' in (receiver / "factory.go").read_text()
    assert 'kubernetes "github.com/prometheus/prometheus/discovery/http"' in (receiver / "config.go").read_text()
    for file in (made / "docker-provider-source" / "edited" / "internal" / "provider").iterdir():
        assert "kubernetes" not in file.read_text()
    assert [f"-replace={RECEIVER}=./edited" in command for command in ran].count(True) == 1


def test_an_edit_that_does_not_fit_is_noticed(commands: tuple[list[list[str]], golang.Run], tmp_path: Path) -> None:
    """After a pin changed, what was to be left out must not be built in silently."""
    _, run = commands
    for old in ("discovery/nowhere", '"'):
        module = EditedModule("example.com/x", "example.com/x@v1", (Edit("factory.go", old, ""),))
        with pytest.raises(OSError, match=r"example\.com/x@v1: factory\.go does not have once"):
            module.copy(Go("go"), tmp_path / f"copy-{len(old)}", run)


def test_other_edits_make_another_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """A collector that an earlier version built with other components is not taken for this one's."""
    before = otelcol.identity()
    monkeypatch.setattr(otelcol, "_EDITS", ())
    assert otelcol.identity() != before


def test_what_is_needed_first_compiles_first() -> None:
    """Pulumi's downloads take longest: a program that is needed later does not take its turn meanwhile."""
    turns, order = Turns(1), list[str]()
    prepared, begun = threading.Event(), threading.Event()

    def compiles(name: str, niceness: int, prepare: Callable[[], object]) -> None:
        with turns.preparing(niceness) as turn:
            prepare()
            with turn():
                order.append(name)

    urgent = threading.Thread(target=compiles, args=("pulumi", 0, lambda: (begun.set(), prepared.wait(60))))
    urgent.start()
    assert begun.wait(60)
    later = threading.Thread(target=compiles, args=("collector", 10, lambda: None))
    later.start()
    later.join(0.2)
    assert order == []
    prepared.set()
    urgent.join(60)
    later.join(60)
    assert order == ["pulumi", "collector"]


def test_a_preparation_that_fails_gives_its_place_up() -> None:
    """Else every other program would wait for it for ever."""
    turns = Turns(1)
    with pytest.raises(OSError, match="no network"), turns.preparing(0):
        raise OSError("no network")
    with pytest.raises(OSError, match="does not compile"), turns.preparing(0) as turn, turn():
        raise OSError("does not compile")
    with turns.preparing(10) as turn, turn():
        pass


def test_no_more_than_so_many_compile_at_once() -> None:
    """Each takes all cores and some gigabytes of memory."""
    turns, lock, now, most = Turns(2), threading.Lock(), 0, 0

    def compiles() -> None:
        nonlocal now, most
        with turns.preparing(0) as turn, turn():
            with lock:
                now += 1
                most = max(most, now)
            threading.Event().wait(0.02)
            with lock:
                now -= 1

    threads = [threading.Thread(target=compiles) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert most == 2


def test_priority_is_of_the_commands_that_take_long(
    commands: tuple[list[list[str]], golang.Run], tmp_path: Path
) -> None:
    """Only what is needed later yields the processor."""
    ran, run = commands
    for name, niceness in (("now", 0), ("later", 10)):
        golang.build(Program("example.com/x", niceness=niceness), Go("go"), tmp_path / name, tmp_path / "out", run)
    assert [command[:3] for command in ran if "build" in command] == [["go", "build", "-mod=mod"], ["nice", "-n", "10"]]
