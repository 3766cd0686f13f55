"""Content for a SigNoz that the stack does not run, by address and key, as a user deploys it: no container of ours.

The tests of this module build on each other, in order. The server is that of `tests.integration.signoz_server`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml

from signoz.content.api.bootstrap import make_api_key, remove_service_account
from signoz.content.api.client import SigNozClient
from signoz.content.loader import LIBRARY
from signoz.content.model import Kind
from tests.integration.conftest import Checkout, make_checkout, pulumi, succeeded
from tests.integration.signoz_server import signoz_server
from tests.integration.test_content_deploy import channel, dashboard

RECEIVER = "existing-test"
HOOK = "https://hooks.example.com/services/T0/B0/of-the-stack"
SETTINGS: dict[str, Any] = {
    "environment": "local",
    "owner": "tests",
    "agents": {"voice-agent": {}},
    "prices": {"llm": {"gpt-4o": {"input_usd_per_million_tokens": 2.5, "output_usd_per_million_tokens": 10}}},
}
KEPT = {
    "dashboards": {"call-quality", "target-compliance"},
    "rules": {"errors-high", "no-data"},
    "views": {"calls"},
}
"""Of the shipped content: enough to have one of each kind."""
EXCLUDE = {
    folder: sorted(path.stem for path in (LIBRARY / folder).glob("*.yaml") if path.stem not in kept)
    for folder, kept in KEPT.items()
}
DOWNTIME = {"night": {"start": "2030-01-01T00:00", "end": "2030-01-01T06:00"}}
ROUTE = {"labels": {"severity": "critical"}, "receiver": RECEIVER}

Held = dict[str, dict[str, Any]]
"""Kind -> identifier -> body."""


@dataclass
class World:
    """A checkout whose stack `local` has its SigNoz elsewhere, and an administrator there."""

    checkout: Checkout
    address: str
    email: str
    password: str
    watch: SigNozClient = field(init=False)
    """The administrator's own access."""
    secrets: list[str] = field(default_factory=list)

    def new_key(self, account: str) -> str:
        return make_api_key(self.address, None, self.email, self.password, account)[0]

    def revoke(self, account: str) -> None:
        found = make_api_key(self.address, None, self.email, self.password, account)[2]
        remove_service_account(self.address, None, self.email, self.password, found)

    def held(self) -> Held:
        """All that SigNoz has, retention among it."""
        return {
            str(kind): {each: self.watch.read(kind, each) or {} for each, _ in self.watch.list(kind)} for kind in Kind
        }

    def give(self, path: str, secret: str) -> None:
        self.secrets.append(secret)
        pulumi(self.checkout, f"config set -s local --secret --path turnscope:existing_signoz.{path}", stdin=secret)

    def change(self, **section: Any) -> None:
        """Settings beside what is encrypted."""
        document = yaml.safe_load(self.checkout.stack_file.read_text())
        existing = document["config"]["turnscope:existing_signoz"]
        for name, value in section.items():
            existing[name] = {**existing.get(name, {}), **value} if isinstance(value, dict) else value
        document["config"]["turnscope:cloudwatch"] = None
        self.checkout.stack_file.write_text(yaml.safe_dump(document))

    def run(self, *arguments: str) -> str:
        run = self.checkout.turnscope(*arguments)
        succeeded(run)
        return self.without_secrets(run.stdout + run.stderr)

    def refused(self, *arguments: str) -> str:
        run = self.checkout.turnscope(*arguments)
        assert run.returncode == 2, run.stdout + run.stderr
        return self.without_secrets(run.stderr + run.stdout)

    def without_secrets(self, text: str) -> str:
        assert not [each for each in self.secrets if each in text]
        return text


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    checkout = make_checkout(tmp_path_factory.mktemp("project"))
    config = {f"turnscope:{key}": value for key, value in SETTINGS.items()}
    checkout.stack_file.write_text(yaml.safe_dump({"config": config}))
    with signoz_server(tmp_path_factory.mktemp("signoz")) as server:
        made = World(checkout, *server)
        made.watch = SigNozClient(made.address, api_key=made.new_key("existing-test-watch"))
        pulumi(checkout, "stack select --create local")
        made.give(f"alertmanager.receivers.{RECEIVER}.slack_webhook_url", HOOK)
        made.give("api_key", "n0-such-key")
        made.change(
            url=made.address,
            alertmanager={"default_receiver": RECEIVER, "routes": [ROUTE]},
            content={"downtimes": DOWNTIME, "exclude": EXCLUDE},
        )
        yield made
        made.revoke("existing-test-watch")


