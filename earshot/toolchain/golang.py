"""Go: finding one that can build the toolchain, and building a program of a module with it."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from earshot.toolchain import pins

MINIMUM = tuple(int(n) for n in pins.GO.split("."))


@dataclass(frozen=True)
class Go:
    """A Go command and what to set for it."""

    command: str
    env: dict[str, str] = field(default_factory=dict)
    version: str = ""


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
        return f"{command} does not say its version"
    numbers = tuple(int(n) for n in found[1].split("."))
    if numbers >= MINIMUM:
        return Go(command, {}, found[1])
    if numbers < pins.GO_SWITCHING:
        return f"Go {found[1]} ({command}) is too old"
    if gotoolchain == "local":
        return f"Go {found[1]} ({command}) is too old, and GOTOOLCHAIN=local keeps it from fetching {pins.GO}"
    return Go(command, {} if gotoolchain else {"GOTOOLCHAIN": f"go{pins.GO}+auto"}, pins.GO)


def debian_package(policies: str) -> str | None:
    """The package to install, from what `apt-cache policy golang-go golang-1.21-go ...` printed; None if all are old."""
    best: tuple[tuple[int, ...], str] | None = None
    for name, version in re.findall(r"^(golang\S*):\n(?:.*\n)??\s+Candidate: (?:\d+:)?(\S+)", policies, re.M):
        numbers = tuple(int(n) for n in re.findall(r"\d+", version)[:2])
        if numbers >= pins.GO_SWITCHING and (best is None or numbers > best[0]):
            best = (numbers, name)
    return best[1] if best else None


def build(  # noqa: PLR0913 (one call describes one program)
    go: Go,
    log: IO[str],
    workspace: Path,
    output: Path,
    package: str,
    *,
    edits: list[str],
    go_sum_of: str | None = None,
    ldflags: str = "",
) -> None:
    """Build `package` to `output` in a module of its own, whose go.mod gets `edits` (flags of `go mod edit`).

    `go_sum_of` (module@version) lends its checksums. Raises CalledProcessError; its output is in `log`.
    """
    # The module's own flags go on the command line, so that the user's GOFLAGS and proxies stay as they are.
    workspace.mkdir(parents=True)
    (workspace / "go.mod").write_text(f"module toolchain/{workspace.name}\n\ngo {pins.GO}\n")
    env = {**os.environ, **go.env}

    def run(*arguments: str) -> None:
        log.write(f"$ go {' '.join(arguments)}\n")
        log.flush()
        subprocess.run([go.command, *arguments], cwd=workspace, env=env, stdout=log, stderr=log, check=True)

    if go_sum_of:
        log.write(f"$ go mod download -json {go_sum_of}\n")
        log.flush()
        done = subprocess.run(
            [go.command, "mod", "download", "-json", go_sum_of],
            cwd=workspace, env=env, stdout=subprocess.PIPE, stderr=log, check=True,
        )  # fmt: skip
        source = Path(json.loads(done.stdout)["Dir"])
        (workspace / "go.sum").write_bytes((source / "go.sum").read_bytes())
    run("mod", "edit", *edits)
    run("build", "-mod=mod", "-buildvcs=false", f"-ldflags=-s -w {ldflags}", "-o", str(output), package)
