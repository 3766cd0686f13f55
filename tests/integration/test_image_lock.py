"""`turnscope lock` against a real image registry, with and without a login, and with a credential helper on PATH.

Docker pushes the images and prints the digest that the registry then has; the lock must name the same.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import yaml

from core.releases import find_release
from core.roles import Role
from signoz.plan.images import registry_images
from signoz.plan.model import Image
from stacks.settings.loading import load
from tests.integration.conftest import Checkout, make_checkout
from tests.machine import LIMIT_SECONDS, free_port
from toolchain import docker_engine
from turnscope.deployment.image_lock import lock_file

pytestmark = [
    pytest.mark.skipif(
        shutil.which("docker-registry") is None, reason="no image registry: tests/install_validators.sh"
    ),
    pytest.mark.skipif(not docker_engine.answers(), reason="no Docker engine answers to push with"),
]

ENVIRONMENT = dict(os.environ)
"""Copied before a test hides the engine from `turnscope lock`."""
STACK = "pinned"
SETTINGS = """\
config:
  turnscope:environment: local
  turnscope:owner: tests
  turnscope:agents: {{voice-agent: {{}}}}
  turnscope:signoz:
    root_user: {{email: admin@example.com}}
    images: {{registry: {registry}/mirror, edition: {edition}}}
"""
USER, PASSWORD = "me", "pw"
HTPASSWD = "me:$2b$04$8VVowh40OSrIJ2ctEBSY6.lIHylNjnocJVH6xUlwModkRyehoZ1Qa\n"
"""That user and password, as bcrypt."""
HELPER = """\
#!/bin/sh
# Knows one registry; its protocol: github.com/docker/docker-credential-helpers#development
read -r server
if [ "$1 $server" = "get {registry}" ]; then
    echo '{{"ServerURL": "{registry}", "Username": "me", "Secret": "pw"}}'
else
    echo 'credentials not found in native keychain'
    exit 1
fi
"""


@dataclass(frozen=True)
class World:
    """A project, a registry without login, and a registry with the same images that requires USER's login."""

    checkout: Checkout
    public: str
    private: str
    digests: Mapping[str, str]
    """Path and tag -> digest, as Docker printed it."""

    @property
    def lock_file(self) -> Path:
        return lock_file(STACK, self.checkout.root)

    def images(self, registry: str, edition: str = "default") -> Mapping[Role, Image]:
        """The stack's images, which come from `registry` from now on."""
        text = SETTINGS.format(registry=registry, edition=edition)
        (self.checkout.root / "stacks" / f"Pulumi.{STACK}.yaml").write_text(text)
        own = load(STACK, self.checkout.root).signoz
        assert own
        return registry_images(own.images, find_release(own.release), own.gateway.image, {})

    def lock(self, registry: str, edition: str = "default") -> subprocess.CompletedProcess[str]:
        self.images(registry, edition)
        self.lock_file.unlink(missing_ok=True)
        return self.checkout.turnscope("lock", STACK)

    def locked(self, registry: str) -> Mapping[str, str]:
        """What the lock has, without the registry."""
        images = yaml.safe_load(self.lock_file.read_text())["images"]
        return {reference.removeprefix(f"{registry}/"): digest for reference, digest in images.items()}


def free_address() -> str:
    return f"localhost:{free_port()}"


