"""The toolchain's directory survives interruptions and runs side by side."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from core.errors import UserError
from toolchain.build import duration, logged
from toolchain.commands import Commands
from toolchain.store import Store, default_directory, fingerprint

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "toolchain")


def test_directory_is_where_the_user_says_or_in_the_cache(tmp_path: Path) -> None:
    """TURNSCOPE_TOOLCHAIN wins over XDG_CACHE_HOME, which wins over ~/.cache."""
    home = {"HOME": str(tmp_path)}
    assert default_directory(home) == tmp_path / ".cache" / "turnscope" / "toolchain"
    cache = {**home, "XDG_CACHE_HOME": str(tmp_path / "c")}
    assert default_directory(cache) == tmp_path / "c" / "turnscope" / "toolchain"
    assert default_directory({**cache, "TURNSCOPE_TOOLCHAIN": str(tmp_path / "t")}) == tmp_path / "t"


def test_another_pin_is_another_folder(store: Store) -> None:
    """A changed pin must not find the old build; the same pins must; and pins do not run into each other."""
    assert store.part("pulumi", ("3.200.0", "linux")) == store.part("pulumi", ("3.200.0", "linux"))
    names = {fingerprint(*pins) for pins in [("3.200.0",), ("3.201.0",), ("3.2", "00.0"), ("3.200.0", "")]}
    assert len(names) == 4


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_part_that_was_not_finished_is_not_there(store: Store, error: type[BaseException]) -> None:
    """After a crash or Ctrl-C in the middle the next run starts that part afresh, with nothing left over."""
    final = store.part("pulumi", ("1",))

    def interrupted(folder: Path) -> None:
        (folder / "half").write_text("x")
        raise error

    with pytest.raises(error):
        store.put(final, interrupted)
    assert not final.exists()
    store.put(final, lambda folder: (folder / "whole").touch())
    assert [path.name for path in final.iterdir()] == ["whole"]


def test_killed_run_leaves_nothing_in_the_way(store: Store) -> None:
    """A killed run cannot clean up: what it left is not taken for a part, nor for a start of one."""
    final = store.part("pulumi", ("1",))
    left = store.directory / "tmp" / final.name
    left.mkdir(parents=True)
    (left / "half").touch()
    store.put(final, lambda folder: (folder / "whole").touch())
    assert [path.name for path in final.iterdir()] == ["whole"]


def test_another_process_waits_and_learns_for_whom(store: Store) -> None:
    """Two runs at the same time do not build into each other's folders."""
    left = store.directory / "tmp" / "left by a killed run"
    left.mkdir(parents=True)
    script = (
        "import sys; from pathlib import Path; from toolchain.store import Store\n"
        "with Store(Path(sys.argv[1])).lock(lambda holder: print('waits for', holder, flush=True)): print('has it')"
    )
    with store.lock(lambda _: pytest.fail("nobody holds it")):
        assert not left.exists()
        with store.lock(lambda _: pytest.fail("this process holds it")):
            pass  # one of two threads ends: the process holds it on
        command = [sys.executable, "-c", script, str(store.directory)]
        other = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert other.stdout is not None
        assert other.stdout.readline() == f"waits for {os.getpid()}\n"
    rest, _ = other.communicate(timeout=60)
    assert rest == "has it\n"


def test_a_thread_that_joins_does_not_clear_what_another_builds(store: Store) -> None:
    """Programs and images are built at the same time, under one lock and in one temporary folder."""
    with store.lock(lambda _: None):
        begun = store.directory / "tmp" / "pulumi-1"
        begun.mkdir(parents=True)
        with store.lock(lambda _: None):
            assert begun.exists()


def test_times_of_several_runs_and_threads_add_up(store: Store) -> None:
    """A resumed build still tells what each part took."""
    store.directory.mkdir()
    threads = [threading.Thread(target=store.add_seconds, args=(f"part-{n}", float(n))) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert json.loads((store.directory / "toolchain.json").read_text()) == {
        "seconds": {f"part-{n}": float(n) for n in range(20)}
    }


def test_failed_command_shows_the_end_of_its_log(store: Store) -> None:
    """A build that fails says what the compiler said last, where the rest is, and that a rerun continues."""
    final = store.part("pulumi", ("1",))

    def step(run, folder: Path) -> None:  # type: ignore[no-untyped-def]
        run(["sh", "-c", "for i in $(seq 40); do echo line-$i; done; echo broken >&2; exit 3"], folder, {})

    with pytest.raises(UserError) as failed:
        logged("pulumi", final, store, Commands(), step)
    message = str(failed.value)
    assert failed.value.exit_code == 1
    assert "code 3" in message
    assert "line-40" in message
    assert "line-5\n" not in message
    assert "broken" in store.log("pulumi").read_text()
    assert str(store.log("pulumi")) in message
    assert not final.exists()


def test_durations_read_like_durations() -> None:
    """Whole seconds, and minutes from one on."""
    assert [duration(s) for s in (0.2, 59.4, 60, 102.3)] == ["0 s", "59 s", "1 min 00 s", "1 min 42 s"]
