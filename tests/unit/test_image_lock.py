"""`turnscope lock`: digests from simulated registries, with logins that docker-py finds."""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qsl

import certifi
import httpx
import pytest
from docker.auth import AuthConfig

from core.errors import UserError
from signoz.plan.model import Image
from turnscope.deployment.image_lock import lock, lock_file, read_lock, write_lock
from turnscope.deployment.image_registry import (
    DOCKER_HUB,
    Registries,
    Repository,
    docker_logins,
    registry_client,
    repository_of,
    trusted_authorities,
)

DIGEST = "sha256:" + "ab" * 32
CADDY = Image("caddy", "2.10.2")
PRIVATE = Image("registry.example.com/hub/caddy", "2.10.2")
TOKEN_SERVICE = "https://auth.example.com/token?account=a"


class FakeRegistry:
    """A simulated registry with a token service. It has `caddy:2.10.2`, for everybody or for `user` only."""

    def __init__(self, user: str | None = None, *, basic: bool = False) -> None:
        self.user, self.basic, self.seen = user, basic, list[httpx.Request]()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        sent = request.headers.get("Authorization", "")
        known = base64.b64encode(f"{self.user}:pw".encode()).decode()
        if request.url.path == "/token":
            good = self.user is None or sent == f"Basic {known}" or self._identified(request)
            return httpx.Response(200, json={"token": "t" if good else "anonymous"})
        if self.basic and sent != f"Basic {known}":
            return httpx.Response(401, headers={"WWW-Authenticate": 'Basic realm="x"'})
        if not self.basic and sent != "Bearer t":
            asked = f'Bearer realm="{TOKEN_SERVICE}",service="s",scope="repository:x:pull",error="invalid_token"'
            return httpx.Response(401, headers={"WWW-Authenticate": asked})
        if request.url.path.endswith("/caddy/manifests/2.10.2"):
            return httpx.Response(200, headers={"Docker-Content-Digest": DIGEST})
        return httpx.Response(404)

    def _identified(self, request: httpx.Request) -> bool:
        form = dict(parse_qsl(request.content.decode()))
        grant = {"grant_type": "refresh_token", "refresh_token": f"identity-of-{self.user}"}
        place = {"service": "s", "scope": "repository:x:pull"}
        return request.method == "POST" and form.items() >= (grant | place).items()

    def registries(self, logins: AuthConfig | None = None) -> Registries:
        return Registries(httpx.Client(transport=httpx.MockTransport(self)), logins or AuthConfig({}))


class Docker:
    """Docker's configuration in a folder, and credential helpers on PATH."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.config, self._programs = folder / "config.json", folder / "bin"
        self._programs.mkdir()
        monkeypatch.setenv("PATH", str(self._programs), prepend=":")

    def configure(self, **configuration: object) -> AuthConfig:
        self.config.write_text(json.dumps(configuration))
        return docker_logins(self.config)

    def helper(self, name: str, answers: str, *, status: int = 0) -> None:
        """A helper that prints `answers` for registry.example.com and Docker Hub, and has no other registry."""
        program = self._programs / f"docker-credential-{name}"
        program.write_text(
            f"""#!/bin/sh
read server
case "$1 $server" in
    "get registry.example.com" | "get https://index.docker.io/v1/") printf '%s\\n' '{answers}'; exit {status};;
esac
echo 'credentials not found in native keychain'
exit 1
"""
        )
        program.chmod(0o755)


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Docker:
    return Docker(tmp_path, monkeypatch)


def login(user: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def kept(user: str, secret: str) -> str:
    """A credential helper's answer."""
    return json.dumps({"ServerURL": "registry.example.com", "Username": user, "Secret": secret})


def test_digest_of_a_public_image() -> None:
    """Docker Hub gives a token to anybody, and its official images are below `library`."""
    registry = FakeRegistry()
    assert registry.registries().digests([CADDY, CADDY]) == {"caddy:2.10.2": DIGEST}
    assert [request.url.host for request in registry.seen] == [DOCKER_HUB, "auth.example.com", DOCKER_HUB]
    assert registry.seen[0].url.path == "/v2/library/caddy/manifests/2.10.2"
    assert dict(registry.seen[1].url.params) == {"account": "a", "service": "s", "scope": "repository:x:pull"}


