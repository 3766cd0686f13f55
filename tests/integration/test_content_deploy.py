"""SigNoz' content through the real engine.

The tests of this module build on each other, in order. The server is that of `tests.integration.signoz_server`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from pulumi import automation
from pulumi.automation.errors import CommandError
from rich.console import Console

import toolchain
from core.secrets.reference import SecretRef
from signoz.content.api.client import SigNozClient
from signoz.content.model import ContentObject, Kind
from tests.integration.signoz_server import signoz_server
from tests.machine import free_port
from turnscope.content.changes import ContentChanges
from turnscope.deployment.engine import Engine
from turnscope.deployment.progress import EngineProgress

ROOT = Path(__file__).parents[2]
HOOK = "https://hooks.example.com/services/T0/B0/vErYsEcReT"
PROGRAM = """\
import json
import os

import pulumi

from core.secrets.reference import SecretRef
from signoz.content.access import Access
from signoz.content.component import SigNozContent
from signoz.content.model import ContentObject, ContentPlan, Kind

with open("wanted.json") as file:
    wanted = json.load(file)
for each in wanted["objects"]:
    each["kind"] = Kind(each["kind"])
    each["secrets"] = tuple((name, SecretRef(path)) for name, path in each["secrets"].items())
SigNozContent(
    "content",
    ContentPlan(tuple(ContentObject(**each) for each in wanted["objects"])),
    Access(wanted["address"], None, lambda: None, wanted["email"], SecretRef("password")),
    read_secret=lambda reference: pulumi.Output.secret(os.environ["TEST_" + reference.path.upper()]),
)
"""


def dashboard(key: str, title: str) -> ContentObject:
    grid = {"kind": "Grid", "spec": {"display": {"title": "All"}, "items": []}}
    body = {
        "schemaVersion": "v6",
        "name": key,
        "tags": [],
        "spec": {
            "display": {"name": title, "description": ""},
            "variables": [], "panels": {}, "layouts": [grid], "links": [],
        },
    }  # fmt: skip
    return ContentObject(Kind.DASHBOARD, key, title, body, f"library/{key}.yaml")


def channel(name: str) -> ContentObject:
    body = {"name": name, "slack_configs": [{"send_resolved": True, "api_url": "{secret:hook}", "title": "t"}]}
    return ContentObject(Kind.CHANNEL, name, name, body, "settings", (("hook", SecretRef("hook")),))


def rule(key: str, channels: list[str], *, above: float = 2) -> ContentObject:
    query = {
        "type": "builder_query",
        "spec": {
            "name": "A", "signal": "traces", "stepInterval": 60, "filter": {"expression": "name = 'agent_turn'"},
            "aggregations": [{"expression": "count()"}],
        },
    }  # fmt: skip
    threshold = {"name": "warning", "op": "above", "matchType": "at_least_once", "target": above, "channels": channels}
    body = {
        "schemaVersion": "v2alpha1", "version": "v5", "alert": key, "alertType": "TRACES_BASED_ALERT",
        "ruleType": "threshold_rule", "description": "", "disabled": False, "labels": {"severity": "warning"},
        "annotations": {"summary": "s"},
        "condition": {
            "compositeQuery": {"queryType": "builder", "panelType": "graph", "queries": [query]},
            "selectedQueryName": "A",
            "thresholds": {"kind": "basic", "spec": [threshold]},
        },
        "evaluation": {"kind": "rolling", "spec": {"evalWindow": "5m", "frequency": "1m"}},
        "notificationSettings": {"groupBy": [], "renotify": {"enabled": False}, "usePolicy": False},
    }  # fmt: skip
    return ContentObject(Kind.ALERT_RULE, key, key, body, f"library/{key}.yaml")


def downtime(name: str, of: str) -> ContentObject:
    schedule = {"timezone": "UTC", "startTime": "2030-01-01T00:00:00Z", "endTime": "2030-01-02T00:00:00Z"}
    body = {"name": name, "description": "", "alertIds": [f"{{id:alert-rule/{of}}}"], "schedule": schedule}
    return ContentObject(Kind.DOWNTIME, name, name, body, "settings")


@dataclass
class World:
    """A server, the stack, and what it is to hold."""

    address: str
    email: str
    password: str
    folder: Path
    stack: automation.Stack = field(init=False)
    objects: tuple[ContentObject, ...] = ()
    changes: ContentChanges = field(default_factory=ContentChanges)
    shown: str = ""

    def write(self) -> None:
        """What the program reads, which runs in a process of its own as a user's does."""
        objects = [
            {**asdict(each), "secrets": {name: reference.path for name, reference in each.secrets}}
            for each in self.objects
        ]
        wanted = {"address": self.address, "email": self.email, "objects": objects}
        (self.folder / "wanted.json").write_text(json.dumps(wanted))
        (self.folder / "__main__.py").write_text(PROGRAM)

    def run(self, operation: str, **options: Any) -> dict[str, int]:
        """What changed: operation -> number of resources, components apart."""
        self.changes = ContentChanges()
        self.write()
        counts: dict[str, int] = {}

        def on_event(event: automation.EngineEvent) -> None:
            self.changes.on_event(event)
            if found := event.res_outputs_event or event.resource_pre_event:
                step = found.metadata
                operation = str(getattr(step.op, "value", step.op))
                done = event.res_outputs_event and step.type.startswith("pulumi-python:")
                if done and operation not in ("same", "refresh", "read"):
                    counts[operation] = counts.get(operation, 0) + 1

        result = getattr(self.stack, operation)(on_event=on_event, **options)
        self.shown = result.stdout
        return counts

    def up(self, **options: Any) -> dict[str, int]:
        return self.run("up", **options)

    def failures(self, **options: Any) -> list[tuple[str, str]]:
        self.write()
        with EngineProgress(Console(quiet=True), "deploying") as progress, pytest.raises(CommandError):
            self.stack.up(on_event=progress.on_event, **options)
        return progress.failures

    def state(self, *options: str) -> str:
        return self.stack._run_pulumi_cmd_sync(["stack", "export", *options]).stdout

    def resources(self) -> dict[str, dict[str, Any]]:
        """What is recorded, secrets in clear, by name."""
        listed = json.loads(self.state("--show-secrets"))["deployment"].get("resources", [])
        return {each["urn"].rsplit("::", 1)[-1]: each for each in listed if "pulumi-python:" in each["type"]}

    @property
    def key(self) -> str:
        return json.loads(self.resources()["content-api-key"]["outputs"]["key"]["plaintext"])

    @property
    def client(self) -> SigNozClient:
        return SigNozClient(self.address, api_key=self.key)

    def id_of(self, name: str) -> str:
        return self.resources()[name]["id"]

    def edit_title(self, key: str, title: str) -> None:
        """What somebody does in the UI."""
        client, object_id = self.client, self.id_of(f"dashboard/{key}")
        body = dashboard(key, title).body
        client.update(Kind.DASHBOARD, object_id, body)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, str]]:
    """Address, and e-mail address and password of the root user."""
    with signoz_server(tmp_path_factory.mktemp("signoz")) as found:
        yield found


