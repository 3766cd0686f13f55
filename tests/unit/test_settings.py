"""Settings: what is accepted, what is said about the rest, and the files that are generated from the model."""

from __future__ import annotations

import datetime
import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import UserError
from core.secrets.generated import GENERATED
from core.secrets.reference import SecretRef, value_at
from stacks.settings import reference
from stacks.settings.documents import Location, dotted
from stacks.settings.loading import load, merge, stacks
from stacks.settings.missing import API_KEY
from stacks.settings.model import Agent, Settings
from stacks.settings.schema import Node, allowed, is_secret, nullable, resolved, settings_schema
from tests.engine_configuration import engine
from tests.unit.conftest import SIGNOZ
from turnscope import generated
from turnscope.program import load_from_engine

ROOT = Path(__file__).parents[2]
LEAST_BASE = """\
owner: tests
runbook_base_url: https://runbooks.example.com
agents:
  receptionist: {}
"""
WEBHOOK = "https://hooks.example.com/T0/B0/very-secret"


def make_project(directory: Path, stack_file: str | bytes, base: str | bytes = LEAST_BASE) -> Path:
    """A project whose one stack is `dev`."""
    (directory / "stacks").mkdir(exist_ok=True)
    for name, content in (("Pulumi.dev.yaml", stack_file), ("base.yaml", base)):
        (directory / "stacks" / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return directory


def dev(config: str = "") -> str:
    return "config:\n  turnscope:environment: dev\n" + config


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def problems(project: Path, stack_file: str | bytes, base: str | bytes = LEAST_BASE) -> list[str]:
    """The problem lines of the error that loading gives."""
    with pytest.raises(UserError) as raised:
        load("dev", make_project(project, stack_file, base))
    assert raised.value.exit_code == 2
    lines = str(raised.value).splitlines()
    return [line.strip() for line in lines if line.startswith("  ")] or lines


# --- Accepted ---


@pytest.mark.parametrize("stack", ["local", "dev", "staging", "prod"])
def test_each_stack_file_of_the_repository_is_valid(stack: str) -> None:
    assert stack in stacks(ROOT)
    assert load(stack, ROOT).environment == stack


def test_stack_wins_over_base_and_base_over_default(project: Path) -> None:
    """Mappings merge key by key at every depth; lists and scalars replace."""
    base = LEAST_BASE + (
        "alarms: {minimum_samples: 7, period_seconds: 600}\n"
        "notifications: {critical: {emails: [a@example.com, b@example.com]}, warning: {emails: [w@example.com]}}\n"
    )
    stack = dev(
        "  turnscope:alarms: {period_seconds: 120}\n  turnscope:notifications: {critical: {emails: [c@example.com]}}\n"
    )
    found = load("dev", make_project(project, stack, base))
    assert (found.alarms.minimum_samples, found.alarms.period_seconds, found.alarms.evaluation_periods) == (7, 120, 3)
    assert found.notifications.critical.emails == ("c@example.com",)
    assert found.notifications.warning.emails == ("w@example.com",)


def test_an_agents_sections_override_the_stacks_and_the_stacks_those_of_the_base(project: Path) -> None:
    """At every depth: a stage of which an agent names one number keeps the other."""
    base = LEAST_BASE + (
        "  triage:\n    alarms: {minimum_samples: 9}\n    targets: {total_latency: {critical_seconds: 5}}\n"
        "alarms: {minimum_samples: 7, evaluation_periods: 4}\n"
        "targets: {percentile: 90, total_latency: {warning_seconds: 1}}\n"
    )
    stack = dev(
        "  turnscope:alarms: {evaluation_periods: 5}\n"
        "  turnscope:targets: {total_latency: {warning_seconds: 1.2}}\n"
        "  turnscope:agents:\n    triage: {alarms: {period_seconds: 60}, targets: {percentile: 99}}\n"
    )
    agents = load("dev", make_project(project, stack, base)).agents
    triage, other = agents["triage"], agents["receptionist"]

    def alarms(agent: Agent) -> tuple[int, ...]:
        return agent.alarms.minimum_samples, agent.alarms.evaluation_periods, agent.alarms.period_seconds

    def targets(agent: Agent) -> tuple[float, ...]:
        latency = agent.targets.total_latency
        return agent.targets.percentile, latency.warning_seconds, latency.critical_seconds

    assert (alarms(triage), alarms(other)) == ((9, 5, 60), (7, 5, 300))
    assert (targets(triage), targets(other)) == ((99, 1.2, 5), (90, 1.2, 2))


TWO = LEAST_BASE + "  triage: {}\n"


def test_null_in_a_stacks_file_removes_an_agent_of_the_base(project: Path) -> None:
    """From the file as from the engine; the rest of the base's agents stays."""
    make_project(project, dev("  turnscope:agents: {receptionist: null, sales: {}}\n"), TWO)
    with engine(project):
        from_engine = load_from_engine(project)
    assert set(load("dev", project).agents) == set(from_engine.agents) == {"triage", "sales"}


def test_an_agent_left_empty_by_mistake_is_not_left_out_in_silence(project: Path) -> None:
    """`sales:` with nothing behind it is null in YAML. In the base null means nothing."""
    found = problems(project, dev("  turnscope:agents:\n    sales:\n"), LEAST_BASE + "  triage:\n")
    assert found == [
        "stacks/Pulumi.dev.yaml:4: agents.sales: null: allowed: {}, for an agent without overrides; null removes an "
        "agent of stacks/base.yaml, which has none of this name",
        "stacks/base.yaml:5: agents.triage: null: allowed: a mapping of keys to values",
    ]


def test_a_stack_needs_an_agent_that_is_left(project: Path) -> None:
    [line] = problems(project, dev("  turnscope:agents: {receptionist: null}\n"))
    assert line == "stacks/Pulumi.dev.yaml:3: agents: {}: allowed: a mapping of 1 to 1000 keys to values"


def test_scalars_may_be_text_as_pulumi_config_set_writes_them(project: Path) -> None:
    """Pulumi writes top-level scalars in quotes, and dates without quotes as Go's time."""
    stack = dev(
        '  turnscope:protect: "true"\n  turnscope:owner: 2025\n  turnscope:expires_on: 2025-06-01 00:00:00 +0000 UTC\n'
        '  turnscope:budget: ""\n  turnscope:targets: {llm_ttft: {warning_seconds: "0.5"}, percentile: "90"}\n'
    )
    found = load("dev", make_project(project, stack, LEAST_BASE + "budget: {monthly_limit_usd: 5}\n"))
    assert (found.protect, found.owner, found.budget) == (True, "2025", None)
    assert found.expires_on == datetime.date(2025, 6, 1)
    assert (found.targets.llm_ttft.warning_seconds, found.targets.percentile) == (0.5, 90)


PLAIN = st.recursive(
    st.none() | st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
MAPPINGS = st.dictionaries(st.sampled_from("abc"), PLAIN, max_size=3)


@given(MAPPINGS, MAPPINGS)
def test_merging(base: dict[str, Any], over: dict[str, Any]) -> None:
    """Nothing merged changes nothing; what `over` says holds; keys that it does not name stay; inputs are kept."""
    before = json.dumps([base, over])
    merged = merge(base, over)
    assert merge(base, {}) == base
    assert merge({}, over) == over
    assert merge(merged, over) == merged
    assert {key: value for key, value in merged.items() if key not in over} == {
        key: value for key, value in base.items() if key not in over
    }
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        assert merged[key] == (merge(base[key], value) if both else value)
    assert json.dumps([base, over]) == before


# --- Refused ---

TWENTY_MISTAKES = """\
config:
  pulumi:tags: {}
  turnscope:environment: production
  turnscope:owner: ""
  turnscope:region: California
  turnscope:protect: maybe
  turnscope:expires_on: 2025-13-45
  turnscope:runbook_base_url: ftp://example.com/
  turnscope:agents:
    -first-: {}
    triage:
      log_group: aws/mine
      log_group_exists: 1
  turnscope:log_groups:
    retention_days: 31
    encryption: rot13
  turnscope:saved_queries: [20]
  turnscope:targets:
    percentile: .nan
    total_latency: {critical_seconds: 1}
  turnscope:alarms:
    period_seconds: 90
    evaluation_periods: 2.5
    low_samples: skip
    perod_seconds: 60
  turnscope:notifications:
    critical:
      emails: [nobody]
  turnscope:budget: {}
"""
TWENTY_LINES = """\
stacks/Pulumi.dev.yaml:3: environment: "production": allowed: local, dev, staging, prod
stacks/Pulumi.dev.yaml:4: owner: "": allowed: a string of 1 to 128 characters
stacks/Pulumi.dev.yaml:5: region: "California": allowed: an AWS region such as us-west-1
stacks/Pulumi.dev.yaml:6: protect: "maybe": allowed: true or false
stacks/Pulumi.dev.yaml:7: expires_on: "2025-13-45": allowed: a date, YYYY-MM-DD, or null
stacks/Pulumi.dev.yaml:8: runbook_base_url: "ftp://example.com/": allowed: an http(s) URL without a trailing slash
stacks/Pulumi.dev.yaml:10: agents.-first-: "-first-" as a name: allowed: 1 to 63 letters, digits, - and _, starting \
with a letter or digit
stacks/Pulumi.dev.yaml:12: agents.triage.log_group: "aws/mine": allowed: 1 to 512 letters, digits and . - _ / #, not \
starting with aws/ (reserved by AWS; /aws/ is allowed), or null
stacks/Pulumi.dev.yaml:13: agents.triage.log_group_exists: 1: allowed: true or false
stacks/Pulumi.dev.yaml:15: log_groups.retention_days: 31: allowed: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, \
400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
stacks/Pulumi.dev.yaml:16: log_groups.encryption: "rot13": allowed: aws, stack-key, or the ARN of a key \
(arn:aws:kms:REGION:ACCOUNT:key/ID)
stacks/Pulumi.dev.yaml:17: saved_queries: a list: allowed: a mapping of keys to values
stacks/Pulumi.dev.yaml:19: targets.percentile: NaN: allowed: 50, 75, 90, 95, 99
stacks/Pulumi.dev.yaml:20: targets.total_latency.critical_seconds: 1: allowed: above warning_seconds (1.5)
stacks/Pulumi.dev.yaml:22: alarms.period_seconds: 90: allowed: 60 to 3600, multiples of 60
stacks/Pulumi.dev.yaml:23: alarms.evaluation_periods: 2.5: allowed: 1 to 100, integers
stacks/Pulumi.dev.yaml:24: alarms.low_samples: "skip": allowed: gate, evaluate, ignore
stacks/Pulumi.dev.yaml:25: alarms.perod_seconds: unknown key; did you mean period_seconds?
stacks/Pulumi.dev.yaml:28: notifications.critical.emails.0: "nobody": allowed: an e-mail address such as \
oncall@example.com
stacks/Pulumi.dev.yaml:29: budget.monthly_limit_usd: missing: US dollars per month. Allowed: above 0, at most 1000000
"""


def test_twenty_mistakes_give_twenty_lines_in_one_message(project: Path) -> None:
    """Each with file, line, key, value and what is allowed; what agents take over is not said again."""
    with pytest.raises(UserError) as raised:
        load("dev", make_project(project, TWENTY_MISTAKES))
    first, *lines, last = str(raised.value).splitlines()
    assert len(lines) == 20
    assert [line.strip() for line in lines] == TWENTY_LINES.splitlines()
    assert first == "20 problems in the settings of stack dev:"
    assert last == "Every setting, with its range: docs/reference/settings.md"


def test_a_mistake_of_the_base_is_reported_in_the_base(project: Path) -> None:
    found = problems(project, dev(), LEAST_BASE + "alarms:\n  period_seconds: 90\n")
    assert found == ["stacks/base.yaml:6: alarms.period_seconds: 90: allowed: 60 to 3600, multiples of 60"]


def test_an_agents_conflict_with_what_it_takes_over_is_reported_with_the_agent(project: Path) -> None:
    """The stack's own alarms are fine here, so leaving the line out would leave no error at all."""
    found = problems(project, dev("  turnscope:agents:\n    receptionist:\n      alarms: {evaluation_periods: 1}\n"))
    assert found == [
        "stacks/Pulumi.dev.yaml:5: agents.receptionist.alarms.datapoints_to_alarm: 2: "
        "allowed: at most evaluation_periods (1)"
    ]


def test_a_null_of_the_agents_own_is_not_taken_for_the_stacks(project: Path) -> None:
    stack = dev(
        "  turnscope:alarms: {period_seconds: null}\n"
        "  turnscope:agents:\n    receptionist:\n      alarms: {period_seconds: null}\n"
    )
    words = "period_seconds: null: allowed: 60 to 3600, multiples of 60"
    assert problems(project, stack) == [
        f"stacks/Pulumi.dev.yaml:3: alarms.{words}",
        f"stacks/Pulumi.dev.yaml:6: agents.receptionist.alarms.{words}",
    ]


GATEWAY = {"gateway": {"certificates": "internal"}}
HOST = "{domain: signoz.example.com, allowed_networks: {ui: [10.0.0.0/8], otlp: [10.0.0.0/8]}}"
PROD = "config:\n  turnscope:environment: prod\n"


@pytest.mark.parametrize(
    ("stack_file", "expected"),
    [
        (PROD + "  turnscope:expires_on: 2025-06-01\n  turnscope:protect: true\n", [
            '3: expires_on: "2025-06-01": allowed: null, in environment prod',
        ]),
        (PROD + "  turnscope:notifications: {critical: {emails: [a@example.com]}}\n", [
            " protect: false: allowed: true, in environment prod",
        ]),
        (dev("  turnscope:lab: {}\n"), ["3: lab: {}: allowed: null, except in environment local"]),
        (dev("  turnscope:alarms: {evaluation_periods: 100, period_seconds: 3600}\n"), [
            "3: alarms.evaluation_periods: 100: allowed: at most 24, the number of 3600-second periods in a day",
        ]),
        (dev("  turnscope:cloudwatch: null\n  turnscope:analytics: {}\n  turnscope:budget: {monthly_limit_usd: 5}\n"
             "  turnscope:notifications: {warning: {emails: [a@example.com]}}\n"), [
            " existing_signoz: null: allowed: a section, or a section signoz, because cloudwatch is null: the stack "
            "would be empty",
            "4: analytics: {}: allowed: null, because cloudwatch is null: it reads the agents' log groups",
            "5: budget: a mapping: allowed: null, because cloudwatch is null: it alerts a topic of AWS",
            "6: notifications: a mapping: allowed: nothing, because cloudwatch is null; SigNoz' receivers: "
            "signoz.alertmanager",
        ]),
        (dev("  turnscope:aws:\n    assume_role:\n      role_arn: arn:aws:iam::123456789012:role/deploy\n"
             "      external_id: {secure: v1}\n"
             f"  turnscope:host: {HOST}\n  turnscope:signoz: {json.dumps(SIGNOZ | GATEWAY)}\n"), [
            "7: host: a mapping: allowed: null with aws.assume_role.external_id, without which ssh cannot take the "
            "role",
        ]),
        (dev("  turnscope:existing_signoz: {url: 'http://signoz.internal', api_key: {secure: v1}}\n"), [
            "3: existing_signoz: a mapping: url: allowed: https, except in environment local, because requests carry "
            "the key",
        ]),
        (dev("  turnscope:signoz: {root_user: {email: a@b.cc, password: {secure: v}}, jwt_secret: {secure: v}, "
             "clickhouse: {password: {secure: v}}, collector: {tokens: {a: {secure: v}}}}\n"
             "  turnscope:existing_signoz: {url: 'https://acme.us.signoz.cloud', api_key: {secure: v1}}\n"), [
            "4: existing_signoz: a mapping: allowed: null, because the stack runs its own SigNoz (section signoz)",
        ]),
        (dev("  turnscope:cloudwatch: {topics: {warning: 'arn:aws:sns:eu-west-1:123456789012:a'}}\n"), [
            "3: cloudwatch: a mapping: topics.warning: allowed: a topic in us-west-1, the only region that its alarms "
            "notify",
        ]),
        (dev("  turnscope:cloudwatch: {topics: {warning: 'arn:aws:sns:us-west-1:123456789012:a'}}\n"
             "  turnscope:notifications: {warning: {emails: [a@example.com]}}\n"), [
            "4: notifications: a mapping: warning: allowed: nothing, because cloudwatch.topics.warning is an existing "
            "topic, which has receivers of its own",
        ]),
        (dev("  turnscope:agents: {a: {log_group: /x}, b: {log_group: /x}}\n"), [
            "3: agents: a mapping: allowed: a separate log group per agent; a and b share /x",
        ]),
    ],
)  # fmt: skip
def test_rules_between_settings(project: Path, stack_file: str, expected: list[str]) -> None:
    """Each is broken alone; the line says what the other setting asks for."""
    assert problems(project, stack_file) == [f"stacks/Pulumi.dev.yaml:{line}" for line in expected]


@pytest.mark.parametrize(
    ("stack_file", "expected"),
    [
        (dev("  turnscpoe:agents: {}\n"), "3: turnscpoe:agents: unknown namespace; did you mean turnscope:agents?"),
        (dev("  Turnscope:agents: {}\n"), "3: Turnscope:agents: unknown namespace; did you mean turnscope:agents?"),
        (dev("  owner: x\n"), "3: owner: no namespace; did you mean turnscope:owner?"),
        (dev("  turnscope:agnets: {}\n"), "3: agnets: unknown key; did you mean agents?"),
        (dev("  turnscope:agents: {x: {log_grop: /a}}\n"), "3: agents.x.log_grop: unknown key; did you mean "
         "log_group?"),
        (dev("  turnscope:owner: a\n  turnscope:owner: b\n"), "4: owner: appears twice, first on line 3"),
        (dev("  turnscope:targets:\n    percentile: 90\n    percentile: 95\n"), "5: targets.percentile: appears twice, "
         "first on line 4"),
        (dev("  turnscope:owner: !!binary aGk=\n"), "3: owner: tag !!binary is not allowed here"),
        (dev("  turnscope:owner: {secure: abc}\n"), "3: owner: [encrypted]: allowed: a string of 1 to 128 characters"),
        (dev("  turnscope:notifications: {warning: {emails: [{secure: abc}]}}\n"), "3: notifications.warning.emails.0: "
         "[encrypted]: allowed: an e-mail address such as oncall@example.com"),
        (dev("owner: x\n"), "3: owner: unknown key; it belongs under config, as turnscope:owner"),
        (dev("encryptionsal: x\n"), "3: encryptionsal: unknown key; did you mean encryptionsalt?"),
        (dev("  turnscope:agents: &a {x: *a}\n"), "3: agents: contains itself (a YAML alias to a mapping or list around"
         " it)"),
        ("encryptionsalt: v1\n", " config: missing: the settings, as turnscope:<key>"),
        ("config: [1]\n", "1: config: a list: allowed: a mapping of turnscope:<key> to values"),
        ("- 1\n", " a list: allowed: a mapping with the key config"),
        ("", " nothing: allowed: a mapping with the key config"),
        ("config: {a: [}\n", "1: not valid YAML: while parsing a flow node, expected the node content, but found '}'"),
        (b"config:\n  turnscope:owner: \xff\n", "2: not UTF-8: byte 0xff"),
        (b"config:\n  turnscope:owner: \x01\n", "2: not valid YAML: control character 0x01"),
        (dev("---\na: 1\n"), "3: not valid YAML: expected a single document in the stream, but found another document"),
        ("[" * 1200, " not valid YAML: nested too deeply"),
    ],
)  # fmt: skip
def test_mistakes_in_the_form_of_the_file(project: Path, stack_file: str | bytes, expected: str) -> None:
    """One mistake, one line, which names the file and, where there is one, the line."""
    first = problems(project, stack_file)[0]
    assert first == f"stacks/Pulumi.dev.yaml:{expected}"


def test_keys_of_other_programs_are_left_alone(project: Path) -> None:
    stack = dev("  pulumi:tags: {a: b}\n  awsx:region: eu-west-1\nencryptionsalt: v1:x\n")
    assert load("dev", make_project(project, stack)).region == "us-west-1"


@pytest.mark.parametrize(
    ("key", "allowed"),
    [
        ("aws:profile", "turnscope:aws.profile"),
        ("aws:region", "turnscope:region"),
        ("aws:allowedAccountIds", "turnscope:aws.account_ids"),
        ("aws:assumeRoles", "turnscope:aws.assume_role"),
        ("aws:secretKey", "credentials where the AWS CLI finds them, or turnscope:aws.profile"),
        ("aws:maxRetries", "settings of turnscope (docs/reference/settings.md)"),
        ("docker:host", "turnscope:signoz.docker_host"),
    ],
)
def test_a_providers_key_is_refused_with_the_setting_in_its_place(project: Path, key: str, allowed: str) -> None:
    """The program makes its providers itself, so that such a key would be ignored without a word. From the file, from
    the engine, and in an editor."""
    line = f"{key}: no effect, because the settings configure this provider; allowed: {allowed}"
    make_project(project, dev(f"  {key}: hunter2\n"))
    assert problems(project, dev(f"  {key}: hunter2\n")) == [f"stacks/Pulumi.dev.yaml:3: {line}"]
    with engine(project), pytest.raises(UserError, match=re.escape(line)):
        load_from_engine(project)
    validator = jsonschema.Draft7Validator(reference.stack_file_schema())
    assert not validator.is_valid({"config": {key: "x"}})
    assert validator.is_valid({"config": {"pulumi:tags": "x"}})


def test_a_stack_that_is_not_there_names_the_nearest(project: Path) -> None:
    make_project(project, dev())
    with pytest.raises(UserError, match=r"stacks/Pulumi\.dve\.yaml does not exist\. Did you mean dev\?"):
        load("dve", project)


# --- Secrets ---


@pytest.mark.parametrize(
    "slip",
    [
        f"critical: {{slack_webhook_url: '{WEBHOOK}'}}",
        f"critical: {{slack_webhook_url: ['{WEBHOOK}']}}",
        f"critical: {{slack_webhook_url: {{value: '{WEBHOOK}'}}}}",
        f"critical: {{slack_webhok_url: '{WEBHOOK}'}}",
        f"critical: '{WEBHOOK}'",
        f"{{critical: '{WEBHOOK}'}}",
        f"'{WEBHOOK}'",
        f"critical: ['{WEBHOOK}']",
    ],
)
@pytest.mark.parametrize("in_base", [True, False])
def test_a_plain_text_secret_is_refused_and_never_shown(project: Path, slip: str, in_base: bool) -> None:
    """Wherever in its neighbourhood it was put by mistake."""
    if in_base:
        found = problems(project, dev(), f"{LEAST_BASE}notifications:\n  {slip}\n")
    else:
        found = problems(project, dev(f"  turnscope:notifications:\n    {slip}\n"))
    assert not [line for line in found if "hooks.example" in line or "secret-" in line]
    assert found[0].startswith("stacks/base.yaml" if in_base else "stacks/Pulumi.dev.yaml")


def test_a_section_given_twice_in_the_base_leaves_nothing_of_the_first(project: Path) -> None:
    """A lookup of what only the first one held would fail."""
    twice = f"notifications: {{warning: {{slack_webhook_url: '{WEBHOOK}'}}}}\nnotifications: {{}}\n"
    assert problems(project, dev(), LEAST_BASE + twice) == [
        "stacks/base.yaml:6: notifications: appears twice, first on line 5"
    ]


@pytest.mark.parametrize("value", [WEBHOOK, "{secure: v1:abc}"])
def test_no_secret_stands_in_the_base_even_where_the_stack_has_its_own(project: Path, value: str) -> None:
    own = dev("  turnscope:notifications: {warning: {slack_webhook_url: {secure: v1:abc}}}\n")
    [line] = problems(project, own, LEAST_BASE + f"notifications:\n  warning:\n    slack_webhook_url: {value}\n")
    assert line.startswith("stacks/base.yaml:7: notifications.warning.slack_webhook_url: ")
    assert line.endswith("pulumi config set --secret --path 'turnscope:notifications.warning.slack_webhook_url'")
    assert "hooks.example" not in line


ENCRYPTED = dev("""\
  turnscope:notifications:
    critical:
      emails: [oncall@example.com]
      pagerduty_integration_url: {secure: v1:abc}
    warning:
      slack_webhook_url: {secure: v1:def}
""")


def test_secrets_are_references_from_the_file_and_from_the_engine(project: Path) -> None:
    """The path leads to the value in the decrypted section; the settings hold no value, however they are printed."""
    make_project(project, ENCRYPTED)
    with engine(project, secrets={"v1:abc": "https://pager", "v1:def": WEBHOOK}) as configuration:
        from_engine = load_from_engine(project)
    for found in (load("dev", project), from_engine):
        pager, slack = (
            found.notifications.critical.pagerduty_integration_url,
            found.notifications.warning.slack_webhook_url,
        )
        assert pager == SecretRef("notifications.critical.pagerduty_integration_url")
        assert slack == SecretRef("notifications.warning.slack_webhook_url")
        decrypted = {"notifications": json.loads(configuration["turnscope:notifications"])}
        assert pager
        assert slack
        assert [value_at(decrypted, reference.path) for reference in (pager, slack)] == ["https://pager", WEBHOOK]
        assert "hooks.example" not in f"{found!r}{found.model_dump()}{found.model_dump_json()}"


def test_values_of_a_decrypted_section_are_not_shown(project: Path) -> None:
    """The engine does not say which value of the section was encrypted."""
    text = ENCRYPTED.replace("emails: [oncall@example.com]", "emails: {secure: v1:ghi}")
    make_project(project, text)
    with (
        engine(project, secrets={"v1:abc": "x", "v1:def": "y", "v1:ghi": WEBHOOK}),
        pytest.raises(UserError, match=r"notifications\.critical\.emails: \[not shown\]: allowed: a list") as raised,
    ):
        load_from_engine(project)
    assert "hooks.example" not in str(raised.value)


# --- The engine ---


def leaves(node: Node, at: Location = ()) -> Iterator[tuple[Location, Node]]:
    """Every setting that is no section, with its schema; free names are `m`."""
    inner = resolved(node)
    if isinstance(inner.get("additionalProperties"), dict):
        yield from leaves(inner["additionalProperties"], (*at, "m"))
    elif "properties" in inner and not is_secret(node):
        for key, entry in inner["properties"].items():
            yield from leaves(entry, (*at, key))
    else:
        yield at, node


LEAVES = dict(leaves(settings_schema()))


def nested(values: Mapping[Any, Any]) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for location, value in values.items():
        inner = data
        for key in location[:-1]:
            inner = inner.setdefault(str(key), {})
        inner[str(location[-1])] = value
    return data


def stack_text(values: Mapping[Any, Any]) -> str:
    """A stack's file; JSON is YAML, and leaves no doubt about types."""
    settings = {"environment": "dev", **nested(values)}
    return json.dumps({"config": {f"turnscope:{key}": value for key, value in settings.items()}}, indent=1)


def candidates(node: Node) -> list[Any]:
    """Values on either side of every limit, and of every other type."""
    inner = resolved(node)
    found: list[Any] = [None, True, "", "text", -1, 0, 1.5, 10**10, [], ["text"], {}, {"secure": "v1:x"}]
    for limit in ("minimum", "maximum", "exclusiveMinimum"):
        if limit in inner:
            found += [inner[limit], inner[limit] + 1, inner[limit] - 1]
    found += inner.get("enum", [])
    found += (
        [[inner["items"].get("minimum", "a@example.com")] * count for count in (1, 5, 10, 11)]
        if "items" in inner
        else []
    )
    found += {
        "pattern": ["us-west-1", "https://a/b", "https://a/", "aws/x", "/aws/x", "stack-key", "a@example.com"],
        "minLength": ["x" * 128, "x" * 129],
        "format": ["2025-06-01", "2025-6-1", "20250601", "2025-02-30"],
    }.get(next((key for key in ("pattern", "minLength", "format") if key in inner), ""), [])
    return found


VALUES = st.dictionaries(st.sampled_from(sorted(LEAVES)), st.integers(0, 30), max_size=6).map(
    lambda chosen: {at: candidates(LEAVES[at])[index % len(candidates(LEAVES[at]))] for at, index in chosen.items()}
)


def outcome(read: Any) -> Settings | set[str]:
    """The settings, or what is wrong with them apart from where."""
    try:
        return read()
    except UserError as error:
        return {re.sub(r"^  .*?(: |\d: )", "", line) for line in str(error).splitlines() if line.startswith("  ")}


@given(VALUES, st.booleans())
@settings(max_examples=40)
def test_the_engine_gives_the_same_settings_as_the_files(values: dict[Location, Any], in_sdk: bool) -> None:
    """Also with the defaults that `Pulumi.yaml` makes the engine fill in, and the same mistakes."""
    # The engine itself refuses a structure where `Pulumi.yaml` declares text. It decrypts whatever is encrypted, so
    # that plain text beside a secret looks like one: only the files show that.
    values = {
        at: value
        for at, value in values.items()
        if (len(at) > 1 or not isinstance(value, (dict, list)) or resolved(LEAVES[at])["type"] != "string")
        and is_secret(LEAVES[at]) == (value == {"secure": "v1:x"})
    }
    base = LEAST_BASE + "protect: true\nbudget: {monthly_limit_usd: 5}\nexpires_on: 2031-01-01\nregion: eu-west-1\n"
    with tempfile.TemporaryDirectory() as directory:
        project = make_project(Path(directory), stack_text(values), base)
        from_files = outcome(lambda: load("dev", project))
        with engine(project, {"v1:x": WEBHOOK}, in_sdk=in_sdk):
            from_engine = outcome(lambda: load_from_engine(project))
    if isinstance(from_files, set) and isinstance(from_engine, set):
        # A decrypted section shows no values.
        assert {line.split(":")[0] for line in from_engine} == {line.split(":")[0] for line in from_files}
    else:
        assert from_engine == from_files


def test_the_engine_takes_no_plain_text_for_a_secret(project: Path) -> None:
    make_project(project, dev(f"  turnscope:notifications: {{warning: {{slack_webhook_url: '{WEBHOOK}'}}}}\n"))
    with engine(project), pytest.raises(UserError, match=r"slack_webhook_url: \[not shown\]: allowed: encrypted"):
        load_from_engine(project)


def test_a_decrypted_value_where_no_secret_belongs_is_not_shown(project: Path) -> None:
    make_project(project, dev("  turnscope:targets: {percentile: {secure: v1:x}}\n"))
    with engine(project, {"v1:x": WEBHOOK}), pytest.raises(UserError, match=r"percentile: \[not shown\]"):
        load_from_engine(project)


# --- What is generated ---


def test_generated_files_are_up_to_date() -> None:
    """Schemas, reference pages and Pulumi.yaml say what the settings and events say: `turnscope settings --write`."""
    assert "\n".join(generated.check(ROOT)) == ""


def test_writing_brings_everything_up_to_date_and_keeps_the_rest_of_the_project_file(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Pulumi.yaml", tmp_path)
    project_file = tmp_path / "Pulumi.yaml"
    fresh = project_file.read_text()
    project_file.write_text(fresh.replace("type: object", "type: string") + "# Kept.\nauthor: me\n")
    assert generated.check(tmp_path)
    assert generated.write(tmp_path) == list(generated.render(tmp_path))
    assert generated.check(tmp_path) == []
    assert project_file.read_text() == fresh + "# Kept.\nauthor: me\n"
    project_file.write_text("name: x\n")
    generated.write(tmp_path)
    assert generated.check(tmp_path) == []


def test_pulumi_knows_every_top_level_key_and_requires_none() -> None:
    """A declared key without a default would be required in each stack's file, whatever `base.yaml` says."""
    declared = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    assert list(declared) == list(Settings.model_fields)
    for key, entry in declared.items():
        assert entry["description"].strip(". ")
        expected = {"object": dict, "string": str, None: str}[entry.get("type")]
        assert isinstance(entry["default"], expected), key


@pytest.mark.parametrize("in_base", [True, False])
def test_the_editors_schema_refuses_the_values_that_loading_refuses(project: Path, in_base: bool) -> None:
    """At every limit of every setting; rules between settings, which no schema has, aside."""
    schema = reference.base_file_schema() if in_base else reference.stack_file_schema()
    validator = jsonschema.Draft7Validator(schema, format_checker=jsonschema.FormatChecker(["date"]))
    options = {at: candidates(node) for at, node in LEAVES.items()}
    for index in range(max(map(len, options.values()))):
        values = {at: found[index] for at, found in options.items() if index < len(found)}
        if not in_base:
            # Right under `config` Pulumi takes any scalar for text and the empty one for null; the schema is stricter.
            values = {at: value for at, value in values.items() if len(at) > 1 or (isinstance(value, str) and value)}
        stack, base = ("config: {}", json.dumps(nested(values))) if in_base else (stack_text(values), LEAST_BASE)
        make_project(project, stack, base)
        alone = {
            at: nested({at: value}) if in_base else json.loads(stack_text({at: value})) for at, value in values.items()
        }
        by_schema = {at for at in values if not validator.is_valid(alone[at])}
        if not in_base:
            # One that is null is not wrong but missing, until `turnscope init` makes it or asks for it.
            # The password of a ClickHouse of one's own is not made up.
            external = any(at[:3] == ("signoz", "clickhouse", "external") for at in values)
            made = {*GENERATED, API_KEY} - ({"signoz.clickhouse.password"} if external else set())
            by_schema -= {at for at, value in values.items() if value is None and ".".join(map(str, at)) in made}
        assert by_schema == refused_by_loading(project, values), index


def refused_by_loading(project: Path, values: Mapping[Location, Any]) -> set[Location]:
    """Which of the values break a rule of their own."""
    try:
        load("dev", project)
    except UserError as error:
        message = str(error)
    else:
        return set()
    between = (
        "above warning_seconds|above disk_warning_percent|"
        "at most warning_seconds|at most evaluation|at most [0-9]+, (?:the|500 for|a quarter)|null|true, in|"
        "a separate log group|another port|"
        "zookeeper, or|a name of the IANA|fewer than days|at least [0-9]+, (?:[0-9]+ days after|three times)"
    )
    own_rule = f"allowed: (?!{between})"
    return {
        at
        for at in values
        if re.search(rf"\b(?<!\.){re.escape(dotted(at))}(\.0|\.\d+)?: (?!missing).*{own_rule}", message)
    }


UNITS = (
    "ms seconds minutes hours days kib mib gib mib_per_second percent percents "
    "usd usd_per_minute usd_per_million_tokens usd_per_thousand_characters"
)
COUNTED = (
    "periods samples connections percentile standard_deviations errors_per_period datapoints_to_alarm row_limit "
    "lead_team_size_minimum lead_monthly_volume_minimum port cpus iops requests items calls_in_memory open_files "
    "error_count minimum_turns minimum_calls worker_load"
)
"""What is counted, or has a scale of its own, and so is its own unit."""


@pytest.mark.parametrize("location", LEAVES, ids=dotted)
def test_every_setting_is_described_and_says_its_unit_and_range(location: Location) -> None:
    """A number's name ends with its unit, or with what it counts; the reference page has a row for it."""
    node = LEAVES[location]
    name = str(location[-1])
    assert len(node["description"]) > 10
    numbers = resolved(resolved(node).get("items", node))
    if numbers.get("type") in ("integer", "number"):
        assert name.endswith(tuple((UNITS + " " + COUNTED).split()))
        assert "enum" in numbers or ("maximum" in numbers and {"minimum", "exclusiveMinimum"} & set(numbers))
    if location[:1] != ("agents",):
        key = dotted(tuple("<name>" if part == "m" else part for part in location[1:] or location))
        row = f"| {allowed(node)} |"
        assert any(line.startswith(f"| `{key}` |") and row in line for line in reference.reference_page().splitlines())
    assert allowed(node).endswith("or null") == nullable(node)


def test_the_reference_page_has_json_schemas_type_names() -> None:
    """And YAML's mapping and list; a date and a secret are what they say."""
    simple = "string|integer|number|boolean|date|secret|mapping"
    rows = [
        re.split(r" (?<!\\)\| ", line) for line in reference.reference_page().splitlines() if line.startswith("| `")
    ]
    assert {row[1] for row in rows} >= {"string", "integer", "number", "boolean", "list of string"}
    assert not [row[0] for row in rows if not re.fullmatch(rf"(list of )?({simple})", row[1])]
