"""ssh's ProxyCommand to a stack's machine: standard input and output become a connection to its sshd.

    python -m host.proxy STACK

In the project's folder. Finds the instance, pushes the public key by EC2 Instance Connect (it counts for 60 seconds),
writes the machine's own public key into `known_hosts`, and then connects: through AWS Session Manager, or to port 22;
in environment local to the lab's machine, which has no Session Manager. ssh reads the key and `known_hosts` only once
the machine has answered, so all of this happens before.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from cloudwatch.clients import ClientFactory, client_factory
from core.environments import Environment
from core.errors import UserError
from host.instances import running_instance
from host.plan.build import SSH_PORT, plan_host
from host.plan.model import HostPlan
from host.reach import Files
from stacks.settings.loading import load

PLUGIN = "session-manager-plugin"
OLDEST_PLUGIN = (1, 2, 497, 0)
"""From this version on it takes a session's token from the environment, and not from its arguments, which every process
can read (github.com/aws/aws-cli, awscli/customizations/sessionmanager.py)."""
DOCUMENT = "AWS-StartSSHSession"
RESPONSE = "AWS_SSM_START_SESSION_RESPONSE"
CONNECT_SECONDS = 15
CHUNK_BYTES = 65_536


def main(stack: str) -> None:
    """Connect; returns when the connection ends. Raises `UserError` where there is no way to the machine."""
    project = Path.cwd()
    settings = load(stack, project)
    plan = plan_host(stack, settings)
    if plan is None:
        raise UserError(f"Stack {stack} has no machine (section host).")
    client, files = client_factory(settings), Files(project.resolve(), stack)
    try:
        instance = running_instance(plan, client)
        know(plan, instance["InstanceId"], client, files)
        push_key(plan, instance["InstanceId"], client, files)
        if settings.environment != Environment.LOCAL and plan.access == "session-manager":
            through_session_manager(plan, instance["InstanceId"], client, files)
        address = instance["PrivateIpAddress"] if settings.environment == Environment.LOCAL else _public(plan, instance)
    except (BotoCoreError, ClientError) as error:
        raise UserError(f"The machine {plan.name} cannot be reached: {error}", exit_code=1) from None
    relay(address, SSH_PORT, files)


def know(plan: HostPlan, instance_id: str, client: ClientFactory, files: Files) -> None:
    """Write down the key by which ssh is to know the machine. Raises `UserError` while it has not published one."""
    name = plan.host_key_parameter(instance_id)
    try:
        key = client("ssm").get_parameter(Name=name)["Parameter"]["Value"].strip()
    except ClientError as error:
        if error.response["Error"]["Code"] != "ParameterNotFound":
            raise
        raise UserError(
            f"The machine {plan.name} ({instance_id}) has not published its ssh key yet (parameter {name}).",
            exit_code=1,
        ) from None
    line = f"{plan.name} {key}\n"
    if not files.known_hosts.is_file() or files.known_hosts.read_text() != line:
        fresh = files.known_hosts.with_name(f"known_hosts.{os.getpid()}")
        fresh.write_text(line)
        fresh.replace(files.known_hosts)


def push_key(plan: HostPlan, instance_id: str, client: ClientFactory, files: Files) -> None:
    """Let the machine accept this machine's key for a minute."""
    client("ec2-instance-connect").send_ssh_public_key(
        InstanceId=instance_id, InstanceOSUser=plan.user, SSHPublicKey=files.public_key.read_text().strip()
    )


def through_session_manager(plan: HostPlan, instance_id: str, client: ClientFactory, files: Files) -> None:
    """This process becomes AWS' plugin, which is the connection. Raises `UserError` where it is missing or too old."""
    plugin = _plugin()
    request: dict[str, Any] = {
        "Target": instance_id,
        "DocumentName": DOCUMENT,
        "Parameters": {"portNumber": [str(SSH_PORT)]},
    }
    ssm = client("ssm")
    answer = ssm.start_session(**request)
    session = {name: answer[name] for name in ("SessionId", "TokenValue", "StreamUrl")}
    _talk_to_log(files)
    arguments = [plugin, RESPONSE, plan.region, "StartSession", "", json.dumps(request), ssm.meta.endpoint_url]
    os.execve(plugin, arguments, {**os.environ, RESPONSE: json.dumps(session)})  # noqa: S606


def _plugin() -> str:
    where = "docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-working-with-install-plugin.html"
    found = shutil.which(PLUGIN)
    if found is None:
        raise UserError(f"AWS' {PLUGIN} is not on PATH; install it ({where}), or set host.access to ssh.", exit_code=1)
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    version = tuple(int(part) for part in said.split(".") if part.isdecimal())
    if version < OLDEST_PLUGIN:
        raise UserError(
            f"AWS' {PLUGIN} is too old ({said}); install {'.'.join(map(str, OLDEST_PLUGIN))} or newer ({where}).",
            exit_code=1,
        )
    return found


def _public(plan: HostPlan, instance: dict[str, Any]) -> str:
    address = instance.get("PublicIpAddress")
    if not address:
        raise UserError(f"The machine {plan.name} has no public address yet.", exit_code=1)
    return address


def relay(address: str, port: int, files: Files) -> None:
    """Standard input and output to a TCP connection, until the machine ends it."""
    try:
        connection = socket.create_connection((address, port), CONNECT_SECONDS)
    except OSError as error:
        raise UserError(f"{address}, port {port}, does not answer: {error}", exit_code=1) from None
    connection.settimeout(None)
    _talk_to_log(files)

    def send() -> None:
        while chunk := os.read(0, CHUNK_BYTES):
            connection.sendall(chunk)
        connection.shutdown(socket.SHUT_WR)

    threading.Thread(target=send, daemon=True).start()
    while chunk := connection.recv(CHUNK_BYTES):
        view = memoryview(chunk)
        while view:
            view = view[os.write(1, view) :]


def _talk_to_log(files: Files) -> None:
    """A shared connection outlives the program that asked for it, which would wait for the end of its error stream."""
    log = os.open(files.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(log, 2)
    os.close(log)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except UserError as failure:
        print(f"turnscope: {failure}", file=sys.stderr)
        sys.exit(failure.exit_code)
