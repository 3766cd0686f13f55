"""The release catalogue and the way between releases."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import UserError
from core.releases import CATALOGUE, CLASSIC, CURRENT, VERSIONS, Coordination, find_release, upgrade_path
from core.roles import Role

VERSION = st.sampled_from(VERSIONS)


def test_catalogue_is_in_order_of_versions() -> None:
    """`upgrade_path` walks the catalogue in its order."""
    assert all(before.key < after.key for before, after in itertools.pairwise(CATALOGUE))


@pytest.mark.parametrize("release", CATALOGUE, ids=VERSIONS)
def test_every_image_is_named_by_version(release) -> None:
    """An image without a version, or `latest`, would be another one tomorrow."""
    for repository, tag in release.images.values():
        assert repository
        assert tag.lstrip("v")[0].isdigit(), f"{repository}:{tag}"


@pytest.mark.parametrize("release", CATALOGUE, ids=VERSIONS)
def test_versions_that_belong_together_are_together(release) -> None:
    """The collector and its migrator share a version, and Keeper has ClickHouse's."""
    images = release.images
    assert images[Role.COLLECTOR][1].lstrip("v") == images[Role.MIGRATOR][1].lstrip("v") == release.collector
    if release.coordination is Coordination.KEEPER:
        assert images[Role.KEEPER][1] == images[Role.CLICKHOUSE][1]


def test_roles_of_classic_and_current() -> None:
    """Up to 0.75 query service, frontend and alertmanager are containers; later one container does all of it."""
    split = {Role.QUERY_SERVICE, Role.FRONTEND, Role.ALERTMANAGER}
    assert split <= set(CLASSIC.roles)
    assert Role.SIGNOZ not in CLASSIC.roles
    assert not split & set(CURRENT.roles)
    assert Role.SIGNOZ in CURRENT.roles
    assert (CLASSIC.pages, CURRENT.pages) == ((Role.FRONTEND, 3301), (Role.SIGNOZ, 8080))


def test_clickhouse_is_new_enough_for_the_migrator() -> None:
    """From 0.131 on the migrator uses a setting that ClickHouse has from 25.12 on (charts#895)."""
    for release in CATALOGUE:
        if release.key >= (0, 131, 0):
            assert release.clickhouse.startswith("25.12.")


@given(VERSION, VERSION)
def test_upgrades_go_forward_over_every_stop(installed: str, wanted: str) -> None:
    """No stop between is left out, nothing else is on the way, and the goal is its end."""
    start, goal = find_release(installed), find_release(wanted)
    if goal.key < start.key:
        with pytest.raises(UserError, match="backup"):
            upgrade_path(installed, wanted)
        return
    passed = [step.release for step in upgrade_path(installed, wanted)]
    stops = [each for each in CATALOGUE if each.stop and start.key < each.key < goal.key]
    assert passed == ([*stops, goal] if start != goal else [])


def test_mandatory_stop_of_0_86_2() -> None:
    """signoz#8655: nobody gets from below 0.86 past it without stopping there."""
    assert "0.86.2" in [step.release.version for step in upgrade_path("0.75.0", CURRENT.version)]


def test_steps_say_when_clickhouse_changes() -> None:
    """ClickHouse is upgraded before the migrator of the same step; a step that hides it would break there."""
    changes = {step.release.version: step.clickhouse_changes for step in upgrade_path("0.75.0", "0.138.0")}
    assert changes == {"0.86.2": False, "0.129.0": True, "0.138.0": True}


def test_unknown_release_names_what_is_there() -> None:
    with pytest.raises(UserError, match=r"Did you mean 0\.138\.0\?.*0\.75\.0"):
        find_release("0.138.1")
