"""Where the engine keeps a local stack's state."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from core.environments import Environment
from core.project import Project
from turnscope.deployment.backend import engine_environment


def test_a_local_state_has_no_file_that_a_killed_engine_leaves_half_written(tmp_path: Path) -> None:
    """`metadata=skip`: the backend otherwise rewrites a `.attrs` file in place with each checkpoint."""
    url = urlsplit(engine_environment(Project(tmp_path), Environment.LOCAL, {})["PULUMI_BACKEND_URL"])
    assert (url.scheme, url.path) == ("file", str(tmp_path / ".turnscope" / "state"))
    assert parse_qs(url.query) == {"metadata": ["skip"]}
