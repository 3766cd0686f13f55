"""What `turnscope init` asks: all that a fresh stack lacks, in words that the settings take."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from core.errors import UserError
from core.secrets.generated import GENERATED
from core.secrets.reference import SecretRef
from stacks.settings.loading import load, load_with, raw_settings
from stacks.settings.missing import missing_values
from stacks.settings.model import Settings
from turnscope.deployment.initialise import initialise
from turnscope.deployment.questions import Question, Value, questions

ROOT = Path(__file__).parents[2]
ANSWERS = {
    "owner": "voice",
    "expires_on": "2099-12-31",
    "runbook_base_url": "https://runbooks.acme-voice.com",
    "agents": "front-desk, sales",
    "notifications.critical": "https://events.pagerduty.com/integration/0123/enqueue",
    "notifications.warning": "a@acme-voice.com b@acme-voice.com",
    "host.allowed_networks.ui": "198.18.0.0/24, 2a00::/32",
    "host.domain": "signoz.acme-voice.com",
    "host.acme_email": "ops@acme-voice.com",
    "host.zone_id": "Z0123456789ABCDEFGHIJ",
    "host.network.vpc_id": "vpc-0123456789abcdef0 subnet-0123456789abcdef0",
    "signoz.root_user.email": "ops@acme-voice.com",
    "signoz.alertmanager.default_receiver": "https://hooks.slack.com/services/T/B/x",
}
OF_DEV = {
    "expires_on", "host.allowed_networks.ui", "host.domain", "host.acme_email", "host.zone_id", "host.network.vpc_id",
    "signoz.root_user.email",
}  # fmt: skip


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The shipped stacks."""
    shutil.copytree(ROOT / "stacks", tmp_path / "stacks", ignore=shutil.ignore_patterns("settings", "*.py"))
    return tmp_path


def asked(stack: str, project: Path) -> list[Question]:
    return questions(load(stack, project), raw_settings(stack, project))


def answered(stack: str, project: Path, answers: dict[str, str]) -> Settings:
    values = [value for each in asked(stack, project) for value in each.values(answers[each.path])]
    known = {each.path: SecretRef(each.path) if each.secret else each.value for each in values}
    return load_with(stack, project, known)


@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_answers_to_all_questions_leave_generated_secrets_alone(project: Path, stack: str) -> None:
    settings = answered(stack, project, ANSWERS)
    assert [each.key for each in missing_values(settings)] == [
        path for path in (each.key for each in missing_values(load(stack, project))) if path in GENERATED
    ]
    assert settings.host
    assert settings.host.allowed_networks
    assert settings.host.allowed_networks.ui == ("198.18.0.0/24", "2a00::/32")
    assert settings.host.allowed_networks.otlp == ("0.0.0.0/0",)


def test_each_question_is_asked_once_and_no_stack_is_asked_what_it_does_not_lack(project: Path) -> None:
    assert {each.path for each in asked("dev", project)} == OF_DEV
    for stack in ("staging", "prod"):
        paths = [each.path for each in asked(stack, project)]
        assert sorted(paths) == sorted(set(ANSWERS) - {"expires_on"})


def test_what_opens_a_door_is_a_secret(project: Path) -> None:
    values = [value for each in asked("prod", project) for value in each.values(ANSWERS[each.path])]
    assert {each.path for each in values if each.secret} == {
        "notifications.critical.pagerduty_integration_url",
        "signoz.alertmanager.receivers.team.slack_webhook_url",
    }


@pytest.mark.parametrize(
    ("path", "answer", "expected"),
    [
        ("notifications.critical", "https://example.org/hook", "allowed: https://events.pagerduty.com/"),
        ("notifications.critical", "nobody", 'notifications.critical.emails.0: "nobody": allowed: '),
        ("signoz.alertmanager.default_receiver", "ops@acme-voice.com", "allowed: https://hooks.slack.com/"),
        ("host.allowed_networks.ui", "10.0.0.300/24", 'host.allowed_networks.ui.0: "10.0.0.300/24": allowed: '),
        ("host.network.vpc_id", "subnet-1 vpc-1", "allowed: vpc-... subnet-..."),
        ("host.domain", "two words", 'host.domain: "two words": allowed: '),
        ("runbook_base_url", "runbooks", 'runbook_base_url: "runbooks": allowed: '),
    ],
)
def test_an_answer_that_is_not_allowed_is_told_and_asked_for_again(
    project: Path, monkeypatch: pytest.MonkeyPatch, path: str, answer: str, expected: str
) -> None:
    written: list[Value] = []
    monkeypatch.setattr("turnscope.deployment.initialise._write", lambda values, *_: written.extend(values))
    told: list[str] = []
    wrong = {path: [answer, answer]}

    def ask(question: Question) -> str:
        left = wrong.get(question.path, [])
        return left.pop() if left else ANSWERS[question.path]

    done = initialise(of(project), "prod", Any, ask=ask, tell=told.append)  # pyright: ignore[reportArgumentType]
    assert len(told) == 2
    assert all(text.startswith(expected) for text in told), told
    lacking = {each.key for each in missing_values(load("prod", project))}
    assert set(done.generated) == lacking & {*GENERATED}
    assert [each.path for each in written] == [*done.answered, *done.generated]
    assert len(done.answered) == len({each.path for each in written}) - len(done.generated)


def test_nothing_is_written_where_the_owner_leaves(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("turnscope.deployment.initialise._write", lambda *_: pytest.fail("written"))

    def leave(question: Question) -> str:
        if question.path == "host.domain":
            raise UserError("Interrupted")
        return ANSWERS[question.path]

    with pytest.raises(UserError, match="Interrupted"):
        initialise(of(project), "prod", Any, ask=leave, tell=print)  # pyright: ignore[reportArgumentType]


def test_an_empty_answer_leaves_the_setting_as_it_is(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("turnscope.deployment.initialise._write", lambda *_: None)
    done = initialise(of(project), "prod", Any, ask=lambda _: " ", tell=print)  # pyright: ignore[reportArgumentType]
    assert done.answered == ()


def of(root: Path) -> Any:
    from core.project import Project

    return Project(root)
