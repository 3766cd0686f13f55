"""Pulumi on any machine: found, downloaded, or built from package registries. See docs/how-to/toolchain.md."""

from toolchain.commands import Commands
from toolchain.model import PartStatus, Toolchain
from toolchain.parts import AWS_PARTS, PARTS
from toolchain.provision import ensure, status, supply, to_build

__all__ = [
    "AWS_PARTS",
    "PARTS",
    "Commands",
    "PartStatus",
    "Toolchain",
    "ensure",
    "status",
    "supply",
    "to_build",
]
