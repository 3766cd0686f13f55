"""SigNoz' content as resources: what the providers do with a server that lost answers, drifted or is gone."""

from __future__ import annotations

import base64
import json
import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pulumi
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pulumi.dynamic.dynamic import serialize_provider
from pulumi.output import Unknown

from core.errors import UserError
from core.secrets.placeholders import HIDDEN
from core.secrets.reference import SecretRef
from signoz.content import resources
from signoz.content.access import Access, access_of
from signoz.content.api.errors import Conflict, NotFound, Unauthorized, Unreachable
from signoz.content.component import SigNozContent, checked
from signoz.content.differences import differences
from signoz.content.model import ContentObject, ContentPlan, Kind
from signoz.content.placeholders import filled, masked
from signoz.content.resource_types import TYPE_PREFIX, kind_of
from signoz.content.resources import (
    RESOURCES,
    ApiKeyProvider,
    ContentError,
    ContentProvider,
    ExistingServerProvider,
)
from signoz.plan.model import SigNozPlan
from tests.stack_settings import validate
from turnscope.content import export
from turnscope.options import What
from turnscope.plan_table import content_counts, content_rows
from turnscope.rendering import render

HOOK = "https://hooks.example.com/T0/s3cret"
CHANNEL = {"name": "oncall", "slack_configs": [{"api_url": "{secret:hook}", "send_resolved": True, "title": "t"}]}
SERIALISED = {
    ContentProvider: "gASVMwAAAAAAAACMGHNpZ25vei5jb250ZW50LnJlc291cmNlc5SMD0NvbnRlbnRQcm92aWRlcpSTlClSlC4=",
    ApiKeyProvider: "gASVMgAAAAAAAACMGHNpZ25vei5jb250ZW50LnJlc291cmNlc5SMDkFwaUtleVByb3ZpZGVylJOUKVKULg==",
    ExistingServerProvider: (
        "gASVOgAAAAAAAACMGHNpZ25vei5jb250ZW50LnJlc291cmNlc5SMFkV4aXN0aW5nU2VydmVyUHJvdmlkZXKUk5QpUpQu"
    ),
}
"""As they are in the state of stacks that were deployed."""


class Server:
    """What the providers need of a client, in memory; `refuses` is raised by the next call of that name."""

    def __init__(self) -> None:
        self.held: dict[str, dict[str, Any]] = {}
        self.calls: list[str] = []
        self.refuses: dict[str, Exception] = {}

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if error := self.refuses.pop(name, None):
            raise error

    def create(self, kind: Kind, body: Mapping[str, Any]) -> str:
        self._called("create")
        object_id = f"id-{len(self.held) + 1}"
        self.held[object_id] = dict(body)
        return object_id

    def read(self, kind: Kind, object_id: str) -> dict[str, Any] | None:
        self._called("read")
        found = self.held.get(object_id)
        return found and json.loads(json.dumps(found))

    def update(self, kind: Kind, object_id: str, body: Mapping[str, Any]) -> None:
        self._called("update")
        if object_id not in self.held:
            raise NotFound("SigNoz has no such object.")
        self.held[object_id] = dict(body)

    def delete(self, kind: Kind, object_id: str) -> None:
        self._called("delete")
        self.held.pop(object_id, None)

    def find(self, kind: Kind, body: Mapping[str, Any]) -> str | None:
        self._called("find")
        return next((known for known, held in self.held.items() if held.get("name") == body.get("name")), None)


class Provider(ContentProvider):
    def __init__(self, server: Server) -> None:
        super().__init__()
        self.server = server
        self.adopted = set()

    def connect(self, props: dict[str, Any]) -> Server:
        return self.server


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def provider(server: Server) -> Provider:
    return Provider(server)