def test_lists_of_platforms_are_asked_for_first() -> None:
    """The digest of one platform's manifest could not be run on a host of another."""
    registry = FakeRegistry()
    registry.registries().digests([CADDY])
    assert registry.seen[0].headers["Accept"].startswith("application/vnd.oci.image.index.v1+json, ")


@pytest.mark.parametrize("basic", [True, False])
def test_login_of_config_json_is_used(basic: bool, docker: Docker) -> None:
    logins = docker.configure(auths={"https://registry.example.com/v1/": login("me", "pw")})
    assert FakeRegistry("me", basic=basic).registries(logins).digests([PRIVATE]) == {PRIVATE.reference: DIGEST}


@pytest.mark.parametrize(
    "configuration",
    [
        {"credsStore": "keychain"},
        {"credHelpers": {"registry.example.com": "keychain"}},
        # What `docker login` leaves beside a helper, and a login that the helper replaced.
        {"credsStore": "keychain", "auths": {"registry.example.com": {}}},
        {"credsStore": "keychain", "auths": {"registry.example.com": login("me", "old")}},
        {"credsStore": "other", "credHelpers": {"registry.example.com": "keychain"}},
    ],
)
@pytest.mark.parametrize("basic", [True, False])
def test_login_of_a_credential_helper_is_used(configuration: dict[str, object], basic: bool, docker: Docker) -> None:
    """Docker Desktop's and Amazon ECR's are such helpers."""
    docker.helper("keychain", kept("me", "pw"))
    docker.helper("other", kept("me", "wrong"))
    logins = docker.configure(**configuration)
    assert FakeRegistry("me", basic=basic).registries(logins).digests([PRIVATE]) == {PRIVATE.reference: DIGEST}


def test_helper_is_asked_for_docker_hub_by_its_old_address(docker: Docker) -> None:
    """`docker login` without a host stores the login under https://index.docker.io/v1/."""
    docker.helper("keychain", kept("me", "pw"))
    logins = docker.configure(credsStore="keychain")
    assert FakeRegistry("me").registries(logins).digests([CADDY]) == {CADDY.reference: DIGEST}


def test_login_of_config_json_is_used_for_a_registry_that_the_helper_does_not_have(docker: Docker) -> None:
    docker.helper("keychain", kept("me", "pw"))
    logins = docker.configure(credsStore="keychain", auths={"other.example.com": login("me", "pw")})
    other = Image("other.example.com/caddy", "2.10.2")
    assert FakeRegistry("me").registries(logins).digests([other]) == {other.reference: DIGEST}


@pytest.mark.parametrize("helped", [True, False])
def test_identity_token_is_exchanged(helped: bool, docker: Docker) -> None:
    """Some registries, Azure's for one, give `docker login` a token in place of the password."""
    if helped:
        docker.helper("keychain", kept("<token>", "identity-of-me"))
        logins = docker.configure(credsStore="keychain")
    else:
        logins = docker.configure(auths={"registry.example.com": {"auth": "", "identitytoken": "identity-of-me"}})
    assert FakeRegistry("me").registries(logins).digests([PRIVATE]) == {PRIVATE.reference: DIGEST}


def test_helper_is_not_called_for_a_registry_that_needs_no_login(docker: Docker) -> None:
    """A keychain may prompt its owner."""
    docker.helper("keychain", "locked", status=1)
    logins = docker.configure(credsStore="keychain")
    found = httpx.Response(200, headers={"Docker-Content-Digest": DIGEST})
    client = httpx.Client(transport=httpx.MockTransport(lambda _: found))
    assert Registries(client, logins).digests([PRIVATE]) == {PRIVATE.reference: DIGEST}