@contextmanager
def registry(folder: Path, storage: Path, htpasswd: str | None = None) -> Iterator[str]:
    """Host and port of a registry that keeps its images in `storage`."""
    folder.mkdir()
    address = free_address()
    configuration = {
        "version": 0.1,
        "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": str(storage)}},
        "http": {"addr": address},
    }
    if htpasswd:
        (folder / "htpasswd").write_text(htpasswd)
        configuration["auth"] = {"htpasswd": {"realm": "tests", "path": str(folder / "htpasswd")}}
    (folder / "config.yml").write_text(yaml.safe_dump(configuration))
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(["docker-registry", "serve", str(folder / "config.yml")], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + LIMIT_SECONDS
        while not answers(address):
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait(LIMIT_SECONDS)


def answers(address: str) -> bool:
    try:
        return httpx.get(f"http://{address}/v2/", trust_env=False).status_code in (200, 401)
    except httpx.TransportError:
        return False


def docker(folder: Path, *arguments: str, data: bytes = b"") -> str:
    """Docker's command line with its configuration in `folder`."""
    environment = {**ENVIRONMENT, "DOCKER_CONFIG": str(folder)}
    done = subprocess.run(
        ["docker", *arguments], input=data, capture_output=True, env=environment, check=False, timeout=LIMIT_SECONDS
    )
    assert done.returncode == 0, f"docker {' '.join(arguments)}\n{done.stdout.decode()}{done.stderr.decode()}"
    return done.stdout.decode()


def push(folder: Path, reference: str) -> str:
    """Push a tiny image that holds its own name; its digest."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as file:
        name = tarfile.TarInfo("name")
        name.size = len(reference)
        file.addfile(name, io.BytesIO(reference.encode()))
    docker(folder, "import", "-", reference, data=archive.getvalue())
    try:
        return digest_in(docker(folder, "push", reference))
    finally:
        docker(folder, "image", "rm", reference)


def push_list(folder: Path, reference: str) -> str:
    """Push a list of two platforms; its digest."""
    parts = [f"{reference}-{architecture}" for architecture in ("amd64", "arm64")]
    for part in parts:
        push(folder, part)
    docker(folder, "manifest", "create", "--insecure", reference, *parts)
    docker(folder, "manifest", "annotate", "--arch", "arm64", reference, parts[1])
    return digest_in(docker(folder, "manifest", "push", "--insecure", reference))


def digest_in(output: str) -> str:
    return re.findall(r"sha256:[0-9a-f]{64}", output)[-1]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("registries")
    configuration, storage = folder / "docker", folder / "storage"
    with (
        registry(folder / "public", storage) as public,
        registry(folder / "private", storage, HTPASSWD) as private,
    ):
        digests: dict[str, str] = {}
        made = World(make_checkout(tmp_path_factory.mktemp("project")), public, private, digests)
        for role, image in made.images(public).items():
            path = image.reference.removeprefix(f"{public}/")
            if path not in digests:
                digests[path] = (push_list if role is Role.GATEWAY else push)(configuration, image.reference)
        assert len(set(digests.values())) == len(digests)
        yield made


@pytest.fixture
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Docker's configuration of the user who runs `turnscope lock`: a folder without logins."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    # `turnscope lock` must not need an engine.
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    return tmp_path


def add_helper(folder: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a credential helper `test` on PATH that has the login of the registry at `address`."""
    program = folder / "bin" / "docker-credential-test"
    program.parent.mkdir()
    program.write_text(HELPER.format(registry=address))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)


def log_in(how: str, folder: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `docker login`, or with a credential helper as its instructions say."""
    if how == "config.json":
        docker(folder, "login", "--username", USER, "--password-stdin", address, data=PASSWORD.encode())
        assert address in json.loads((folder / "config.json").read_text())["auths"]
        return
    add_helper(folder, address, monkeypatch)
    chosen = {"credsStore": "test"} if how == "credsStore" else {"credHelpers": {address: "test"}}
    (folder / "config.json").write_text(json.dumps(chosen))


def test_lock_has_the_digests_that_docker_pushed(world: World, configuration: Path) -> None:
    """Of images and of a list of platforms. The same content gives the same file."""
    done = world.lock(world.public)
    assert done.returncode == 0, done.stdout + done.stderr
    assert world.locked(world.public) == world.digests
    first = world.lock_file.read_bytes()
    assert world.lock(world.public).returncode == 0
    assert world.lock_file.read_bytes() == first


@pytest.mark.parametrize("how", ["config.json", "credsStore", "credHelpers"])
def test_private_images_are_locked_with_the_login_that_docker_has(
    how: str, world: World, configuration: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_in(how, configuration, world.private, monkeypatch)
    done = world.lock(world.private)
    assert done.returncode == 0, done.stdout + done.stderr
    assert world.locked(world.private) == world.digests


@pytest.mark.parametrize("how", ["nobody", "credsStore", "credHelpers"])
def test_private_images_without_a_login_are_refused(
    how: str, world: World, configuration: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The helper has a login for another registry only."""
    if how != "nobody":
        log_in(how, configuration, "registry.example.com", monkeypatch)
    done = world.lock(world.private)
    assert done.returncode == 1
    assert f"docker login {world.private}" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not world.lock_file.exists()


def test_image_that_is_missing_is_named(world: World, configuration: Path) -> None:
    """Nothing is written, although the registry has the other images."""
    done = world.lock(world.public, edition="community")
    assert done.returncode == 1
    assert re.search(rf"{world.public} has no mirror/signoz/signoz-community:\S+\. Nothing was written", done.stderr)
    assert len(done.stderr.strip().splitlines()) == 1
    assert not world.lock_file.exists()


def test_registry_that_does_not_answer_is_named(world: World, configuration: Path) -> None:
    address = free_address()
    done = world.lock(address)
    assert done.returncode == 1
    assert f"No registry answers at {address}" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not world.lock_file.exists()
