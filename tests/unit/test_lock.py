"""`turnscope lock`: digests from a registry, which is played here."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import httpx
import pytest

from core.errors import UserError
from signoz.plan.model import Image
from turnscope.deployment.image_lock import (
    DOCKER_HUB,
    Registry,
    docker_logins,
    lock_file,
    read_lock,
    registry_of,
    write_lock,
)

DIGEST = "sha256:" + "ab" * 32
CADDY = Image("caddy", "2.10.2")


class Played:
    """A registry with token service that knows `caddy:2.10.2`, for whoever `user` is, if one is asked for."""

    def __init__(self, user: str | None = None, *, basic: bool = False) -> None:
        self.user, self.basic, self.seen = user, basic, list[httpx.Request]()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        sent = request.headers.get("Authorization", "")
        known = base64.b64encode(f"{self.user}:pw".encode()).decode()
        if request.url.path == "/token":
            good = self.user is None or sent == f"Basic {known}"
            return httpx.Response(200, json={"token": "t" if good else "anonymous"})
        if self.basic and sent != f"Basic {known}":
            return httpx.Response(401, headers={"WWW-Authenticate": 'Basic realm="x"'})
        if not self.basic and sent != "Bearer t":
            asked = 'Bearer realm="https://auth.example.com/token",service="s",scope="repository:x:pull"'
            return httpx.Response(401, headers={"WWW-Authenticate": asked})
        if request.url.path.endswith("/caddy/manifests/2.10.2"):
            return httpx.Response(200, headers={"Docker-Content-Digest": DIGEST})
        return httpx.Response(404)

    def registry(self, logins: dict[str, tuple[str, str]] | None = None) -> Registry:
        return Registry(httpx.Client(transport=httpx.MockTransport(self)), logins or {})


def test_digest_of_a_public_image() -> None:
    """Docker Hub gives a token to anybody, and its official images are below `library`."""
    played = Played()
    assert played.registry().digests([CADDY, CADDY]) == {"caddy:2.10.2": DIGEST}
    assert [request.url.host for request in played.seen] == [DOCKER_HUB, "auth.example.com", DOCKER_HUB]
    assert played.seen[0].url.path == "/v2/library/caddy/manifests/2.10.2"
    assert dict(played.seen[1].url.params) == {"service": "s", "scope": "repository:x:pull"}


def test_lists_of_platforms_are_asked_for_first() -> None:
    """The digest of one platform's manifest could not be run on a host of another."""
    played = Played()
    played.registry().digests([CADDY])
    assert played.seen[0].headers["Accept"].startswith("application/vnd.oci.image.index.v1+json, ")


@pytest.mark.parametrize("basic", [True, False])
def test_login_of_docker_is_used(basic: bool) -> None:
    mirrored = Image("registry.example.com/hub/caddy", "2.10.2")
    logins = {"registry.example.com": ("me", "pw")}
    assert Played("me", basic=basic).registry(logins).digests([mirrored]) == {f"{mirrored.reference}": DIGEST}
    with pytest.raises(UserError, match=r"docker login registry\.example\.com"):
        Played("me", basic=basic).registry().digests([mirrored])


def test_missing_image_and_silent_registry_are_named() -> None:
    """Both end with exit code 1 and write nothing."""
    with pytest.raises(UserError, match=r"has no library/caddy:9\.9") as missing:
        Played().registry().digests([Image("caddy", "9.9")])
    assert missing.value.exit_code == 1

    def silent(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no route")

    with pytest.raises(UserError, match=r"No registry answers at registry-1\.docker\.io \(no route\)") as unreached:
        Registry(httpx.Client(transport=httpx.MockTransport(silent)), {}).digests([CADDY])
    assert unreached.value.exit_code == 1


def test_answer_without_a_digest_is_no_digest() -> None:
    """A login page of a network answers 200 to everything."""
    page = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200, html="<h1>hello")))
    with pytest.raises(UserError, match="without a digest"):
        Registry(page, {}).digests([CADDY])


def test_lab_images_are_not_locked() -> None:
    with pytest.raises(UserError, match="built on this machine"):
        Played().registry().digests([Image("turnscope-lab/gateway", "0", lab=True)])


@pytest.mark.parametrize(
    ("repository", "expected"),
    [
        ("caddy", (DOCKER_HUB, "library/caddy")),
        ("signoz/signoz", (DOCKER_HUB, "signoz/signoz")),
        ("registry.example.com/signoz/signoz", ("registry.example.com", "signoz/signoz")),
        ("localhost:5000/caddy", ("localhost:5000", "caddy")),
    ],
)
def test_registry_of_a_name_is_docker_s(repository: str, expected: tuple[str, str]) -> None:
    assert registry_of(repository) == expected


def test_lock_is_read_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "stacks").mkdir()
    assert read_lock("prod", tmp_path) == {}
    written = {"caddy:2.10.2": DIGEST, "registry.example.com:5000/x:1": DIGEST}
    assert write_lock("prod", tmp_path, written) == lock_file("prod", tmp_path)
    assert read_lock("prod", tmp_path) == written


@pytest.mark.parametrize("text", ["images: [1]", "[]", "a: {", "images: {caddy: latest}"])
def test_lock_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "stacks").mkdir()
    lock_file("prod", tmp_path).write_text(text)
    with pytest.raises(UserError, match=r"prod\.lock\.yaml"):
        read_lock("prod", tmp_path)


def test_logins_from_docker_s_configuration(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    assert docker_logins(config) == {}
    entry = {"auth": base64.b64encode(b"me:p:w").decode()}
    config.write_text(json.dumps({"auths": {"r.example.com": entry, "helper.example.com": {}}}))
    assert docker_logins(config) == {"r.example.com": ("me", "p:w")}
