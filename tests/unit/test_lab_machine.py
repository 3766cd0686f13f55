"""Machines of the lab: what needs no Docker engine."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from core.errors import UserError
from lab import emulator
from lab.images import build
from lab.images.machine import active_keys as sshd_keys
from lab.machine import engine, leftovers
from lab.machine.active_keys import ActiveKeys, PushedKey
from lab.machine.addresses import Addresses
from lab.machine.description import user
from lab.machine.metadata import TOKEN_HEADER, TTL_HEADER, Metadata, Options, Request
from lab.machine.owner import Owner
from tests.unit.conftest import ROOT

IMAGE = ROOT / "lab" / "images" / "machine"
TREE = {
    "meta-data": {
        "instance-id": "i-1",
        "placement": {"region": "eu-central-1"},
        "public-keys": {"0=mine": {"openssh-key": "ssh-ed25519 AAAA"}},
    },
    "user-data": b"\x1f\x8b\x00",
}


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def service(clock: Clock | None = None, **options: Any) -> Metadata:
    return Metadata(lambda: (Options(**options), TREE), clock or Clock())


def get(metadata: Metadata, path: str, **headers: str) -> tuple[int, bytes]:
    answer = metadata.answer(Request("GET", f"/latest/{path}", headers))
    assert answer
    return answer.status, answer.body


def token(
    metadata: Metadata, seconds: str = "60", hops: int = 1, headers: Mapping[str, str] | None = None
) -> str | int:
    """A token, or the status of an answer without one; 0 where no answer arrives."""
    given = {TTL_HEADER: seconds, **(headers or {})}
    answer = metadata.answer(Request("PUT", "/latest/api/token", given, hops))
    if answer is None:
        return 0
    return answer.body.decode() if answer.status == 200 else answer.status


# --- Metadata ----------------------------------------------------------------------------------------------------


def test_without_a_token_nothing_is_said_where_one_is_required() -> None:
    metadata = service(tokens_required=True)
    assert get(metadata, "meta-data/instance-id") == (401, b"")
    given = token(metadata)
    assert isinstance(given, str)
    assert get(metadata, "meta-data/instance-id", **{TOKEN_HEADER: given}) == (200, b"i-1")


def test_version_1_answers_where_it_is_allowed_but_not_to_a_wrong_token() -> None:
    metadata = service()
    assert get(metadata, "meta-data/instance-id") == (200, b"i-1")
    assert get(metadata, "meta-data/instance-id", **{TOKEN_HEADER: "x"}) == (401, b"")


def test_a_token_ends() -> None:
    clock = Clock()
    metadata = service(clock, tokens_required=True)
    given = str(token(metadata, "60"))
    clock.now += 59
    assert get(metadata, "meta-data/instance-id", **{TOKEN_HEADER: given})[0] == 200
    clock.now += 2
    assert get(metadata, "meta-data/instance-id", **{TOKEN_HEADER: given})[0] == 401


def test_a_token_is_of_one_instance() -> None:
    assert get(service(), "meta-data/instance-id", **{TOKEN_HEADER: str(token(service()))})[0] == 401


@pytest.mark.parametrize("seconds", ["", "0", "21601", "-1", "x", "²"])
def test_a_token_needs_a_time_to_live_that_aws_allows(seconds: str) -> None:
    assert token(service(), seconds) == 400


def test_no_token_for_who_is_too_far_or_behind_a_proxy() -> None:
    assert token(service(), hops=2) == 0
    assert isinstance(token(service(hop_limit=2), hops=2), str)
    assert token(service(), headers={"x-forwarded-for": "10.0.0.1"}) == 403


def test_a_service_that_is_off_answers_nobody() -> None:
    metadata = service(enabled=False)
    assert token(metadata) == 403
    assert get(metadata, "meta-data/instance-id")[0] == 403


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("", (200, b"meta-data/\nuser-data")),
        ("meta-data/", (200, b"instance-id\nplacement/\npublic-keys/")),
        ("meta-data/placement/region", (200, b"eu-central-1")),
        ("meta-data/public-keys/", (200, b"0=mine")),
        ("meta-data/public-keys/0/openssh-key", (200, b"ssh-ed25519 AAAA")),
        ("user-data", (200, b"\x1f\x8b\x00")),
        ("meta-data/instance-id/more", (404, b"")),
        ("meta-data/nothing", (404, b"")),
    ],
)
def test_categories_are_listed_and_values_returned(path: str, wanted: tuple[int, bytes]) -> None:
    """As cloud-init walks them: a category ends with a slash, a key pair is listed with its name."""
    assert get(service(), path) == wanted


def test_dated_versions_are_served_and_others_are_not() -> None:
    metadata = service()
    for version, status in (("2021-03-23", 200), ("newest", 404)):
        answer = metadata.answer(Request("GET", f"/{version}/meta-data/instance-id"))
        assert answer
        assert answer.status == status


# --- Keys --------------------------------------------------------------------------------------------------------


def test_a_pushed_key_is_given_for_its_user_and_instance_until_its_time_is_over() -> None:
    clock = Clock()
    keys = ActiveKeys(60, clock)
    keys.push("i-1", "admin", PushedKey("ssh-ed25519 AAAA", "arn:aws:iam::1:root", "r-1"))
    clock.now += 30
    keys.push("i-1", "admin", PushedKey("ssh-ed25519 BBBB", "arn:aws:iam::1:root", "r-2"))
    assert keys.of("i-2") == {}
    text = keys.of("i-1")["admin"]
    assert "#Timestamp=1060\n#Instance=i-1\n#Caller=arn:aws:iam::1:root\n#Request=r-1\nssh-ed25519 AAAA\n" in text
    clock.now += 31
    assert "AAAA" not in keys.of("i-1")["admin"]
    assert "BBBB" in keys.of("i-1")["admin"]
    clock.now += 30
    assert keys.of("i-1") == {}


def test_sshd_is_given_keys_alone_and_none_that_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    keys = ActiveKeys(60, clock)
    for name in ("AAAA", "BBBB"):
        keys.push("i-1", "admin", PushedKey(f"ssh-ed25519 {name}", "arn", "r"))
        clock.now += 30
    text = keys.of("i-1").get("admin", "")
    monkeypatch.setattr(sshd_keys.time, "time", lambda: 1061.0)
    assert list(sshd_keys.keys(text)) == ["ssh-ed25519 BBBB"]


@pytest.mark.parametrize(
    ("image", "wanted"),
    [("debian-13-amd64-20260801-2190", "admin"), ("al2023-ami-2023.12-kernel-6.1", "ec2-user"), (None, "ec2-user")],
)
def test_who_signs_in_depends_on_the_image(image: str | None, wanted: str) -> None:
    assert user(image) == wanted


# --- Addresses and names -----------------------------------------------------------------------------------------


def test_addresses_are_given_once_until_they_are_returned() -> None:
    """Neither the network's, the gateway's nor the broadcast address; public ones apart from private ones."""
    network = IPv4Network("10.0.0.0/28")
    addresses = Addresses(network)
    private = [addresses.take_private() for _ in range(6)]
    public = [addresses.take_public() for _ in range(7)]
    reserved = {network.network_address, network.network_address + 1, network.broadcast_address}
    assert {IPv4Address(each) for each in private + public} == set(network) - reserved
    assert [addresses.is_public(each) for each in private + public] == [False] * 6 + [True] * 7
    with pytest.raises(LookupError):
        addresses.take_public()
    addresses.give_back(private[0])
    addresses.give_back(public[3])
    addresses.give_back(public[3])
    assert addresses.take_public() == public[3]
    with pytest.raises(LookupError):
        addresses.take_public()


def test_two_checkouts_with_stacks_of_one_name_do_not_meet() -> None:
    one, other = (Owner(Path(f"/{each}/.turnscope/local"), "local") for each in ("a", "b"))
    assert one.label != other.label
    assert one.name("machines") != other.name("machines")
    assert one.name("i-1").startswith("turnscope-local-")


# --- What is left, and where it runs -----------------------------------------------------------------------------


def test_docker_is_not_asked_where_there_were_no_machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A local stack without SigNoz needs no Docker."""
    monkeypatch.setattr(engine, "docker", lambda *_, **__: pytest.fail("Docker was asked"))
    assert emulator.stop(tmp_path) is False
    assert leftovers.remove(tmp_path) == 0