def props(kind: Kind = Kind.CHANNEL, body: Mapping[str, Any] = CHANNEL, **changed: Any) -> dict[str, Any]:
    made = {
        "address": "https://signoz.example.com",
        "root_certificate": "PEM",
        "api_key": "k3y-of-the-stack",
        "service_account": "account",
        "kind": str(kind),
        "key": "oncall",
        "title": "On call",
        "body": json.dumps(body, sort_keys=True, separators=(",", ":")),
        "secrets": {"hook": HOOK},
        "ids": {},
    }
    return {**made, **changed}


def test_what_a_lost_create_left_is_adopted(provider: Provider, server: Server) -> None:
    server.held["theirs"] = {"name": "oncall", "slack_configs": []}
    assert provider.create(props()).id == "theirs"
    assert "create" not in server.calls
    assert server.held["theirs"]["slack_configs"][0]["api_url"] == HOOK


def test_a_conflict_is_somebody_who_was_faster(provider: Provider, server: Server) -> None:
    def create(kind: Kind, body: Mapping[str, Any]) -> str:
        server.held["theirs"] = {"name": "oncall"}
        raise Conflict("There is a channel of that name.")

    server.create = create
    assert provider.create(props()).id == "theirs"
    assert server.held["theirs"]["slack_configs"][0]["api_url"] == HOOK


def test_a_conflict_with_nothing_is_told(provider: Provider, server: Server) -> None:
    server.refuses["create"] = Conflict("That name is taken.")
    with pytest.raises(ContentError, match=r"That name is taken\."):
        provider.create(props())
    assert server.held == {}


def test_what_is_as_deployed_reads_as_it_was_recorded(provider: Provider) -> None:
    recorded = props()
    made = provider.create(recorded)
    read = provider.read(made.id, dict(recorded))
    assert (read.id, read.outs) == (made.id, recorded)
    assert not provider.diff(made.id, recorded, props()).changes


def test_what_is_gone_reads_as_gone(provider: Provider) -> None:
    assert not provider.read("id-7", props()).id


def test_an_edit_reads_as_what_is_there_and_is_to_be_put_back(provider: Provider, server: Server) -> None:
    made = provider.create(props())
    server.held[made.id]["slack_configs"][0]["title"] = "theirs"
    read = provider.read(made.id, props())
    assert read.outs
    assert read.inputs
    assert read.outs["body"] == read.inputs["body"] == props()["body"].replace('"t"', '"theirs"')
    assert "__provider" not in read.inputs
    assert provider.read(made.id, read.outs).outs == read.outs, "an edit that was seen looks like another one"
    diff = provider.diff(made.id, read.outs, props())
    assert (diff.changes, diff.replaces) == (True, [])
    provider.update(made.id, read.outs, props())
    assert server.held[made.id]["slack_configs"][0]["title"] == "t"


@given(theirs=st.text(min_size=12, max_size=20), more=st.text(min_size=12, max_size=20))
def test_no_secret_of_the_server_is_recorded(theirs: str, more: str) -> None:
    """Neither one in place of ours, nor one in a place where we have none."""
    desired = filled(CHANNEL, {"hook": HOOK}, {})
    actual = json.loads(json.dumps(desired))
    actual["slack_configs"][0]["api_url"] = f"{HOOK}/{theirs}"
    actual["pagerduty_configs"] = [{"routing_key": more, "http_config": {"authorization": {"credentials": more}}}]
    found = masked(Kind.CHANNEL, CHANNEL, desired, actual, {})
    assert found["slack_configs"][0] == {"api_url": HIDDEN, "send_resolved": True, "title": "t"}
    assert found["pagerduty_configs"] == [
        {"routing_key": HIDDEN, "http_config": {"authorization": {"credentials": HIDDEN}}}
    ]


def test_a_changed_secret_and_another_identifier_are_changes(provider: Provider) -> None:
    assert provider.diff("x", props(), props(secrets={"hook": "other"})).changes
    assert provider.diff("x", props(ids={"a/b": "1"}), props(ids={"a/b": "2"})).changes


