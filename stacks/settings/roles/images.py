"""Settings of the images that containers are made from."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ValidationInfo, field_validator

from stacks.settings.fields import Flag, Matching, Model, problem

RegistryPrefix = Annotated[
    str,
    Matching(
        r"[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?(/[a-z0-9._-]+)*",
        "the host of a registry, with an optional path, such as registry.example.com/mirror",
    ),
]

ImageReference = Annotated[
    str,
    Matching(
        r"[a-z0-9][A-Za-z0-9._:/-]*:(?!latest(@|$))[A-Za-z0-9._-]+(@sha256:[0-9a-f]{64})?",
        "an image with a tag other than latest",
    ),
]


class Images(Model):
    """Source of images. Their digests are pinned in `stacks/<stack>.lock.yaml` (`turnscope lock <stack>`)."""

    source: Literal["registry", "lab"] = "registry"
    """`registry`; or `lab`: images built on this machine from package registries, only in environment local."""
    registry: RegistryPrefix | None = None
    """A mirror with the paths of Docker Hub (`<registry>/signoz/signoz`); null for Docker Hub."""
    login: Flag = False
    """The registry requires a login: use the credentials of `docker login` on the deploying machine."""
    server: ImageReference | None = None
    """A real image of the SigNoz server on this machine, instead of the lab's stand-in; only with source lab."""
    edition: Literal["default", "community"] = "default"
    """`default`: the image that SigNoz recommends, whose parts under `ee/` require a subscription in production;
    `community`: built from the MIT-licensed parts only, from release 0.76 on."""

    @field_validator("server")
    @classmethod
    def _only_in_the_lab(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value and info.data.get("source") == "registry":
            raise problem("allowed: null with source registry")
        return value

    @field_validator("registry")
    @classmethod
    def _none_in_the_lab(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value and info.data.get("source") == "lab":
            raise problem("allowed: null with source lab")
        return value

    @field_validator("login")
    @classmethod
    def _to_a_registry(cls, value: bool, info: ValidationInfo) -> bool:
        if value and info.data.get("registry", "") is None:
            raise problem("allowed: false without registry")
        return value
