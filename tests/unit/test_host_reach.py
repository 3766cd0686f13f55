"""The way to SigNoz' machine: what ssh is told, what is done before a byte goes through, and waiting for Docker."""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pulumi.automation import EngineEvent
from pulumi.automation.events import DiagnosticEvent
from pulumi.output import Unknown
from rich.console import Console

from core.errors import UserError
from host import proxy, ready
from host.instances import running_instance
from host.plan.build import plan_host
from host.plan.model import HostPlan
from host.plan.user_data import set_up_hash
from host.reach import Files, prepare, provider_options
from host.ready import DockerReadyProvider, Waiting, docker_problem, wait
from tests.unit.conftest import HOST, ROOT, settings_with
from turnscope.deployment.progress import EngineProgress

INSTANCE = "i-0123456789abcdef0"
needs_ssh = pytest.mark.skipif(shutil.which("ssh") is None, reason="no OpenSSH client")


def plan(**host: Any) -> HostPlan:
    found = plan_host("example", settings_with(host={**HOST, **host}))
    assert found
    return found


class Account:
    """AWS, as far as it is asked."""

    def __init__(self, *states: str, host_key: str | None = "ssh-ed25519 AAAA") -> None:
        self.states, self.host_key, self.pushed, self.sessions = list(states), host_key, [], []
        self.console = "first line\nDocker failed\n"

    def __call__(self, service: str) -> Any:
        return self

    def get_paginator(self, _: str) -> Account:
        return self

    def paginate(self, **_: Any) -> Iterator[dict[str, Any]]:
        instances = [
            {"InstanceId": f"i-{number}", "State": {"Name": state}, "LaunchTime": number}
            for number, state in enumerate(self.states)
        ]
        yield {"Reservations": [{"Instances": instances}]}

    def get_parameter(self, **asked: Any) -> dict[str, Any]:
        if self.host_key is None:
            raise ClientError({"Error": {"Code": "ParameterNotFound", "Message": ""}}, "GetParameter")
        return {"Parameter": {"Value": f"{self.host_key}\n", **asked}}

    def send_ssh_public_key(self, **asked: Any) -> None:
        self.pushed.append(asked)

    def start_session(self, **asked: Any) -> dict[str, str]:
        self.sessions.append(asked)
        return {"SessionId": "session", "TokenValue": "the token", "StreamUrl": "wss://stream"}

    class meta:
        endpoint_url = "https://ssm.us-west-1.amazonaws.com"

    def get_console_output(self, **_: Any) -> dict[str, str]:
        return {"Output": self.console}


@pytest.fixture
def files(tmp_path: Path) -> Files:
    prepare(plan(), tmp_path)
    return Files(tmp_path, "example")


# --- What ssh is told ---


@needs_ssh
def test_ssh_trusts_the_one_machine_and_nothing_of_the_users(files: Files) -> None:
    name = plan().name
    command = ["ssh", "-G", "-F", str(files.configuration), name]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found: dict[str, str] = dict(line.split(" ", 1) for line in shown.splitlines() if " " in line)
    assert found["user"] == "admin"
    assert found["stricthostkeychecking"] == "true"
    assert found["userknownhostsfile"] == str(files.known_hosts)
    assert found["globalknownhostsfile"] == "/dev/null"
    assert found["identityfile"] == str(files.key)
    assert (found["identitiesonly"], found["identityagent"], found["batchmode"]) == ("yes", "none", "yes")
    assert found["forwardagent"] == "no"
    assert found["hostkeyalias"] == name


@needs_ssh
def test_what_is_written_is_ours_alone_and_stays(files: Files, tmp_path: Path) -> None:
    def seen() -> dict[str, tuple[int, bytes]]:
        paths = (path for path in files.folder.rglob("*") if path.is_file())
        return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in paths}

    before = seen()
    variables = prepare(plan(), tmp_path)
    assert seen() == before
    assert all(not stat.S_IMODE(Path(path).stat().st_mode) & 0o077 for path in before if not path.endswith(".pub"))
    assert variables["PATH"].split(os.pathsep)[0] == str(files.programs)


@needs_ssh
def test_paths_may_have_blanks_and_percent_signs(tmp_path: Path) -> None:
    project = tmp_path / "a project, 100 %d"
    project.mkdir()
    prepare(plan(), project)
    command = [str(Files(project, "example").programs / "ssh"), "-G", plan().name]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert f"identityfile {project}/.turnscope/example/ssh/key".replace("%", "%%") in shown


