"""The real telemetry of every livekit-agents that the environment names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

PYTHONS_VARIABLE = "TURNSCOPE_LIVEKIT_PYTHONS"
"""Interpreters that have livekit-agents, the lowest supported and the newest, separated as in PATH."""


def livekit_pythons() -> list[Path]:
    return [Path(each) for each in os.environ.get(PYTHONS_VARIABLE, "").split(os.pathsep) if each]


@pytest.fixture(scope="session", params=livekit_pythons() or [None], ids=lambda python: python and python.parts[-3])
def emission(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The `Emission` of an agent with this interpreter's livekit-agents."""
    if request.param is None:
        pytest.skip(f"NOT TESTED: {PYTHONS_VARIABLE} names no interpreter with livekit-agents (`make contract` does)")
    # Imported here: where LiveKit's own interpreter runs these tests it has nothing of the engine's.
    from tests.contract.emission import emitted
    from tests.integration.collector_program import collector_program

    return emitted(request.param.absolute(), collector_program(), tmp_path_factory.mktemp("emission") / "collector")
