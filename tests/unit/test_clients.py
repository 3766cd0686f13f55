"""Which account and role a stack's boto3 clients are of: what they send, without a network."""

from __future__ import annotations

import io
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.httpsession import URLLib3Session
from rich.console import Console

from cloudwatch.clients import account_id, client_factory
from cloudwatch.provider import provider_args
from core.errors import UserError
from core.project import Project
from core.secrets.reference import SecretRef
from stacks.settings.aws import OWN_TAGS
from tests.unit.conftest import SECURE, settings_with
from turnscope.deployment.deployment import Deployment

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/deploy"
ANSWERS = {
    "GetCallerIdentity": f"<GetCallerIdentityResult><Account>{ACCOUNT}</Account></GetCallerIdentityResult>",
    "AssumeRole": "<AssumeRoleResult><Credentials><AccessKeyId>ASSUMED</AccessKeyId>"
    "<SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult>",
}


class Raw(io.BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


@dataclass
class Sts:
    """Amazon's token service, and each action that it was asked for with its arguments and who asked."""

    asked: list[tuple[str, dict[str, str], str]] = field(default_factory=list)

    def send(self, request: Any) -> AWSResponse:
        arguments = dict(urllib.parse.parse_qsl(_text(request.body)))
        action = arguments.pop("Action")
        key = _text(request.headers["Authorization"]).split("Credential=")[1].split("/")[0]
        self.asked.append((action, arguments, key))
        body = f"<{action}Response>{ANSWERS[action]}</{action}Response>".encode()
        return AWSResponse(request.url, 200, {}, Raw(body))


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode()


@pytest.fixture
def sts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Sts:
    """With credentials `OWN` in the environment, and those of profile `voice` in a file."""
    found = Sts()
    monkeypatch.setattr(URLLib3Session, "send", lambda _, request: found.send(request))
    (tmp_path / "credentials").write_text("[voice]\naws_access_key_id = OFVOICE\naws_secret_access_key = x\n")
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "OWN")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    return found


@pytest.mark.parametrize(("aws", "key"), [({}, "OWN"), ({"profile": "voice"}, "OFVOICE")])
def test_clients_are_of_the_profile(sts: Sts, aws: dict[str, Any], key: str) -> None:
    settings = settings_with(aws=aws)
    assert account_id(settings, client_factory(settings)) == ACCOUNT
    assert [(action, by) for action, _, by in sts.asked] == [("GetCallerIdentity", key)]


def test_a_role_is_assumed_once_with_the_profile_and_its_external_id(sts: Sts) -> None:
    role = {"role_arn": ROLE, "external_id": SECURE, "session_name": "ci"}
    settings = settings_with(aws={"profile": "voice", "assume_role": role})
    values = {SecretRef("aws.assume_role.external_id"): "hunter2"}
    client = client_factory(settings, values.__getitem__)
    assert sts.asked == [], "a factory that nobody uses asks nothing"
    for _ in range(2):
        account_id(settings, client)
    [(assumed, arguments, by), *others] = sts.asked
    assert (assumed, by) == ("AssumeRole", "OFVOICE")
    assert {"RoleArn": ROLE, "RoleSessionName": "ci", "ExternalId": "hunter2"}.items() <= arguments.items()
    assert [(action, by) for action, _, by in others] == [("GetCallerIdentity", "ASSUMED")] * 2


def test_a_wrong_account_is_refused(sts: Sts) -> None:
    settings = settings_with(aws={"account_ids": ["111111111111", "222222222222"]})
    with pytest.raises(UserError, match=rf"account {ACCOUNT}; allowed: 111111111111, 222222222222 \(") as raised:
        account_id(settings, client_factory(settings))
    assert raised.value.exit_code == 2