@needs_ssh
def test_two_projects_share_no_connection(tmp_path: Path) -> None:
    paths = set()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        prepare(plan(), tmp_path / name)
        text = Files(tmp_path / name, "example").configuration.read_text()
        paths.add(next(line for line in text.splitlines() if "ControlPath" in line))
    assert len(paths) == 2
    # The kernel's limit for a socket's path, less what ssh adds while it makes one.
    assert all(len(path.split(maxsplit=1)[1].strip('"')) + 17 < 108 for path in paths)


@needs_ssh
def test_the_providers_options_lead_to_the_same_file_from_the_project(files: Files, tmp_path: Path) -> None:
    _, path = provider_options("example")
    assert (tmp_path / path).resolve() == files.configuration.resolve()


# --- Before a byte goes through ---


@needs_ssh
def test_the_machine_is_known_by_the_key_that_it_published(files: Files) -> None:
    proxy.know(plan(), INSTANCE, Account(), files)
    assert files.known_hosts.read_text() == f"{plan().name} ssh-ed25519 AAAA\n"
    with pytest.raises(UserError, match=rf"has not published its ssh key yet .parameter /turnscope/.*/{INSTANCE}"):
        proxy.know(plan(), INSTANCE, Account(host_key=None), files)


@needs_ssh
def test_the_pushed_key_is_the_one_that_ssh_uses(files: Files) -> None:
    account = Account()
    proxy.push_key(plan(), INSTANCE, account, files)
    [pushed] = account.pushed
    assert (pushed["InstanceId"], pushed["InstanceOSUser"]) == (INSTANCE, "admin")
    derived = subprocess.run(["ssh-keygen", "-y", "-f", files.key], capture_output=True, text=True, check=True).stdout
    assert pushed["SSHPublicKey"].split()[:2] == derived.split()[:2]


def plugin(folder: Path, version: str) -> str:
    program = folder / proxy.PLUGIN
    program.write_text(f"#!/bin/sh\necho {version}\n")
    program.chmod(0o755)
    return str(folder)


@needs_ssh
def test_a_session_is_handed_to_aws_plugin_and_its_token_to_nobody_else(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[Any] = []
    monkeypatch.setenv("PATH", plugin(tmp_path, "1.2.707.0"))
    monkeypatch.setattr(proxy, "_talk_to_log", lambda _: None)
    monkeypatch.setattr(proxy.os, "execve", lambda *called: ran.append(called))
    proxy.through_session_manager(plan(), INSTANCE, Account(), files)
    [(_, arguments, variables)] = ran
    assert "the token" not in " ".join(arguments)
    assert json.loads(variables[arguments[1]])["TokenValue"] == "the token"
    assert json.loads(arguments[5])["DocumentName"] == "AWS-StartSSHSession"
    assert arguments[2:4] == ["us-west-1", "StartSession"]


@needs_ssh
def test_a_plugin_that_is_missing_or_too_old_is_named(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="session-manager-plugin is not on PATH"):
        proxy.through_session_manager(plan(), INSTANCE, Account(), files)
    monkeypatch.setenv("PATH", plugin(tmp_path, "1.2.398.0"))
    with pytest.raises(UserError, match=r"too old .1\.2\.398\.0."):
        proxy.through_session_manager(plan(), INSTANCE, Account(), files)


RELAY = """
import sys
from pathlib import Path
from host.proxy import relay
from host.reach import Files
relay("127.0.0.1", int(sys.argv[1]), Files(Path(sys.argv[2]), "example"))
"""


@needs_ssh
def test_bytes_go_both_ways_and_the_error_stream_is_let_go(files: Files, tmp_path: Path) -> None:
    """Whoever waits for the end of ssh's error stream would wait as long as the connection is shared."""
    content = os.urandom(300_000)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def echo() -> None:
            connection, _ = server.accept()
            with connection:
                while chunk := connection.recv(65_536):
                    connection.sendall(chunk)

        threading.Thread(target=echo, daemon=True).start()
        command = [sys.executable, "-c", RELAY, str(server.getsockname()[1]), str(tmp_path)]
        variables = {**os.environ, "PYTHONPATH": str(ROOT)}
        ran = subprocess.run(command, input=content, capture_output=True, check=True, env=variables, timeout=60)
    assert ran.stdout == content
    assert files.log.exists()


# --- Which instance ---


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (["running"], "i-0"),
        (["running", "running"], "i-1"),
        (["running", "stopped"], "i-0"),
        (["terminated", "running", "terminated"], "i-1"),
    ],
)
def test_the_machine_is_the_instance_that_runs(states: list[str], expected: str) -> None:
    assert running_instance(plan(), Account(*states))["InstanceId"] == expected


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([], "does not exist. `turnscope up example --refresh` makes it again"),
        (["terminated"], "does not exist"),
        (["stopped"], "is stopped. Start it: aws ec2 start-instances --region us-west-1 --instance-ids i-0"),
    ],
)
def test_without_a_running_machine_it_says_what_to_do(states: list[str], expected: str) -> None:
    with pytest.raises(UserError) as raised:
        running_instance(plan(), Account(*states))
    assert expected in str(raised.value)


