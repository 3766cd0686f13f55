"""The real `__main__.py` against an engine that only writes down what it is asked for, and that as a text.

Every case runs as a stack named `example`: names do not differ between the cases, so their differences are those of
their settings, and a stack's name taken for its environment shows.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import hashlib
import json
import logging
import os
import runpy
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pulumi
import yaml
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from pulumi.runtime import mocks, rpc
from pulumi.runtime.settings import Settings, configure
from pulumi.runtime.stack import run_in_stack

from core.names import NAMESPACE
from core.secrets.generated import derived, missing
from core.secrets.program import PASSPHRASE_FILE
from stacks.settings.loading import merge, stack_file
from tests.engine_configuration import engine
from tests.readable import Json, readable

ROOT = Path(__file__).parents[1]
STACK = "example"
ACCOUNT = "123456789012"
PASSPHRASE = "the passphrase of an example"
API_KEY = "the key that the server made"


def _encrypted(name: str) -> dict[str, str]:
    return {"secure": name}


SECRETS: dict[str, Any] = {
    "root_user": {"email": "admin@acme-voice.com", "password": _encrypted("root_user")},
    "jwt_secret": _encrypted("jwt_secret"),
    "clickhouse": {"password": _encrypted("clickhouse")},
    "collector": {"tokens": {"agents": _encrypted("token")}},
}
"""Of SigNoz, and its administrator."""

EVERYTHING: dict[str, Any] = {
    "aws": {
        "account_ids": [ACCOUNT],
        "profile": "voice",
        "assume_role": {"role_arn": f"arn:aws:iam::{ACCOUNT}:role/deploy"},
    },
    "tags": {"cost-center": "4711"},
    "protect": True,
    "expires_on": "2099-12-31",
    "log_groups": {"encryption": "stack-key"},
    "targets": {
        "llm_ttft": {"critical_seconds": 1.5},
        "eou_delay": {"warning_seconds": 1},
        "model_spend_per_day_usd": 100,
        "model_spend_per_tenant_and_day_usd": 20,
    },
    "alarms": {"no_data_minutes": 60, "anomaly_band_standard_deviations": 2},
    "notifications": {
        "critical": {
            "pagerduty_integration_url": _encrypted("pagerduty"),
            "slack_webhook_url": _encrypted("slack"),
            "emails": ["voice@example.com"],
        },
    },
    "cloudwatch": {"topics": {"warning": f"arn:aws:sns:us-west-1:{ACCOUNT}:existing"}},
    "analytics": {
        "encryption": "stack-key",
        "versioning": True,
        "keep_data": True,
        "partition_by_agent": True,
        "replication": {
            "bucket_arn": "arn:aws:s3:::copies",
            "kms_key_arn": "arn:aws:kms:us-east-1:123456789012:key/copies",
        },
    },
    "host": {
        "instance_type": "t4g.large",
        "allowed_networks": {"ui": ["198.18.0.0/24"], "otlp": ["0.0.0.0/0", "2a00::/32"]},
        "domain": "signoz.acme-voice.com",
        "zone_id": "Z0123456789ABCDEFGHIJ",
        "data_volume": {"encryption": "stack-key", "keep": True, "snapshots": {}},
        "schedule": {"stop_at": "20:00", "start_at": "07:00", "timezone": "Europe/Berlin"},
    },
    "signoz": {
        **SECRETS,
        "clickhouse": {"password": _encrypted("clickhouse"), "cold_storage": {}},
        "collector": {
            "tokens": {"agents": _encrypted("token")},
            "firehose": {"access_key": _encrypted("firehose")},
            "langfuse": {"public_key": _encrypted("langfuse_public"), "secret_key": _encrypted("langfuse_secret")},
        },
        "alertmanager": {
            "receivers": {"team": {"slack_webhook_url": _encrypted("receiver")}},
            "default_receiver": "team",
            "routes": [{"labels": {"severity": "critical"}, "receiver": "team"}],
        },
        # As in stack local, whose addresses are then no difference.
        "gateway": {"listen_address": "127.0.0.1", "certificates": "internal"},
        "content": {"downtimes": {"maintenance": {"start": "2026-01-01T02:00", "end": "2026-01-01T03:00"}}},
    },
}
"""Over stack dev: everything that the shipped stacks leave out, with a secret in each place that takes one, except for
the external ID of a role, which a machine of its own excludes."""

OF_SIGNOZ: dict[str, Any] = {
    "host": {
        "domain": "signoz.acme-voice.com",
        "acme_email": "ops@acme-voice.com",
        "allowed_networks": {"ui": ["198.18.0.0/24"]},
    },
    "signoz": {
        **SECRETS,
        "alertmanager": {
            "receivers": {"team": {"slack_webhook_url": _encrypted("receiver")}},
            "default_receiver": "team",
        },
    },
}
"""What each stack but the local one leaves to its owners."""

OWNERS: dict[str, Any] = {
    "owner": "voice-platform",
    "runbook_base_url": "https://runbooks.acme-voice.com",
    "agents": {"voice-agent": {}},
    "notifications": {
        "critical": {"emails": ["oncall@acme-voice.com"]},
        "warning": {"emails": ["voice@acme-voice.com"]},
    },
}
"""What staging and prod leave to their owners besides."""

EXISTING_SIGNOZ: dict[str, Any] = {
    "existing_signoz": {
        "url": "https://acme.us.signoz.cloud",
        "api_key": _encrypted("signoz_api_key"),
        "alertmanager": {
            "receivers": {"team": {"slack_webhook_url": _encrypted("receiver")}},
            "default_receiver": "team",
            "routes": [{"labels": {"severity": "critical"}, "receiver": "team"}],
        },
        "content": {"downtimes": {"maintenance": {"start": "2026-01-01T02:00", "end": "2026-01-01T03:00"}}},
    },
    **dict.fromkeys(("signoz", "host", "cloudwatch", "analytics", "budget")),
}
"""Over stack dev: content for a SigNoz that the stack does not run, and nothing else."""

EXISTING_LOG_GROUP: dict[str, Any] = {"agents": {"voice-agent": {"log_group_exists": True}}}

FORWARDING: dict[str, Any] = {
    "analytics": {"events": ["session_analytics"]},
    "signoz": {"collector": {"firehose": {"log_groups": {}}}},
}
"""Over stack local: its log groups delivered to SigNoz, and one event to the analytics."""

CASES = ("dev", "staging", "prod", "local", "everything", "existing-signoz", "forwarding")
OVER: dict[str, tuple[str, dict[str, Any]]] = {
    "everything": ("dev", EVERYTHING),
    "existing-signoz": ("dev", EXISTING_SIGNOZ),
    "forwarding": ("local", FORWARDING),
}
"""Case -> the stack that its settings lie over, and these."""

DOCKER = """#!/bin/sh
# docker -H ADDRESS COMMAND ...: every container is healthy, and has succeeded.
case "$3" in
  container) echo '[{"RestartCount": 0, "State": {"Running": true, "Restarting": false, "Status": "exited",' \\
    '"ExitCode": 0, "Health": {"Status": "healthy"}}}]' ;;
  cp) echo "the gateway's root certificate" > "$5" ;;
  *) echo "unexpected: docker $*" >&2; exit 1 ;;
