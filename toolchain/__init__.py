"""Pulumi on any machine: found, downloaded, or built from package registries. See docs/how-to/toolchain.md."""

from toolchain.model import PartStatus, Toolchain
from toolchain.parts import AWS_PARTS, PARTS
from toolchain.provision import ensure, status

__all__ = ["AWS_PARTS", "PARTS", "PartStatus", "Toolchain", "ensure", "status"]
