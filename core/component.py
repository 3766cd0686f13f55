"""What every component here shares."""

from __future__ import annotations

from collections.abc import Callable

import pulumi

from core.secrets.reference import SecretRef

ReadSecret = Callable[[SecretRef], pulumi.Output[str]]
"""Turns a reference into its value; the value is a Pulumi secret."""


class Component(pulumi.ComponentResource):
    """A component with type token `turnscope:<module>:<Class>`; its children have it as parent."""

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        kind = type(self)
        super().__init__(f"turnscope:{kind.__module__.rpartition('.')[2]}:{kind.__name__}", name, None, opts)

    def child(self, opts: pulumi.ResourceOptions | None = None) -> pulumi.ResourceOptions:
        """Options of a child: `opts` first, so that nothing in them replaces this component as the parent."""
        return pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(parent=self))