esac
"""

COMPUTED = ("arn", "keyId", "allocationId", "publicIp", "privateIp", "availabilityZone")
"""What AWS adds to a resource, as far as others refer to it."""

UNREMARKABLE = {
    "type", "name", "parent", "custom", "object", "provider", "providers", "dependencies", "propertyDependencies",
    "version", "pluginDownloadURL", "acceptSecrets", "acceptResources", "supportsPartialValues",
    "supportsResultReporting", "deleteBeforeReplaceDefined", "sourcePosition", "stackTrace",
}  # fmt: skip
"""Fields of a registration that are shown in another form, or that the SDK gives every resource."""

LONGEST_SHOWN = 400
"""Characters; of a longer text, or one of several lines, only length and hash are shown."""


@dataclass(frozen=True)
class Resource:
    """A registration as the engine gets it."""

    type: str
    name: str
    path: tuple[str, ...]
    """Names of the components that it is in, outermost first, and its own."""
    custom: bool
    provider: str
    """Name of its provider; empty where the engine would take a default one."""
    options: Mapping[str, Any]
    """As the protocol names them; `dependsOn` without what inputs refer to."""
    inputs: Mapping[str, Any]


@dataclass
class Program:
    """What a run of the program asked the engine for."""

    secrets: Mapping[str, str]
    """Every secret of the stack, by its name here or where it is in the configuration."""
    project: Path
    """The folder that it ran in, which is gone."""
    resources: list[Resource] = field(default_factory=list)
    lookups: list[dict[str, Any]] = field(default_factory=list)
    hooks: dict[str, dict[str, Any]] = field(default_factory=dict)
    exports: Mapping[str, Any] = field(default_factory=dict)

    @functools.cached_property
    def text(self) -> str:
        """A block for each resource, in the order of the tree; then lookups, hooks and exports."""
        blocks = [_block(each) for each in sorted(self.resources, key=lambda each: (each.path, each.type))]
        # Several components ask the same; which of them asks first is of no interest.
        lookups = {json.dumps(each, sort_keys=True): each for each in self.lookups}
        blocks += [{f"lookup {each['token']}": _shown(each["arguments"])} for _, each in sorted(lookups.items())]
        blocks += [{f"hook {name}": options} for name, options in sorted(self.hooks.items())]
        blocks.append({"exports": _shown(self.exports)})
        return "\n".join(map(readable, blocks)).replace(str(self.project), "(the project's folder)")


@functools.cache
def program(case: str) -> Program:
    """What the program does with the stack file of that name, or with dev's and `EVERYTHING` over it."""
    return run(case)


