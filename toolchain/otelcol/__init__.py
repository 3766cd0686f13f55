"""SigNoz' collector from its Go modules: one program that runs, or only validates, a collector's configuration.

`main.go` lists the components that `templates/collector.yaml.j2` uses. Versions are those of SigNoz' own go.mod,
replacements included, so this is the code that its image runs.
"""

from __future__ import annotations

import hashlib
import re
import sys
from pathlib import Path

from toolchain import golang, pins
from toolchain.golang import Edit, EditedModule, Go, Program, Run

MODULE = "github.com/SigNoz/signoz-otel-collector"
# The nearest to the release's own (`core.releases`) that the module proxy has. From 0.144.13 on the migrations tell
# of a column that server 0.138.0 does not know, and its queries fail with "no base evolution found".
VERSION = "0.144.9"
PROGRAM = "signoz-otelcol"
MAIN = Path(__file__).with_name("main.go")

_PROMETHEUS_RECEIVER = "github.com/open-telemetry/opentelemetry-collector-contrib/receiver/prometheusreceiver"
_DISCOVERY = "github.com/prometheus/prometheus/discovery"
# The receiver imports Prometheus' discovery of targets in 25 clouds, whose clients are three fifths of all that would
# be compiled. Rendered configurations have static targets; lists of targets in files and over HTTP stay too.
_EDITS = (
    Edit("factory.go", f'"{_DISCOVERY}/install"', f'"{_DISCOVERY}/file"'),
    # It validates the HTTP client of Kubernetes' discovery, and with this that of HTTP's.
    Edit("config.go", f'"{_DISCOVERY}/kubernetes"', f'kubernetes "{_DISCOVERY}/http"'),
)


def identity() -> tuple[str, ...]:
    """What decides whether a program that was built earlier still serves."""
    main = hashlib.sha256(MAIN.read_bytes()).hexdigest()
    return VERSION, main, repr(_EDITS), sys.platform, pins.terraform_platform()


def build(go: Go, workspace: Path, output: Path, run: Run) -> None:
    """Build the program in the new folder `workspace`."""
    workspace.mkdir(parents=True)
    source = golang.downloaded(go, f"{MODULE}@v{VERSION}", workspace, run)
    # Its replace directives count only in the main module, so its go.mod becomes this module's.
    go_mod = re.sub(r"^module .*$", "module toolchain/collector", (source / "go.mod").read_text(), count=1, flags=re.M)
    (workspace / "go.mod").write_text(go_mod)
    (workspace / "go.sum").write_bytes((source / "go.sum").read_bytes())
    (workspace / "main.go").write_bytes(MAIN.read_bytes())
    found = re.search(rf"{re.escape(_PROMETHEUS_RECEIVER)} (v\S+)", go_mod)
    if not found:
        raise OSError(f"{MODULE} {VERSION} does not require {_PROMETHEUS_RECEIVER}")
    program = Program(
        ".",
        edits=(f"-require={MODULE}@v{VERSION}",),
        ldflags=f"-X main.version={VERSION}",
        edited=EditedModule(_PROMETHEUS_RECEIVER, f"{_PROMETHEUS_RECEIVER}@{found[1]}", _EDITS),
        niceness=10,
    )
    golang.build_module(program, go, workspace, output, run)
