"""A second checkout whose stack has the names of one that is on the Docker host."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import UserError
from turnscope.deployment.other_checkout import Held, refuse_other_checkout

HOST = "unix:///var/run/docker.sock"


def nothing_known() -> set[str]:
    return set()


def never_asked() -> set[str]:
    raise AssertionError("the state is asked for, which takes a second")


def held(checkout: object, *kinds: str) -> list[Held]:
    return [Held(kind, f"id-{kind}", f"turnscope-local-{kind}", str(checkout)) for kind in kinds]


def refusal(found: list[Held], project: Path, known: set[str] | None = None) -> str:
    with pytest.raises(UserError) as refused:
        refuse_other_checkout(found, "local", project, HOST, lambda: known or set())
    assert refused.value.exit_code == 2
    return str(refused.value)


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    (tmp_path / "mine").mkdir()
    return tmp_path / "mine"


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    (tmp_path / "theirs").mkdir()
    return tmp_path / "theirs"


def test_what_this_checkout_made_and_what_has_no_label_is_no_obstacle(mine: Path) -> None:
    refuse_other_checkout([*held(mine, "container", "volume"), *held("", "network")], "local", mine, HOST, never_asked)


@pytest.mark.parametrize("kind", ["container", "network"])
def test_another_checkouts_stack_is_refused_with_its_folder_and_what_to_do(kind: str, mine: Path, theirs: Path) -> None:
    message = refusal([*held(mine, "volume"), *held(theirs, kind)], mine, {f"id-{kind}"})
    assert str(theirs) in message
    assert f"{kind} turnscope-local-{kind}" in message
    assert "turnscope teardown local" in message
    assert "turnscope:lab.aws_port" in message
    assert str(mine) not in message


def test_data_that_another_checkout_keeps_is_not_adopted(mine: Path, theirs: Path) -> None:
    message = refusal(held(theirs, "volume"), mine)
    assert "keeps the data of its stack local" in message
    assert f"docker -H {HOST} volume rm turnscope-local-volume" in message


def test_what_a_deleted_checkout_left_is_named_with_the_commands_that_delete_it(mine: Path) -> None:
    message = refusal(held("/nonexistent/checkout", "container", "network", "volume"), mine)
    assert "/nonexistent/checkout" in message
    assert f"docker -H {HOST} container rm --force turnscope-local-container" in message
    assert f"docker -H {HOST} network rm turnscope-local-network" in message
    assert "volume rm" not in message


def test_a_checkout_that_was_moved_goes_on_with_its_own_stack(mine: Path) -> None:
    """Its state came along and knows the containers; data in volumes is then its own too."""
    found = held("/nonexistent/before", "container", "network", "volume")
    refuse_other_checkout(found, "local", mine, HOST, lambda: {"id-container", "id-network"})
    assert "container rm" in refusal(found, mine, {"id-network"})


def test_data_of_a_deleted_checkout_is_adopted(mine: Path) -> None:
    refuse_other_checkout(held("/nonexistent/checkout", "volume"), "local", mine, HOST, nothing_known)


def test_a_long_list_is_cut(mine: Path, theirs: Path) -> None:
    found = [Held("container", str(number), f"c{number}", str(theirs)) for number in range(5)]
    assert "(container c0, container c1, container c2 and 2 more)" in refusal(found, mine)
