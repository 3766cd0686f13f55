"""An upgrade is refused before anything is touched where it would pass a stop, go back or lose ClickHouse's state."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from cloudwatch.plan.build import plan_cloudwatch
from core.environments import Environment
from core.errors import UserError
from core.project import Project
from core.releases import CURRENT, VERSIONS, find_release, upgrade_path
from core.secrets.reference import SecretRef
from signoz.plan.build import plan_signoz
from signoz.plan.model import SigNozPlan
from signoz.plan.volumes import volumes
from stacks.settings.model import Prices
from stacks.settings.roles.signoz import SigNozSettings
from tests.unit.conftest import settings_with
from turnscope.deployment.deployment import Deployment
from turnscope.deployment.release_guard import CONTAINER, VOLUME, check_release
from turnscope.plans import StackPlan

SECRET = SecretRef("signoz.secret")
ZOOKEEPER = {"coordination": "zookeeper"}


def plan(release: str, **over: Any) -> SigNozPlan:
    values: dict[str, Any] = {
        "release": release,
        "jwt_secret": SECRET,
        "clickhouse": {"password": SECRET},
        "collector": {"tokens": {"agents": SECRET}},
        "root_user": {"email": "ops@example.com", "password": SECRET} if find_release(release).root_user else None,
        **({} if release == CURRENT.version else {"content": None}),
        **over,
    }
    return plan_signoz(
        "dev",
        SigNozSettings(**values),
        environment=Environment.DEV,
        owner="tests",
        prices=Prices(),
        slow_turn_seconds=1.5,
    )


def state(deployed: SigNozPlan) -> list[Mapping[str, Any]]:
    """What the engine keeps of a plan, as far as the check looks at it."""
    labels = [{"label": name, "value": value} for name, value in deployed.labels]
    # A container's inputs hold secrets, so the engine keeps its labels as one too; the export shows it like this.
    secret = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "plaintext": json.dumps(labels)}
    return [
        {"type": "turnscope:signoz:SigNoz"},
        *({"type": VOLUME, "outputs": {"name": each.name, "labels": labels}} for each in volumes(deployed.containers)),
        *({"type": CONTAINER, "outputs": {"name": each.name, "labels": secret}} for each in deployed.containers),
    ]


PLANS = {version: plan(version, **ZOOKEEPER) for version in VERSIONS}
VERSION = st.sampled_from(VERSIONS)


@given(VERSION, VERSION)
def test_one_step_forward_is_told_and_everything_else_is_refused(deployed: str, wanted: str) -> None:
    """For every pair of releases, as the catalogue's path says."""
    before, after = find_release(deployed), find_release(wanted)
    if after.key < before.key:
        with pytest.raises(UserError, match=f"{deployed} is deployed and cannot be downgraded to {wanted}") as caught:
            check_release(PLANS[wanted], state(PLANS[deployed]))
    elif len(upgrade_path(deployed, wanted)) > 1:
        with pytest.raises(UserError, match=f"{deployed} cannot be upgraded to {wanted} directly") as caught:
            check_release(PLANS[wanted], state(PLANS[deployed]))
    else:
        lines = check_release(PLANS[wanted], state(PLANS[deployed]))
        assert [line.split(";")[0].split(". ")[0] for line in lines] == (
            [] if before is after else [f"Upgrading SigNoz from {deployed} to {wanted}"]
        )
        return
    assert caught.value.exit_code == 2


def test_the_stops_are_named_in_order_with_their_reasons_and_what_to_set_first() -> None:
    with pytest.raises(UserError) as caught:
        check_release(PLANS["0.138.0"], state(PLANS["0.75.0"]))
    assert str(caught.value).splitlines() == [
        "SigNoz 0.75.0 cannot be upgraded to 0.138.0 directly; no resource was changed. Upgrade in these steps:",
        "  0.86.2: SigNoz converts its own database here (signoz#8655)",
        "  0.129.0: last release on ClickHouse 25.5; the next needs 25.12 before its migrator runs (charts#895); "
        "ClickHouse becomes 25.5.6",
        "  0.138.0: the release in the settings; ClickHouse becomes 25.12.5",
        "Make a backup, set `signoz.release` to 0.86.2 first, run `turnscope up dev` and check your data before the "
        "next step.",
    ]


