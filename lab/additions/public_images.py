"""Debian's images, and the parameters that name the newest.

Debian publishes its AMIs' ids as public parameters, by release and architecture.
https://wiki.debian.org/Cloud/AmazonEC2Image/Trixie

moto knows Amazon Linux's alone. The ids here are made up; every image is the same lab image.
"""

from __future__ import annotations

import hashlib
from typing import Any

from moto.core.utils import utcnow
from moto.ec2.models.amis import Ami, AmiBackend
from moto.ssm.models import Parameter, ParameterDict

OWNER = "136693071363"
"""Debian's account."""
PATH = "/aws/service/debian/release/"
RELEASES = {"12": "20260801-2190", "13": "20260801-2190"}
ARCHITECTURES = {"amd64": "x86_64", "arm64": "arm64"}

_load_amis = AmiBackend._load_amis  # pyright: ignore[reportPrivateUsage]
_check_loading_status = ParameterDict._check_loading_status  # pyright: ignore[reportPrivateUsage]


def image_id(region: str, release: str, architecture: str) -> str:
    return "ami-" + hashlib.sha256(f"debian {region} {release} {architecture}".encode()).hexdigest()[:17]


def load_amis(self: AmiBackend) -> None:
    _load_amis(self)
    region: str = self.region_name  # pyright: ignore[reportAttributeAccessIssue]
    for release, version in RELEASES.items():
        for name, architecture in ARCHITECTURES.items():
            found = image_id(region, release, name)
            made: Any = Ami(
                self, found, name=f"debian-{release}-{name}-{version}", owner_id=OWNER, public=True,
                virtualization_type="hvm", architecture=architecture, hypervisor="xen", root_device_type="ebs",
                root_device_name="/dev/xvda", image_location=f"amazon/debian-{release}-{name}-{version}",
                description=f"Debian {release} ({version})", region_name=region,
            )  # fmt: skip
            self.amis[found] = made


def check_loading_status(self: ParameterDict, key: str) -> None:
    _check_loading_status(self, key)
    if not str(key or "").startswith(PATH) or "debian_loaded" in vars(self):
        return
    vars(self)["debian_loaded"] = True
    for release in RELEASES:
        for name in ARCHITECTURES:
            path = f"{PATH}{release}/latest/{name}"
            dict.__setitem__(self, path, [_parameter(self, path, image_id(self.region_name, release, name))])


def _parameter(parameters: ParameterDict, name: str, value: str) -> Parameter:
    made: Any = Parameter(
        account_id=parameters.account_id, name=name, value=value, parameter_type="String", description=None,
        allowed_pattern=None, keyid=None, last_modified_date=utcnow(), version=1, data_type="aws:ec2:image",
    )  # fmt: skip
    return made


def install() -> None:
    AmiBackend._load_amis = load_amis  # pyright: ignore[reportPrivateUsage]
    ParameterDict._check_loading_status = check_loading_status  # pyright: ignore[reportPrivateUsage]