@pytest.mark.parametrize("command", [Deployment.up, Deployment.destroy, lambda each: each.preview(show_diff=False)])
def test_nothing_is_done_in_a_wrong_account(
    sts: Sts, command: Callable[[Deployment], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither engine nor state is looked at, and AWS is asked for nothing but who this is."""
    monkeypatch.setattr(Deployment, "_prepare", lambda _: None)
    monkeypatch.setattr(Deployment, "_select", lambda *_, **__: pytest.fail("the state was looked at"))
    settings = settings_with(aws={"account_ids": ["111111111111"]})
    deployment = Deployment(Project(Path("/nowhere")), "dev", settings, Console(quiet=True))
    with pytest.raises(UserError, match="allowed: 111111111111"):
        command(deployment)
    assert [action for action, *_ in sts.asked] == ["GetCallerIdentity"]


def test_a_profile_that_there_is_not_names_those_that_there_are(sts: Sts) -> None:
    settings = settings_with(aws={"profile": "vioce"})
    with pytest.raises(UserError, match=r"turnscope:aws.profile: vioce: allowed: .*voice"):
        client_factory(settings)("sts")


def test_a_role_without_credentials_to_assume_it_is_one_message(sts: Sts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    settings = settings_with(aws={"assume_role": {"role_arn": ROLE}})
    with pytest.raises(UserError, match=f"No AWS credentials found with which to assume {ROLE}"):
        client_factory(settings)("logs")


@pytest.mark.parametrize(
    "aws",
    [
        {"account_ids": [ACCOUNT]},
        {"profile": "voice"},
        {"assume_role": {"role_arn": ROLE}},
    ],
)
def test_a_local_stack_is_in_no_account(aws: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="aws: a mapping: allowed: nothing, in environment local"):
        settings_with(environment="local", aws=aws)


@pytest.mark.parametrize(
    ("aws", "words"),
    [
        (
            {"account_ids": [123456789012]},
            "aws.account_ids.0: 123456789012: allowed: an account ID: 12 digits, in quotes",
        ),
        ({"account_ids": ["12345678901"]}, "12 digits"),
        ({"assume_role": {}}, "aws.assume_role.role_arn: missing"),
        ({"assume_role": {"role_arn": f"arn:aws:iam::{ACCOUNT}:user/x"}}, "the ARN of a role"),
        (
            {"assume_role": {"role_arn": ROLE, "external_id": "plain"}},
            r"external_id: \[not shown\]: allowed: encrypted",
        ),
        ({"assume_role": {"role_arn": ROLE, "session_name": "x"}}, "2 to 64"),
    ],
)
def test_an_account_that_cannot_be_is_refused(aws: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        settings_with(aws=aws)


# --- Tags ---


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({"Owner": "x"}, "allowed: other keys than Owner, because Turnscope sets Project, Stack"),
        ({"expires": "x", "a": "b"}, "other keys than expires, because"),
        ({"turnscope.stack": "x"}, r"other keys than turnscope\.stack, because"),
        ({"aws:x": "y"}, '"aws:x" as a name'),
        ({"AWS:x": "y"}, '"AWS:x" as a name'),
        ({"": "y"}, '"" as a name'),
        ({"k" * 129: "y"}, "as a name: allowed: 1 to 128"),
        ({"key": "v" * 257}, "at most 256"),
        ({"key": "a\nb"}, "at most 256"),
        ({"key": 4711}, r"a number in quotes"),
        ({"Team": "a", "team": "b"}, "each key once"),
        ({f"k{number}": "" for number in range(46)}, "of at most 45 keys"),
    ],
)
def test_tags_that_aws_or_turnscope_would_not_take_are_refused(tags: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        settings_with(tags=tags)


def test_tags_are_on_everything_and_never_in_place_of_our_own() -> None:
    """As many as AWS takes beside those that Turnscope sets, of which the settings know all."""
    tags = {f"k{number}": "v" for number in range(45)}
    settings = settings_with(tags=tags, expires_on="2030-01-01")
    found = provider_args("dev", settings, lambda _: pytest.fail("no secret is needed"))["default_tags"].tags
    assert len(found) == 50
    assert set(found) - set(tags) == set(OWN_TAGS)
