"""Settings of the images that containers are made from."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ValidationInfo, field_validator

from stacks.settings.fields import Flag, Matching, Model, problem

RegistryPrefix = Annotated[
    str,
    Matching(
        r"[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?(/[a-z0-9._-]+)*",
        "a registry's host, with a path where it has one, such as registry.example.com/mirror",
    ),
]

ImageReference = Annotated[
    str,
    Matching(
        r"[a-z0-9][A-Za-z0-9._:/-]*:(?!latest(@|$))[A-Za-z0-9._-]+(@sha256:[0-9a-f]{64})?",
        "an image with its tag, other than latest",
    ),
]


class Images(Model):
    """Where images come from. Their digests are pinned in `stacks/<stack>.lock.yaml` (`turnscope lock <stack>`)."""

    source: Literal["registry", "lab"] = "registry"
    """`registry`; or `lab`: images built on this machine from package registries, only in environment local."""
    registry: RegistryPrefix | None = None
    """A mirror whose paths are Docker Hub's (`<registry>/signoz/signoz`); null for Docker Hub itself."""
    login: Flag = False
    """The registry asks who you are: use what `docker login` keeps on the machine that deploys."""
    server: ImageReference | None = None
    """A real image of SigNoz' server that this machine has, in place of the lab's stand-in; with source lab."""
    edition: Literal["default", "community"] = "default"
    """`default`: the image that SigNoz recommends, whose parts under `ee/` need a subscription in production;
    `community`: built from the MIT-licensed parts alone, from release 0.76 on."""

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
