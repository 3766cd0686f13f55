"""What SigNoz' machine runs at every boot: its form, its limits, and that it never formats what is not empty."""

from __future__ import annotations

import configparser
import email
import email.policy
import http.server
import json
import os
import re
import shutil
import subprocess
import threading
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from core.roles import CLICKHOUSE_USER
from host.plan.alarms import DISK, MEMORY, UNHEALTHY
from host.plan.build import plan_host
from host.plan.model import HostPlan
from host.plan.policies import Names
from host.plan.user_data import (
    CREDENTIALS_FOLDER,
    CREDENTIALS_RENEWED_MINUTES,
    CREDENTIALS_SECONDS,
    LIMIT_BYTES,
    agent_configuration,
    setup_script,
    user_data,
)
from tests.unit.conftest import HOST, SIGNOZ, settings_with

VOLUME = "vol-0123456789abcdef0"
ACCOUNT = "123456789012"
TOOLS = ("blkid", "mkfs.ext4", "wipefs")
needs_tools = pytest.mark.skipif(
    not all(shutil.which(tool) for tool in TOOLS), reason=f"file system tools are missing: {', '.join(TOOLS)}"
)


def plan(stack: str = "example", **host: Any) -> HostPlan:
    found = plan_host(stack, settings_with(host={**HOST, **host}))
    assert found
    return found


def with_cold_storage(stack: str = "example", bucket: str | None = None) -> HostPlan:
    cold = {"bucket": bucket, "region": "us-west-1" if bucket else None}
    signoz = {**SIGNOZ, "clickhouse": {**SIGNOZ["clickhouse"], "cold_storage": cold}}
    found = plan_host(stack, settings_with(host=HOST, signoz=signoz))
    assert found
    return found


def script(of: HostPlan | None = None) -> str:
    found = of or plan()
    return setup_script(found, VOLUME, Names(found, ACCOUNT))


def test_it_is_smaller_than_ec2_allows() -> None:
    """With the longest names that there can be: a stack's has at most 100 characters."""
    for found in (plan("x" * 100), with_cold_storage("x" * 29), with_cold_storage("x" * 100, bucket="y" * 63)):
        assert len(user_data(found, VOLUME, Names(found, ACCOUNT)).encode()) <= LIMIT_BYTES


def test_cloud_init_runs_it_at_every_boot() -> None:
    """cloudinit.readthedocs.io/en/latest/explanation/format.html: a MIME archive of a configuration and a script."""
    message = email.message_from_string(user_data(plan(), VOLUME, Names(plan(), ACCOUNT)), policy=email.policy.default)
    configuration, script = message.iter_parts()
    assert configuration.get_content_type() == "text/cloud-config"
    assert yaml.safe_load(configuration.get_content()) == {"cloud_final_modules": [["scripts-user", "always"]]}
    assert script.get_content_type() == "text/x-shellscript"
    assert script.get_content().startswith("#!/bin/bash\n")


def test_it_waits_for_its_own_volume() -> None:
    """docs.aws.amazon.com/ebs/latest/userguide/ebs-using-volumes.html: the link has the identifier without its dash."""
    assert "nvme-Amazon_Elastic_Block_Store_vol0123456789abcdef0\n" in script()


def test_docker_listens_on_no_port() -> None:
    text = script()
    assert "tcp://" not in text
    assert '"live-restore": true' in text


