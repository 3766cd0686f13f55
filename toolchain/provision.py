"""Making a Pulumi available: the one on PATH, one made before, the release, or one built from registries."""

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from toolchain import docker_engine, golang, installed, pins, release, system
from toolchain.commands import Commands
from toolchain.model import Missing, PartStatus, Requirements, Source, Toolchain, missing_error
from toolchain.parts import AWS_PARTS, PARTS, PULUMI, WRAPPERS, Context, Part, closure, unfinished
from toolchain.store import Store

if TYPE_CHECKING:
    from rich.console import Console

    from toolchain.build import Progress
    from toolchain.model import Output


def ensure(
    parts: Collection[str] | None = None, *, assume_yes: bool, console: "Console", commands: Commands | None = None
) -> Toolchain:
    """A toolchain with these parts (names of `PARTS`; by default what the CloudWatch half needs).

    Looks in this order: `pulumi` on PATH, what an earlier run made, the published release, package registries.
    Without `assume_yes` (or CI=true), Debian packages are installed only after asking on a terminal. Raises
    UserError: exit code 2 with all that is missing, before anything is made; 1 when a step failed. `commands` is for a
    run that builds other things at the same time: it stops them all, and progress is lines alone.
    """
    wanted = closure(AWS_PARTS if parts is None else parts)
    context = Context.of_this_process()
    source, todo = _plan(wanted, context, console)
    engine = PARTS["docker-engine"] in wanted and not docker_engine.answers()
    if not todo and not engine and source in ("path", "cache"):
        return _found(source, context)
    checksum = None
    if source == "registries" and (checksum := release.checksum()):
        source, todo = "release", []
    context = _supplied(todo, engine, context, assume_yes=assume_yes, console=console)

    from toolchain import build

    running = commands or Commands()
    with _alone(context.store, console), build.Progress(console, context.store, lines=bool(commands)) as progress:
        if checksum:
            _download(checksum, context, progress)
        elif todo:
            programs = [part for part in unfinished(wanted, context) if part is not WRAPPERS]
            build.make(programs, context, progress, running)
            build.make(unfinished(wanted, context), context, progress, running)  # depends on which programs there are
        if engine:
            with progress.step("docker-engine", "starting Docker Engine"):
                docker_engine.start(context.store.log("docker-engine"))
    return _found(source, context)


def to_build(parts: Collection[str]) -> list[str]:
    """What `ensure` would build from package registries: of these parts, and of what they need. Changes nothing."""
    wanted = closure(parts)
    context = Context.of_this_process()
    source, todo = _plan(wanted, context, None)
    return [part.name for part in todo] if source == "registries" and not release.checksum() else []


def supply(parts: Collection[str], *, assume_yes: bool, console: "Console") -> None:
    """See that what the user or apt-get provides is there, before these parts are built and Docker's engine is started.

    Raises UserError (exit code 2) with all that is missing.
    """
    wanted = closure(parts)
    context = Context.of_this_process()
    engine = PARTS["docker-engine"] in wanted and not docker_engine.answers()
    _supplied(unfinished(wanted, context), engine, context, assume_yes=assume_yes, console=console)


def build_ahead(parts: Collection[str], console: "Output") -> None:
    """Build those of these parts that are made with Go, where `ensure` would build them and nothing is missing for it.

    Raises UserError where a build fails.
    """
    context = Context.of_this_process()
    programs = [part for part in unfinished(closure(parts), context) if part.uses_go]
    need = _requirements(programs, False, context)
    if not programs or need.missing or need.packages or not to_build(parts):
        return
    context = replace(context, go=need.go)

    from toolchain import build

    with _alone(context.store, console), build.Progress(console, context.store, lines=True) as progress:
        build.make([part for part in programs if not part.finished(context)], context, progress, Commands())


def status() -> list[PartStatus]:
    """Every part, and where it is or how to get it. Changes nothing and asks no other machine."""
    context = Context.of_this_process()
    return [_status(part, context) for part in PARTS.values()]


def _status(part: Part, context: Context) -> PartStatus:
    def present(where: str) -> PartStatus:
        return PartStatus(part.name, "present", where, "")

    if part.name == "docker-engine":
        if docker_engine.answers():
            return present(os.environ.get("DOCKER_HOST", "the local engine"))
        need = docker_engine.requirements()
    else:
        found = installed.find(context.environ.get("PATH", ""), context.store.directory)
        ready = found.pulumi if found and not found.unusable else None
        if ready is None and _release_folder(context).is_dir():
            ready = _release_folder(context) / "bin" / "pulumi"
        if ready:
            return present(
                str(ready) if part.name == "pulumi" else "not needed: a released Pulumi downloads its plugins"
            )
        if part.finished(context):
            return present(str(part.path(context)))
        need = _requirements([part], False, context)
    if need.packages:
        need.missing.append(_as_missing(need.packages))
    how = "; ".join(item.how for item in need.missing) or f"run turnscope toolchain to get it ({part.name})"
    return PartStatus(part.name, "missing", "", how)


