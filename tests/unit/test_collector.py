"""The collector's configuration: secrets, tokens, what is redacted, and its settings' checks."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from core.errors import UserError
from core.secrets.reference import SecretRef
from signoz.plan.templating import ottl_string
from signoz.roles.collector.config import BODY_KEYS, CONTENT_KEYS, Generation, render_collector
from signoz.roles.collector.container import command
from signoz.roles.collector.credentials import credential, langfuse_credentials, token_file
from tests.collector_cases import OPTIONS, collector_context, collector_settings
from tests.secret_folder import replace_secret_files

GENERATIONS = pytest.mark.parametrize("generation", list(Generation), ids=lambda each: each.name.lower())
TOKEN = "t" * 40

CLASSIC_COMPONENTS = {
    "receivers": {"otlp", "prometheus", "awsfirehose"},
    "processors": {"memory_limiter", "batch", "resource", "transform", "signozspanmetrics", "tail_sampling"},
    "exporters": {
        "clickhousetraces", "clickhousemetricswrite", "signozclickhousemetrics", "clickhouselogsexporter", "otlphttp",
    },
    "connectors": {"count", "sum", "forward"},
    "extensions": {"health_check", "bearertokenauth", "file_storage"},
}  # fmt: skip
"""What is used of components/components.go of github.com/SigNoz/signoz-otel-collector at v0.111.29."""


def render(generation: Generation = Generation.CURRENT, environment: str = "dev", **over: Any) -> str:
    return render_collector(collector_settings(**over), collector_context(environment, generation))


def parse(text: str) -> dict[str, Any]:
    return yaml.load(text, yaml.CSafeLoader)


@GENERATIONS
@settings(max_examples=30)
@given(chosen=st.sets(st.sampled_from([name for name in OPTIONS if name != "everything"])))
def test_every_component_is_used_and_every_used_one_is_there(generation: Generation, chosen: set[str]) -> None:
    """For any combination of options; a component that no pipeline has is not started, so it would do nothing."""
    over = {key: value for name in sorted(chosen) for key, value in OPTIONS[name].items()}
    config = parse(render(generation, **over))
    pipelines = config["service"]["pipelines"].values()
    receivers = {name for each in pipelines for name in each["receivers"]}
    exporters = {name for each in pipelines for name in each["exporters"]}
    connectors = set(config["connectors"] or ())
    assert {name for each in pipelines for name in each["processors"]} == set(config["processors"])
    assert receivers == set(config["receivers"]) | connectors
    assert exporters == set(config["exporters"]) | connectors
    assert set(config["service"]["extensions"]) == set(config["extensions"])


@pytest.mark.parametrize("option", OPTIONS)
def test_the_classic_configuration_names_only_what_its_collector_has(option: str) -> None:
    config = parse(render(Generation.CLASSIC, **OPTIONS[option]))
    for section, known in CLASSIC_COMPONENTS.items():
        assert {name.partition("/")[0] for name in config[section] or ()} <= known


@GENERATIONS
def test_secrets_are_paths_of_files(generation: Generation) -> None:
    """The text is shown by `render`, kept by SigNoz (OpAMP) and readable in the container."""
    config = parse(render(generation, **OPTIONS["everything"]))
    file = r"\$\{file:/etc/turnscope/secrets/[a-z_]+\}"
    assert re.fullmatch(file, config["receivers"]["awsfirehose/logs"]["access_key"])
    assert re.fullmatch(f"Basic {file}", config["exporters"]["otlphttp/langfuse"]["headers"]["Authorization"])
    assert re.fullmatch(
        f"tcp://turnscope:{file}@clickhouse:9000/.+", config["exporters"]["clickhousetraces"]["datasource"]
    )
    assert set(config["extensions"]["bearertokenauth"]) == {"filename"}


@GENERATIONS
def test_overload_is_refused_at_the_door_and_nowhere_else(generation: Generation) -> None:
    """Refused behind it, what is stored already would be sent, and stored, again."""
    config = parse(render(generation, **OPTIONS["everything"]))
    for pipeline in config["service"]["pipelines"].values():
        is_door = bool(set(pipeline["receivers"]) & set(config["receivers"]))
        assert (pipeline["processors"][:1] == ["memory_limiter"]) == is_door
        assert "memory_limiter" not in pipeline["processors"][1:]


def test_every_receiver_open_to_the_gateway_asks_for_a_credential() -> None:
    receivers = parse(render(**OPTIONS["everything"]))["receivers"]
    for protocol in receivers["otlp"]["protocols"].values():
        assert protocol["auth"] == {"authenticator": "bearertokenauth"}
    assert all("access_key" in each for name, each in receivers.items() if name.startswith("awsfirehose"))


def test_nothing_is_held_in_memory_between_accepting_and_the_disk() -> None:
    """Batches are made behind the queue: a killed collector loses nothing that a sender was told is accepted."""
    config = parse(render(**OPTIONS["langfuse"]))
    for name, exporter in config["exporters"].items():
        if name.startswith(("clickhouse", "signozclickhousemetrics")):
            assert exporter["sending_queue"]["storage"] in config["service"]["extensions"]
            before = [each for each in config["service"]["pipelines"].values() if name in each["exporters"]]
            assert not any(processor.startswith("batch") for each in before for processor in each["processors"])


def test_what_may_be_lost_cannot_stop_what_may_not() -> None:
    """Langfuse, suggestions and the usage meter share no pipeline with what is stored, and a batch is between."""
    pipelines = parse(render(**OPTIONS["langfuse"]))["service"]["pipelines"].values()
    optional = {"otlphttp/langfuse", "metadataexporter", "signozmeter", "signozclickhousemeter"}
    for pipeline in pipelines:
        if optional & set(pipeline["exporters"]):
            assert optional >= set(pipeline["exporters"])
            assert pipeline["processors"][0] == "batch/side"


@GENERATIONS
def test_langfuse_without_keys_is_as_if_it_were_not_there(generation: Generation) -> None:
    assert render(generation, langfuse={}) == render(generation)


def test_opamp_decides_how_the_collector_starts() -> None:
    with_opamp = command(Generation.CURRENT, opamp=True)
    assert any(argument.startswith("--manager-config=") for argument in with_opamp)
    assert command(Generation.CURRENT, opamp=False) == ("--config=/etc/turnscope/collector.yaml",)


@given(st.lists(st.from_regex(r"[A-Za-z0-9._~+/-]{16,60}=*", fullmatch=True), min_size=1, max_size=5, unique=True))
def test_the_token_file_has_a_line_for_each_token_and_no_other(tokens: list[str]) -> None:
    """The collector takes every line for a token, also an empty one."""
    assert token_file(named(tokens)).split("\n") == tokens


def named(tokens: list[str]) -> dict[str, str]:
    return {f"agents-{number}": token for number, token in enumerate(tokens)}


@pytest.mark.parametrize(
    "tokens", [[], [""], [TOKEN, ""], [" " * 20], [f"{TOKEN}\n"], [f"{TOKEN}\n{TOKEN}"], ["short"]]
)
def test_tokens_that_open_a_hole_are_refused_without_being_shown(tokens: list[str]) -> None:
    with pytest.raises(UserError) as raised:
        token_file(named(tokens))
    assert TOKEN not in str(raised.value)
    assert "short" not in str(raised.value)


def test_a_message_about_a_token_names_it() -> None:
    with pytest.raises(UserError, match=r"^collector token agents-1: empty; allowed: 16 or more"):
        token_file(named([TOKEN, ""]))


def test_a_token_under_two_names_is_refused() -> None:
    """Whoever removes one of them believes that it is revoked."""
    with pytest.raises(UserError, match="tokens agents-0 and agents-2 are the same") as raised:
        token_file(named([TOKEN, TOKEN + "2", TOKEN]))
    assert TOKEN not in str(raised.value)


def test_the_classic_collector_takes_one_token() -> None:
    assert token_file(named([TOKEN]), Generation.CLASSIC) == TOKEN
    with pytest.raises(UserError, match="agents-0, agents-1; allowed: one,"):
        token_file(named([TOKEN, TOKEN + "2"]), Generation.CLASSIC)


def test_langfuse_credentials_are_those_of_basic_authentication() -> None:
    keys = ("pk-lf-0123456789abcdef", "sk-lf-0123456789abcdef")
    assert base64.b64decode(langfuse_credentials(*keys)).decode() == ":".join(keys)


@pytest.mark.parametrize("value", ["", " ", "short", f"{TOKEN}\n", f"{TOKEN}${{env:HOME}}"])
def test_credentials_that_protect_nothing_or_are_read_as_something_else_are_refused(value: str) -> None:
    with pytest.raises(UserError, match="Firehose access_key"):
        credential("Firehose access_key", value)
    with pytest.raises(UserError, match="secret_key"):
        langfuse_credentials("pk-lf-0123456789abcdef", value)


def test_secret_files_are_replaced_whole_and_readable_by_their_owner_alone(tmp_path: Path) -> None:
    replace_secret_files(tmp_path, {"otlp_tokens": "first"})
    with (tmp_path / "otlp_tokens").open() as opened:
        replace_secret_files(tmp_path, {"otlp_tokens": "second"})
        assert opened.read() == "first"  # a reader in between has the whole old file
    assert (tmp_path / "otlp_tokens").read_text() == "second"
    assert (tmp_path / "otlp_tokens").stat().st_mode & 0o777 == 0o400
    assert [path.name for path in tmp_path.iterdir()] == ["otlp_tokens"]


@pytest.mark.parametrize("content", ["", "\n", f"{TOKEN}\n", f" {TOKEN}"])
def test_the_writer_refuses_what_the_collector_would_misread(tmp_path: Path, content: str) -> None:
    with pytest.raises(ValueError, match="otlp_tokens"):
        replace_secret_files(tmp_path, {"otlp_tokens": content})
    assert not list(tmp_path.iterdir())


def test_a_model_name_is_one_string_of_ottl_in_the_configuration() -> None:
    assert ottl_string('a"b\\c$d') == '"a\\"b\\\\c$$d"'


def _words(text: str) -> list[str]:
    return text.split()


REMOVED = _words("""
lk.pii.user_transcript lk.pii.chat_ctx lk.pii.participant_identity lk.pii.sip.phoneNumber lk.user_transcript
lk.chat_ctx lk.response.text lk.response.function_calls lk.function_tool.arguments lk.function_tool.output lk.room_name
lk.participant_identity lk.stt.events lk.input.delta lk.amd.reason lk.keyterms.added lk.rpc.payload lk.rpc.response
lk.rpc.caller_identity lk.sip.trunkPhoneNumber gen_ai.input.messages gen_ai.output.messages gen_ai.system_instructions
gen_ai.prompt gen_ai.prompt.variable.name gen_ai.completion.0.content gen_ai.tool.call.arguments gen_ai.tool.call.result
gen_ai.tool.definitions gen_ai.evaluation.explanation gen_ai.retrieval.documents langfuse.trace.input
langfuse.observation.output langfuse.trace.metadata.caller langfuse.user.id user.id user.email enduser.id
exception.message exception.stacktrace db.query.text chat.item session.options evaluation outcome user_transcript
transcript content exc_info
""")
KEPT = _words("""
lk.e2e_latency lk.response.ttft lk.response.ttfb lk.interrupted lk.function_tool.is_error lk.function_tool.name
lk.llm_metrics lk.tts_metrics lk.rpc.response_size lk.rpc.request_id lk.participant_id lk.participant_kind lk.room_sid
lk.sip.callID lk.sip.trunkID lk.keyterms.count lk.close_reason lk.amd.category gen_ai.usage.input_tokens
gen_ai.usage.text.input_tokens gen_ai.usage.cost gen_ai.output.type gen_ai.request.model gen_ai.response.finish_reasons
gen_ai.tool.name gen_ai.tool.call.id gen_ai.conversation.id gen_ai.agent.name error.type exception.type
langfuse.session.id session.id session.usage user_agent.original service.name deployment.environment job_id room_id
""")


@pytest.mark.parametrize("key", REMOVED)
def test_content_is_redacted(key: str) -> None:
    assert re.search("|".join(CONTENT_KEYS), key)
    assert re.search("|".join(BODY_KEYS), key)


@pytest.mark.parametrize("key", KEPT)
def test_measurements_survive_redaction(key: str) -> None:
    assert not re.search("|".join(CONTENT_KEYS), key)


def test_redaction_comes_before_anything_stores_or_passes_on() -> None:
    pipelines = parse(render(**OPTIONS["everything"]))["service"]["pipelines"]
    for signal in ("traces", "metrics", "logs"):
        processors = pipelines[signal]["processors"]
        assert f"transform/redact_{signal}" in processors
        assert "signozspanmetrics/delta" not in processors[: processors.index(f"transform/redact_{signal}")]


SECRET = SecretRef("x")


@pytest.mark.parametrize(
    ("over", "where"),
    [
        ({"tokens": {}}, "tokens"),
        ({"tokens": {"a": ""}}, "tokens"),
        ({"tokens": {"a": "plain-text-token-plain-text"}}, "tokens"),
        ({"tokens": {"a.b": SECRET}}, "tokens"),
        ({"tokens": (SECRET,)}, "tokens"),
        ({"tokens": {f"a{number}": SECRET for number in range(11)}}, "tokens"),
        ({"langfuse": {"public_key": SECRET}}, "secret_key"),
        ({"langfuse": {"secret_key": SECRET}}, "secret_key"),
        ({"langfuse": {"base_url": "https://langfuse.example.com/"}}, "base_url"),
        ({"firehose": {"access_key": ""}}, "access_key"),
        ({"firehose": {"access_key": SECRET, "logs": False}}, "metrics"),
        ({"scrape": {"agents": ["http://agent:8000/metrics"]}}, "agents"),
        ({"scrape": {"agents": ["agent"]}}, "agents"),
        ({"scrape": {"workers": ["a:1", "a:1"]}}, "workers"),
        ({"scrape": {"interval_seconds": 0}}, "interval_seconds"),
        ({"tail_sampling": {"keep_percent": 101}}, "keep_percent"),
        ({"queue": {"batch_items": 0}}, "batch_items"),
        ({"dropped_metric_attributes": ['room_id")']}, "dropped_metric_attributes"),
        ({"log_level": "debug"}, "log_level"),
    ],
)
def test_settings_that_cannot_work_are_refused_where_they_stand(over: dict[str, Any], where: str) -> None:
    with pytest.raises(ValidationError) as raised:
        collector_settings(**over)
    assert any(where in error["loc"] for error in raised.value.errors())