def test_the_agent_publishes_what_alarms_watch() -> None:
    """By default a measurement's name has its plugin's in front."""
    found = plan()
    metrics = agent_configuration(found)["metrics"]
    published = {
        f"{plugin}_{measurement}"
        for plugin, about in metrics["metrics_collected"].items()
        for measurement in about["measurement"]
    }
    watched = {stat.metric.name for each in found.alarms for stat in each.stats if stat.metric.namespace != "AWS/EC2"}
    assert watched == {*published, UNHEALTHY} == {DISK, MEMORY, UNHEALTHY}
    assert metrics["namespace"] == found.metric_namespace
    assert json.dumps(agent_configuration(found)) in script(found)


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="no shellcheck: tests/install_validators.sh")
@pytest.mark.parametrize("access", ["session-manager", "ssh"])
def test_shellcheck_finds_nothing(access: str) -> None:
    over = {"access": "ssh", "ssh": {"allowed_networks": ["203.0.113.7"]}} if access == "ssh" else {}
    # Below a warning it says that functions are called by name.
    command = ["shellcheck", "--severity=warning", "-"]
    ran = subprocess.run(command, input=script(plan(**over)), capture_output=True, text=True, check=False)
    assert ran.stdout == ""


# --- The data volume ---

Run = Callable[..., "subprocess.CompletedProcess[str]"]
MIB = 2**20


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """`run(device, call)`: functions of the script over a file as the volume. Mounting is written down, nothing else of
    this machine is touched."""
    stubs = tmp_path / "bin"
    stubs.mkdir()
    for name in ("mount", "systemctl", "resize2fs", "findmnt"):
        stub = stubs / name
        stub.write_text(f'#!/bin/sh\necho "{name} $*" >> {tmp_path}/calls\n[ {name} != findmnt ] || echo ext4\n')
        stub.chmod(0o755)
    mountpoint = stubs / "mountpoint"
    mountpoint.write_text("#!/bin/sh\nexit 1\n")
    mountpoint.chmod(0o755)
    fstab = tmp_path / "fstab"
    fstab.write_text("UUID=root / ext4 defaults 0 1\n")
    text = script().removesuffix("main\n").replace("/etc/fstab", str(fstab))
    text = text.replace("data=/srv/turnscope\n", f"data={tmp_path}/data\n").replace("seq 300", "seq 1")
    text = text.replace("/var/log/", f"{tmp_path}/").replace("/run/turnscope", f"{tmp_path}/run")

    def run(device: Path, call: str = "data_volume") -> subprocess.CompletedProcess[str]:
        script = f"{text}\ndevice={device}\nset -e\n{call}\n"
        path = f"{stubs}{os.pathsep}{os.environ['PATH']}{os.pathsep}/usr/sbin{os.pathsep}/sbin"
        variables = {**os.environ, "PATH": path}
        return subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=variables, check=False)

    return run


def blank(path: Path, mib: int = 32) -> Path:
    with path.open("wb") as file:
        file.truncate(mib * MIB)
    return path


@needs_tools
def test_an_empty_volume_is_formatted_once(run: Run, tmp_path: Path) -> None:
    """At the second boot everything is as it was."""
    device = blank(tmp_path / "device")
    first = run(device)
    assert first.returncode == 0, first.stderr
    formatted, fstab = device.read_bytes(), (tmp_path / "fstab").read_text()
    assert fstab.startswith("UUID=root / ext4 defaults 0 1\nUUID=")
    assert fstab.count("\n") == 2
    assert "nofail" in fstab
    assert run(device).returncode == 0
    assert device.read_bytes() == formatted
    assert (tmp_path / "fstab").read_text() == fstab


