"""The parts of a toolchain made from package registries: what each is, is made of, and needs."""

import os
import shlex
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from core.errors import UserError
from toolchain import aws_provider, golang, otelcol, pins
from toolchain.golang import Edit, EditedModule, Go, Program, Run
from toolchain.model import Missing
from toolchain.store import Store, default_directory

HERE = Path(__file__).resolve().parent
BRIDGE_PROGRAM = "pulumi-resource-terraform-provider"


@dataclass(frozen=True)
class Context:
    """What parts are made with."""

    store: Store
    environ: Mapping[str, str]
    go: Go | None = None

    @classmethod
    def of_this_process(cls) -> "Context":
        """The store that this process' environment names, and the environment."""
        return cls(Store(default_directory(os.environ)), os.environ)


@dataclass(frozen=True)
class Part:
    """Something the toolchain consists of.

    A part with `build` is a folder in the store, made when it is not there. `docker-engine` has none: it is a
    service of the machine, see `docker_engine`.
    """

    name: str
    description: str
    needs: tuple[str, ...] = ()
    pins: Callable[[Context], tuple[str, ...]] = lambda _: ()
    """What decides the folder's name: with other pins it is another folder."""
    build: Callable[[Context, Path, Run], None] | None = None
    file: str = ""
    """The file in the folder that matters."""
    uses_go: bool = False
    missing: Callable[[Context], list[Missing]] = lambda _: []
    """What only the user can provide before it can be made."""

    def folder(self, context: Context) -> Path:
        """Where it is when it is finished."""
        return context.store.part(self.name, self.pins(context))

    def path(self, context: Context) -> Path:
        """Its file."""
        return self.folder(context) / self.file

    def finished(self, context: Context) -> bool:
        """Whether it is there; a link to a provider that was removed is not."""
        return self.build is not None and self.path(context).is_file()


def _go_part(name: str, description: str, version: str, file: str, program: Program) -> Part:
    """A part that is one Go program."""

    def build(context: Context, folder: Path, run: Run) -> None:
        assert context.go is not None  # noqa: S101 (requirements are checked before anything is built)
        workspace = folder.with_name(f"{name}-source")
        golang.build(program, context.go, workspace, folder / file, run)

    left_out = (*program.tags, repr(program.edited.edits)) if program.edited else program.tags
    identity = (
        version, program.package, *program.edits, program.ldflags, *left_out, sys.platform, pins.terraform_platform()
    )  # fmt: skip
    return Part(name, description, pins=lambda _: identity, build=build, file=file, uses_go=True)


_PULUMI_MODULE = "github.com/pulumi/pulumi"
_BRIDGE_MODULE = "github.com/pulumi/pulumi-terraform-bridge/v3"
_SDK_MODULE = "github.com/hashicorp/terraform-plugin-sdk/v2"
_DOCKER_SOURCE = f"github.com/kreuzwerker/terraform-provider-docker@{pins.DOCKER_PROVIDER}"
_DOCKER_SELF = "github.com/terraform-providers/terraform-provider-docker"
"""What its go.mod calls it, which differs from where it is."""

PULUMI = _go_part(
    "pulumi", f"Pulumi CLI {pins.REGISTRY_CLI}, built with Go", pins.REGISTRY_CLI, "pulumi",
    Program(
        f"{_PULUMI_MODULE}/pkg/v3/cmd/pulumi",
        edits=(f"-require={_PULUMI_MODULE}/pkg/v3@v{pins.REGISTRY_CLI}",),
        ldflags=f"-X {_PULUMI_MODULE}/sdk/v3/go/common/version.Version=v{pins.REGISTRY_CLI}",
    ),
)  # fmt: skip
BRIDGE = _go_part(
    "bridge", f"Terraform bridge {pins.BRIDGE}, which adapts Terraform providers to Pulumi", pins.BRIDGE,
    BRIDGE_PROGRAM,
    Program(
        f"{_BRIDGE_MODULE}/dynamic",
        # replace directives of a dependency do not count, so its own are repeated here
        edits=(
            f"-require={_BRIDGE_MODULE}@v{pins.BRIDGE}",
            f"-replace={_SDK_MODULE}=github.com/pulumi/terraform-plugin-sdk/v2@{pins.TERRAFORM_SDK_FORK}",
        ),
        go_sum_of=f"{_BRIDGE_MODULE}@v{pins.BRIDGE}",
        niceness=5,  # after the CLI, with which it shares a third of its packages
    ),
)  # fmt: skip
DOCKER_PROVIDER = _go_part(
    "docker-provider", "Terraform provider for Docker, built with Go", pins.DOCKER_PROVIDER,
    "terraform-provider-docker",
    Program(
        _DOCKER_SELF,
        edits=(f"-require={_DOCKER_SELF}@v0.0.0-00010101000000-000000000000",),
        go_sum_of=_DOCKER_SOURCE,
        # Without resource docker_compose, which the released SDK does not have, and without builders of images in
        # Kubernetes, whose client is two fifths of all that would be compiled.
        tags=("no_compose",),
        edited=EditedModule(
            _DOCKER_SELF,
            _DOCKER_SOURCE,
            tuple(
                Edit(f"internal/provider/{file}.go", '_ "github.com/docker/buildx/driver/kubernetes"', "")
                for file in ("docker_buildx_build", "resource_docker_buildx_builder")
            ),
        ),
        niceness=10,
    ),
)  # fmt: skip


