"""After a run that was killed: the journal, whose lock it was, what is taken into the state."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pulumi.automation import EngineEvent

from core.project import Project
from turnscope.deployment.backend import saves_once
from turnscope.deployment.existing import Existing
from turnscope.deployment.recovery import UNKNOWN, adopt, candidates
from turnscope.deployment.runs import RunJournal, is_held_by_the_dead

STACK = "urn:pulumi:dev::turnscope::pulumi:pulumi:Stack::turnscope-dev"
PROVIDER = "urn:pulumi:dev::turnscope::pulumi:providers:aws::aws"
GROUP = "urn:pulumi:dev::turnscope::aws:cloudwatch/logGroup:LogGroup::group"
FILTER = "urn:pulumi:dev::turnscope::aws:cloudwatch/logMetricFilter:LogMetricFilter::filter"
NOBODY = 2**22 + 1
"""A process ID beyond Linux' maximum."""


def event(kind: str, urn: str, op: str = "create", **new: Any) -> EngineEvent:
    metadata = {"op": op, "urn": urn, "type": urn.split("::")[2], "provider": "", "new": None}
    if new:
        metadata["new"] = {"urn": urn, "type": metadata["type"], "id": "", "parent": "", "provider": "", **new}
    return EngineEvent.from_json({"sequence": 1, "timestamp": 1, kind: {"metadata": metadata}})


def goal(type: str, inputs: Mapping[str, Any], **options: Any) -> dict[str, Any]:
    options = {"parent": STACK, "provider": f"{PROVIDER}::{UNKNOWN}", **options}
    return {"steps": ["create"], "goal": {"type": type, "custom": True, "inputDiff": {"adds": inputs}, **options}}


def plan() -> dict[str, Any]:
    """What the engine plans for a stack with a log group and a metric filter upon it."""
    return {
        "resourcePlans": {
            FILTER: goal(
                "aws:cloudwatch/logMetricFilter:LogMetricFilter",
                {"name": "f", "logGroupName": "g", "arn": UNKNOWN, "list": [UNKNOWN, 1]},
                dependencies=[GROUP],
                propertyDependencies={"logGroupName": [GROUP]},
            ),
            GROUP: goal("aws:cloudwatch/logGroup:LogGroup", {"name": "g"}, protect=True, dependencies=None),
            PROVIDER: goal("pulumi:providers:aws", {"region": "us-west-1"}, provider=None),
            STACK: {"steps": ["create"], "goal": {"type": "pulumi:pulumi:Stack", "custom": False}},
        }
    }


def test_a_run_that_ends_leaves_no_journal_and_a_killed_one_does(tmp_path: Path) -> None:
    journal = RunJournal(tmp_path / "run.jsonl")
    with journal.held():
        journal.recorded = True
    assert not journal.path.exists()
    with journal.held():
        journal.on_event(event("resourcePreEvent", GROUP, custom=True, inputs={"name": "g"}))
        journal.on_event(event("resOutputsEvent", GROUP, custom=True, id="g"))
        journal.on_event(event("resourcePreEvent", FILTER, custom=True, inputs={"name": "f"}))
        journal.on_event(event("resourcePreEvent", STACK, op="same", custom=False))
    assert journal.left_by_a_killed_run()
    found = RunJournal(journal.path).creates()
    assert {urn: each.get("id") for urn, each in found.items()} == {GROUP: "g", FILTER: None}
    assert found[FILTER]["inputs"] == {"name": "f"}


@pytest.mark.parametrize(("op", "changed"), [("same", False), ("create", True), ("delete", True), ("update", True)])
def test_a_run_that_changed_nothing_has_nothing_to_recover(tmp_path: Path, op: str, changed: bool) -> None:
    """Such as one that another's lock kept out."""
    journal = RunJournal(tmp_path / "run.jsonl")
    with journal.held():
        assert not journal.changed
        journal.on_event(event("resourcePreEvent", GROUP, op=op, custom=True))
    assert journal.changed == changed


@pytest.mark.parametrize(("pid", "killed"), [(NOBODY, True), (os.getppid(), False)])
def test_a_run_under_way_was_not_killed(tmp_path: Path, pid: int, killed: bool) -> None:
    journal = RunJournal(tmp_path / "run.jsonl")
    journal.path.write_text(json.dumps({"pid": pid}) + "\n")
    assert journal.left_by_a_killed_run() == killed


def test_a_journal_cut_short_is_read_up_to_there(tmp_path: Path) -> None:
    journal = RunJournal(tmp_path / "run.jsonl")
    with journal.held():
        journal.on_event(event("resourcePreEvent", GROUP, custom=True, inputs={"name": "g"}))
    text = journal.path.read_text()
    journal.path.write_text(text + text.splitlines()[-1][:40])
    assert list(journal.creates()) == [GROUP]


