"""Go: finding one that can build the toolchain, and building a program of a module with it."""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from toolchain import pins
from toolchain.turns import Turns

MINIMUM = tuple(int(n) for n in pins.GO.split("."))


@dataclass(frozen=True)
class Go:
    """A Go command and what to set for it."""

    command: str
    env: dict[str, str] = field(default_factory=dict)


def find(environ: Mapping[str, str]) -> Go | str:
    """A usable Go, or why there is none.

    A Go from 1.21 on fetches the version it needs through the module proxy, unless GOTOOLCHAIN says `local`:
    https://go.dev/doc/toolchain. Debian's packages are set to `local` by default, so it is asked for explicitly;
    what the user's own environment says is honoured.
    """
    command = shutil.which("go", path=environ.get("PATH", ""))
    if not command:
        return "Go is not installed"
    done = subprocess.run(
        [command, "version"], capture_output=True, text=True, check=False, env={**environ, "GOTOOLCHAIN": "local"}
    )
    return choose(command, done.stdout, environ.get("GOTOOLCHAIN"))


def choose(command: str, version_text: str, gotoolchain: str | None) -> Go | str:
    """The decision of `find`, from what `go version` printed and the user's GOTOOLCHAIN."""
    found = re.search(r"go(\d+(?:\.\d+)*)", version_text)
    if not found:
        return f"{command} does not print its version"
    numbers = tuple(int(n) for n in found[1].split("."))
    if numbers >= MINIMUM:
        return Go(command)
    if numbers < pins.GO_SWITCHING:
        return f"Go {found[1]} ({command}) is too old"
    if gotoolchain == "local":
        return f"Go {found[1]} ({command}) is too old, and GOTOOLCHAIN=local prevents the download of {pins.GO}"
    return Go(command, {} if gotoolchain else {"GOTOOLCHAIN": f"go{pins.GO}+auto"})


def debian_package(policies: str) -> str | None:
    """The newest package in what `apt-cache policy golang-go ...` printed; None if all are too old."""
    best: tuple[tuple[int, ...], str] | None = None
    for name, version in re.findall(r"^(golang\S*):\n(?:.*\n)??\s+Candidate: (?:\d+:)?(\S+)", policies, re.M):
        numbers = tuple(int(n) for n in re.findall(r"\d+", version)[:2])
        if numbers >= pins.GO_SWITCHING and (best is None or numbers > best[0]):
            best = (numbers, name)
    return best[1] if best else None


@dataclass(frozen=True)
class Edit:
    """A text that is in a file of a module's source exactly once, and what replaces it."""

    file: str
    """From the module's root."""
    old: str
    new: str


@dataclass(frozen=True)
class EditedModule:
    """A module that is built from a copy of its source with other imports, where no build tag leaves them out."""

    path: str
    """What other modules import it as."""
    source: str
    """The module@version that is downloaded."""
    edits: tuple[Edit, ...]

    def copy(self, go: Go, folder: Path, run: "Run") -> None:
        """Make the edited copy in `folder`. Raises OSError where a text is not there once: the pin changed, and the
        edits have to follow."""
        original = downloaded(go, self.source, folder.parent, run)
        # The module cache is read-only, and a copy has no use for that.
        shutil.copytree(original, folder, copy_function=shutil.copyfile)
        for path in (folder, *folder.rglob("*")):
            if path.is_dir():
                path.chmod(0o755)
        for edit in self.edits:
            file = folder / edit.file
            text = file.read_text()
            if text.count(edit.old) != 1:
                raise OSError(f"{self.source}: {edit.file} does not have once: {edit.old}")
            file.write_text(text.replace(edit.old, edit.new))


@dataclass(frozen=True)
class Program:
    """A program to build in a module of its own."""

    package: str
    edits: tuple[str, ...] = ()
    """Flags of `go mod edit`: what to require and to replace."""
    go_sum_of: str | None = None
    """The module@version whose checksums count for what it needs."""
    ldflags: str = ""
    tags: tuple[str, ...] = ()
    edited: EditedModule | None = None
    niceness: int = 0
    """As of `nice`: what is needed first goes first, and others use what it leaves."""


_COMPILING = Turns(2)
"""Go compiles in parallel by itself; a second program fills in while another one is linked."""


def downloaded(go: Go, module: str, workspace: Path, run: "Run") -> Path:
    """The folder of a module@version in the module cache, downloaded if it is not there."""
    answer = run([go.command, "mod", "download", "-json", module], workspace, go.env)
    return Path(json.loads(answer[answer.index("{") :])["Dir"])


def build(program: Program, go: Go, workspace: Path, output: Path, run: "Run") -> None:
    """Build a program in the new folder `workspace`."""
    workspace.mkdir(parents=True)
    (workspace / "go.mod").write_text(f"module toolchain/{workspace.name}\n\ngo {pins.GO}\n")
    if program.go_sum_of:
        source = downloaded(go, program.go_sum_of, workspace, run)
        (workspace / "go.sum").write_bytes((source / "go.sum").read_bytes())
    build_module(program, go, workspace, output, run)


def build_module(program: Program, go: Go, workspace: Path, output: Path, run: "Run") -> None:
    """Build a program in a folder that has a go.mod, and go.sum where it needs one.

    Flags of its own go on the command line, so that the user's GOFLAGS, GOPROXY and caches stay as they are. Those that
    decide how a package is compiled are the same for all programs, which so share packages in Go's build cache.
    Everything is downloaded before it waits for its turn to compile.
    """
    at_priority = nice(program.niceness)
    with _COMPILING.preparing(program.niceness) as turn:
        edits = program.edits
        if program.edited:
            program.edited.copy(go, workspace / "edited", run)
            edits += (f"-replace={program.edited.path}=./edited",)
        run([go.command, "mod", "edit", *edits], workspace, go.env)
        flags = ["-mod=mod", *([f"-tags={','.join(program.tags)}"] if program.tags else [])]
        # `list` downloads what the program's packages need; `mod download` would also take what only tests need.
        listing = ["list", *flags, "-deps", '-f={{""}}', program.package]
        run([*at_priority, go.command, *listing], workspace, go.env)
        # -s -w leaves out the debug information, so compilers need not make it: a sixth of their time.
        flags += ["-buildvcs=false", "-gcflags=all=-dwarf=false", f"-ldflags=-s -w {program.ldflags}".rstrip()]
        with turn():
            command = [*at_priority, go.command, "build", *flags, "-o", str(output), program.package]
            run(command, workspace, go.env)


def nice(niceness: int) -> list[str]:
    """What to put before a command for it to run at this priority."""
    return ["nice", "-n", str(niceness)] if niceness else []


class Run(Protocol):
    """Runs a command in a folder with these variables added; returns its standard output."""

    def __call__(self, command: list[str], folder: Path, env: Mapping[str, str]) -> str: ...