def _link_aws_provider(context: Context, folder: Path, _: Run) -> None:
    found = aws_provider.find(context.environ)
    if found is None:
        raise UserError("terraform-provider-aws no longer exists.", exit_code=1)
    # The bridge takes the provider's name from the file's, which must not have a version in it.
    (folder / aws_provider.NAME).symlink_to(found.resolve())


def _missing_aws_provider(context: Context) -> list[Missing]:
    if aws_provider.find(context.environ):
        return []
    what = f"the program {aws_provider.NAME} {pins.AWS_PROVIDER}, which is in no package registry"
    if chosen := context.environ.get("TURNSCOPE_AWS_PROVIDER"):
        what += f" (TURNSCOPE_AWS_PROVIDER={chosen} is no file)"
    how = (
        "`terraform providers mirror DIR` on a machine that reaches registry.terraform.io, copy DIR here, unpack "
        f"its zip, and set TURNSCOPE_AWS_PROVIDER to {aws_provider.NAME}_v{pins.AWS_PROVIDER}_x5"
    )
    return [Missing(what, how)]


AWS_PROVIDER = Part(
    "aws-provider", "Terraform provider for AWS, as found on this machine", needs=("pulumi", "bridge"),
    pins=lambda context: (pins.AWS_PROVIDER, context.environ.get("TURNSCOPE_AWS_PROVIDER", "")),
    build=_link_aws_provider, file=aws_provider.NAME, missing=_missing_aws_provider,
)  # fmt: skip


def scripts(context: Context) -> dict[str, str]:
    """The programs that Pulumi looks for on PATH: name -> text of a script. Only for finished providers."""
    python = shlex.quote(sys.executable)
    plugin = shlex.quote(str(HERE / "plugin.py"))
    commands = {
        "pulumi-language-python": f"{python} {shlex.quote(str(HERE / 'language_host.py'))}",
        "pulumi-resource-pulumi-python": f"{python} -u {shlex.quote(str(HERE / 'dynamic_host.py'))}",
    }
    archives = context.store.directory / "archives"
    for name, part in (("aws", AWS_PROVIDER), ("docker", DOCKER_PROVIDER)):
        if part.finished(context) and BRIDGE.finished(context):
            paths = (BRIDGE.path(context), part.path(context), archives)
            arguments = " ".join(shlex.quote(str(path)) for path in paths)
            commands[f"pulumi-resource-{name}"] = f"{python} {plugin} {name} {arguments}"
    return {name: f'#!/bin/sh\nexec {command} "$@"\n' for name, command in commands.items()}


def _write_scripts(context: Context, folder: Path, _: Run) -> None:
    # Pulumi looks for its language host beside itself first, and warns when it finds it elsewhere.
    os.link(PULUMI.path(context), folder / "pulumi")
    for name, text in scripts(context).items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)


WRAPPERS = Part(
    "wrappers", "Python language host and plugins, which run in this Python", needs=("pulumi",),
    pins=lambda context: (*PULUMI.pins(context), *(f"{k}={v}" for k, v in sorted(scripts(context).items()))),
    build=_write_scripts, file="pulumi",
)  # fmt: skip


def _build_collector(context: Context, folder: Path, run: Run) -> None:
    assert context.go is not None  # noqa: S101 (requirements are checked before anything is built)
    otelcol.build(context.go, folder.with_name("collector-source"), folder / otelcol.PROGRAM, run)


COLLECTOR = Part(
    "collector", f"SigNoz collector {otelcol.VERSION}, built with Go",
    pins=lambda _: otelcol.identity(), build=_build_collector, file=otelcol.PROGRAM, uses_go=True,
)  # fmt: skip
DOCKER_ENGINE = Part("docker-engine", "Docker Engine, running on this machine")

PARTS = {
    part.name: part
    for part in (
        PULUMI,
        BRIDGE,
        AWS_PROVIDER,
        Part(**{**vars(DOCKER_PROVIDER), "needs": ("pulumi", "bridge")}),
        WRAPPERS,
        COLLECTOR,
        DOCKER_ENGINE,
    )
}
"""Every part by name; a part comes after what it needs."""
AWS_PARTS = ("pulumi", "aws-provider")
"""What deploying the CloudWatch half takes."""


def closure(names: Collection[str]) -> list[Part]:
    """These parts and all that they need, in an order in which they can be made. Raises UserError."""
    unknown = sorted(set(names) - PARTS.keys())
    if unknown:
        raise UserError(f"No such part of the toolchain: {', '.join(unknown)}. There are: {', '.join(PARTS)}.")
    wanted = set(names)
    for part in reversed(PARTS.values()):
        if part.name in wanted:
            wanted |= set(part.needs)
    if "pulumi" in wanted:
        wanted.add("wrappers")
    return [part for part in PARTS.values() if part.name in wanted]


def unfinished(parts: Iterable[Part], context: Context) -> list[Part]:
    """The parts of the store that have to be made."""
    return [part for part in parts if part.build is not None and not part.finished(context)]