def _written_at(offset: int, content: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with path.open("r+b") as file:
            file.seek(offset)
            file.write(content)

    return write


@needs_tools
@pytest.mark.parametrize(
    "fill",
    [
        pytest.param(_written_at(0, b"\x00" * 510 + b"\x55\xaa"), id="a boot sector"),
        pytest.param(_written_at(512, b"LABELONE" + b"\x00" * 16 + b"LVM2 001"), id="a volume manager's label"),
        pytest.param(_written_at(700_000, b"what nobody knows"), id="unknown data"),
        pytest.param(_written_at(0, b"LUKS\xba\xbe\x00\x01"), id="an encrypted container"),
        pytest.param(_written_at(1024 + 0x38, b"\x53\xef"), id="a damaged file system"),
    ],
)
def test_a_volume_with_anything_on_it_is_never_formatted(
    run: Run, tmp_path: Path, fill: Callable[[Path], None]
) -> None:
    device = blank(tmp_path / "device")
    fill(device)
    before = device.read_bytes()
    ran = run(device)
    assert ran.returncode != 0
    assert "is not empty" in ran.stdout
    assert device.read_bytes() == before
    assert not (tmp_path / "calls").exists()


@needs_tools
def test_a_volume_with_a_file_system_is_mounted_as_it_is(run: Run, tmp_path: Path) -> None:
    device = blank(tmp_path / "device")
    subprocess.run(["/usr/sbin/mkfs.ext4", "-q", device], check=True)
    before = device.read_bytes()
    assert run(device).returncode == 0
    assert device.read_bytes() == before
    calls = (tmp_path / "calls").read_text()
    assert f"mount {tmp_path}/data" in calls
    assert f"resize2fs {device}" in calls, "a volume that was made larger"


@needs_tools
def test_one_that_cannot_be_read_is_not_taken_for_an_empty_one(run: Run, tmp_path: Path) -> None:
    device = blank(tmp_path / "device")
    assert run(device, 'blkid() { return 4; }; is_blank "$device"').returncode != 0
    assert run(device, 'wipefs() { return 1; }; is_blank "$device"').returncode != 0
    assert run(device, 'is_blank "$device"').returncode == 0


def test_without_its_volume_it_says_so(run: Run, tmp_path: Path) -> None:
    ran = run(tmp_path / "missing")
    assert ran.returncode != 0
    assert f"volume {VOLUME} is not attached" in ran.stdout


def test_docker_does_not_start_without_its_data(run: Run, tmp_path: Path) -> None:
    ran = run(tmp_path / "missing", 'step() { echo "step $1"; failed+=("$1"); }; main')
    assert ran.returncode != 0
    assert "step docker_engine" not in ran.stdout
    assert "systemctl stop docker.socket docker.service" in (tmp_path / "calls").read_text()


def test_a_step_that_fails_is_named_and_the_others_run(run: Run, tmp_path: Path) -> None:
    call = "a() { false; echo not reached; }; b() { echo reached; }; set +e; step a; step b; finish"
    ran = run(tmp_path / "device", call)
    assert ran.returncode == 1
    assert "not reached" not in ran.stdout
    assert ran.stdout.splitlines()[-2:] == ["reached", "turnscope: failed: a"]


# --- Requests to AWS ---


class Metadata(http.server.BaseHTTPRequestHandler):
    """The metadata service, and AWS: what arrives there is kept."""

    received: ClassVar[list[tuple[dict[str, str], bytes]]] = []

    def do_PUT(self) -> None:
        self._answer("token")

    def do_GET(self) -> None:
        assert self.headers["X-aws-ec2-metadata-token"] == "token"
        keys = {"AccessKeyId": "AKID", "SecretAccessKey": "secret/+key", "Token": "the+session/token=="}
        self._answer("role" if self.path.endswith("/security-credentials/") else json.dumps(keys, indent=1))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.received.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self._answer("{}")

    def _answer(self, text: str) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *_: Any) -> None: ...


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
def test_requests_are_signed_as_aws_asks(tmp_path: Path) -> None:
    """docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html, as botocore does it."""
    text = script().partition("put /opt/turnscope/aws 755 << 'END' || true\n")[2]
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Metadata) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}"
        program = tmp_path / "turnscope-aws"
        program.write_text(text.partition("\nEND\n")[0].replace("http://169.254.169.254", address))
        command = ["bash", program, "ssm", "application/x-amz-json-1.1", "X-Amz-Target: AmazonSSM.PutParameter"]
        variables = {**os.environ, "AWS_ENDPOINT_URL": address}
        subprocess.run(command, input=b'{"Name": "x"}', env=variables, check=True, timeout=60)
        server.shutdown()
    [(headers, body)] = Metadata.received
    assert body == b'{"Name": "x"}'
    assert headers["x-amz-security-token"] == "the+session/token=="
    found = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=AKID/\d{8}/us-west-1/ssm/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?"
        r"Signature=([0-9a-f]{64})",
        headers["authorization"],
    )
    assert found
    signed = found[1].split(";")
    assert {"host", "x-amz-date", "x-amz-security-token", "x-amz-target"} <= set(signed)
    request = AWSRequest("POST", f"{address}/", {name: headers[name] for name in signed}, body)
    request.context["timestamp"] = headers["x-amz-date"]
    signer = SigV4Auth(Credentials("AKID", "secret/+key", "the+session/token=="), "ssm", "us-west-1")
    text = signer.string_to_sign(request, signer.canonical_request(request))
    assert signer.signature(text, request) == found[2]


