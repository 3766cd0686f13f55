"""Settings and plans for unit tests; no file of a real stack is read where a test is about numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from cloudwatch.plan.build import plan_cloudwatch
from cloudwatch.plan.model import CloudWatchPlan
from stacks.settings.model import Settings
from tests.stack_settings import validate

# How long an example takes says something about the machine, not about the code.
hypothesis_settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("untimed")

ROOT = Path(__file__).parents[2]

MINIMAL: dict[str, Any] = {
    "environment": "dev",
    "owner": "tests",
    "runbook_base_url": "https://runbooks.example.com",
    "agents": {"receptionist": {}},
}
SECURE = {"secure": "v1:x"}
SIGNOZ: dict[str, Any] = {
    "root_user": {"email": "ops@example.com", "password": SECURE},
    "jwt_secret": SECURE,
    "clickhouse": {"password": SECURE},
    "collector": {"tokens": {"agents": SECURE}},
}
"""The least settings of SigNoz."""
EXISTING: dict[str, Any] = {"url": "https://acme.us.signoz.cloud", "api_key": SECURE}
"""The least settings of a SigNoz that is there already."""
HOST: dict[str, Any] = {
    "domain": "signoz.example.com",
    "acme_email": "ops@example.com",
    "allowed_networks": {"ui": ["203.0.113.0/24"], "otlp": ["198.51.100.0/24"]},
}
"""The least settings of a machine for SigNoz."""

MakePlan = Callable[..., CloudWatchPlan]


def settings_with(**over: Any) -> Settings:
    """The least settings, and what is given over them."""
    for_the_machine = {"signoz": SIGNOZ} if "host" in over else {}
    return validate({**MINIMAL, **for_the_machine, **over}, source=Path("test"))


@pytest.fixture
def make_plan() -> MakePlan:
    """`make_plan(stack="dev", **settings)`: a plan from the least settings and what is given over them."""

    def make(stack: str = "dev", **over: Any) -> CloudWatchPlan:
        return plan_cloudwatch(stack, settings_with(**over))

    return make