# --- Waiting for Docker ---


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


def waiting(account: Account, answers: list[str | None], said: list[str]) -> Waiting:
    clock = Clock()
    ask = iter(answers)
    return Waiting(lambda: next(ask), account, said.append, clock.now, clock.sleep)


def test_it_waits_until_docker_answers_and_says_so_meanwhile() -> None:
    said: list[str] = []
    assert wait(plan(), waiting(Account("running"), ["no route"] * 13 + [None], said)) == "i-0"
    assert said == [f"waiting for Docker on {plan().name} (i-0), {seconds} s: no route" for seconds in (30, 60)]


def test_a_machine_that_never_answers_fails_with_its_last_words() -> None:
    with pytest.raises(UserError) as raised:
        wait(plan(), waiting(Account("running"), ["no route"] * 100, []), limit_seconds=60)
    text = str(raised.value)
    assert "does not answer after 65 seconds: no route" in text
    assert "\n  Docker failed\n" in text
    assert raised.value.exit_code == 1


def test_a_machine_that_went_away_is_not_waited_for() -> None:
    account = Account("running")

    def ask() -> str:
        account.states = ["terminated"]
        return "no route"

    clock = Clock()
    with pytest.raises(UserError, match="does not exist"):
        wait(plan(), Waiting(ask, account, print, clock.now, clock.sleep))
    assert clock.seconds < 10


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo 28.5.2", None),
        ("echo 'turnscope: The machine x is stopped.' >&2; echo 'error during connect' >&2; exit 1",
         "turnscope: The machine x is stopped."),
        ("echo 'error during connect' >&2; exit 1", "error during connect"),
        ("exit 0", "no answer"),
    ],
)  # fmt: skip
def test_docker_is_asked_and_the_reason_is_one_line(
    script: str, expected: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "docker"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    assert docker_problem("ssh://x", {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}) == expected


# --- The resource ---

PROPS = {"stack": "example", "instance": "i-0", "attachment": "vai-1", "set_up": "1", "address": "ssh://x"}


@pytest.mark.parametrize("name", ["instance", "attachment", "set_up"])
def test_it_waits_again_when_the_machine_changes(name: str) -> None:
    provider = DockerReadyProvider()
    assert not provider.diff("example", PROPS, {**PROPS, "address": None}).changes
    for value in ("other", Unknown()):
        found = provider.diff("example", PROPS, {**PROPS, name: value})
        assert found.changes
        assert not found.replaces


def test_what_restarts_the_machine_changes_its_set_up() -> None:
    hashes = {set_up_hash(plan(**over)) for over in ({}, {"docker_version": "28.5.1"}, {"instance_type": "m7g.large"})}
    assert len(hashes) == 3
    assert set_up_hash(plan(data_volume={"size_gib": 500})) in hashes


def test_a_failure_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine shows the provider's exception; `EngineProgress` finds the sentence by the class's name."""

    def fails(_: Any) -> Any:
        raise UserError("The machine does not exist.")

    monkeypatch.setattr(ready, "_surroundings", fails)
    with pytest.raises(ready.HostError, match=r"^The machine does not exist\.$"):
        DockerReadyProvider().create(PROPS)


def test_waiting_is_shown_and_what_else_plugins_write_is_not() -> None:
    console = Console(file=io.StringIO(), width=200)
    progress = EngineProgress(console, "deploying")
    for message in ("waiting for Docker on x (i-0), 30 s: no route", "a warning of some library"):
        about = DiagnosticEvent(message=message, color="never", severity="info#err")
        progress.on_event(EngineEvent(sequence=1, timestamp=0, diagnostic_event=about))
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue() == "  waiting for Docker on x (i-0), 30 s: no route\n"
    assert progress.failures == []


def test_a_failure_of_the_wait_is_told_without_a_traceback() -> None:
    progress = EngineProgress(Console(file=io.StringIO()), "deploying")
    traceback = "Traceback (most recent call last):\n  ...\nhost.ready.HostError: The machine does not exist."
    about = DiagnosticEvent(message=traceback, color="never", severity="error", urn="urn:pulumi:a::b::c::ready")
    progress.on_event(EngineEvent(sequence=1, timestamp=0, diagnostic_event=about))
    assert progress.failures == [("ready", "The machine does not exist.")]
