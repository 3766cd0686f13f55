"""From references to values: what the configuration says, what a local machine derives, what is an error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pulumi
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import UserError
from core.secrets import placeholders
from core.secrets.generated import derived
from core.secrets.program import read_secret
from core.secrets.reference import SecretRef, location_of, property_path, value_at
from core.secrets.values import PASSPHRASE_FILE, secret_value

TOKEN = SecretRef("signoz.collector.tokens.second")
CONFIGURATION = {
    "signoz": {"collector": {"tokens": {"first": "first", "second": "second", "3": "third"}}, "jwt_secret": None},
    "servers": [{"key": "a"}, {"key": "b"}],
}


PARTS = st.lists(st.text("ab1-_$/ .[]é", min_size=1, max_size=4) | st.integers(0, 20), max_size=4)


@given(st.text("ab-_", min_size=1), PARTS)
def test_a_path_leads_back_to_its_location(first: str, rest: list[str | int]) -> None:
    """Also through names that look like indexes or paths."""
    location = (first, *rest)
    assert location_of(property_path(location)) == location


def test_a_path_is_as_the_engine_takes_it() -> None:
    """Without brackets it takes a number for a mapping's key, and refuses to set it in a list."""
    assert property_path(("servers", 0, "tokens", "2", "a.b")) == 'servers[0].tokens.2["a.b"]'


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("signoz.collector.tokens.second", "second"),
        ("signoz.collector.tokens.3", "third"),
        ("signoz.collector.tokens[3]", None),
        ("signoz.collector.tokens.2", None),
        ("signoz.collector.tokens.first.deeper", None),
        ("servers[1].key", "b"),
        ("servers[2].key", None),
        ("servers.1.key", None),
        ("servers.key", None),
        ("signoz.jwt_secret", None),
        ("signoz.clickhouse.password", None),
        ("notifications", None),
    ],
)
def test_a_path_leads_to_its_value_or_to_none(path: str, value: str | None) -> None:
    """A list shorter than expected, or a section that is not there, is no error: the secret may be derived."""
    assert value_at(CONFIGURATION, path) == value


@pytest.mark.parametrize(
    ("configured", "passphrase", "value"),
    [("set", "phrase", "set"), ("", "phrase", ""), (None, "phrase", derived("phrase", TOKEN)), ("set", None, "set")],
)
def test_what_is_configured_wins_over_what_is_derived(
    configured: str | None, passphrase: str | None, value: str
) -> None:
    """A developer's own token stays; an empty one stays empty, and is refused where it is deployed."""
    found = secret_value(TOKEN, stack="local", configured=lambda _: configured, passphrase=lambda: passphrase)
    assert found == value


def test_a_secret_without_a_value_says_how_to_set_it() -> None:
    """On a stack that is not local nothing is derived, whatever passphrase the machine has."""
    command = "pulumi config set -s dev --secret --path 'turnscope:signoz.collector.tokens.second'"
    with pytest.raises(UserError) as raised:
        secret_value(TOKEN, stack="dev", configured=lambda _: None, passphrase=lambda: None)
    assert command in str(raised.value)


@pytest.mark.parametrize("configured", [True, False])
def test_the_program_reads_or_derives(configured: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The value is a Pulumi secret either way: the engine encrypts it in the state and hides it in its output."""
    (tmp_path / "passphrase").write_text("phrase")
    monkeypatch.setenv(PASSPHRASE_FILE, str(tmp_path / "passphrase"))
    pulumi.runtime.set_mocks(_NoResources(), project="turnscope", stack="local")
    config = {"turnscope:signoz": json.dumps(CONFIGURATION["signoz"])} if configured else {}
    pulumi.runtime.set_all_config(config)
    found: list[tuple[str, bool]] = []

    @pulumi.runtime.test
    def read() -> pulumi.Output[None]:
        secret = read_secret(TOKEN)
        return pulumi.Output.all(secret, pulumi.Output.from_input(secret.is_secret())).apply(
            lambda both: found.append((both[0], both[1]))
        )

    try:
        read()
    finally:
        pulumi.runtime.set_all_config({})
    assert found == [("second" if configured else derived("phrase", TOKEN), True)]


class _NoResources(pulumi.runtime.Mocks):
    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        raise AssertionError(args.name)

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        raise AssertionError(args.token)


def test_placeholders_are_found_and_filled_at_any_depth() -> None:
    """A body of content is filled as a whole; what is no text stays what it is."""
    body = {"a": [f"x {placeholders.value_of(TOKEN)}", 3], "b": {"c": placeholders.url_part(TOKEN)}}
    assert placeholders.secrets_in(body) == ((TOKEN.path, TOKEN),)
    assert placeholders.fill(body, {TOKEN.path: "p/w"}) == {"a": ["x p/w", 3], "b": {"c": "p%2Fw"}}


def test_a_secret_that_a_message_repeats_is_hidden_in_full() -> None:
    """Also one that begins like another, and as JSON quotes it, which servers do in their answers."""
    message = 'token "a\\"b" of long-secret, secret'
    hidden = placeholders.without_secrets(message, ["secret", "long-secret", 'a"b', ""])
    assert hidden == 'token "[secret]" of [secret], [secret]'
