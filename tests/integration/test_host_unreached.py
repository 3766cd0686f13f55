"""No request for SigNoz' machine ever reaches the Docker of the machine that deploys.

A listener is in the place of that Docker: at its socket, in a mount namespace of the test's own, and at DOCKER_HOST.
The real engine is on another path, where only an `ssh` finds it that stands in for the way to the machine.
"""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cloudwatch.clients import client_factory
from lab import emulator
from stacks.settings.loading import load
from tests.integration.conftest import Checkout, make_checkout, succeeded
from tests.machine import LIMIT_SECONDS, free_port

STACK = "unreached"
DOCKER_SOCKET = "/var/run/docker.sock"
SETTINGS = """\
config:
  turnscope:environment: local
  turnscope:owner: tests
  turnscope:agents: {{receptionist: {{}}}}
  turnscope:notifications: {{critical: {{emails: [oncall@example.com]}}}}
  turnscope:lab: {{aws_port: {port}}}
  turnscope:host:
    instance_type: t3.large
    image_id: {image}
    domain: signoz.example.com
    allowed_networks: {{ui: [203.0.113.0/24], otlp: [203.0.113.0/24]}}
    data_volume: {{size_gib: 20, snapshots: null}}
  turnscope:signoz:
    root_user: {{email: admin@example.com}}
    images: {{registry: 127.0.0.1:1}}
    keep_volumes: false
"""
SSH = """\
#!/usr/bin/env python3
# ssh [-F FILE] [OPTION...] HOST docker system dial-stdio: a connection to the engine, unless the machine is gone.
import os, pathlib, socket, sys, threading
if "-O" in sys.argv:
    sys.exit(0)
configuration = sys.argv[sys.argv.index("-F") + 1]
with open("{log}", "a") as log:
    print(configuration, file=log)
if not pathlib.Path(configuration).is_file():
    sys.exit("no configuration at " + configuration)
if os.path.exists("{gone}"):
    sys.exit("the machine is gone")
engine = socket.socket(socket.AF_UNIX)
engine.connect("{engine}")
def send():
    while chunk := os.read(0, 65536):
        engine.sendall(chunk)
    engine.shutdown(socket.SHUT_WR)
threading.Thread(target=send, daemon=True).start()
while chunk := engine.recv(65536):
    os.write(1, chunk)
"""


@dataclass
class Surroundings:
    """The listener, and commands that run with it in the engine's place."""

    folder: Path
    checkout: Checkout
    asked: list[bytes] = field(default_factory=list)
    """What arrived at the listener."""

    @property
    def gone(self) -> Path:
        return self.folder / "gone"

    @property
    def ssh_log(self) -> Path:
        return self.folder / "ssh.log"

    def listen(self) -> None:
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(self.folder / "listener.sock"))
        server.listen()

        def accept() -> None:
            while True:
                connection, _ = server.accept()
                with connection:
                    self.asked.append(connection.recv(65_536))

        threading.Thread(target=accept, daemon=True).start()

    def write_ssh(self) -> None:
        program = self.folder / "bin" / "ssh"
        program.parent.mkdir()
        program.write_text(SSH.format(log=self.ssh_log, gone=self.gone, engine=self.folder / "engine.sock"))
        program.chmod(0o755)
        (self.folder / "engine.sock").touch()

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """A command by hand, in the environment of `turnscope shell`."""
        environment = succeeded(self.checkout.turnscope("shell", STACK))
        listener = shlex.quote(str(self.folder / "listener.sock"))
        script = "\n".join(
            [
                "set -e",
                f"mount --bind {DOCKER_SOCKET} {shlex.quote(str(self.folder / 'engine.sock'))}",
                f"mount --bind {listener} $(readlink -f {DOCKER_SOCKET})",
                environment,
                f"export PATH={shlex.quote(str(self.folder / 'bin'))}:$PATH DOCKER_HOST=unix://{listener}",
                command,
            ]
        )
        return subprocess.run(
            ["unshare", "--mount", "bash", "-c", script],
            cwd=self.checkout.root,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
            env={**os.environ, "PYTHONPATH": str(self.checkout.root)},
        )