ASSUMED = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>{}
<Credentials><AccessKeyId>ASIA1</AccessKeyId><SecretAccessKey>se/cr+et</SecretAccessKey>
<SessionToken>to/ken==</SessionToken><Expiration>2026-01-01T00:00:00Z</Expiration></Credentials>
</AssumeRoleResult></AssumeRoleResponse>"""
"""As docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html shows it."""


@pytest.mark.parametrize("answer", [ASSUMED, ASSUMED.replace("\n", "")], ids=["in lines", "in one line"])
def test_clickhouse_is_handed_its_own_role_and_not_the_machines(answer: str, tmp_path: Path) -> None:
    """The file is complete at any time, and only ClickHouse's user can read it; a refusal leaves the old one."""
    text = script(with_cold_storage()).partition("put /opt/turnscope/cold-storage 755 << 'END' || true\n")[2]
    asked, credentials = tmp_path / "asked", tmp_path / "s3" / "credentials"
    aws = tmp_path / "aws"
    aws.write_text(f"#!/bin/sh\nif [ -e {tmp_path}/refused ]; then exit 22; fi\ncat > {asked}\ncat {tmp_path}/answer\n")
    aws.chmod(0o755)
    (tmp_path / "answer").write_text(answer)
    program = tmp_path / "cold-storage"
    text = text.partition("\nEND\n")[0].replace("/opt/turnscope/aws", str(aws))
    own = f"{os.getuid()}:{os.getgid()}"
    program.write_text(text.replace(CREDENTIALS_FOLDER, str(credentials.parent)).replace(CLICKHOUSE_USER, own))
    subprocess.run(["bash", program], check=True, timeout=60)
    sent = urllib.parse.parse_qs(asked.read_text())
    assert sent["RoleArn"] == [f"arn:aws:iam::{ACCOUNT}:role/turnscope-example-host-cold"]
    assert sent["Action"] == ["AssumeRole"]
    found = configparser.ConfigParser(interpolation=None)
    found.read(credentials)
    assert dict(found["default"]) == {
        "aws_access_key_id": "ASIA1",
        "aws_secret_access_key": "se/cr+et",
        "aws_session_token": "to/ken==",
    }
    assert credentials.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in credentials.parent.iterdir()] == ["credentials"]
    (tmp_path / "refused").touch()
    before = credentials.read_text()
    assert subprocess.run(["bash", program], check=False, timeout=60).returncode != 0
    assert credentials.read_text() == before


def test_new_credentials_come_long_before_the_old_ones_end() -> None:
    """ClickHouse reads them again after five minutes at the latest."""
    assert (CREDENTIALS_RENEWED_MINUTES + 5) * 60 < CREDENTIALS_SECONDS / 2
    minute = script(with_cold_storage()).partition("put /opt/turnscope/minute 755")[2].partition("\nEND\n")[0]
    assert f"-mmin -{CREDENTIALS_RENEWED_MINUTES}" in minute
    assert "|| /opt/turnscope/cold-storage || unhealthy=" in minute