@pytest.fixture(scope="module")
def world(server: tuple[str, str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    tools = toolchain.ensure(("pulumi",), assume_yes=True, console=Console(stderr=True))
    folder = tmp_path_factory.mktemp("pulumi")
    (folder / "state").mkdir()
    made = World(*server, folder)
    made.objects = (
        channel("oncall"), rule("turns", ["oncall"]), downtime("night", "turns"), dashboard("voice", "Voice"),
    )  # fmt: skip
    options = automation.LocalWorkspaceOptions(
        pulumi_command=Engine(tools.pulumi, tools.version, on_interrupt=lambda: None),
        env_vars={
            **tools.env,
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), tools.env["PATH"]]),
            "TEST_PASSWORD": made.password,
            "TEST_HOOK": HOOK,
            "PULUMI_BACKEND_URL": (folder / "state").as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "x",
            "PYTHONPATH": str(ROOT),
        },
    )
    made.write()
    (folder / "Pulumi.yaml").write_text("name: content\nruntime: python\n")
    made.stack = automation.create_or_select_stack("content", work_dir=str(folder), opts=options)
    yield made
    made.stack.destroy()


def test_a_new_server_gets_a_key_and_all_content(world: World) -> None:
    assert world.run("preview") == {"create": 5}
    assert world.up() == {"create": 5}
    client = world.client
    sent = client.read(Kind.CHANNEL, world.id_of("channel/oncall"))
    assert sent
    assert sent["slack_configs"][0]["api_url"] == HOOK, "the placeholder was not filled"
    planned = client.read(Kind.DOWNTIME, world.id_of("planned-downtime/night"))
    assert planned
    assert planned["alertIds"] == [world.id_of("alert-rule/turns")]