@pytest.fixture(scope="module")
def before(world: World) -> Held:
    """What people had made in SigNoz."""
    world.watch.create(Kind.DASHBOARD, dashboard("theirs", "Theirs").body)
    theirs = channel("theirs").body
    theirs["slack_configs"][0]["api_url"] = "https://hooks.example.com/services/T0/B0/of-others"
    world.watch.create(Kind.CHANNEL, theirs)
    return world.held()


def dashboards(world: World) -> dict[str, str]:
    """Name -> identifier."""
    return {str(body["name"]): each for each, body in world.watch.list(Kind.DASHBOARD)}


def test_a_wrong_key_is_refused_in_a_sentence(world: World, before: Held) -> None:
    told = world.refused("up", "local", "--yes")
    assert f"SigNoz at {world.address} rejected the key" in told
    assert "pulumi config set -s local --secret --path 'turnscope:existing_signoz.api_key'" in told
    assert "Traceback" not in told
    assert world.held() == before


def test_content_is_deployed_beside_what_is_there(world: World, before: Held) -> None:
    world.give("api_key", world.new_key("existing-test-1"))
    told = world.run("up", "local", "--yes")
    assert world.address in told
    planned = world.checkout.plan.content.objects
    found = world.held()
    for kind in Kind:
        added = {each: body for each, body in found[kind].items() if each not in before[kind]}
        assert len(added) == len([each for each in planned if each.kind is kind]), kind
        assert {each: found[kind][each] for each in before[kind]} == before[kind], "what people made was changed"
    sent = next(body for body in found["channel"].values() if body["name"] == RECEIVER)
    assert sent["slack_configs"][0]["api_url"] == HOOK, "the placeholder was not filled"


def test_a_second_up_changes_nothing_and_no_secret_is_in_the_state(world: World) -> None:
    assert "is up to date" in world.run("up", "local", "--yes", "--refresh")
    world.without_secrets(pulumi(world.checkout, "stack export -s local"))


def test_an_edit_by_hand_is_shown_and_put_back(world: World) -> None:
    key, object_id = "call-quality", dashboards(world)["call-quality"]
    body = world.watch.read(Kind.DASHBOARD, object_id)
    planned = next(each for each in world.checkout.plan.content.objects if each.name == f"dashboard/{key}")
    assert body
    edited = {**planned.body, "spec": {**planned.body["spec"], "display": {"name": "Mine now", "description": ""}}}
    world.watch.update(Kind.DASHBOARD, object_id, edited)
    told = world.run("up", "local", "--yes", "--refresh")
    assert '-> "Mine now"' in told
    assert "reverted to the settings" in told
    assert "1 updated" in told
    found = world.watch.read(Kind.DASHBOARD, object_id)
    assert found
    assert found["spec"] == body["spec"]


def test_what_people_made_is_exported_and_nothing_else(world: World) -> None:
    told = world.run("content", "export", "local")
    folder = world.checkout.root / "stacks" / "content" / "local"
    assert [path.name for path in folder.rglob("*.json")] == ["theirs.json"], told
    (folder / "dashboards" / "theirs.json").unlink()
    listed = world.run("content", "list", "local", "--json")
    assert f"{world.address}/dashboard/{dashboards(world)['call-quality']}" in listed


def test_nothing_is_torn_down_with_a_revoked_key(world: World) -> None:
    known = world.held()
    world.revoke("existing-test-1")
    assert "no resource was deleted" in world.refused("teardown", "local", "--yes")
    assert world.held() == known


def test_a_new_key_replaces_nothing_and_is_the_one_that_deletes(world: World) -> None:
    """The old one, which is revoked, is in the state of what is to be deleted."""
    known = dashboards(world)
    world.give("api_key", world.new_key("existing-test-2"))
    more = [*EXCLUDE["dashboards"], "target-compliance"]
    world.change(content={"exclude": {**EXCLUDE, "dashboards": more}})
    told = world.run("up", "local", "--yes")
    assert "replaced" not in told
    assert "1 deleted" in told
    assert dashboards(world) == {name: each for name, each in known.items() if name != "target-compliance"}


def test_teardown_leaves_what_was_there_before(world: World, before: Held) -> None:
    told = world.run("teardown", "local", "--yes")
    assert f"from SigNoz at {world.address}" in told
    assert world.held() == before
    world.revoke("existing-test-2")
