"""The Pulumi program of each stack file: what holds for all that it registers. What it is: `tests/golden/program`."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from signoz.roles.collector.credentials import langfuse_credentials
from stacks.settings.loading import merge, stack_file, stacks
from stacks.settings.missing import TEAM
from stacks.settings.model import Settings
from tests.program import ACCOUNT, CASES, EVERYTHING, OVER, ROOT, Program, Resource, is_secret, program, run
from turnscope.deployment.existing import FINDERS, MADE_AGAIN

ROOMS = ("core", "cloudwatch", "analytics", "forwarding", "signoz", "host")
every_case = pytest.mark.parametrize("case", CASES)
PROVIDERS = {"aws": "aws", "docker": "docker", "pulumi-python": ""}
"""By a type's package. What is in SigNoz has none: a dynamic resource carries its provider in itself."""


def components() -> set[str]:
    """Type tokens of all components that there are."""
    return {
        f"turnscope:{path.stem}:{found}"
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        for found in re.findall(r"^class (\w+)\((?:Component|ServiceRole)\):", path.read_text(), re.MULTILINE)
    }


def test_every_stack_has_a_snapshot() -> None:
    assert set(CASES) == {*stacks(ROOT), *OVER}


def test_two_runs_give_the_same_text() -> None:
    """Components register at the same time, so in any order; and a run must leave nothing behind for the next."""
    assert run("everything").text == program("everything").text


@every_case
def test_every_component_has_a_token_of_its_own(case: str) -> None:
    """`turnscope:<module>:<Class>`; the engine knows a component by it, so another one replaces all that is in it."""
    assert {each.type for each in program(case).resources if not each.custom} <= components()


def test_every_component_is_in_a_snapshot() -> None:
    found = {each.type for case in CASES for each in program(case).resources if not each.custom}
    assert components() - found == set()


@every_case
def test_every_resource_is_in_a_component(case: str) -> None:
    """And named after it, so that a log or a plan says where it belongs; content has names of its own."""
    for each in program(case).resources:
        if each.custom and not each.type.startswith("pulumi:providers:"):
            assert len(each.path) > 1, each.name
        if len(each.path) > 1 and not each.type.startswith("pulumi-python:"):
            assert each.name.startswith(f"{each.path[-2]}-"), each.path


@every_case
def test_providers_are_explicit(case: str) -> None:
    """The default one would take region, account and tags from the shell."""
    for each in program(case).resources:
        package = each.type.partition(":")[0]
        if each.custom and package != "pulumi":
            assert each.provider == PROVIDERS[package], each.name
    assert {each["arguments"]["provider"] for each in program(case).lookups} <= {"aws"}


def test_every_resource_can_be_found_or_is_made_again_without_harm() -> None:
    """A type without a finder would stay as a duplicate, or be in the way, after a run that was killed."""
    packages = ("aws", "docker")
    types = {each.type for case in CASES for each in program(case).resources if each.type.partition(":")[0] in packages}
    assert types <= {*FINDERS, *MADE_AGAIN}
    assert {*FINDERS, *MADE_AGAIN} <= types
    assert not MADE_AGAIN & FINDERS.keys()


def holds_data(resource: Resource) -> bool:
    """Lambda's and Firehose's own log groups hold nothing that is missed, and Athena's results can be had again."""
    match resource.type.rpartition(":")[2]:
        case "Bucket":
            return "-results-" not in resource.name
        case "LogGroup":
            return resource.path[-2].endswith("-log-group")
        case "Volume":
            return resource.name.endswith("-data") or resource.type.startswith("aws:ebs/")
        case "Key":
            return True
    return False


@pytest.mark.parametrize("exists", [True, False])
def test_data_of_prod_cannot_be_deleted(exists: bool) -> None:
    """Nor the keys that it is encrypted with: protected, so that the engine refuses. What Docker has is left on the
    machine's volume, which is protected."""
    over = {"agents": {"voice-agent": {"log_group_exists": exists}}}
    held = [each for each in run("prod", over).resources if holds_data(each)]
    in_aws = [each for each in held if each.type.startswith("aws:")]
    kinds = {"Bucket", "Key", "Volume", *(() if exists else {"LogGroup"})}
    assert {each.type.rpartition(":")[2] for each in in_aws} == kinds
    assert [each.name for each in in_aws if not each.options.get("protect")] == []
    assert [each.name for each in held if each not in in_aws and not each.options.get("retainOnDelete")] == []


def test_protected_data_of_signoz_stays() -> None:
    """A volume is left where it is, which a teardown that was meant may do; all else is protected."""
    held = [each for each in program("everything").resources if holds_data(each)]
    assert {each.type.rpartition(":")[2] for each in held} == {"Bucket", "Key", "LogGroup", "Volume"}
    kept = ("protect", "retainOnDelete")
    assert [each.name for each in held if not any(each.options.get(option) for option in kept)] == []


def unmarked(value: Any) -> Iterator[str]:
    """Every text that is not marked as a secret."""
    if is_secret(value):
        return
    if isinstance(value, dict):
        yield from (text for entry in value.values() for text in unmarked(entry))
    elif isinstance(value, list):
        yield from (text for entry in value for text in unmarked(entry))
    elif isinstance(value, pulumi.AssetArchive):
        yield from unmarked(value.assets)
    elif isinstance(value, pulumi.FileAsset):
        yield Path(value.path).read_text()
    elif isinstance(value, pulumi.StringAsset):
        yield value.text
    else:
        yield str(value)


def forms(made: Program) -> dict[str, str]:
    """Each secret's value, and what else it could be known by, by name."""
    found = dict(made.secrets)
    if "langfuse_public" in found:
        found["langfuse"] = langfuse_credentials(found.pop("langfuse_public"), found.pop("langfuse_secret"))
    return found


