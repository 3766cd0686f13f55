"""Making parts: independent ones side by side, with progress, logs and times."""

import shutil
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import UserError
from toolchain import system
from toolchain.commands import CommandFailed, Commands
from toolchain.parts import Context, Part
from toolchain.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Progress as Bars

    from toolchain.model import Output

SIDE_BY_SIDE = 2
"""Go compiles in parallel by itself; a second build fills in while one fetches or links."""


def duration(seconds: float) -> str:
    """A duration as people write it, such as `1 min 42 s`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


class Progress:
    """Lines of progress on a console, with elapsed time where it is a terminal; and the record of times."""

    def __init__(self, console: "Output", store: Store, *, lines: bool = False) -> None:
        """`lines`: only lines on a terminal too, for a run beside others."""
        self._console = console
        self._store = store
        self._bars = _bars(console) if console.is_terminal and not lines else None

    def __enter__(self) -> "Progress":
        if self._bars:
            self._bars.start()
        return self

    def __exit__(self, *error: Any) -> None:
        if self._bars:
            self._bars.stop()

    @contextmanager
    def step(self, name: str, description: str) -> "Iterator[None]":
        """Show a step while it runs, and its time when it is done."""
        started = time.monotonic()
        with self._bar(f"{name}: {description}"):
            yield
        seconds = round(time.monotonic() - started, 1)
        self._console.print(f"{name}: done in {duration(seconds)}")
        self._store.add_seconds(name, seconds)  # at once, so that an interrupted run's times are known too

    @contextmanager
    def _bar(self, text: str) -> "Iterator[None]":
        if self._bars is None:
            self._console.print(f"{text} ...")
            yield
            return
        task = self._bars.add_task(text, total=None)
        try:
            yield
        finally:
            self._bars.remove_task(task)


def _bars(console: "Output") -> "Bars | None":
    # Here: `python -m toolchain` runs before anything is installed.
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    if not isinstance(console, Console):
        return None
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    return Bars(*columns, console=console, transient=True)


def make(parts: list[Part], context: Context, progress: Progress, commands: Commands) -> None:
    """Make these parts, none of which builds upon another.

    Raises UserError with the end of the log of the part that failed; the others are stopped.
    """
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        try:
            futures = [pool.submit(make_one, part, context, commands, progress) for part in parts]
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
        except BaseException:
            commands.stop()
            raise


def make_one(part: Part, context: Context, commands: Commands, progress: Progress) -> None:
    """Make one part."""
    build = part.build
    if build is None:
        raise ValueError(f"{part.name} is not a part of the store")

    def step(run: Callable[..., str], folder: Path) -> None:
        build(context, folder, run)

    with progress.step(part.name, part.description):
        logged(part.name, part.folder(context), context.store, commands, step)


def logged(name: str, final: Path, store: Store, commands: Commands, step: Callable[..., None]) -> None:
    """Let `step(run, folder)` make the folder `final`, with its commands' output in the part's log."""
    log = store.log(name)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as file:

        def run(command: list[str], folder: Path, env: Mapping[str, str]) -> str:
            return commands.run(command, folder, env, file)

        def build(folder: Path) -> None:
            shutil.rmtree(folder.with_name(f"{name}-source"), ignore_errors=True)
            try:
                step(run, folder)
            finally:
                shutil.rmtree(folder.with_name(f"{name}-source"), ignore_errors=True)

        try:
            if final.exists():
                shutil.rmtree(final)
            store.put(final, build)
        except (CommandFailed, OSError) as error:
            raise UserError(
                f"{name}: {error}. The end of its log:\n{system.tail(log)}\n({log}; run again to continue)",
                exit_code=1,
            ) from error
