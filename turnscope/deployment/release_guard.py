"""SigNoz' releases only go forward, and over every upgrade stop: what was deployed is compared with the plan before
anything is touched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from core.errors import UserError
from core.releases import VERSIONS, Coordination, Release, Step, find_release, upgrade_path
from signoz.plan.model import RELEASE_LABEL, SigNozPlan
from signoz.plan.volumes import volumes
from turnscope.deployment.stack_state import revealed

CONTAINER = "docker:index/container:Container"
VOLUME = "docker:index/volume:Volume"


def check_release(plan: SigNozPlan, state: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Lines about the upgrade from the release in the engine's `state` to the plan's; none where nothing is deployed
    or the release stays.

    Raises `UserError` (exit code 2) for a release before the deployed one, for one beyond an upgrade stop, and where
    ClickHouse's tables would lose their coordination state.
    """
    resources = [each for each in state if not each.get("delete") and each.get("outputs")]
    deployed = _deployed_releases(resources)
    if not deployed:
        return ()
    # An upgrade that was interrupted leaves containers of both releases: it may be finished, and not undone.
    upgrade_path(deployed[-1].version, plan.release)
    steps = upgrade_path(deployed[0].version, plan.release)
    if len(steps) > 1:
        raise UserError(_stops(plan, deployed[0], steps))
    _refuse_other_coordination(plan, resources)
    installed = deployed[0].version
    return tuple(
        f"Upgrading SigNoz from {installed} to {step.release.version}{_clickhouse(step)}. Downgrades are not possible."
        for step in steps
    )


def _deployed_releases(resources: Iterable[Mapping[str, Any]]) -> list[Release]:
    """Oldest first. Of the containers only: networks and volumes keep the labels that they were made with."""
    versions = {
        label["value"]
        for each in resources
        if each["type"] == CONTAINER
        for label in _labels(each)
        if label["label"] == RELEASE_LABEL
    }
    if unknown := sorted(versions - set(VERSIONS)):
        raise UserError(
            f"SigNoz {', '.join(unknown)} is deployed but not in this catalogue ({', '.join(VERSIONS)}), so it "
            "cannot be upgraded. Use the version of Turnscope that deployed it."
        )
    return sorted((find_release(version) for version in versions), key=lambda release: release.key)


def _labels(container: Mapping[str, Any]) -> list[Mapping[str, str]]:
    """Those in the exported state, where the engine wraps a property that it holds as a secret."""
    held = revealed(container["outputs"].get("labels"))
    return held if isinstance(held, list) else []


def _stops(plan: SigNozPlan, deployed: Release, steps: Sequence[Step]) -> str:
    listed = "\n".join(f"  {step.release.version}: {step.reason}{_clickhouse(step)}" for step in steps)
    return (
        f"SigNoz {deployed.version} cannot be upgraded to {plan.release} directly; no resource was changed. Upgrade in "
        f"these steps:\n{listed}\n"
        f"Make a backup, set `signoz.release` to {steps[0].release.version} first, run `turnscope up {plan.stack}` and "
        "check your data before the next step."
    )


def _clickhouse(step: Step) -> str:
    return f"; ClickHouse becomes {step.release.clickhouse}" if step.clickhouse_changes else ""


def _refuse_other_coordination(plan: SigNozPlan, resources: Iterable[Mapping[str, Any]]) -> None:
    deployed = _coordinations(plan, (each["outputs"].get("name", "") for each in resources if each["type"] == VOLUME))
    planned = _coordinations(plan, (volume.name for volume in volumes(plan.containers)))
    if deployed and not deployed & planned:
        kept = min(deployed)
        raise UserError(
            f"ClickHouse's tables keep their state in {kept}, and would not find it in {min(planned)}; no "
            f"resource was changed. Set `signoz.coordination` to {kept}."
        )


def _coordinations(plan: SigNozPlan, names: Iterable[str]) -> set[Coordination]:
    """Which of them has a data volume among `names`."""
    volume_names = set(names)
    return {each for each in Coordination if f"{plan.network}-{each}-data" in volume_names}
