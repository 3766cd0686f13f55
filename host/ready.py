"""Waiting until Docker answers on the machine.

The Docker provider's address comes from this resource, so before the machine is there, and while it is replaced, the
engine has none: it shows what it will make and asks nobody. (A provider without an address would take the Docker of the
machine that deploys: github.com/pulumi/pulumi-docker/issues/1147.)
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from botocore.exceptions import BotoCoreError, ClientError
from pulumi import dynamic

from cloudwatch.clients import ClientFactory, client_factory
from core.errors import UserError
from core.project import find_project
from host.instances import instances, running_instance
from host.plan.build import plan_host
from host.plan.model import HostPlan
from host.reach import hang_up, prepare
from stacks.settings.loading import load

MODULE, READY_TYPE = "host", "DockerReady"
WAIT_SECONDS = 900
POLL_SECONDS = 5
SAID_SECONDS = 30
ASK_SECONDS = 90
LINES_SHOWN = 15
WAITING = "waiting for"
"""How a line about waiting begins; `turnscope.deployment.progress` shows such lines."""
COMPARED = ("stack", "instance", "attachment", "set_up")

Props = dict[str, Any]


class HostError(Exception):
    """A clear sentence for whoever deploys; the engine shows it (`turnscope.deployment.progress`)."""


@dataclass(frozen=True)
class Waiting:
    """What waiting takes: how to ask Docker (an error's text, None once it answers), AWS, and a clock."""

    ask: Callable[[], str | None]
    client: ClientFactory
    say: Callable[[str], None]
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def wait(plan: HostPlan, waiting: Waiting, limit_seconds: int = WAIT_SECONDS) -> str:
    """Wait until Docker answers; the instance's identifier. Raises `UserError` (exit code 1), with what the machine
    wrote last, where it does not within the limit, or where there is no machine that could."""
    began = said = waiting.now()
    while True:
        instance = running_instance(plan, waiting.client)["InstanceId"]
        problem = waiting.ask()
        if problem is None:
            return instance
        passed = waiting.now() - began
        if passed > limit_seconds:
            raise UserError(_failure(plan, instance, problem, round(passed), waiting.client), exit_code=1)
        if waiting.now() - said >= SAID_SECONDS:
            said = waiting.now()
            waiting.say(f"{WAITING} Docker on {plan.name} ({instance}), {passed:.0f} s: {problem}")
        waiting.sleep(POLL_SECONDS)


def _failure(plan: HostPlan, instance: str, problem: str, seconds: int, client: ClientFactory) -> str:
    lines = console_lines(instance, client)
    written = "".join(f"\n  {line}" for line in lines) or "\n  (nothing yet)"
    return (
        f"Docker on the machine {plan.name} ({instance}) does not answer after {seconds} seconds: {problem}\n"
        f"The last lines of its console:{written}\n"
        f"More: aws ec2 get-console-output --latest --region {plan.region} --instance-id {instance}, and the log group "
        f"{plan.log_group}. Fix the cause and deploy again."
    )


def console_lines(instance: str, client: ClientFactory) -> list[str]:
    """The last lines that the instance wrote to its console; empty where AWS has none."""
    try:
        text = client("ec2").get_console_output(InstanceId=instance, Latest=True).get("Output", "")
    except (BotoCoreError, ClientError):
        return []
    return [line.rstrip() for line in text.splitlines() if line.strip()][-LINES_SHOWN:]


class DockerReadyProvider(dynamic.ResourceProvider):
    """Runs in a process of the engine, in the project's folder; its settings are read from the stack's file."""

    serialize_as_secret_always = False

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()

    def diff(self, _id: str, _olds: Props, _news: Props) -> dynamic.DiffResult:
        changed = [name for name in COMPARED if _olds.get(name) != _news.get(name)]
        return dynamic.DiffResult(changes=bool(changed))

    def create(self, props: Props) -> dynamic.CreateResult:
        return dynamic.CreateResult(str(props["stack"]), _waited(props))

    def update(self, _id: str, _olds: Props, _news: Props) -> dynamic.UpdateResult:
        if _olds.get("instance") != _news.get("instance"):
            _forget(_olds)
        return dynamic.UpdateResult(_waited(_news))

    def read(self, id_: str, props: Props) -> dynamic.ReadResult:
        """Docker is not asked: a machine that is stopped is still there."""
        try:
            plan, client, _ = _surroundings(props)
            there = bool(instances(plan, client))
        except (UserError, BotoCoreError, ClientError) as error:
            raise HostError(str(error)) from None
        return dynamic.ReadResult(id_, dict(props)) if there else dynamic.ReadResult(None, {})

    def delete(self, _id: str, _props: Props) -> None:
        _forget(_props)


class DockerReady(dynamic.Resource, module=MODULE, name=READY_TYPE):
    """Made once Docker answers on the machine, within `WAIT_SECONDS`; waits again when the instance, the attachment of
    its volume or its set-up changes. Fails the deployment with what the machine wrote last. Deletion removes the public
    ssh key that the machine published."""

    address: pulumi.Output[str]
    """Docker's, for the provider."""

    def __init__(self, name: str, props: Mapping[str, Any], opts: pulumi.ResourceOptions | None = None) -> None:
        """`props`: `stack`, the identifiers `instance` and `attachment`, and `set_up`, which differs when the machine
        restarts for a change."""
        super().__init__(DockerReadyProvider(), name, {**props, "address": None}, opts)


def _surroundings(props: Props) -> tuple[HostPlan, ClientFactory, Mapping[str, str]]:
    project, stack = find_project().root, str(props["stack"])
    settings = load(stack, project)
    plan = plan_host(stack, settings)
    if plan is None:  # taken out of the settings, and about to be deleted
        raise UserError(f"Stack {stack} has no machine (section host).")
    return plan, client_factory(settings), prepare(plan, project)


def _waited(props: Props) -> Props:
    try:
        plan, client, environment = _surroundings(props)
        hang_up(plan, find_project().root)
        wait(plan, Waiting(lambda: docker_problem(plan.address, environment), client, _say))
    except (UserError, BotoCoreError, ClientError) as error:
        raise HostError(str(error)) from None
    return {**props, "address": plan.address}


def docker_problem(address: str, environment: Mapping[str, str]) -> str | None:
    """Why Docker at an address does not answer, in one line; None where it does."""
    command = ["docker", "-H", address, "version", "--format", "{{.Server.Version}}"]
    try:
        asked = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **environment},
            timeout=ASK_SECONDS,
        )
    except FileNotFoundError:
        raise UserError("Docker's command line (docker) is not on PATH; install it.", exit_code=1) from None
    except subprocess.TimeoutExpired:
        return f"no answer in {ASK_SECONDS} seconds"
    if asked.returncode == 0 and asked.stdout.strip():
        return None
    lines = [line.strip() for line in asked.stderr.splitlines() if line.strip()]
    return next((line for line in lines if line.startswith("turnscope: ")), lines[-1] if lines else "no answer")


def _forget(props: Props) -> None:
    """Remove what the machine published of itself."""
    try:
        project, stack = find_project().root, str(props["stack"])
        settings = load(stack, project)
        name = f"/turnscope/{stack}/host-keys/{props['instance']}"
        client_factory(settings)("ssm").delete_parameter(Name=name)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ParameterNotFound":
            raise HostError(str(error)) from None
    except (BotoCoreError, UserError) as error:
        raise HostError(str(error)) from None


def _say(line: str) -> None:
    """The engine passes on what a plugin writes."""
    print(line, file=sys.stderr, flush=True)
