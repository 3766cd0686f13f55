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
class Program:
    """A program to build in a module of its own."""

    package: str
    edits: tuple[str, ...]
    """Flags of `go mod edit`: what to require and to replace."""
    go_sum_of: str | None = None
    """The module@version whose checksums count for what it needs."""
    ldflags: str = ""


def build(program: Program, go: Go, workspace: Path, output: Path, run: "Run") -> None:
    """Build a program in the new folder `workspace`. Flags of its own go on the command line, so that the user's
    GOFLAGS, GOPROXY and caches stay as they are."""
    workspace.mkdir(parents=True)
    (workspace / "go.mod").write_text(f"module toolchain/{workspace.name}\n\ngo {pins.GO}\n")
    if program.go_sum_of:
        answer = run([go.command, "mod", "download", "-json", program.go_sum_of], workspace, go.env)
        source = Path(json.loads(answer[answer.index("{") :])["Dir"])
        (workspace / "go.sum").write_bytes((source / "go.sum").read_bytes())
    run([go.command, "mod", "edit", *program.edits], workspace, go.env)
    flags = ["-mod=mod", "-buildvcs=false", f"-ldflags=-s -w {program.ldflags}".rstrip()]
    run([go.command, "build", *flags, "-o", str(output), program.package], workspace, go.env)


class Run(Protocol):
    """Runs a command in a folder with these variables added; returns its standard output."""

    def __call__(self, command: list[str], folder: Path, env: Mapping[str, str]) -> str: ...
