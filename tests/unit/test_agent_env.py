"""What `turnscope env` prints: every value arrives as it was, by whichever way an agent reads it."""

from __future__ import annotations

import json
import subprocess
import urllib.parse
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from core.errors import UserError
from core.project import Project
from tests.unit.conftest import HOST, SECURE, SIGNOZ, settings_with
from turnscope import agent_gateway
from turnscope.agent_environment import FORMATS, Gateway, Langfuse, Protocol, agent_environment, as_dotenv, as_shell
from turnscope.deployment.deployment import Deployment

TOKENS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=64)
GATEWAY = Gateway("signoz.example.com", "s3cret-token", ca_file="/etc/turnscope/root.crt")


def environment(gateway: Gateway = GATEWAY, **options: object) -> dict[str, str]:
    return agent_environment(gateway, service_name="receptionist", environment="prod", **options)  # type: ignore[arg-type]


@given(TOKENS)
def test_any_token_survives_the_header_variable(token: str) -> None:
    """OpenTelemetry splits the variable at commas and equals signs, then decodes each part."""
    header = environment(Gateway("localhost", token))["OTEL_EXPORTER_OTLP_HEADERS"]
    name, _, value = header.partition("=")
    assert (name, urllib.parse.unquote(value)) == ("Authorization", f"Bearer {token}")
    assert "," not in header
    assert "=" not in value


@pytest.mark.parametrize("token", ["", " ", "a b", "a\n"])
def test_a_token_that_the_collector_would_take_for_none_is_refused(token: str) -> None:
    with pytest.raises(UserError, match="token"):
        environment(Gateway("localhost", token))


@pytest.mark.parametrize(
    ("protocol", "endpoint"),
    [(Protocol.HTTP, "https://signoz.example.com:4318"), (Protocol.GRPC, "https://signoz.example.com:4317")],
)
def test_protocol_and_port_fit_together(protocol: Protocol, endpoint: str) -> None:
    found = environment(protocol=protocol)
    assert (found["OTEL_EXPORTER_OTLP_PROTOCOL"], found["OTEL_EXPORTER_OTLP_ENDPOINT"]) == (protocol, endpoint)


def test_metrics_are_asked_for_as_the_stack_can_store_them() -> None:
    found = environment()
    assert found["OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"] == "delta"
    assert found["OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION"] == "explicit_bucket_histogram"
    assert found["OTEL_RESOURCE_ATTRIBUTES"] == "deployment.environment=prod,deployment.environment.name=prod"


def test_what_is_not_asked_for_is_not_there() -> None:
    found = environment(Gateway("10.0.0.5", "t"))
    assert not {"OTEL_EXPORTER_OTLP_CERTIFICATE", "LIVEKIT_TELEMETRY_ALLOW_PII", "LANGFUSE_SECRET_KEY"} & found.keys()
    full = environment(allow_pii=False, langfuse=Langfuse("https://cloud.langfuse.com", "pk", "sk"))
    assert full["LIVEKIT_TELEMETRY_ALLOW_PII"] == "0"
    assert full["LANGFUSE_SECRET_KEY"] == "sk"
    assert full["OTEL_EXPORTER_OTLP_CERTIFICATE"] == "/etc/turnscope/root.crt"


def test_an_agents_file_can_be_given_to_docker() -> None:
    """`docker run --env-file` takes quotes for a part of the value."""
    text = as_dotenv(environment(langfuse=Langfuse("https://cloud.langfuse.com", "pk-lf-1", "sk-lf-2")))
    assert "'" not in text
    assert '"' not in text


def test_a_shell_reads_back_what_was_printed(tmp_path: Path) -> None:
    """For `eval` and for a sourced .env file alike, with the worst of paths."""
    awkward = {**environment(), "OTEL_EXPORTER_OTLP_CERTIFICATE": '/tmp/it\'s $HOME `x` "q"/root.crt'}  # noqa: S108
    script = as_shell(awkward) + "env -0"
    out = subprocess.run(
        ["sh", "-c", script], env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=True
    )
    found = dict(entry.split("=", 1) for entry in out.stdout.split("\0") if entry)
    assert awkward.items() <= found.items()


def test_json_is_the_same_variables() -> None:
    assert json.loads(FORMATS["json"](environment())) == environment()


def test_a_line_break_cannot_add_a_variable() -> None:
    with pytest.raises(UserError, match="line break"):
        as_dotenv({"OTEL_EXPORTER_OTLP_CERTIFICATE": "/x\nLD_PRELOAD=/y"})


def test_the_token_shows_in_no_representation() -> None:
    assert "s3cret-token" not in repr(GATEWAY)
    assert "sk" not in repr(Langfuse("https://a", "pk", "sk"))


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> Deployment:
    """A stack with two tokens, whose secrets' values are their paths, and whose gateway has a public certificate."""
    monkeypatch.setattr(agent_gateway, "values", lambda _, references: {each.path: each.path for each in references})
    monkeypatch.setattr(agent_gateway, "export_root_certificate", lambda *_: None)
    signoz = {**SIGNOZ, "collector": {"tokens": {"second": SECURE, "first": SECURE}}}
    project = Project(Path(__file__).parents[2])
    return Deployment(project, "dev", settings_with(signoz=signoz), Console(quiet=True))


@pytest.mark.parametrize(("chosen", "sent"), [(None, "first"), ("second", "second")])
def test_a_token_is_chosen_by_name(deployment: Deployment, chosen: str | None, sent: str) -> None:
    """Without a name it is the same one whichever order the file, or the engine, has them in."""
    found = agent_gateway.environment_of(deployment, None, Protocol.HTTP, token=chosen)
    header = f"Authorization=Bearer%20signoz.collector.tokens.{sent}"
    assert found["OTEL_EXPORTER_OTLP_HEADERS"] == header


def test_a_token_that_there_is_not_names_those_that_there_are(deployment: Deployment) -> None:
    with pytest.raises(UserError, match=r"collector token 'third' in this stack; allowed: first, second\."):
        agent_gateway.environment_of(deployment, None, Protocol.HTTP, token="third")


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_a_stack_with_a_machine_is_reached_by_the_machines_domain(environment: str, deployment: Deployment) -> None:
    """Its certificate is a public one, so an agent needs no file."""
    settings = settings_with(signoz=SIGNOZ, host=HOST, environment=environment, protect=environment == "prod")
    stack = Deployment(deployment.project, environment, settings, Console(quiet=True))
    found = agent_gateway.environment_of(stack, None, Protocol.HTTP)
    assert found["OTEL_EXPORTER_OTLP_ENDPOINT"] == "https://signoz.example.com:4318"
    assert "OTEL_EXPORTER_OTLP_CERTIFICATE" not in found