def run(case: str, over: Mapping[str, Any] | None = None, *, preview: bool = False) -> Program:
    """The same anew, with other settings `over` those of the case; or what a first preview asks for.

    Raises what the program raises.
    """
    based_on = OVER[case][0] if case in OVER else case
    config = yaml.safe_load(stack_file(based_on, ROOT).read_text())["config"]
    owners = {**OWNERS, "budget": {"emails": ["voice@acme-voice.com"]}}
    staging = {**OF_SIGNOZ, **owners}
    given = {
        "dev": {**OF_SIGNOZ, "expires_on": "2099-12-31"},
        "staging": staging,
        "prod": merge(staging, EXISTING_LOG_GROUP),
        **{name: settings for name, (_, settings) in OVER.items()},
    }
    for settings in (given.get(case, {}), over or {}):
        config = merge(config, {f"{NAMESPACE}:{key}": value for key, value in settings.items()})
    encrypted = {name: f"the-value-of-{name}-{'x' * 32}" for name in _names_of_secrets(config)}
    wanted = missing({"signoz": config.get(f"{NAMESPACE}:signoz")}) if based_on == "local" else []
    derived_here = {each.path: derived(PASSPHRASE, each) for each in wanted}
    # A folder of its own: no lock file, content or private folder of this machine decides anything.
    with tempfile.TemporaryDirectory() as directory:
        project = Path(directory).resolve()
        # The server makes a key where none is given.
        made_there = {} if case == "existing-signoz" else {"api_key": API_KEY}
        made = Program({**encrypted, **derived_here, **made_there}, project)
        (project / "stacks").mkdir()
        stack_file(STACK, project).write_text(yaml.safe_dump({"config": config}))
        shutil.copy(ROOT / "stacks" / "base.yaml", project / "stacks")
        shutil.copy(ROOT / "__main__.py", project)
        with _machine(project), engine(project, encrypted, stack=STACK):
            # A context of its own: the SDK keeps its state in context variables.
            contextvars.Context().run(_execute, made, project / "__main__.py", preview)
    return made


def _execute(made: Program, main: Path, preview: bool) -> None:
    monitor = Monitor(made, Answers(preview))
    configure(Settings(NAMESPACE, STACK, monitor, mocks.MockEngine(None), dry_run=preview, organization="example"))
    # Every output behind one that failed holds the same failure, and asyncio would print each.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)

    def execute() -> None:
        runpy.run_path(str(main), run_name="__main__")

    # With a factory the loop is this run's alone; without, other tests would find none afterwards.
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(run_in_stack(execute))


@contextlib.contextmanager
def _machine(project: Path) -> Iterator[None]:
    """A machine with a passphrase and Docker's command line, the project's folder being the current one."""
    docker, passphrase = project / "bin" / "docker", project / "passphrase"
    docker.parent.mkdir()
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    passphrase.write_text(PASSPHRASE)
    variables = {"PATH": f"{docker.parent}{os.pathsep}{os.environ['PATH']}", PASSPHRASE_FILE: str(passphrase)}
    with patch.dict(os.environ, variables), contextlib.chdir(project):
        yield


def _names_of_secrets(value: Any) -> Iterator[str]:
    if isinstance(value, dict) and "secure" in value:
        yield value["secure"]
    elif isinstance(value, (dict, list)):
        for entry in value.values() if isinstance(value, dict) else value:
            yield from _names_of_secrets(entry)


# --- The engine ---


class Monitor(mocks.MockMonitor):
    """Pulumi's mock of the engine; it writes down all of a registration, of which `Mocks` are given a part."""

    def __init__(self, made: Program, answers: Answers) -> None:
        super().__init__(answers)
        self._made = made
        self._paths: dict[str, tuple[str, ...]] = {}

    def RegisterResource(self, request: Any) -> Any:
        answer = super().RegisterResource(request)
        if request.type != "pulumi:pulumi:Stack":
            self._paths[answer.urn] = (*self._paths.get(request.parent, ()), request.name)
            self._made.resources.append(_resource(request, self._paths[answer.urn]))
        for name in request.additionalSecretOutputs:
            if name in answer.object.fields:
                answer.object[name] = _secret(MessageToDict(answer.object)[name])
        return answer

    def RegisterResourceOutputs(self, request: Any) -> Any:
        if "::pulumi:pulumi:Stack::" in request.urn:
            self._made.exports = rpc.deserialize_properties(request.outputs)
        return super().RegisterResourceOutputs(request)

    def RegisterResourceHook(self, request: Any) -> Any:
        self._made.hooks[request.name] = {"onDryRun": request.on_dry_run}
        return super().RegisterResourceHook(request)

    def Invoke(self, request: Any) -> Any:
        arguments = {**rpc.deserialize_properties(request.args), "provider": _name(request.provider)}
        self._made.lookups.append({"token": request.tok, "arguments": arguments})
        return super().Invoke(request)