def test_what_a_killed_emulator_left_is_removed_or_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sockets = tmp_path / "sockets"
    sockets.mkdir()
    leftovers.note(tmp_path, sockets)

    def refuses(*_: str, **__: float) -> str:
        raise engine.EngineError("docker ps: Cannot connect")

    with monkeypatch.context() as patched:
        patched.setattr(engine, "docker", refuses)
        with pytest.raises(UserError, match="cannot be removed: docker ps: Cannot connect") as refused:
            emulator.stop(tmp_path)
    assert refused.value.exit_code == 1
    asked: list[tuple[str, ...]] = []
    there = {"container": 2, "volume": 1, "network": 1}

    def docker(*arguments: str, **_: float) -> str:
        asked.append(arguments)
        kind = arguments[0]
        if "ls" in arguments:
            return "one" if there[kind] else ""
        there[kind] -= 1
        if there[kind]:
            raise engine.EngineError("removal of container one is already in progress")
        return ""

    monkeypatch.setattr(engine, "docker", docker)
    emulator.stop(tmp_path)
    assert all(f"label=turnscope.lab={tmp_path}" in each for each in asked if "ls" in each)
    # What holds a volume and uses a network goes first.
    assert [each[0] for each in asked if "rm" in each] == ["container"] * 2 + ["volume", "network"]
    assert not sockets.exists()
    asked.clear()
    emulator.stop(tmp_path)
    assert asked == []


def test_the_image_of_machines_is_refused_outside_local() -> None:
    with pytest.raises(UserError, match="only in a stack with environment local") as refused:
        build.ensure_machine_image(Console(), environment="prod")
    assert refused.value.exit_code == 2


def test_capabilities_are_named_one_by_one() -> None:
    """Never `--privileged`; and what this process may not do itself, Docker is not asked for."""
    given = set(engine._capabilities())  # pyright: ignore[reportPrivateUsage]
    assert given >= set(engine.CAPABILITIES)
    assert given - set(engine.CAPABILITIES) <= {"sys_resource"}
    assert not {"all", "sys_module", "sys_rawio"} & given


@pytest.mark.parametrize("program", sorted(each.name for each in IMAGE.glob("*.py")))
def test_programs_of_the_image_need_python_alone(program: str) -> None:
    """They run in the machine, where nothing of this project is."""
    for node in ast.walk(ast.parse((IMAGE / program).read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert all(name.split(".")[0] in sys.stdlib_module_names for name in names), names


def test_ec2_is_loaded_when_it_is_first_asked() -> None:
    """It takes longer to load than all that a stack without instances needs."""
    script = (
        "import lab.additions, lab.aws_server, sys; lab.additions.install(); print('moto.ec2.models' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
