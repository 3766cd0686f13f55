"""Building lab images from package registries: once for each content, side by side, continued after an interruption."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import threading
from collections.abc import Collection, Mapping
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from core.errors import UserError
from core.roles import Role
from lab.images.catalogue import BASE, IGNORED, LAB_IMAGES, MACHINE, LabImage, lab_image
from lab.images.parts import PARTS
from signoz.plan.model import Image
from toolchain import build, docker_engine, golang, pins, system
from toolchain.commands import CommandFailed, Commands
from toolchain.model import Missing, missing_error
from toolchain.parts import Context, Part
from toolchain.store import Store

if TYPE_CHECKING:
    from rich.console import Console

SIDE_BY_SIDE = 3
"""Two that wait for the network or the disk beside one that compiles."""
NICENESS = 10
"""As of `nice`: an image is needed later than the programs that compile at the same time."""
REGISTRY_SECONDS = 3.0
LABEL = "lab"
PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


def ensure_images(
    roles: Collection[Role],
    console: Console,
    *,
    environment: str,
    assume_yes: bool = False,
    commands: Commands | None = None,
    images_after: threading.Event | None = None,
) -> dict[Role, Image]:
    """The lab images of these roles; those that the Docker engine does not have are built first.

    Leave out a role that a real image is set for. Without `assume_yes` (or CI=true), Debian packages are installed
    only after asking on a terminal. Raises `UserError`: exit code 2 outside environment `local` and for all that is
    missing, before anything is built; 1 with the end of the log when a build failed. `commands` is as in
    `toolchain.ensure`. What the images are made of is built at once, the images when `images_after` is set.
    """
    _refuse(environment)
    wanted = {role: lab_image(role) for role in roles}
    if todo := to_build(roles):
        _build(todo, console, assume_yes, commands, images_after)
    return wanted


def ensure_machine_image(
    console: Console, *, environment: str, assume_yes: bool = False, commands: Commands | None = None
) -> Image:
    """The lab image that an EC2 instance of the emulated AWS runs; built first if need be. As `ensure_images`."""
    _refuse(environment)
    if not is_built(MACHINE.image):
        _build([MACHINE], console, assume_yes, commands, None)
    return MACHINE.image


def _refuse(environment: str) -> None:
    if environment != "local":
        raise UserError(
            f"Lab images run only in a stack with environment local; this stack has {environment}. "
            "Set `images` to a registry that this machine reaches."
        )
    if not docker_engine.answers():
        raise UserError("The Docker engine does not answer. Lab images need it: start it, then run again.")


def to_build(roles: Collection[Role]) -> list[LabImage]:
    """The images of these roles that the Docker engine does not have."""
    return [lab for lab in dict.fromkeys(LAB_IMAGES[role] for role in roles) if not is_built(lab.image)]


def supply(todo: Collection[LabImage], console: Console, *, assume_yes: bool) -> None:
    """What the user or apt-get provides, before these images are built. Raises `UserError` as `ensure_images` does."""
    if todo:
        _supplied(todo, console, assume_yes)


def is_built(image: Image) -> bool:
    """Whether the Docker engine has the image."""
    return _docker("image", "inspect", "--format", "{{.Id}}", image.reference).returncode == 0


def registry_answers(prefix: str) -> bool:
    """Whether the registry of images named `prefix`/... answers, within a few seconds.

    An empty prefix, or one without a host, is Docker's default registry or the engine's mirrors of it. A registry's
    root is /v2/: https://github.com/opencontainers/distribution-spec/blob/main/spec.md#determining-support
    """
    return any(_speaks_registry(url) for url in _registry_urls(prefix, _engine_information()))


def _registry_urls(prefix: str, information: Mapping[str, object]) -> list[str]:
    """Where to ask: `information` is the engine's (`docker info`)."""
    host = prefix.split("/")[0]
    if "." in host or ":" in host or host == "localhost":
        local = host.split(":")[0] in ("localhost", "127.0.0.1")
        return [f"{'http' if local else 'https'}://{host}/v2/"]
    configuration = information.get("RegistryConfig")
    mirrors = configuration.get("Mirrors") or [] if isinstance(configuration, dict) else []
    default = str(information.get("IndexServerAddress") or "").partition("/v1")[0]
    return [f"{url.rstrip('/')}/v2/" for url in (*mirrors, default) if url]


def _speaks_registry(url: str) -> bool:
    try:
        with httpx.stream("GET", url, timeout=REGISTRY_SECONDS, follow_redirects=True) as answer:
            if answer.is_error:
                return answer.status_code == httpx.codes.UNAUTHORIZED
            # A network's login page answers 200 to everything.
            return (
                "json" in answer.headers.get("Content-Type", "") or "Docker-Distribution-Api-Version" in answer.headers
            )
    except httpx.HTTPError:
        return False


def _engine_information() -> dict[str, object]:
    try:
        return json.loads(_docker("info", "--format", "{{json .}}").stdout)
    except (OSError, ValueError):
        return {}


def _docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)


@dataclass(frozen=True)
class _Workshop:
    """What a run builds with."""

    context: Context
    commands: Commands
    progress: build.Progress
    images_after: threading.Event | None

    @property
    def store(self) -> Store:
        return self.context.store


def _supplied(todo: Collection[LabImage], console: Console, assume_yes: bool) -> tuple[Context, list[Part]]:
    """What to build these images with, and the parts that have to be made for them."""
    context = Context.of_this_process()
    made = [PARTS[name] for name in dict.fromkeys(name for lab in todo for name in lab.made)]
    unfinished = [part for part in made if not part.finished(context)]
    needs_base = not is_built(BASE.image)
    context = _prepare(context, any(part.uses_go for part in unfinished), needs_base, console, assume_yes)
    return context, unfinished