def test_what_only_a_deployment_tells_is_no_change_of_a_preview(provider: Provider) -> None:
    """A gateway that is to be replaced makes its certificate unknown, and keeps it."""
    assert not provider.diff("x", props(), props(root_certificate=Unknown())).changes
    assert provider.diff("x", props(), props(root_certificate="NEW")).changes
    unknown_key = provider.diff("x", props(), props(api_key=Unknown(), service_account=Unknown()))
    assert (unknown_key.changes, unknown_key.replaces) == (True, [])


def test_another_database_of_signoz_takes_another_key() -> None:
    """And with its service account every object is made there; without a server nothing changes."""
    volume = {"email": "a@example.com", "password": "p", "account": "turnscope", "key": "k", "service_account": "1"}
    server = {**volume, "database": "db.example.com:5432/signoz"}
    provider = ApiKeyProvider()
    assert not provider.diff("1", volume, dict(volume)).changes
    for old, new in ((volume, server), (server, volume), (server, {**server, "database": "other:5432/signoz"})):
        assert provider.diff("1", old, new).replaces == ["database"]


@pytest.mark.parametrize(
    ("changed", "replaced"),
    [
        ({"title": "other"}, False),
        ({"address": "https://other.example.com"}, False),
        ({"service_account": "of another server"}, True),
        ({"body": {**CHANNEL, "name": "other"}}, True),
        ({"body": {**CHANNEL, "slack_configs": []}}, False),
    ],
)
def test_only_what_the_api_cannot_change_replaces(provider: Provider, changed: dict[str, Any], replaced: bool) -> None:
    diff = provider.diff("x", props(), props(**changed))
    assert diff.changes
    assert bool(diff.replaces) == replaced


def test_the_old_name_of_what_was_adopted_deletes_nothing(provider: Provider, server: Server) -> None:
    """A key was renamed: the new resource took up the object, then the engine deletes the old resource."""
    server.held["same"] = {"name": "oncall"}
    provider.create(props(key="renamed"))
    provider.delete("same", props())
    assert "same" in server.held


def test_errors_name_the_server_and_no_secret(provider: Provider, server: Server) -> None:
    server.refuses["delete"] = Unreachable("SigNoz at https://signoz.example.com does not answer.")
    with pytest.raises(ContentError, match=r"signoz\.example\.com does not answer"):
        provider.delete("x", props())
    server.refuses["update"] = Conflict(f"{HOOK} with k3y-of-the-stack is wrong.")
    with pytest.raises(ContentError) as told:
        provider.update("x", props(), props())
    assert str(told.value) == f"{HIDDEN} with {HIDDEN} is wrong."
    assert told.value.__cause__ is None


def test_a_revoked_key_hides_no_content(provider: Provider, server: Server) -> None:
    """The key's own resource finds that out; taking everything for gone would make it all twice."""
    server.refuses["read"] = Unauthorized("no such key")
    assert provider.read("id-1", props()).outs == props()
    server.refuses["update"] = Unauthorized("no such key.")
    with pytest.raises(ContentError, match="turnscope up STACK --refresh"):
        provider.update("id-1", props(), props(title="new"))


@pytest.mark.parametrize("kind", SERIALISED)
def test_the_state_names_the_provider_and_has_none_of_its_code(kind: type[ContentProvider]) -> None:
    """Else every release of Turnscope would change every object, and an old stack could not be deleted."""
    assert type(pickle.loads(base64.b64decode(SERIALISED[kind]))) is kind  # noqa: S301
    now = base64.b64decode(serialize_provider(kind()))
    assert pickle.loads(now).__class__ is kind  # noqa: S301
    assert len(now) < 120
    assert not kind.serialize_as_secret_always


def test_each_kind_has_a_type_of_its_own() -> None:
    tokens = {f"{TYPE_PREFIX}{made.__name__}": kind for kind, made in RESOURCES.items()}  # type: ignore[attr-defined]
    assert {token: kind_of(token) for token in tokens} == tokens
    assert set(tokens.values()) == set(Kind)
    assert kind_of("aws:s3/bucket:Bucket") is None