def test_a_second_up_and_a_refresh_change_nothing(world: World) -> None:
    """What the server adds of its own must not look like an edit."""
    assert world.up() == {}
    assert world.run("preview", refresh=True) == {}
    assert list(world.changes.lines("dev", converging=False)) == []
    assert world.up(refresh=True) == {}


def test_no_secret_is_in_clear_in_state_or_previews(world: World) -> None:
    secrets = [HOOK, world.key, world.password]
    world.run("preview", refresh=True, diff=True)
    everything = world.state() + world.shown
    assert not [secret for secret in secrets if secret in everything]
    assert not [secret for secret in secrets if json.dumps(secret)[1:-1] in everything]


def test_an_edit_in_the_ui_is_shown_and_put_back(world: World) -> None:
    world.edit_title("voice", "Mine now")
    assert world.up() == {}, "nothing was changed in the settings"
    assert world.run("preview", refresh=True) == {"update": 1}
    told = "\n".join(world.changes.lines("dev", converging=False))
    assert "dashboard/voice (Voice)" in told
    assert 'spec.display.name: "Voice" -> "Mine now"' in told
    assert told.count("\n    ") == 1, "more is shown than what was edited"
    assert world.up(refresh=True) == {"update": 1}
    found = world.client.read(Kind.DASHBOARD, world.id_of("dashboard/voice"))
    assert found
    assert found["spec"]["display"]["name"] == "Voice"
    assert world.up(refresh=True) == {}


def test_what_was_deleted_in_the_ui_is_made_again(world: World) -> None:
    before = world.id_of("dashboard/voice")
    world.client.delete(Kind.DASHBOARD, before)
    world.run("preview", refresh=True)
    assert "dashboard/voice (Voice): deleted in SigNoz" in "\n".join(world.changes.lines("dev", converging=False))
    assert world.up(refresh=True) == {"create": 1}
    assert world.id_of("dashboard/voice") != before


def test_an_edited_secret_is_told_of_and_not_shown(world: World) -> None:
    theirs = "https://hooks.example.com/services/T0/B0/tHeIrS"
    body = channel("oncall").body
    body["slack_configs"][0]["api_url"] = theirs
    world.client.update(Kind.CHANNEL, world.id_of("channel/oncall"), body)
    world.run("preview", refresh=True, diff=True)
    told = "\n".join(world.changes.lines("dev", converging=False))
    assert "slack_configs[0].api_url" in told
    assert world.up(refresh=True) == {"update": 1}
    assert theirs not in told + world.shown + world.state("--show-secrets")
    found = world.client.read(Kind.CHANNEL, world.id_of("channel/oncall"))
    assert found
    assert found["slack_configs"][0]["api_url"] == HOOK


