"""Where the engine keeps a stack's state, and what it needs in its environment.

Stack `local` keeps its state below the project with a passphrase made once; every other stack uses the backend
that the user chose (`pulumi login`, or PULUMI_BACKEND_URL), as plain `pulumi` does.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

import yaml

from core.environments import Environment
from core.errors import UserError
from core.project import Project

WITHOUT_SIDECARS = "metadata=skip"
"""Else the backend writes a `.attrs` file beside each state file, in place: an engine killed in that moment leaves it
empty, and every later command ends with `failed to load checkpoint: EOF`. The state file itself is renamed into place.
https://pkg.go.dev/gocloud.dev/blob/fileblob#URLOpener"""

CLOUD = "https://api.pulumi.com"


def engine_environment(project: Project, where: Environment, toolchain: Mapping[str, str]) -> dict[str, str]:
    """Environment variables for `pulumi` on a stack of environment `where`, upon those of this process.

    Raises `UserError` where a stack other than a local one has no backend.
    """
    environment = {"PULUMI_SKIP_UPDATE_CHECK": "true", "PYTHONUNBUFFERED": "1", **toolchain}
    if where == Environment.LOCAL:
        state = project.private / "state"
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        environment["PULUMI_BACKEND_URL"] = f"{state.as_uri()}?{WITHOUT_SIDECARS}"
        environment["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(_passphrase_file(project))
    elif not _backend(project):
        raise UserError(
            f"Environment {where} has no Pulumi backend for its state yet. Choose one:\n"
            "  pulumi login s3://BUCKET     (or another backend, or Pulumi Cloud: pulumi login)\n"
            "  export PULUMI_BACKEND_URL=s3://BUCKET",
        )
    return environment


def _passphrase_file(project: Project) -> Path:
    path = project.private / "passphrase"
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32))
    return path


def saves_once(project: Project, environment: Mapping[str, str]) -> dict[str, str]:
    """Environment variables that have the engine save the state once, at the end of a run; none for Pulumi Cloud, to
    which it sends a journal of its own (github.com/pulumi/pulumi, pkg/backend/httpstate/journal).
    """
    url = environment.get("PULUMI_BACKEND_URL") or _backend(project) or ""
    return {} if url.startswith(("http://", "https://")) else {"PULUMI_SKIP_CHECKPOINTS": "true"}


def _backend(project: Project) -> str | None:
    """Where the engine would look for states, in its own order: environment, project file, last login."""
    if url := os.environ.get("PULUMI_BACKEND_URL"):
        return url
    declared = yaml.safe_load((project.root / "Pulumi.yaml").read_text()).get("backend") or {}
    if url := declared.get("url"):
        return url
    if os.environ.get("PULUMI_ACCESS_TOKEN"):
        return CLOUD
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    try:
        return json.loads((home / "credentials.json").read_text()).get("current")
    except (OSError, ValueError):
        return None