def _plan(wanted: list[Part], context: Context, console: "Console | None") -> tuple[Source, list[Part]]:
    """Where the toolchain comes from as far as this machine alone can tell, and what has to be made.

    A Pulumi on PATH that is not used is printed to the console.
    """
    if not any(part.build for part in wanted):
        return "cache", []
    found = installed.find(context.environ.get("PATH", ""), context.store.directory)
    if found and not found.unusable:
        return "path", []
    if found and console:
        console.print(f"{found.pulumi} is not used: {found.unusable}.")
    if _release_folder(context).is_dir():
        return "cache", []
    todo = unfinished(wanted, context)
    return ("registries" if todo else "cache"), todo


def _requirements(todo: list[Part], engine: bool, context: Context) -> Requirements:
    """What has to be there before these parts can be made and, if `engine`, Docker be started."""
    need = docker_engine.requirements() if engine else Requirements()
    for part in todo:
        need.missing += part.missing(context)
    if any(part.uses_go for part in todo):
        go = golang.find(context.environ)
        if isinstance(go, golang.Go):
            need.go = go
        else:
            _require_go(go, need)
    return need


def _supplied(todo: list[Part], engine: bool, context: Context, *, assume_yes: bool, console: "Console") -> Context:
    """The context with Go where it is needed, once everything that these parts need is there."""
    need = _checked(todo, engine, context)
    if need.packages:
        _install(need.packages, context.store, assume_yes=assume_yes, console=console)
        need = _checked(todo, engine, context)
    return replace(context, go=need.go)


def _checked(todo: list[Part], engine: bool, context: Context) -> Requirements:
    """The same, once it is sure that nothing but Debian packages is missing. Raises UserError with all that is."""
    need = _requirements(todo, engine, context)
    if need.missing:
        if need.packages:
            need.missing.append(_as_missing(need.packages))
        raise missing_error(need.missing)
    return need


def _require_go(problem: str, need: Requirements) -> None:
    package = None
    if system.can_install():
        names = ["golang-go", *(f"golang-1.{minor}-go" for minor in range(pins.GO_SWITCHING[1], 40))]
        package = golang.debian_package(system.policies(names))
    if package == "golang-go":
        need.packages.append(package)
        return
    how = (
        f"Go {pins.GO} or newer, or 1.21 or newer, which downloads {pins.GO} itself: https://go.dev/dl/, or "
        "golang-go of Debian 13, Ubuntu 24.04 or Debian 12's backports (apt-get install -t bookworm-backports "
        "golang-go)"
    )
    need.missing.append(Missing(f"Go, to build Pulumi with: {problem}", how))


def _install(packages: list[str], store: Store, *, assume_yes: bool, console: "Console") -> None:
    if not (system.can_install() and system.may_install(packages, assume_yes=assume_yes, console=console)):
        raise missing_error([_as_missing(packages)])
    from toolchain import build

    with (
        _alone(store, console),
        build.Progress(console, store) as progress,
        progress.step("packages", f"apt-get install {' '.join(packages)}"),
    ):
        system.install(packages, store.log("packages"))


def _as_missing(packages: list[str]) -> Missing:
    names = " ".join(packages)
    return Missing(f"Debian packages: {names}", f"sudo apt-get install {names} (or run with --yes as root)")


def _download(checksum: str, context: Context, progress: "Progress") -> None:
    if _release_folder(context).is_dir():
        return
    with progress.step("pulumi", f"downloading Pulumi {pins.RELEASE_CLI}"):
        context.store.put(_release_folder(context), lambda folder: release.download(folder, checksum))


def _release_folder(context: Context) -> Path:
    return context.store.part("pulumi-release", (pins.RELEASE_CLI, pins.release_platform()))


def _found(source: Source, context: Context) -> Toolchain:
    """The toolchain that is there now."""
    path = context.environ.get("PATH", "")
    if source == "path":
        found = installed.find(path, context.store.directory)
        assert found is not None  # noqa: S101 (that is what `path` says)
        return Toolchain(None, source, found.pulumi, found.version, {"PATH": path})
    released = _release_folder(context) / "bin"
    folder, version = (
        (released, pins.RELEASE_CLI) if released.is_dir() else (WRAPPERS.folder(context), pins.REGISTRY_CLI)
    )
    return Toolchain(
        directory=context.store.directory,
        source=source,
        pulumi=folder / PULUMI.file,
        version=version,
        # The check for a newer version asks a server, which is of no use for a pinned one.
        env={"PATH": os.pathsep.join(filter(None, [str(folder), path])), "PULUMI_SKIP_UPDATE_CHECK": "true"},
    )


@contextmanager
def _alone(store: Store, console: "Output") -> Iterator[None]:
    def waiting(holder: str) -> None:
        console.print(f"Another run (process {holder}) is building the toolchain in {store.directory}; waiting for it.")

    with store.lock(waiting):
        yield