def test_differences_are_the_smallest_places() -> None:
    before = {"a": {"b": [1, {"c": "x"}]}, "gone": 1, "same": [1]}
    after = {"a": {"b": [1, {"c": "y"}, None]}, "same": [1], "new": False}
    told = [str(each) for each in differences(before, after)]
    assert told == [
        'a.b[1].c: "x" -> "y"', "a.b[2]: (not there) -> null", "gone: 1 -> (not there)", "new: (not there) -> false",
    ]  # fmt: skip


def content(kind: Kind, key: str, body: Mapping[str, Any] | None = None, **more: Any) -> ContentObject:
    return ContentObject(kind, key, more.pop("title", key), dict(body or {}), f"{key}.yaml:1", **more)


def test_every_problem_of_a_plan_is_told_at_once() -> None:
    plan = ContentPlan(
        (
            content(Kind.DASHBOARD, "a", {"name": "same"}),
            content(Kind.DASHBOARD, "b", {"name": "same"}),
            content(Kind.DASHBOARD, "a", {"name": "other"}),
            content(Kind.DOWNTIME, "c", {"name": "c", "alertIds": ["{id:alert-rule/none}"]}),
            content(Kind.CHANNEL, "d", {"url": "{secret:undeclared}"}),
        )
    )
    with pytest.raises(UserError) as told:
        checked(plan)
    lines = str(told.value).splitlines()[1:]
    assert len(lines) == 4
    for line, words in zip(
        lines, (("b.yaml:1", "a.yaml:1"), ("dashboard/a",), ("none",), ("undeclared",)), strict=True
    ):
        assert all(word in line for word in words)


class Recorder(pulumi.runtime.Mocks):
    def __init__(self) -> None:
        self.made: dict[str, pulumi.runtime.MockResourceArgs] = {}

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        self.made[args.name] = args
        outputs = {"key": "made-key", "service_account": "sa"} if args.typ.endswith(":ApiKey") else {}
        return f"id-of-{args.name}", {**args.inputs, **outputs}

    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        return {}, None


def test_resources_are_named_by_kind_and_key_and_know_those_before_them() -> None:
    recorder = Recorder()
    pulumi.runtime.set_mocks(recorder, preview=False)
    plan = ContentPlan(
        (
            content(Kind.CHANNEL, "oncall", CHANNEL, secrets=(("hook", SecretRef("hook")),)),
            content(Kind.ALERT_RULE, "slow", {"alert": "slow"}),
            content(Kind.DOWNTIME, "night", {"alertIds": ["{id:alert-rule/slow}"]}),
        )
    )

    @pulumi.runtime.test
    def program() -> None:
        access = Access("https://s", "name", lambda: "PEM", "a@b.c", SecretRef("password"))
        SigNozContent("x", plan, access, read_secret=lambda each: pulumi.Output.secret(f"value of {each.path}"))

    program()
    made = {name: args for name, args in recorder.made.items() if args.typ.startswith(TYPE_PREFIX)}
    assert list(made) == ["x-api-key", "channel/oncall", "alert-rule/slow", "planned-downtime/night"]
    night = made["planned-downtime/night"].inputs
    assert night["ids"] == {"alert-rule/slow": "id-of-alert-rule/slow"}
    assert (night["api_key"], night["root_certificate"]) == ("made-key", "PEM")
    assert made["channel/oncall"].inputs["secrets"]["value"] == {"hook": "value of hook"}, "not marked as secret"
    assert "value of hook" not in made["channel/oncall"].inputs["body"]