class Answers(mocks.Mocks):
    """An account in which nothing exists yet, apart from log groups; in a preview, nothing is made there either."""

    def __init__(self, preview: bool) -> None:
        self._preview = preview

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        if self._preview:
            return None, args.inputs
        computed: dict[str, Any] = {}
        if args.typ.startswith("aws:"):
            computed = {key: f"<{args.name}.{key}>" for key in COMPUTED}
        elif args.typ.endswith(":ApiKey"):
            computed = {"key": API_KEY, "service_account": f"<{args.name}.service_account>"}
        elif args.typ.endswith(":ExistingServer"):
            computed = {"organisation": f"<{args.name}.organisation>"}
        elif args.typ.endswith(":DockerReady"):
            computed = {"address": f"<{args.name}.address>"}
        return f"<{args.name}.id>", {**args.inputs, **computed}

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        match args.token:
            case "aws:index/getCallerIdentity:getCallerIdentity":
                return {"accountId": ACCOUNT}, []
            case "aws:ebs/getEbsVolumes:getEbsVolumes":
                return {"ids": []}, []
            case "aws:s3/getBucket:getBucket":
                return {}, [("bucket", "not found")]
            case "aws:cloudwatch/getLogGroup:getLogGroup":
                return args.args, []
            case "aws:ssm/getParameter:getParameter":
                return {"value": "ami-0123456789abcdef0"}, []
        raise AssertionError(f"no answer to {args.token}")


def _resource(request: Any, path: tuple[str, ...]) -> Resource:
    referred = (each.urns for each in request.propertyDependencies.values())
    options = {found.name: _plain(value) for found, value in request.ListFields() if found.name not in UNREMARKABLE}
    if explicit := set(request.dependencies).difference(*referred):
        options["dependsOn"] = sorted(map(_name, explicit))
    return Resource(
        type=request.type,
        name=request.name,
        path=path,
        custom=request.custom,
        provider=_name(request.provider),
        options=options,
        inputs=rpc.deserialize_properties(request.object, keep_unknowns=True),
    )


def _secret(value: Any) -> dict[str, Any]:
    """As the protocol marks one."""
    known = isinstance(value, dict) and rpc._special_sig_key in value
    return value if known else {rpc._special_sig_key: rpc._special_secret_sig, "value": value}


def _name(urn: str) -> str:
    """Of a URN, or of a provider's, which has an identifier behind it."""
    return urn.split("::")[3] if urn else ""


def _plain(value: Any) -> Any:
    if isinstance(value, Message):
        return MessageToDict(value)
    if isinstance(value, str):
        return _name(value) if value.startswith("urn:pulumi:") else value
    return value if isinstance(value, (int, float)) else [_plain(each) for each in value]


def is_secret(value: Any) -> bool:
    """Whether an input, or what is in it, is marked as a secret."""
    return isinstance(value, dict) and value.get(rpc._special_sig_key) == rpc._special_secret_sig


# --- The text ---


def _block(resource: Resource) -> dict[str, Any]:
    about: dict[str, Any] = {"in": " / ".join(resource.path[:-1]) or "(the stack)"}
    if resource.custom:
        about["provider"] = resource.provider or "(default)"
    about |= {name: value for name, value in sorted(resource.options.items()) if value}
    if resource.inputs:
        about["inputs"] = _shown(resource.inputs)
    return {f"{resource.name} ({resource.type})": about}


def _shown(value: Any) -> Any:
    match value:
        case str():
            return _shown_text(value)
        case float() if value.is_integer():
            return int(value)
        case dict() if is_secret(value):
            return "[secret]"
        case dict():
            return {key: _shown(value[key]) for key in sorted(value)}
        case list() | tuple():
            return [_shown(entry) for entry in value]
        case pulumi.FileAsset():
            return f"file {Path(value.path).relative_to(ROOT)}"
        case pulumi.StringAsset():
            return _shown_text(value.text)
        case pulumi.AssetArchive():
            return _shown(value.assets)
    return value


def _shown_text(text: str) -> Any:
    if text.startswith("{"):
        with contextlib.suppress(json.JSONDecodeError):
            found = json.loads(text)
            # Policies are short, and what they allow is to be reviewed; bodies of dashboards are neither.
            if "Statement" in found or len(text) <= LONGEST_SHOWN:
                return Json(_shown(found))
    if len(text) > LONGEST_SHOWN or "\n" in text:
        return f"({len(text)} characters, sha256 {hashlib.sha256(text.encode()).hexdigest()[:16]})"
    return text
