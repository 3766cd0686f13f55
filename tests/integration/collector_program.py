"""SigNoz' own collector components, out of the toolchain."""

from __future__ import annotations

import os
from pathlib import Path

from rich.console import Console

from toolchain import build, golang
from toolchain.commands import Commands
from toolchain.parts import PARTS, Context
from toolchain.store import Store, default_directory


def collector_program() -> Path:
    """The toolchain's part `collector`, built when it is not there."""
    part, store = PARTS["collector"], Store(default_directory(os.environ))
    go = golang.find(os.environ)
    context = Context(store, os.environ, go if isinstance(go, golang.Go) else None)
    if not part.finished(context):
        assert context.go is not None, f"{go}; Go is needed to build SigNoz' collector"
        with store.lock(lambda _: None), build.Progress(Console(), store) as progress:
            if not part.finished(context):
                build.make([part], context, progress, Commands())
    return part.path(context)
