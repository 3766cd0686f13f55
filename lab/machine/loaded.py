"""Lab images in the machine that SigNoz runs on, as a resource of the deployment.

Its machine has a Docker engine of its own, and no registry to pull from. The Docker provider's address comes from this
resource, so no container is made before its image is there.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pulumi
from pulumi import dynamic

from core.errors import UserError
from core.project import find_project
from lab.guard import refuse_outside_local
from lab.machine.images import load_images
from stacks.settings.loading import load

MODULE, LOADED_TYPE = "lab", "LoadedImages"
COMPARED = ("instance", "docker", "references")

Props = dict[str, Any]


class LabError(Exception):
    """A clear sentence for whoever deploys; the engine shows it (`turnscope.deployment.progress`)."""


class LoadedImagesProvider(dynamic.ResourceProvider):
    """Runs in a process of the engine, in the project's folder."""

    serialize_as_secret_always = False

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()

    def diff(self, _id: str, _olds: Props, _news: Props) -> dynamic.DiffResult:
        return dynamic.DiffResult(changes=any(_olds.get(name) != _news.get(name) for name in COMPARED))

    def create(self, props: Props) -> dynamic.CreateResult:
        return dynamic.CreateResult(str(props["stack"]), _loaded(props))

    def update(self, _id: str, _olds: Props, _news: Props) -> dynamic.UpdateResult:
        return dynamic.UpdateResult(_loaded(_news))


class LoadedImages(dynamic.Resource, module=MODULE, name=LOADED_TYPE):
    """Images of this machine's Docker engine, copied into that of an instance: once it is made, and again for another
    instance or other images. Fails the deployment with a sentence. Deletion leaves them, on the data volume."""

    address: pulumi.Output[str]
    """Docker's on the instance, once it has the images."""

    def __init__(
        self,
        name: str,
        *,
        stack: str,
        instance: pulumi.Input[str],
        docker: pulumi.Input[str],
        references: Collection[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`instance`: its identifier; `docker`: its Docker engine's address, once that answers; `references`: images,
        as `NAME:TAG`."""
        props = {"stack": stack, "instance": instance, "docker": docker, "references": sorted(references)}
        super().__init__(LoadedImagesProvider(), name, {**props, "address": None}, opts)


def _loaded(props: Props) -> Props:
    try:
        refuse_outside_local(load(str(props["stack"]), find_project().root).environment)
        load_images(str(props["instance"]), [str(each) for each in props["references"]])
    except UserError as error:
        raise LabError(str(error)) from None
    return {**props, "address": props["docker"]}