@pytest.mark.parametrize("case", ["local", "everything", "existing-signoz", "forwarding"])
def test_secrets_are_marked_as_such(case: str) -> None:
    """The engine encrypts and hides what is marked, alone. Every secret is in the registrations, and in no text of
    them that is not marked; nor is it in the snapshot."""
    made = program(case)
    registered = repr([each.inputs for each in made.resources])
    texts = [*unmarked([dict(each.inputs) for each in made.resources]), *unmarked(dict(made.exports)), made.text]
    assert made.secrets
    for name, value in forms(made).items():
        assert value in registered, name
        encoded = base64.b64encode(value.encode()).decode(), hashlib.sha256(value.encode()).hexdigest()
        assert [text for text in texts if any(form in text for form in (value, *encoded))] == [], name


def test_a_preview_shows_all_that_is_made() -> None:
    """Each resource with each input, known or not: whoever deploys has seen everything. It shows too that each output
    that is referred to has an answer here, as one without would leave the input out."""
    shown, made = run("everything", preview=True), program("everything")
    assert {each.name: sorted(each.inputs) for each in shown.resources} == {
        each.name: sorted(each.inputs) for each in made.resources
    }


@every_case
def test_names_are_the_stacks(case: str) -> None:
    """And not the environment's, so that two stacks of one environment in one account have none in common. Nor is
    there a path of this machine, which would be a change on every other one."""
    text = program(case).text
    assert not re.search(r"turnscope[-_/](local|dev|staging|prod)\b", text)
    assert str(ROOT) not in text


def test_one_more_agent_is_at_most_thirty_resources_more() -> None:
    """Nothing else changes, but for what is over all agents."""
    one, two = (
        {each.name for each in run("dev", {"agents": {name: {} for name in names}}).resources if each.custom}
        for names in (("first",), ("first", "second"))
    )
    assert one <= two
    assert len(two - one) <= 30
    assert all("second" in name for name in two - one)


def test_nothing_is_registered_with_wrong_settings() -> None:
    """One message for whoever deploys, with every problem, and nothing was touched."""
    with pytest.raises(pulumi.RunError, match=r"(?s)targets.percentile: .*alarms.period_seconds: ") as raised:
        run("dev", {"targets": {"percentile": 1}, "alarms": {"period_seconds": 61}})
    assert "Traceback" not in str(raised.value)


@pytest.mark.parametrize("case", ["staging", "prod"])
def test_nothing_is_registered_while_something_is_missing(case: str) -> None:
    """Also by `pulumi up`, without the command line."""
    with pytest.raises(pulumi.RunError, match=r"Missing in stack example: 1 setting.*\n  owner: "):
        run(case, {"owner": TEAM})


SIGNOZ_ALONE: dict[str, Any] = {
    "cloudwatch": None,
    "analytics": None,
    "budget": None,
    "host": None,
    # Without a machine of its own there is nobody to make the bucket.
    "signoz": merge(EVERYTHING["signoz"], {"clickhouse": {"cold_storage": None}}),
}


def test_signoz_alone_has_nothing_in_aws() -> None:
    """Not even a provider, which would ask for credentials."""
    made = run("dev", SIGNOZ_ALONE)
    assert {each.type.partition(":")[0] for each in made.resources if each.custom} == {
        "docker",
        "pulumi",
        "pulumi-python",
    }
    assert [each.type for each in made.resources if each.type.startswith("pulumi:")] == ["pulumi:providers:docker"]
    assert made.lookups == []
    assert list(made.exports) == ["signoz"]


def test_content_in_a_database_of_ones_own_stays_at_tear_down() -> None:
    """The engine asks nobody to delete what goes with the network, which goes with the stack."""
    database = {"postgres": {"host": "db.acme-voice.com", "password": {"secure": "database"}}}
    signoz = {"database": database, "images": {"source": "registry"}}
    made = run("dev", {**SIGNOZ_ALONE, "signoz": merge(SIGNOZ_ALONE["signoz"], signoz)})
    content = [each for each in made.resources if each.type.startswith("pulumi-python:")]
    assert {each.options["deletedWith"] for each in content if "content" in each.path[1]} == {"signoz-network"}
    assert not any("signoz-data" in each.name for each in made.resources)


def test_an_existing_topic_is_notified_and_left_alone() -> None:
    """By alarms, those of the analytics, and the budget."""
    arn = f"arn:aws:sns:us-west-1:{ACCOUNT}:pager"
    own, other = program("dev"), run("dev", {"cloudwatch": {"topics": {"critical": arn, "warning": arn}}})
    assert {each.name for each in own.resources} - {each.name for each in other.resources} == {
        f"notify-{severity}{part}" for severity in ("critical", "warning") for part in ("", "-topic", "-policy")
    }
    actions = {arn for each in other.resources for arn in each.inputs.get("alarmActions", ()) if ":sns:" in arn}
    [budget] = [each for each in other.resources if each.type.endswith(":Budget")]
    assert actions == {arn}
    assert {topic for each in budget.inputs["notifications"] for topic in each["subscriberSnsTopicArns"]} == {arn}
    assert other.exports["topics"] == {"critical": arn, "warning": arn}


def test_everything_names_each_section() -> None:
    """A section of the settings that no snapshot has would be deployed unseen."""
    shipped = [yaml.safe_load(stack_file(stack, ROOT).read_text())["config"] for stack in stacks(ROOT)]
    named = {key.partition(":")[2] for config in shipped for key in config}
    named = named.union(*(over for _, over in OVER.values()))
    assert set(Settings.model_fields) - named - {*yaml.safe_load((ROOT / "stacks/base.yaml").read_text())} == set()
