"""The real telemetry of every livekit-agents that the environment names."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import machine

PYTHONS_VARIABLE = "TURNSCOPE_LIVEKIT_PYTHONS"
"""Interpreters that have livekit-agents, the lowest supported and the newest, separated as in PATH."""
NO_PYTHON = f"NOT TESTED: {PYTHONS_VARIABLE} names no interpreter with livekit-agents (`make contract` does)"


collect_ignore = [] if importlib.util.find_spec("livekit") else ["test_agent_livekit.py"]
"""Needs LiveKit's own interpreter, which `test_livekit.py` runs it with."""


def livekit_pythons() -> list[Path]:
    return [Path(each) for each in os.environ.get(PYTHONS_VARIABLE, "").split(os.pathsep) if each]


@pytest.fixture(scope="session", autouse=True)
def own_run() -> Iterator[None]:
    """Nothing of this run is left afterwards, nor of one before that was interrupted."""
    machine.begin()
    yield
    machine.end()


def name_of(python: Path | None) -> str:
    """The folder of an interpreter's environment."""
    return python.parts[-3] if python else "none"


@pytest.fixture(scope="session", params=livekit_pythons() or [None], ids=name_of)
def emission(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The `Emission` of an agent with this interpreter's livekit-agents."""
    if request.param is None:
        pytest.skip(NO_PYTHON)
    # Imported here: where LiveKit's own interpreter runs these tests it has nothing of the engine's.
    from tests.contract.emission import emitted
    from tests.integration.collector_program import collector_program

    return emitted(request.param.absolute(), collector_program(), tmp_path_factory.mktemp("emission") / "collector")