def _build(
    todo: list[LabImage],
    console: Console,
    assume_yes: bool,
    commands: Commands | None,
    images_after: threading.Event | None,
) -> None:
    context, unfinished = _supplied(todo, console, assume_yes)

    def waiting(holder: str) -> None:
        console.print(f"Another run (process {holder}) is building in {context.store.directory}; waiting for it.")

    lines = commands is not None
    with context.store.lock(waiting), build.Progress(console, context.store, lines=lines) as progress:
        # Another run may have built some while this one waited.
        todo = [lab for lab in todo if not is_built(lab.image)]
        workshop = _Workshop(context, commands or Commands(), progress, images_after)
        # Whatever waits was submitted after what it waits for, so threads that wait never keep it from running.
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            base = pool.submit(_make_base, workshop)
            parts = {
                part.name: pool.submit(build.make_one, part, context, workshop.commands, progress)
                for part in unfinished
                if not part.finished(context)
            }
            images = [
                pool.submit(_make_image, lab, base, [parts[name] for name in lab.made if name in parts], workshop)
                for lab in sorted(todo, key=lambda lab: len(lab.made))
                if lab != BASE
            ]
            try:
                done, _ = wait([base, *parts.values(), *images], return_when=FIRST_EXCEPTION)
                for future in done:
                    future.result()
            except BaseException:
                workshop.commands.stop()
                raise


def _prepare(context: Context, needs_go: bool, needs_base: bool, console: Console, assume_yes: bool) -> Context:
    """The context with Go where it is needed. Raises `UserError` with all that is missing."""
    missing: list[Missing] = []
    if needs_go:
        go = golang.find(context.environ)
        if isinstance(go, golang.Go):
            context = replace(context, go=go)
        else:
            missing.append(Missing(f"Go, to build the collector with: {go}", f"Go {pins.GO}: https://go.dev/dl/"))
    if needs_base and os.geteuid() != 0:
        missing.append(
            Missing("root permissions, to bootstrap Debian", "run the same command once as root; the images are kept")
        )
    elif needs_base and not shutil.which("debootstrap"):
        if system.can_install() and system.may_install(["debootstrap"], assume_yes=assume_yes, console=console):
            system.install(["debootstrap"], context.store.log("packages"))
        else:
            missing.append(Missing("debootstrap", "sudo apt-get install debootstrap"))
    if missing:
        raise missing_error(missing)
    return context


def _make_base(workshop: _Workshop) -> None:
    image = BASE.image
    if is_built(image):
        return
    recipe = json.loads((BASE.context / "recipe.json").read_text())
    root = workshop.store.directory / "tmp" / f"debian-{image.tag}"
    include = f"--include={','.join(recipe['include'])}"
    bootstrap = shlex.join(
        [*golang.nice(NICENESS), "debootstrap", "--variant=minbase", include, recipe["suite"], str(root)]
    )
    clean = f"rm -rf {shlex.quote(str(root))}/var/lib/apt/lists/* {shlex.quote(str(root))}/var/cache/apt/*"
    load = f"tar -C {shlex.quote(str(root))} -c . | {shlex.join(['docker', 'import', '-', image.reference])}"
    try:
        _run("lab-base", BASE.runs, ["sh", "-c", f"{bootstrap} && {clean} && {load}"], workshop)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _make_image(lab: LabImage, base: Future[None], parts: list[Future[None]], workshop: _Workshop) -> None:
    for needed in (base, *parts):
        needed.result()
    if workshop.images_after:
        workshop.images_after.wait()  # what Docker's engine does for us has its priority, not ours
    context = workshop.store.directory / "tmp" / f"context-{lab.name}"
    shutil.rmtree(context, ignore_errors=True)
    try:
        shutil.copytree(lab.context, context, ignore=shutil.ignore_patterns(*IGNORED))
        for name in lab.made:
            # The same file system, so a link does instead of a copy of some hundred megabytes.
            shutil.copytree(PARTS[name].folder(workshop.context), context / "made" / name, copy_function=_link)
        # The host's network: a proxy or registry that only this machine's loopback reaches serves the build too.
        command = [
            "docker",
            "build",
            "--force-rm",
            "--network=host",
            f"--label={LABEL}={lab.name}",
            f"--tag={lab.image.reference}",
        ]
        command += [f"--build-arg=BASE={BASE.image.reference}"]
        command += [f"--build-arg={name}" for name in PROXIES if name in os.environ]
        _run(f"lab-{lab.name}", lab.runs, [*command, str(context)], workshop)
    finally:
        shutil.rmtree(context, ignore_errors=True)


def _link(source: str, target: str) -> None:
    os.link(source, target)


def _run(name: str, description: str, command: list[str], workshop: _Workshop) -> None:
    """A step with its own log."""
    log = workshop.store.log(name)
    log.parent.mkdir(parents=True, exist_ok=True)
    # The classic builder: the other one is a plugin that Debian's package does not bring.
    env = {"DOCKER_BUILDKIT": "0"}
    with workshop.progress.step(name, description), log.open("w") as file:
        try:
            workshop.commands.run(command, Path("/"), env, file)
        except CommandFailed as error:
            file.flush()
            message = f"{name}: {error}. The end of its log:\n{system.tail(log)}\n({log}; run again to continue)"
            raise UserError(message, exit_code=1) from error