def test_rendered_and_described_content_shows_no_secret() -> None:
    held = content(Kind.CHANNEL, "oncall", CHANNEL, secrets=(("hook", SecretRef("hook")),))
    night = content(Kind.DOWNTIME, "night", {"alertIds": ["{id:alert-rule/slow}"]})
    plan = SigNozPlan("dev", "dev", "1", "net", (), (), ContentPlan((held, night)))
    none: Any = None
    masked_texts = render(What.CONTENT, cloudwatch=none, signoz=plan)
    assert json.loads(masked_texts["content/channel/oncall.json"]) == CHANNEL
    in_clear = render(What.CONTENT, cloudwatch=none, signoz=plan, secrets={"hook": HOOK})
    assert HOOK in in_clear["content/channel/oncall.json"]
    assert "{id:alert-rule/slow}" in in_clear["content/planned-downtime/night.json"], "only the server gives those"
    assert [row["kind"] for row in content_rows(plan.content)] == ["SigNoz channel", "SigNoz planned downtime"]
    assert content_counts(plan.content) == "1 channel, 1 planned downtime"


def settings(**signoz: Any) -> Any:
    raw = {
        "environment": "local",
        "owner": "me",
        "runbook_base_url": "https://example.com",
        "agents": {"a": {}},
        "signoz": {
            "root_user": {"email": "a@example.com", "password": SecretRef("p")},
            "jwt_secret": SecretRef("j"),
            "clickhouse": {"password": SecretRef("c")},
            "collector": {"tokens": {"agents": SecretRef("t")}},
            **signoz,
        },
    }
    return validate(raw, source=Path("x")).signoz


@pytest.mark.parametrize(
    ("host", "gateway", "expected"),
    [
        ("unix:///var/run/docker.sock", {}, ("https://localhost", None)),
        ("unix:///var/run/docker.sock", {"hostname": "s.example.com"}, ("https://localhost", "s.example.com")),
        (
            "unix:///var/run/docker.sock",
            {"listen_address": "127.0.0.1", "ui_port": 8443},
            ("https://127.0.0.1:8443", "localhost"),
        ),
        ("unix:///var/run/docker.sock", {"listen_address": "::1"}, ("https://[::1]", "localhost")),
        ("ssh://ops@10.0.0.5:2222", {}, ("https://10.0.0.5", "localhost")),
        ("ssh://ops@box", {"hostname": "s.example.com", "ui_port": 8443}, ("https://s.example.com:8443", None)),
    ],
)
def test_the_api_is_reached_at_the_docker_host(host: str, gateway: dict[str, Any], expected: tuple[str, str]) -> None:
    found = access_of(settings(docker_host=host, gateway=gateway), lambda: None)
    assert found
    assert (found.address, found.server_name) == expected


class Held:
    """Objects as a client lists them."""

    def __init__(self, held: dict[Kind, dict[str, dict[str, Any]]]) -> None:
        self.held = held

    def list(self, kind: Kind) -> list[tuple[str, dict[str, Any]]]:
        return list(self.held.get(kind, {}).items())

    def read(self, kind: Kind, object_id: str) -> dict[str, Any] | None:
        return self.held[kind].get(object_id)


def test_what_people_built_becomes_a_file_each() -> None:
    def board(title: str, **more: Any) -> dict[str, Any]:
        return {"name": "n", "schemaVersion": "v6", "spec": {"display": {"name": title}}, **more}

    held = Held(
        {
            Kind.DASHBOARD: {
                "1": board("Ünser Büro / 1", id="1", createdAt="x", source="user", locked=False, orgId="o"),
                "2": board("unser buro 1"),
                "3": board("Ours"),
            },
            Kind.SAVED_VIEW: {"4": {"name": "v", "source": "traces", "spec": {"displayName": "Slow"}}},
        }
    )
    wanted, deployed = ["dashboards", "rules", "views"], {(Kind.DASHBOARD, "3"): "ours-key"}
    files = export.exported(held, wanted, deployed, everything=False)
    assert [each.path for each in files] == [
        "dashboards/unser-buro-1-2.json", "dashboards/unser-buro-1.json", "views/slow.json",
    ]  # fmt: skip
    assert json.loads(files[1].text).keys() == {"name", "schemaVersion", "spec"}
    assert json.loads(files[2].text)["source"] == "traces", "of a view that is what it is a view of"
    everything = {each.path: each.deployed for each in export.exported(held, wanted, deployed, everything=True)}
    assert everything["dashboards/ours-key.json"]
    assert len(everything) == 4


