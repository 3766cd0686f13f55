"""Pulumi on any machine: found, downloaded, or built from package registries. See docs/how-to/toolchain.md."""

from earshot.toolchain.model import PartStatus, Toolchain
from earshot.toolchain.parts import AWS_PARTS, PARTS
from earshot.toolchain.provision import ensure, status

__all__ = ["AWS_PARTS", "PARTS", "PartStatus", "Toolchain", "ensure", "status"]
