"""After a run that was killed: what it made and did not record, as entries of the stack's state.

Candidates are what that run's journal lists and what a preview would create now. Names are the settings', so each is
looked for by name; what is found is recorded with the inputs that the program gives it, and a refresh of these entries
reads the rest. Nothing is created or deleted here. Pure: the account is asked by the function that is handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from typing import Any
from uuid import uuid4

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""A string that only the deployment will know (sdk/go/common/resource/plugin/rpc.go, `UnknownStringValue`)."""
PROVIDER = "pulumi:providers:"

Find = Callable[[str, Mapping[str, Any]], str | None]
"""From a resource's type and inputs to its ID, where it exists."""


@dataclass(frozen=True)
class Candidate:
    """A resource that a killed run may have created."""

    urn: str
    type: str
    custom: bool
    parent: str = ""
    provider: str = ""
    """URN of its provider."""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    """Dependencies, protection and the like, as the state has them."""
    id: str | None = None
    """Where the journal has it."""


OPTIONS = (
    "additionalSecretOutputs", "customTimeouts", "deletedWith", "dependencies", "propertyDependencies", "protect",
    "retainOnDelete",
)  # fmt: skip


def candidates(journal: Mapping[str, Mapping[str, Any]], plan: Mapping[str, Any]) -> dict[str, Candidate]:
    """By URN: what `journal` lists (see `RunJournal.creates`) and what `plan`, an update plan of the engine
    (`pulumi preview --save-plan`), would create."""
    found = {
        urn: Candidate(
            urn,
            each["type"],
            each["custom"],
            each.get("parent") or "",
            _urn(each.get("provider")),
            inputs=_known(each["inputs"]),
            outputs=_known(each["inputs"]),
            id=each.get("id"),
        )
        for urn, each in journal.items()
    }
    for urn, each in plan.get("resourcePlans", {}).items():
        if "create" in each.get("steps", ()):
            goal = each["goal"]
            inputs = _known(goal.get("inputDiff", {}).get("adds", {}))
            found[urn] = Candidate(
                urn,
                goal["type"],
                goal["custom"],
                goal.get("parent", ""),
                _urn(goal.get("provider")),
                inputs=inputs,
                outputs={**inputs, **_known(each.get("state") or {})},
                options={name: goal[name] for name in OPTIONS if goal.get(name)},
                id=found[urn].id if urn in found else None,
            )
    return found


def adopt(
    resources: Iterable[Mapping[str, Any]], found: Mapping[str, Candidate], find: Find
) -> tuple[list[Mapping[str, Any]], list[str]]:
    """The state's resources with every candidate that exists, and the URNs of those that came in.

    A candidate's parents and its provider come with it. What the state has already stays as it is.
    """
    state = list(resources)
    known = {each["urn"]: each for each in state if not each.get("delete")}
    ids: dict[str, str] = {}
    for urn, each in found.items():
        if urn not in known and each.custom and not each.type.startswith("pulumi:"):
            identifier = each.id or find(each.type, each.inputs)
            if identifier:
                ids[urn] = identifier
    wanted = _with_ancestors(ids, found, known)
    providers = {urn: each["id"] for urn, each in known.items() if each["type"].startswith(PROVIDER)}
    providers |= {urn: str(uuid4()) for urn in wanted if found[urn].type.startswith(PROVIDER)}
    order = TopologicalSorter({urn: [each for each in _before(found[urn]) if each in wanted] for urn in wanted})
    present = {*known, *wanted}
    state += [_entry(found[urn], {**providers, **ids}, present) for urn in order.static_order()]
    return state, sorted(ids)


def _with_ancestors(urns: Iterable[str], found: Mapping[str, Candidate], known: Mapping[str, Any]) -> set[str]:
    wanted: set[str] = set()
    queue = list(urns)
    while queue:
        urn = queue.pop()
        if urn in found and urn not in known and urn not in wanted:
            wanted.add(urn)
            queue += [found[urn].parent, found[urn].provider]
    return wanted


def _before(each: Candidate) -> list[str]:
    return [each.parent, each.provider, *each.options.get("dependencies", ())]


def _entry(each: Candidate, ids: Mapping[str, str], present: set[str]) -> dict[str, Any]:
    entry: dict[str, Any] = {"urn": each.urn, "type": each.type, "custom": each.custom}
    entry |= {"inputs": dict(each.inputs), "outputs": dict(each.outputs)}
    if each.urn in ids:
        entry["id"] = ids[each.urn]
    if each.parent in present:
        entry["parent"] = each.parent
    if each.provider in ids:
        entry["provider"] = f"{each.provider}::{ids[each.provider]}"
    options = dict(each.options)
    # What a resource depends on may not exist yet; the next deployment records it.
    if "dependencies" in options:
        options["dependencies"] = [urn for urn in options["dependencies"] if urn in present]
    if "propertyDependencies" in options:
        options["propertyDependencies"] = {
            name: [urn for urn in urns or () if urn in present]
            for name, urns in options["propertyDependencies"].items()
        }
    if options.get("deletedWith") not in present:
        options.pop("deletedWith", None)
    return entry | options


def _urn(reference: str | None) -> str:
    """Of a provider reference, `<URN>::<ID>`."""
    return reference.rpartition("::")[0] if reference else ""


def _known(value: Any) -> Any:
    """Without what only the deployment will know."""
    if isinstance(value, Mapping):
        return {name: _known(each) for name, each in value.items() if not _is_unknown(each)}
    if isinstance(value, list):
        return [_known(each) for each in value if not _is_unknown(each)]
    return value


def _is_unknown(value: Any) -> bool:
    return isinstance(value, str) and UNKNOWN in value
