"""The versions everything is built from or downloaded at, and the platform names of each publisher."""

import platform
import sys

MINIMUM_CLI = (3, 150, 0)
"""The oldest `pulumi` on PATH that is used as it is."""
RELEASE_CLI = "3.272.0"
"""The released CLI that is downloaded; the same version as the Python SDK."""
REGISTRY_CLI = "3.200.0"
"""The newest version of the CLI's Go module that the module proxy serves."""
BRIDGE = "3.100.0"
"""The last version of the Terraform bridge that has the dynamic provider inside its own Go module."""
TERRAFORM_SDK_FORK = "v2.0.0-20240520223432-0c0bf0d65f10"
"""The fork of terraform-plugin-sdk that the bridge's go.mod replaces the original with."""
DOCKER_PROVIDER = "v0.0.0-20260916201441-96d331c98ff4"
AWS_PROVIDER = "5.100.0"
"""The Terraform provider that the AWS plugin was checked against (docs/how-to/toolchain.md)."""
GO = "1.25.8"
"""The lowest Go that all the builds accept."""
GO_SWITCHING = (1, 21)
"""The first Go that can fetch a newer Go for itself through the module proxy: https://go.dev/doc/toolchain"""
SDK = {"aws": "7.51.1", "docker": "5.2.0"}
"""The released Pulumi SDKs whose resource names the plugins serve."""


def release_platform() -> str:
    """The platform part of a Pulumi release's file name, such as `linux-x64` or `darwin-arm64`."""
    system = "darwin" if sys.platform == "darwin" else "linux"
    return f"{system}-{'arm64' if _is_arm() else 'x64'}"


def terraform_platform() -> str:
    """The platform as Terraform's provider folders name it, such as `linux_amd64`."""
    system = "darwin" if sys.platform == "darwin" else "linux"
    return f"{system}_{'arm64' if _is_arm() else 'amd64'}"


def _is_arm() -> bool:
    return platform.machine().lower() in ("arm64", "aarch64")
