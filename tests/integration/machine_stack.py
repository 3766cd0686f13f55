"""A local stack whose SigNoz runs on a machine of the lab, and what is in its account and its store."""

from __future__ import annotations

import base64
import gzip
import json
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from cloudwatch.clients import client_factory
from core.project import Project
from lab.machine.images import container_of
from tests.integration.conftest import Checkout, succeeded
from toolchain import docker_engine
from turnscope.deployment.deployment import Deployment
from turnscope.recorded_calls import telemetry_store

NEEDED = [
    pytest.mark.skipif(not docker_engine.answers(), reason="no Docker engine answers"),
    pytest.mark.skipif(not shutil.which("ssh"), reason="no ssh client"),
]
NAME = "turnscope-local-host"
BUILD_SECONDS = 3600.0
"""The first deployment of a machine builds the images."""
SETTINGS = """\
  turnscope:host:
    instance_type: t3.large
    image_id: {image}
    domain: signoz.example.com
    zone_id: {zone}
    allowed_networks: {{ui: [203.0.113.0/24], otlp: [198.51.100.0/24, "2001:db8::/32"]}}
    network: {{availability_zone: us-west-1a}}
    data_volume: {{size_gib: 20, encryption: stack-key, keep: true, snapshots: {{daily_at: "02:30", keep_days: 3}}}}
    schedule: {{stop_at: "20:00", start_at: "07:00", timezone: Europe/Berlin}}
  turnscope:signoz:
    root_user: {{email: admin@example.com}}
    clickhouse: {{memory_mib: 2048}}
    limits: {{open_files: 16384}}
"""


class Account:
    """What the emulated account has."""

    def __init__(self, checkout: Checkout) -> None:
        self.client = client_factory(checkout.settings)

    def image(self, release: int) -> str:
        """Of Debian."""
        name = f"/aws/service/debian/release/{release}/latest/amd64"
        return self.client("ssm").get_parameter(Name=name)["Parameter"]["Value"]

    def named(self, operation: str, key: str) -> list[dict[str, Any]]:
        filters = [{"Name": "tag:Name", "Values": [NAME, f"{NAME}-data"]}]
        return getattr(self.client("ec2"), operation)(Filters=filters)[key]

    def instance(self) -> dict[str, Any]:
        found = self.named("describe_instances", "Reservations")
        every = [each for reservation in found for each in reservation["Instances"]]
        [instance] = [each for each in every if each["State"]["Name"] != "terminated"]
        return instance

    def volumes(self) -> list[dict[str, Any]]:
        return [each for each in self.named("describe_volumes", "Volumes") if each["Size"] >= 20]

    def volume(self) -> dict[str, Any]:
        """The one that an instance has."""
        [found] = [each for each in self.volumes() if each["Attachments"]]
        return found

    def address(self) -> dict[str, Any]:
        [found] = self.named("describe_addresses", "Addresses")
        return found

    def user_data(self, instance: str) -> str:
        answer = self.client("ec2").describe_instance_attribute(InstanceId=instance, Attribute="userData")
        found = base64.b64decode(answer["UserData"]["Value"])
        return (gzip.decompress(found) if found[:2] == b"\x1f\x8b" else found).decode()

    def inside(self, script: str) -> str:
        """What a script prints that runs as root in the machine."""
        command = ["docker", "exec", container_of(self.instance()["InstanceId"]), "bash", "-c", script]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def send(checkout: Checkout) -> int:
    """Recorded calls through the gateway, with TLS and a token; how many spans were sent and are stored."""
    run = checkout.turnscope("lab", "send", "--json")
    report = json.loads(succeeded(run))
    calls = report["signoz"]["calls"]
    assert all(each["sent"][kind] == each[kind] for each in calls for kind in each["sent"])
    return sum(each["spans"] for each in calls)


def stored(checkout: Checkout) -> dict[str, int]:
    """Rows of SigNoz' tables that the machine's ClickHouse has. Metrics are left out: the collector adds its own."""
    deployment = Deployment(Project(checkout.root), "local", checkout.settings, Console())
    signoz, plan = checkout.settings.signoz, checkout.plan.signoz
    assert signoz
    assert plan
    store = telemetry_store(deployment, signoz, plan)
    tables = ("signoz_traces.signoz_index_v3", "signoz_logs.logs_v2")
    return {table: int(store.ask(f"SELECT count() FROM {table}")) for table in tables}  # noqa: S608


def up(checkout: Checkout) -> str:
    return succeeded(checkout.turnscope("up", "local", "--yes", timeout_seconds=BUILD_SECONDS))


def unchanged(checkout: Checkout, change: Callable[[], None]) -> None:
    """What is stored is the same afterwards, and more can be stored."""
    before = stored(checkout)
    change()
    assert stored(checkout) == before
    spans = send(checkout)
    table = "signoz_traces.signoz_index_v3"
    assert stored(checkout)[table] == before[table] + spans


def begin(checkout: Checkout) -> Account:
    """The emulated account, and settings of a machine and of SigNoz in the stack's file."""
    succeeded(checkout.turnscope("lab", "start"))
    account = Account(checkout)
    zone = account.client("route53").create_hosted_zone(Name="example.com", CallerReference="1")["HostedZone"]["Id"]
    text = SETTINGS.format(image=account.image(13), zone=zone.rpartition("/")[2])
    checkout.stack_file.write_text(checkout.stack_file.read_text() + text)
    return account
