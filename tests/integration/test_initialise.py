"""`turnscope init` with the real engine: a stack that is not local and in no state yet, a backend of files.

The tests of this module build on each other, in order.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from core.secrets.generated import GENERATED
from core.secrets.reference import value_at
from tests.integration.conftest import Checkout, make_checkout, succeeded
from tests.machine import LIMIT_SECONDS

STACK = """\
# What people wrote stays.
config:
  turnscope:environment: dev
  turnscope:owner: tests
  turnscope:agents: {voice-agent: {}}
  turnscope:signoz:
    root_user: {email: admin@example.com}
    gateway:
      hostname: signoz.example.com
      certificates: acme
      acme: {email: ops@example.com}
      plain_http_port: 80
    collector:
      log_level: warn # and so does this
      firehose: {log_groups: {}}
"""


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A checkout whose one stack, `dev`, no engine has seen."""
    made = make_checkout(tmp_path_factory.mktemp("project"))
    stack_file(made).write_text(STACK)
    state = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PULUMI_BACKEND_URL", state.as_uri())
        patch.setenv("PULUMI_CONFIG_PASSPHRASE", "a passphrase")
        yield made


def stack_file(checkout: Checkout) -> Path:
    return checkout.root / "stacks" / "Pulumi.dev.yaml"


def test_init_encrypts_what_is_missing_into_the_file(fresh: Checkout) -> None:
    out = succeeded(fresh.turnscope("init", "dev"))
    assert [line for line in out.splitlines() if line.startswith("generated")] == [f"generated {p}" for p in GENERATED]
    text = stack_file(fresh).read_text()
    assert "# What people wrote stays." in text
    assert "# and so does this" in text
    section = {"signoz": yaml.safe_load(text)["config"]["turnscope:signoz"]}
    for path in GENERATED:
        assert set(value_at(section, path)) == {"secure"}, path


def test_the_engine_decrypts_them_and_shows_none(fresh: Checkout) -> None:
    shown = pulumi(fresh, "config", "--json")
    values = {path: pulumi(fresh, "config", "get", "--path", f"turnscope:{path}").strip() for path in GENERATED}
    assert all(len(value) == 47 for value in values.values())
    assert len(set(values.values())) == len(GENERATED)
    assert not [path for path, value in values.items() if value in shown or value in stack_file(fresh).read_text()]
    assert json.loads(shown)["turnscope:signoz"]["secret"]


def test_init_again_changes_nothing(fresh: Checkout) -> None:
    before = stack_file(fresh).read_bytes()
    assert "has all its secrets" in succeeded(fresh.turnscope("init", "dev"))
    assert stack_file(fresh).read_bytes() == before


def test_the_stack_can_be_planned_and_rendered(fresh: Checkout) -> None:
    kinds = json.loads(succeeded(fresh.turnscope("plan", "dev", "--json")))["counts"]
    assert kinds["container"] > 4
    assert kinds["delivery stream"] == 1
    token = pulumi(fresh, "config", "get", "--path", "turnscope:signoz.collector.tokens.default").strip()
    rendered = succeeded(fresh.turnscope("render", "dev", "collector", "--show-secrets"))
    assert token in rendered.splitlines()
    assert token not in succeeded(fresh.turnscope("render", "dev", "collector"))


def test_a_second_token_is_added_by_name(fresh: Checkout) -> None:
    pulumi(fresh, "config", "set", "--secret", "--path", "turnscope:signoz.collector.tokens.next", "t" * 20)
    lines = succeeded(fresh.turnscope("render", "dev", "collector", "--show-secrets")).splitlines()
    assert "t" * 20 in lines


def test_a_wrong_passphrase_is_one_message(fresh: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    text = stack_file(fresh).read_text()
    kept = yaml.safe_load(text)
    del kept["config"]["turnscope:signoz"]["jwt_secret"]
    stack_file(fresh).write_text(yaml.safe_dump(kept))
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "another one")
    run = fresh.turnscope("init", "dev")
    stack_file(fresh).write_text(text)
    assert run.returncode == 1
    assert "passphrase" in run.stderr
    assert "Traceback" not in run.stderr


def pulumi(checkout: Checkout, *arguments: str) -> str:
    """By hand, on stack `dev`, in the environment that `turnscope shell` prints."""
    script = f'set -e\neval "$({sys.executable} -m turnscope shell dev)"\npulumi "$@" --stack dev --non-interactive'
    run = subprocess.run(
        ["bash", "-c", script, "pulumi", *arguments],
        cwd=checkout.root,
        env={**os.environ, "PYTHONPATH": str(checkout.root)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    return succeeded(run)
