"""The lock files: production has what deploying needs and nothing else, at the versions that are tested."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from importlib import metadata
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.unit.conftest import ROOT

BUILD = "setuptools"
"""Installs Turnscope itself where there is no network."""
LOCKS = (
    "requirements.lock",
    "requirements-dev.lock",
    "requirements-livekit-lowest.lock",
    "requirements-livekit-newest.lock",
)


def locked(lock: str) -> dict[str, str]:
    """Versions by name."""
    return dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / lock).read_text(), re.MULTILINE))


def project(folder: str = ".") -> dict[str, Any]:
    return tomllib.loads((ROOT / folder / "pyproject.toml").read_text())["project"]


def needed(requirements: Iterable[str]) -> set[str]:
    """Names of what `requirements` need, over any number of others, as this environment's packages say."""
    found: set[str] = set()
    waiting = [(Requirement(each), "") for each in requirements]
    seen: set[str] = set()
    while waiting:
        requirement, extra = waiting.pop()
        if str(requirement) in seen or (requirement.marker and not requirement.marker.evaluate({"extra": extra})):
            continue
        seen.add(str(requirement))
        found.add(canonicalize_name(requirement.name))
        for each in metadata.requires(requirement.name) or ():
            waiting += [(Requirement(each), extra) for extra in ("", *requirement.extras)]
    return found


def test_production_has_what_deploying_needs_and_nothing_of_the_lab_or_of_tests() -> None:
    assert set(locked("requirements.lock")) == needed(project()["dependencies"]) | {BUILD}


def test_development_has_the_lab_and_the_tests_too() -> None:
    extras = project()["optional-dependencies"]
    assert set(locked("requirements-dev.lock")) == needed([*project()["dependencies"], *extras["lab"], *extras["dev"]])


def test_production_has_the_versions_that_are_tested() -> None:
    assert locked("requirements.lock").items() <= locked("requirements-dev.lock").items()


def test_the_lowest_livekit_agents_that_is_tested_is_the_one_that_is_promised() -> None:
    (promised,) = (each for each in project("agent")["dependencies"] if each.startswith("livekit-agents"))
    assert promised == f"livekit-agents>={locked('requirements-livekit-lowest.lock')['livekit-agents']}"


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_versions_and_hashes_only(lock: str) -> None:
    """Nothing of the machine that made it, such as an index or a folder."""
    lines = (ROOT / lock).read_text().splitlines()
    assert [
        each for each in lines if not re.fullmatch(r"[\w.-]+==\S+ \\|    --hash=sha256:[0-9a-f]{64}( \\)?", each)
    ] == []