@pytest.mark.parametrize(
    ("answer", "status", "reason"),
    [
        (None, 0, r"docker-credential-keychain not installed or not available in PATH"),
        ("the keychain is locked", 1, r"docker-credential-keychain exited with .the keychain is locked"),
        ("no JSON", 0, r"Expecting value"),
        ("{}", 0, r"Username"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_helper_that_fails_is_named(answer: str | None, status: int, reason: str, docker: Docker) -> None:
    """In one line, with exit code 1."""
    if answer is not None:
        docker.helper("keychain", answer, status=status)
    logins = docker.configure(credsStore="keychain")
    with pytest.raises(
        UserError, match=rf"^The credential helper for registry\.example\.com failed: .*{reason}"
    ) as raised:
        FakeRegistry("me").registries(logins).digests([PRIVATE])
    assert raised.value.exit_code == 1
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("basic", [True, False])
@pytest.mark.parametrize("logins", [{}, {"auths": {"registry.example.com": login("me", "wrong")}}])
def test_refusal_says_how_to_log_in(basic: bool, logins: dict[str, object], docker: Docker) -> None:
    found = docker.configure(**logins)
    with pytest.raises(UserError, match=r"docker login registry\.example\.com$") as refused:
        FakeRegistry("me", basic=basic).registries(found).digests([PRIVATE])
    assert refused.value.exit_code == 1
    with pytest.raises(UserError, match=r"registry-1\.docker\.io refuses library/caddy.*docker login$"):
        FakeRegistry("me", basic=basic).registries(found).digests([CADDY])


def test_missing_image_and_silent_registry_are_named() -> None:
    """Both end with exit code 1 and write nothing."""
    with pytest.raises(UserError, match=r"has no library/caddy:9\.9") as missing:
        FakeRegistry().registries().digests([Image("caddy", "9.9")])
    assert missing.value.exit_code == 1

    def silent(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no route")

    with pytest.raises(UserError, match=r"No registry answers at registry-1\.docker\.io \(no route\)") as unreached:
        Registries(httpx.Client(transport=httpx.MockTransport(silent)), AuthConfig({})).digests([CADDY])
    assert unreached.value.exit_code == 1


@pytest.mark.parametrize("digest", [None, "sha256:abc", "latest"])
def test_answer_without_a_digest_is_no_digest(digest: str | None) -> None:
    """The login page of a network answers 200 to every request."""
    headers = {"Docker-Content-Digest": digest} if digest else {}
    page = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200, html="<h1>hello", headers=headers)))
    with pytest.raises(UserError, match="without a digest"):
        Registries(page, AuthConfig({})).digests([CADDY])


@pytest.mark.parametrize("kind", ["application/vnd.oci.image.index.v1+json", "text/html"])
def test_without_the_digest_header_the_manifest_is_hashed(kind: str) -> None:
    """The header is optional. A web page is no manifest."""
    manifest = b'{"schemaVersion": 2}'

    def answer(request: httpx.Request) -> httpx.Response:
        assert "application/vnd.oci.image.index.v1+json" in request.headers["Accept"]
        content = manifest if request.method == "GET" else b""
        return httpx.Response(200, headers={"Content-Type": kind}, content=content)

    registries = Registries(httpx.Client(transport=httpx.MockTransport(answer)), AuthConfig({}))
    if kind == "text/html":
        with pytest.raises(UserError, match="without a digest"):
            registries.digests([CADDY])
    else:
        assert registries.digests([CADDY]) == {CADDY.reference: f"sha256:{hashlib.sha256(manifest).hexdigest()}"}


def test_invalid_answer_of_a_token_service_is_an_error() -> None:
    """The login page of a network answers in its place too."""

    def answer(request: httpx.Request) -> httpx.Response:
        asked = {"WWW-Authenticate": 'Bearer realm="https://auth.example.com/token"'}
        return httpx.Response(200, html="<h1>hello") if request.method == "GET" else httpx.Response(401, headers=asked)

    with pytest.raises(UserError, match=r"No registry answers at registry-1\.docker\.io"):
        Registries(httpx.Client(transport=httpx.MockTransport(answer)), AuthConfig({})).digests([CADDY])


def test_lab_images_are_not_locked() -> None:
    with pytest.raises(UserError, match="built on this machine"):
        FakeRegistry().registries().digests([Image("turnscope-lab/gateway", "0", lab=True)])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("caddy", ("docker.io", DOCKER_HUB, "library/caddy")),
        ("signoz/signoz", ("docker.io", DOCKER_HUB, "signoz/signoz")),
        ("docker.io/caddy", ("docker.io", DOCKER_HUB, "library/caddy")),
        ("index.docker.io/signoz/signoz", ("docker.io", DOCKER_HUB, "signoz/signoz")),
        ("registry.example.com/signoz/signoz", ("registry.example.com", "registry.example.com", "signoz/signoz")),
        ("localhost:5000/caddy", ("localhost:5000", "localhost:5000", "caddy")),
        ("localhost/caddy", ("localhost", "localhost", "caddy")),
    ],
)
def test_repository_is_resolved_as_docker_does(name: str, expected: tuple[str, str, str]) -> None:
    assert repository_of(name) == Repository(*expected)