def test_a_file_that_somebody_changed_is_not_overwritten(tmp_path: Path) -> None:
    files = [export.Exported(f"dashboards/{name}.json", "{}\n", False) for name in ("a", "b")]
    changed = tmp_path / "dashboards" / "b.json"
    changed.parent.mkdir()
    changed.write_text("mine")
    with pytest.raises(UserError, match=r"b\.json"):
        export.write(files, tmp_path, force=False)
    assert not (tmp_path / "dashboards" / "a.json").exists(), "something was written before the refusal"
    assert len(export.write(files, tmp_path, force=True)) == 2
    assert export.write(files, tmp_path, force=False) == []


@pytest.fixture(autouse=True)
def _no_client_is_kept() -> Iterator[None]:
    yield
    ContentProvider.adopted.clear()


# --- A SigNoz that the stack does not run ---

GIVEN = {"address": "https://acme.us.signoz.cloud", "root_certificate": None, "existing": True, "api_key": "g1ven-key"}


class Existing(ExistingServerProvider):
    """Of an organisation, or one that raises."""

    def __init__(self, found: str | Exception) -> None:
        super().__init__()
        self.found = found

    def organisation(self, props: dict[str, Any]) -> str:
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


@pytest.fixture(autouse=True)
def _no_newest_key() -> Iterator[None]:
    """The provider's process lives for one run of the engine."""
    yield
    ContentProvider.newest_keys.clear()


def test_an_existing_server_is_known_by_its_organisation() -> None:
    made = Existing("org-1").create(GIVEN)
    assert (made.id, made.outs) == ("org-1", {**GIVEN, "organisation": "org-1"})
    rotated = {**GIVEN, "api_key": "n3w-key"}
    changed = Existing("org-1").diff("org-1", made.outs or {}, rotated)
    assert changed.changes
    assert not changed.replaces
    assert Existing("org-1").diff("org-1", made.outs or {}, GIVEN).changes is False
    assert Existing("org-2").update("org-1", made.outs or {}, rotated).outs == {**rotated, "organisation": "org-2"}


def test_a_given_key_that_is_wrong_says_how_to_set_another() -> None:
    with pytest.raises(ContentError) as failed:
        Existing(Unauthorized("SigNoz rejected the key g1ven-key.")).create(GIVEN)
    assert "pulumi config set -s STACK --secret --path 'turnscope:existing_signoz.api_key'" in str(failed.value)
    assert "--refresh" not in str(failed.value), "no refresh makes a key that was given"
    assert "g1ven-key" not in str(failed.value)


def test_content_is_deleted_with_the_key_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The state of what is to be deleted has the one before, which may be revoked."""
    used: list[str] = []

    def connected(address: str, name: str | None, certificate: str | None, key: str, existing: bool) -> Server:
        used.append(key)
        return Server()

    monkeypatch.setattr(resources, "_connected", connected)
    deployed = props(address=GIVEN["address"], api_key="0ld-key")
    ContentProvider().delete("x", deployed)
    Existing("org-1").update("org-1", {**GIVEN, "api_key": "0ld-key"}, GIVEN)
    ContentProvider().delete("x", deployed)
    ContentProvider().delete("x", props(address="https://signoz.example.com", api_key="of-another"))
    assert used == ["0ld-key", "g1ven-key", "of-another"]


def test_an_existing_server_is_not_touched_when_the_stack_goes() -> None:
    """Nor is it asked: its owner may have revoked the key."""
    provider = Existing(Unauthorized("no"))
    provider.delete("org-1", GIVEN)
    assert provider.read("org-1", GIVEN).id == "org-1"
