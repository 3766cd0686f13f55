"""SigNoz' collector from its Go modules: one program that runs, or only validates, a collector's configuration.

`main.go` lists the components that `templates/collector.yaml.j2` uses. Versions are those of SigNoz' own go.mod,
replacements included, so this is the code that its image runs.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from pathlib import Path

from toolchain import pins
from toolchain.golang import Go, Run

MODULE = "github.com/SigNoz/signoz-otel-collector"
# The nearest to the release's own (`core.releases`) that the module proxy has. From 0.144.13 on the migrations tell
# of a column that server 0.138.0 does not know, and its queries fail with "no base evolution found".
VERSION = "0.144.9"
PROGRAM = "signoz-otelcol"
MAIN = Path(__file__).with_name("main.go")


def identity() -> tuple[str, ...]:
    """What decides whether a program that was built earlier still serves."""
    return VERSION, hashlib.sha256(MAIN.read_bytes()).hexdigest(), sys.platform, pins.terraform_platform()


def build(go: Go, workspace: Path, output: Path, run: Run) -> None:
    """Build the program in the new folder `workspace`; 5 minutes on 2 cores, most of them for Prometheus' discovery."""
    workspace.mkdir(parents=True)
    answer = run([go.command, "mod", "download", "-json", f"{MODULE}@v{VERSION}"], workspace, go.env)
    source = Path(json.loads(answer[answer.index("{") :])["Dir"])
    # Its replace directives count only in the main module, so its go.mod becomes this module's.
    go_mod = re.sub(r"^module .*$", "module toolchain/collector", (source / "go.mod").read_text(), count=1, flags=re.M)
    (workspace / "go.mod").write_text(go_mod)
    (workspace / "go.sum").write_bytes((source / "go.sum").read_bytes())
    (workspace / "main.go").write_bytes(MAIN.read_bytes())
    run([go.command, "mod", "edit", f"-require={MODULE}@v{VERSION}"], workspace, go.env)
    flags = ["-mod=mod", "-buildvcs=false", f"-ldflags=-s -w -X main.version={VERSION}"]
    run([go.command, "build", *flags, "-o", str(output), "."], workspace, go.env)