def test_a_revoked_key_is_replaced_and_content_stays(world: World) -> None:
    rule_id, key = world.id_of("alert-rule/turns"), world.key
    account = world.resources()["content-api-key"]["outputs"]["service_account"]
    login = httpx.Client(base_url=world.address)
    context = login.get("/api/v2/sessions/context", params={"email": world.email, "ref": world.address}).json()
    given = {"email": world.email, "password": world.password, "orgId": context["data"]["orgs"][0]["id"]}
    token = login.post("/api/v2/sessions/email_password", json=given).json()["data"]["accessToken"]
    path = f"/api/v1/service_accounts/{account}/keys/{world.id_of('content-api-key')}"
    assert login.delete(path, headers={"Authorization": f"Bearer {token}"}).status_code == 204
    world.up(refresh=True)
    assert world.key != key
    assert world.id_of("alert-rule/turns") == rule_id
    assert world.client.read(Kind.ALERT_RULE, rule_id)
    assert world.up(refresh=True) == {}


def test_what_is_there_already_is_taken_up(world: World) -> None:
    """A create whose answer was lost, or what `turnscope content export` made a file of."""
    made = world.client.create(Kind.DASHBOARD, dashboard("found", "Found").body)
    world.objects = (*world.objects, dashboard("found", "Found here"))
    assert world.up() == {"create": 1}
    assert world.id_of("dashboard/found") == made
    assert len([key for key in world.resources() if key.startswith("dashboard/")]) == 2


def test_a_wrong_body_is_one_sentence_and_the_rest_goes_on(world: World) -> None:
    good = world.objects
    broken = dashboard("broken", "Broken")
    broken.body["spec"]["nonsense"] = 1
    world.objects = (*good, broken, dashboard("after", "After"))
    ((name, message),) = world.failures()
    assert name == "dashboard/broken"
    assert "Traceback" not in message
    assert "nonsense" in message, "the server's own words are missing"
    assert message.count("\n") == 0
    assert "dashboard/broken" not in world.resources()
    world.objects = (*good, rule("loud", ["oncall"]), dashboard("after", "After"))
    world.up()
    assert {"alert-rule/loud", "dashboard/after"} <= world.resources().keys()
    assert world.up(refresh=True) == {}


def test_a_new_name_for_the_same_thing_does_not_delete_it(world: World) -> None:
    """A new key whose object takes up the old one's; then the old one is no more of the plan."""
    before = world.id_of("dashboard/after")
    again = dashboard("after", "After")
    kept = tuple(each for each in world.objects if each.name != "dashboard/after")
    world.objects = (*kept, ContentObject(again.kind, "renamed", again.title, again.body, again.source))
    world.up()
    assert world.id_of("dashboard/renamed") == before
    assert world.client.read(Kind.DASHBOARD, before)


def test_another_immutable_name_is_another_object(world: World) -> None:
    before = world.id_of("dashboard/renamed")
    kept = tuple(each for each in world.objects if each.name != "dashboard/renamed")
    body = dashboard("after-2", "After").body
    world.objects = (*kept, ContentObject(Kind.DASHBOARD, "renamed", "After", body, "x"))
    world.up()
    assert world.id_of("dashboard/renamed") != before
    assert world.client.read(Kind.DASHBOARD, before) is None


def test_a_server_that_does_not_answer_is_named(world: World) -> None:
    good, address = world.objects, world.address
    world.objects = (*good, dashboard("late", "Late"))
    world.address = f"http://127.0.0.1:{free_port()}"
    failures = world.failures()
    assert failures
    assert all(world.address in message and "Traceback" not in message for _, message in failures)
    world.objects, world.address = good, address
    world.up()
    assert world.up(refresh=True) == {}


def test_destroy_leaves_nothing_behind(world: World) -> None:
    client = world.client
    known = {each["id"] for name, each in world.resources().items() if name.startswith("dashboard/")}
    assert known
    world.run("destroy")
    assert world.resources() == {}
    with pytest.raises(Exception, match=r"(?i)unauth|key"):
        client.read(Kind.DASHBOARD, next(iter(known)))