def _can_hide_the_engine() -> bool:
    ran = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False)
    return ran.returncode == 0 and Path(DOCKER_SOCKET).exists()


pytestmark = pytest.mark.skipif(
    not _can_hide_the_engine(), reason="needs root, and a Docker engine at its usual socket"
)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Surroundings]:
    checkout = make_checkout(tmp_path_factory.mktemp("project"))
    file = checkout.root / "stacks" / f"Pulumi.{STACK}.yaml"
    port = free_port()
    file.write_text(SETTINGS.format(port=port, image="ami-00000000"))
    succeeded(checkout.turnscope("lab", "start", STACK))
    images = client_factory(load(STACK, checkout.root))("ec2").describe_images(
        Filters=[{"Name": "architecture", "Values": ["x86_64"]}]
    )["Images"]
    file.write_text(SETTINGS.format(port=port, image=images[0]["ImageId"]))
    made = Surroundings(tmp_path_factory.mktemp("way"), checkout)
    made.listen()
    made.write_ssh()
    succeeded(made.run(f"pulumi stack select --create {STACK}"))
    yield made
    emulator.stop(checkout.root / ".turnscope" / STACK)
    for kind in ("container", "network", "volume"):
        listed = ("ls", "--all") if kind == "container" else ("ls",)
        names = ["docker", kind, *listed, "--quiet", "--filter", f"label=turnscope.stack={STACK}"]
        found = subprocess.run(names, capture_output=True, text=True, check=True).stdout.split()
        if found:
            subprocess.run(["docker", kind, "rm", *found], capture_output=True, check=False)


def test_the_listener_would_see_a_request(here: Surroundings) -> None:
    for command in ("env -u DOCKER_HOST docker version", "docker version"):
        here.run(command)
        assert here.asked, command
        here.asked.clear()


def test_a_first_preview_shows_everything_and_asks_nobody(here: Surroundings) -> None:
    out = succeeded(here.run(f"pulumi preview -s {STACK} --non-interactive"))
    for shown in ("aws:ec2:Instance", "DockerReady", "docker:index:Network", "signoz-collector-container"):
        assert shown in out, out
    assert here.asked == []
    assert not here.ssh_log.exists()


def test_a_deployment_goes_over_ssh_alone(here: Surroundings) -> None:
    """There is no registry for images here: it ends at the first container, when network and volumes are there."""
    ran = here.run(f"pulumi up -s {STACK} --yes --skip-preview --non-interactive")
    assert "signoz-network" in ran.stdout, ran.stdout + ran.stderr
    assert "signoz-setup-container" in ran.stdout + ran.stderr
    assert here.asked == []
    assert set(here.ssh_log.read_text().splitlines()) == {
        f".turnscope/{STACK}/ssh/config",
        str(here.checkout.root / f".turnscope/{STACK}/ssh/config"),
    }


def test_a_refresh_goes_over_ssh_alone(here: Surroundings) -> None:
    here.ssh_log.unlink()
    succeeded(here.run(f"pulumi refresh -s {STACK} --yes --skip-preview --non-interactive"))
    assert here.ssh_log.exists()
    assert here.asked == []


def test_without_the_machine_nobody_else_is_asked(here: Surroundings) -> None:
    ec2 = client_factory(load(STACK, here.checkout.root))("ec2")
    reservations = ec2.describe_instances()["Reservations"]
    ec2.terminate_instances(InstanceIds=[each["InstanceId"] for found in reservations for each in found["Instances"]])
    here.gone.touch()
    here.run(f"pulumi preview -s {STACK} --non-interactive")
    refreshed = here.run(f"pulumi refresh -s {STACK} --yes --skip-preview --non-interactive")
    assert refreshed.returncode != 0
    assert "the machine is gone" in refreshed.stdout + refreshed.stderr
    here.run(f"pulumi preview -s {STACK} --non-interactive")
    assert here.asked == []