def test_an_upgrade_says_what_it_changes() -> None:
    assert check_release(PLANS["0.138.0"], state(PLANS["0.129.0"])) == (
        "Upgrading SigNoz from 0.129.0 to 0.138.0; ClickHouse becomes 25.12.5. Downgrades are not possible.",
    )


def test_what_is_not_deployed_is_not_upgraded() -> None:
    """A new stack, one whose containers are gone or about to go, and a label that outlived its release."""
    wanted, old = PLANS["0.138.0"], state(PLANS["0.75.0"])
    assert check_release(wanted, []) == ()
    assert check_release(wanted, [{**each, "delete": True} for each in old]) == ()
    assert check_release(wanted, [each for each in old if each["type"] != CONTAINER]) == ()


def test_an_interrupted_upgrade_can_be_finished_and_not_undone_or_skipped() -> None:
    """Containers of both releases are there: the database may have been migrated already, or not yet."""
    both = [*state(PLANS["0.75.0"]), *state(PLANS["0.86.2"])]
    assert len(check_release(PLANS["0.86.2"], both)) == 1
    with pytest.raises(UserError, match=r"0\.86\.2 is deployed and cannot be downgraded to 0\.75\.0"):
        check_release(PLANS["0.75.0"], both)
    with pytest.raises(UserError, match=r"0\.75\.0 cannot be upgraded to 0\.129\.0 directly"):
        check_release(PLANS["0.129.0"], both)


def test_a_release_that_the_catalogue_does_not_have_is_named() -> None:
    """Deployed by a later version of this program."""
    later = replace(PLANS["0.138.0"], labels=(("turnscope.release", "9.9.0"),))
    with pytest.raises(UserError, match=r"SigNoz 9\.9\.0 is deployed but not in this catalogue \(0\.75\.0, ") as caught:
        check_release(PLANS["0.138.0"], state(later))
    assert caught.value.exit_code == 2


def test_coordination_is_not_swapped_under_existing_tables() -> None:
    """Neither on the way to a release that has Keeper by default, nor at the same release."""
    keeper = plan("0.138.0")
    for deployed in ("0.129.0", "0.138.0"):
        with pytest.raises(UserError, match=r"not find it in keeper; .*`signoz\.coordination` to zookeeper"):
            check_release(keeper, state(PLANS[deployed]))
    with pytest.raises(UserError, match=r"`signoz\.coordination` to keeper"):
        check_release(PLANS["0.138.0"], state(keeper))
    assert check_release(keeper, state(keeper)) == ()


@pytest.mark.parametrize("command", ["up", "preview"])
def test_up_and_preview_check_before_the_engine_runs(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is touched where it is refused; else the upgrade is printed first."""

    class EngineRan(Exception):
        pass

    def run(self: Deployment, *_: Any) -> None:
        raise EngineRan

    for name in ("_prepare", "_select"):
        monkeypatch.setattr(Deployment, name, lambda self, **_: None)
    for name in ("_run", "_run_journaled"):
        monkeypatch.setattr(Deployment, name, run)
    monkeypatch.setattr(Deployment, "_state", lambda self: state(PLANS["0.129.0"]))
    printed = StringIO()
    deployment = Deployment(Project(tmp_path), "dev", settings_with(), Console(file=printed, width=200))
    arguments = {"show_diff": False} if command == "preview" else {}
    cloudwatch = plan_cloudwatch("dev", settings_with())
    for version, expected in (("0.75.0", UserError), ("0.138.0", EngineRan)):
        monkeypatch.setattr(Deployment, "plan", StackPlan(cloudwatch, None, PLANS[version]))
        with pytest.raises(expected):
            getattr(deployment, command)(**arguments)
    assert "Upgrading SigNoz from 0.129.0 to 0.138.0" in printed.getvalue()