@contextmanager
def registry_on_this_machine() -> Iterator[int]:
    """Its port. It has every image."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200)
            self.send_header("Docker-Content-Digest", DIGEST)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_port
        server.shutdown()


def test_registry_on_this_machine_needs_neither_tls_nor_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy on another machine cannot reach this one's loopback."""
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:1")
    for variable in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    with registry_on_this_machine() as port, registry_client() as client:
        images = [Image(f"{host}:{port}/caddy", "1") for host in ("localhost", "127.0.0.1")]
        assert Registries(client, AuthConfig({})).digests(images) == {each.reference: DIGEST for each in images}


def test_authorities_of_the_system_are_trusted_beside_the_public_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A company's registry often has a certificate of a private authority."""
    some, others = tmp_path / "public.pem", tmp_path / "system.pem"
    first, second = Path(certifi.where()).read_text().split("-----END CERTIFICATE-----\n")[:2]
    some.write_text(f"{first}-----END CERTIFICATE-----\n")
    others.write_text(f"{second}-----END CERTIFICATE-----\n")
    monkeypatch.setattr(certifi, "where", lambda: str(some))
    monkeypatch.setenv("SSL_CERT_FILE", str(others))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    expected = ssl.create_default_context(cafile=str(some))
    expected.load_verify_locations(str(others))
    trusted = trusted_authorities()
    assert {each["serialNumber"] for each in trusted.get_ca_certs()} == {
        each["serialNumber"] for each in expected.get_ca_certs()
    }
    assert trusted.verify_mode is ssl.CERT_REQUIRED


def test_lock_is_read_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "stacks").mkdir()
    assert read_lock("prod", tmp_path) == {}
    written = {"registry.example.com:5000/x:1": DIGEST, "caddy:2.10.2": DIGEST}
    assert write_lock("prod", tmp_path, written) == lock_file("prod", tmp_path)
    assert read_lock("prod", tmp_path) == written
    assert list(read_lock("prod", tmp_path)) == sorted(written)


def test_failed_lock_keeps_the_previous_file(tmp_path: Path) -> None:
    """Although the first of two images could be locked."""
    (tmp_path / "stacks").mkdir()
    write_lock("prod", tmp_path, {"caddy:2.10.2": DIGEST})
    before = lock_file("prod", tmp_path).read_bytes()
    with registry_on_this_machine() as port:
        images = [Image(f"127.0.0.1:{port}/caddy", "2.10.3"), Image("127.0.0.1:1/caddy", "2.10.3")]
        with pytest.raises(UserError, match=r"No registry answers at 127\.0\.0\.1:1 .*Nothing was written"):
            lock("prod", tmp_path, images, tmp_path / "config.json")
    assert lock_file("prod", tmp_path).read_bytes() == before


@pytest.mark.parametrize("text", ["images: [1]", "[]", "a: {", "images: {caddy: latest}"])
def test_lock_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "stacks").mkdir()
    lock_file("prod", tmp_path).write_text(text)
    with pytest.raises(UserError, match=r"prod\.lock\.yaml"):
        read_lock("prod", tmp_path)


def test_logins_are_read_from_the_file_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, docker: Docker
) -> None:
    """Not from other files that docker-py looks for; without the file there are no logins."""
    other = tmp_path / "home" / ".docker"
    other.mkdir(parents=True)
    (other / "config.json").write_text(json.dumps({"auths": {"registry.example.com": login("other", "pw")}}))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DOCKER_CONFIG", str(other))
    assert docker_logins(docker.config).is_empty
    found = docker.configure(auths={"registry.example.com": login("me", "p:w")}, currentContext="default")
    assert found.resolve_authconfig("registry.example.com") == {
        "username": "me", "password": "p:w", "email": None, "serveraddress": "registry.example.com"
    }  # fmt: skip


@pytest.mark.parametrize("auths", [{"registry.example.com": "me"}, {"registry.example.com": {"auth": "bWU="}}])
def test_invalid_docker_configuration_is_named(auths: dict[str, object], docker: Docker) -> None:
    with pytest.raises(UserError, match=r"config\.json: its `auths` cannot be read"):
        docker.configure(auths=auths)