@pytest.mark.parametrize(
    ("holders", "dead"),
    [
        ([(socket.gethostname(), NOBODY)], True),
        ([(socket.gethostname(), os.getpid())], False),
        ([("elsewhere", NOBODY)], False),
        ([(socket.gethostname(), NOBODY), ("elsewhere", NOBODY)], False),
        ([], False),
    ],
)
def test_only_this_machines_dead_processes_lose_their_lock(holders: list[tuple[str, int]], dead: bool) -> None:
    lines = [f"  file:///x.json: created by root@{host} (pid {pid}) at 2026-11-21T18:50:45Z" for host, pid in holders]
    assert is_held_by_the_dead("\n".join(["error: the stack is currently locked by 1 lock(s).", *lines])) == dead


def test_what_exists_comes_into_the_state_with_all_that_it_needs() -> None:
    found = {"aws:cloudwatch/logGroup:LogGroup": "g", "aws:cloudwatch/logMetricFilter:LogMetricFilter": "f"}
    state, urns = adopt([], candidates({}, plan()), lambda type, _: found[type])
    assert urns == sorted([GROUP, FILTER])
    order = [each["urn"] for each in state]
    assert set(order) == {STACK, PROVIDER, GROUP, FILTER}
    assert order.index(STACK) < order.index(GROUP) < order.index(FILTER)
    assert order.index(PROVIDER) < order.index(GROUP)
    entries = {each["urn"]: each for each in state}
    assert entries[FILTER]["id"] == "f"
    assert entries[FILTER]["provider"] == f"{PROVIDER}::{entries[PROVIDER]['id']}"
    assert entries[FILTER]["dependencies"] == [GROUP]
    assert entries[FILTER]["inputs"] == {"name": "f", "logGroupName": "g", "list": [1]}
    assert entries[GROUP]["protect"] is True
    assert "id" not in entries[STACK]
    assert UNKNOWN not in json.dumps(state)


def test_what_does_not_exist_stays_out_and_nothing_refers_to_it() -> None:
    state, urns = adopt([], candidates({}, plan()), lambda type, _: "f" if "MetricFilter" in type else None)
    assert urns == [FILTER]
    entry = next(each for each in state if each["urn"] == FILTER)
    assert entry["dependencies"] == []
    assert entry["propertyDependencies"] == {"logGroupName": []}
    assert not adopt([], candidates({}, plan()), lambda *_: None)[0]


def test_what_the_state_has_stays_as_it_is() -> None:
    known = [
        {"urn": PROVIDER, "type": "pulumi:providers:aws", "custom": True, "id": "1"},
        {"urn": GROUP, "type": "aws:cloudwatch/logGroup:LogGroup", "custom": True, "id": "old", "outputs": {"a": 1}},
    ]
    state, urns = adopt(known, candidates({}, plan()), lambda *_: "new")
    assert state[:2] == known
    assert urns == [FILTER]
    assert state[-1]["provider"] == f"{PROVIDER}::1"


def test_the_journals_id_is_taken_and_what_is_planned_no_more_is_found_too() -> None:
    """The settings changed after the kill: the misspelt agent's resource is to be deleted, not forgotten."""
    misspelt = f"{GROUP}-misspelt"
    journal = {
        misspelt: {"type": "aws:cloudwatch/logGroup:LogGroup", "custom": True, "parent": STACK,
                   "provider": f"{PROVIDER}::2", "inputs": {"name": "m"}, "id": "m"},
        GROUP: {"type": "aws:cloudwatch/logGroup:LogGroup", "custom": True, "inputs": {"name": "x"}, "id": "g"},
    }  # fmt: skip
    state, urns = adopt([], candidates(journal, plan()), lambda *_: None)
    assert urns == sorted([GROUP, misspelt])
    entries = {each["urn"]: each for each in state}
    assert entries[misspelt]["provider"] == f"{PROVIDER}::{entries[PROVIDER]['id']}"
    assert entries[GROUP]["inputs"] == {"name": "g"}, "what is planned now counts"


def test_what_is_not_there_or_not_known_yet_is_not_found() -> None:
    class Refusing:
        def get_role(self, **_: str) -> None:
            raise ClientError({"Error": {"Code": "NoSuchEntity"}}, "GetRole")

    existing = Existing("dev", lambda _: Refusing())
    assert existing.find("aws:iam/role:Role", {"name": "r"}) is None
    assert existing.find("aws:iam/role:Role", {}) is None
    assert existing.find("aws:iam/rolePolicy:RolePolicy", {"name": "r"}) is None


def test_an_account_that_refuses_to_answer_is_no_proof_of_absence() -> None:
    class Refusing:
        def get_role(self, **_: str) -> None:
            raise ClientError({"Error": {"Code": "AccessDenied"}}, "GetRole")

    with pytest.raises(ClientError):
        Existing("dev", lambda _: Refusing()).find("aws:iam/role:Role", {"name": "r"})


@pytest.mark.parametrize(
    ("url", "once"),
    [("file:///state", True), ("s3://bucket", True), ("gs://b", True), ("https://api.pulumi.com", False)],
)
def test_the_state_is_saved_once_where_the_backend_keeps_no_journal(tmp_path: Path, url: str, once: bool) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: turnscope\n")
    found = saves_once(Project(tmp_path), {"PULUMI_BACKEND_URL": url})
    assert found == ({"PULUMI_SKIP_CHECKPOINTS": "true"} if once else {})
