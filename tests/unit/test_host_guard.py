"""What of SigNoz' machine cannot change is refused before anything is touched."""

from __future__ import annotations

from typing import Any

import pytest

from core.errors import UserError
from host.plan.build import plan_host
from host.plan.model import HostPlan
from tests.unit.conftest import HOST, settings_with
from turnscope.deployment.host_guard import INSTANCE, VOLUME, instance_of, on_the_machine, refuse_host_changes


def plan(**host: Any) -> HostPlan:
    found = plan_host("example", settings_with(host={**HOST, **host}))
    assert found
    return found


def state(type_: str = "m7g.xlarge", size: float = 200.0, image: str = "ami-00000001") -> list[dict[str, Any]]:
    """As the engine has it: numbers are floats; what is about to be deleted is still in it."""
    return [
        {"type": INSTANCE, "urn": "a", "id": "i-0", "inputs": {"instanceType": "t3.large"}, "delete": True},
        {"type": INSTANCE, "urn": "b", "id": "i-1", "inputs": {"instanceType": type_, "ami": image}},
        {"type": VOLUME, "urn": "c", "inputs": {"size": size}},
        {"type": "docker:index/network:Network", "urn": "d", "inputs": {}},
        {"type": "pulumi-python:dynamic/signoz:Dashboard", "urn": "e", "inputs": {}},
    ]


@pytest.mark.parametrize(
    "host",
    [
        {},
        {"instance_type": "m8g.large"},
        {"data_volume": {"size_gib": 300}},
        {"instance_type": "m7i.large", "image_id": "ami-00000002"},
    ],
)
def test_what_can_change_may(host: dict[str, Any]) -> None:
    refuse_host_changes(plan(**host), state())
    refuse_host_changes(plan(**host), [])


@pytest.mark.parametrize("image", [None, "ami-00000001"])
def test_another_architecture_takes_another_image(image: str | None) -> None:
    with pytest.raises(UserError, match=r"m7i.large \(x86_64\) after m7g.xlarge \(arm64\): allowed with host.image_id"):
        refuse_host_changes(plan(instance_type="m7i.large", image_id=image), state())


def test_a_volume_does_not_shrink() -> None:
    with pytest.raises(UserError, match="size_gib: 100: allowed: at least 200") as raised:
        refuse_host_changes(plan(data_volume={"size_gib": 100}), state())
    assert raised.value.exit_code == 2


def test_the_machine_and_what_is_on_it() -> None:
    assert instance_of(state()) == "i-1"
    assert instance_of([]) is None
    assert on_the_machine(state()) == ["d", "e"]
