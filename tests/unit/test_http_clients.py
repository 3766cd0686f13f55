"""httpx is the only HTTP client; redirects are followed and proxies used only where that is intended."""

from __future__ import annotations

import ast
import gzip
import hashlib
import io
import logging
import os
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from core.errors import UserError
from lab import emulator
from lab.additions import deliveries
from lab.emulator import Emulator
from lab.firehose import PROGRESS_PATH, wait_delivered
from lab.images import build
from lab.state_dir import HEALTH_PATH
from tests.unit.conftest import ROOT
from toolchain import release

OTHERS = ("urllib.request", "requests")
ALLOWED = {
    "cloudwatch/slack_notifier/handler.py": "runs in AWS Lambda, with the standard library alone",
    "tests/unit/test_slack_notifier.py": "tests that handler",
    "lab/images/clickhouse/clickhouse-client": "runs in an image, with the standard library alone",
    "lab/images/machine/active_keys.py": "runs in an image, with the standard library alone",
    "toolchain/release.py": "asks for a release before anything is installed",
    "agent/turnscope_agent/providers.py": "configures OpenTelemetry's exporter, which sends through requests",
}
PROXIES = ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")
NO_PROXIES = ("no_proxy", "NO_PROXY")


def sources() -> Iterator[Path]:
    """The project's Python files, with scripts that have no suffix; without hidden folders, such as .venv."""
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if not name.startswith((".", "__")) and name != "node_modules"]
        for path in (Path(folder, name) for name in files):
            if path.suffix == ".py" or (not path.suffix and _is_script(path)):
                yield path


def _is_script(path: Path) -> bool:
    with path.open("rb") as file:
        first = file.readline(200)
    return first.startswith(b"#!") and b"python" in first


def imported(text: str) -> set[str]:
    """What a module's imports name, anywhere in it.

    >>> sorted(imported("from urllib import request, parse"))
    ['urllib', 'urllib.parse', 'urllib.request']
    """
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def uses_another_client(text: str) -> bool:
    if "urllib" not in text and "requests" not in text:
        return False  # most files; parsing takes its time
    return any(name == other or name.startswith(f"{other}.") for name in imported(text) for other in OTHERS)


@pytest.mark.parametrize(
    ("line", "other"),
    [
        ("import urllib.request", True),
        ("from urllib import request", True),
        ("from urllib.request import urlopen as get", True),
        ("def f():\n    import requests.adapters", True),
        ("from requests import get", True),
        ("from urllib.parse import urlsplit", False),
        ("from lab import requests", False),
        ("from .requests import get", False),
    ],
)
def test_imports_are_found(line: str, other: bool) -> None:
    assert uses_another_client(line) is other


def test_there_is_one_http_client() -> None:
    """No exception is out of date, and the walk found the project's files."""
    found = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in sources()}
    assert {"__main__.py", "toolchain/release.py", "tests/unit/test_http_clients.py"} <= found.keys()
    assert {path for path, text in found.items() if uses_another_client(text)} == set(ALLOWED)


def test_a_plan_loads_no_http_client() -> None:
    """A plan uses no network, so `turnscope plan` should not wait for a client to load."""
    command = [sys.executable, "-X", "importtime", "-m", "turnscope", "plan", "prod"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "turnscope" in loaded
    assert not loaded & {"httpx", "requests", "docker"}


# --- a server for each test

Answer = tuple[int, Mapping[str, str], bytes]


@contextmanager
def served(answer: Callable[[BaseHTTPRequestHandler], Answer]) -> Iterator[str]:
    """A server's address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, headers, body = answer(self)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def pages(content: Mapping[str, Answer], seen: list[str], request: BaseHTTPRequestHandler) -> Answer:
    seen.append(f"{request.command} {request.path}")
    return content.get(request.path, (404, {}, b""))


@pytest.fixture
def proxied(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The environment of a machine behind a proxy, without exceptions. Returns what the proxy received."""
    asked: list[str] = []
    with served(partial(pages, {}, asked)) as proxy:
        for name in PROXIES:
            monkeypatch.setenv(name, proxy)
        for name in NO_PROXIES:
            monkeypatch.delenv(name, raising=False)
        yield asked


# --- notifications of the local stack


def subscription(endpoint: str) -> Any:
    return SimpleNamespace(
        topic=SimpleNamespace(name="alarms"),
        protocol="http",
        endpoint=endpoint,
        get_post_data=lambda message, message_id, subject: {"Message": message, "Subject": subject},
    )


def test_a_notification_does_not_leave_this_machine(proxied: list[str], caplog: pytest.LogCaptureFixture) -> None:
    """Neither through a proxy nor by following a redirect."""
    elsewhere: list[str] = []
    received: list[str] = []
    with ExitStack() as stack:
        other = stack.enter_context(served(partial(pages, {}, elsewhere)))
        moved = {"/hook": (307, {"Location": f"{other}/hook"}, b"")}
        endpoint = stack.enter_context(served(partial(pages, moved, received)))
        deliveries.publish(subscription(f"{endpoint}/hook"), "m", "1", subject="s")
    assert (received, elsewhere, proxied) == (["POST /hook"], [], [])


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:1/secret", "http://127.0.0.1:port/secret"])
def test_an_endpoint_that_does_not_answer_is_logged(endpoint: str, caplog: pytest.LogCaptureFixture) -> None:
    """With the kind of error only: an address may contain a secret."""
    with caplog.at_level(logging.INFO, deliveries.__name__):
        deliveries.publish(subscription(endpoint), "m", "1", subject="s")
    assert "http of topic alarms" in caplog.text
    assert "secret" not in caplog.text


# --- the emulator, on this machine


@pytest.mark.parametrize(
    ("page", "answers"),
    [
        ((200, {}, b'{"instance_id": "i"}'), True),
        ((200, {}, b'{"instance_id": "another"}'), False),
        ((500, {}, b'{"instance_id": "i"}'), False),
        ((200, {}, b"hello"), False),
        ((302, {"Location": "/moved"}, b""), False),
    ],
)
def test_emulator_answers_for_its_own_instance(page: Answer, answers: bool, proxied: list[str], tmp_path: Path) -> None:
    """Without the environment's proxy, and not for another server that uses its port."""
    content = {HEALTH_PATH: page, "/moved": (200, {}, b'{"instance_id": "i"}')}
    with served(partial(pages, content, [])) as url:
        assert emulator._answers(Emulator(url, 1, 1, "i", tmp_path / "log")) is answers
    assert proxied == []


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        ((200, {}, b'{"arn:x/voice": {"pending": 0}}'), None),
        ((500, {}, b"{}"), "HTTP 500$"),
        ((200, {}, b"hello"), "Expecting"),
    ],
)
def test_progress_of_firehose_is_asked_of_the_emulator(
    page: Answer, reason: str | None, proxied: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An invalid answer does not mean that nothing is pending."""
    with served(partial(pages, {PROGRESS_PATH: page}, [])) as url:
        monkeypatch.setattr(emulator, "status", lambda _: Emulator(url, 1, 1, "i", tmp_path / "log"))
        if reason is None:
            wait_delivered(tmp_path, 5)
        else:
            with pytest.raises(UserError, match=f"The AWS emulator does not answer: .*{reason}"):
                wait_delivered(tmp_path, 5)
    assert proxied == []


# --- registries and releases


def test_a_registry_that_has_moved_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mirror may redirect its clients."""
    monkeypatch.setattr(build, "_engine_information", dict)
    content = {
        "/v2/": (301, {"Location": "/registry/v2/"}, b""),
        "/registry/v2/": (401, {"Content-Type": "application/json"}, b"{}"),
    }
    with served(partial(pages, content, [])) as url:
        assert build.registry_answers(f"{url.removeprefix('http://')}/mirror")


def archive() -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as file:
        file.addfile(tarfile.TarInfo("pulumi/pulumi"), io.BytesIO())
    return made.getvalue()


def test_a_release_is_what_was_published(tmp_path: Path) -> None:
    """After redirects, and without the compression that a server may add in transit."""
    content = archive()
    sums = f"{hashlib.sha256(content).hexdigest()}  {release.archive_name()}\n".encode()

    def answer(request: BaseHTTPRequestHandler) -> Answer:
        if not request.path.startswith("/store"):
            return 302, {"Location": f"/store{request.path}"}, b""
        body = sums if request.path.endswith(".txt") else content
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            return 200, {"Content-Encoding": "gzip"}, gzip.compress(body)
        return 200, {}, body

    with served(answer) as base:
        expected = release.checksum(base)
        assert expected
        assert expected == hashlib.sha256(content).hexdigest()
        release.download(tmp_path, expected, base)
    assert [path.name for path in (tmp_path / "bin").iterdir()] == ["pulumi"]


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_release_that_the_server_refuses_is_not_installed(status: int, tmp_path: Path) -> None:
    """An error page is neither a list of checksums nor an archive."""
    name = release.archive_name()
    with served(lambda _: (status, {}, f"{'0' * 64}  {name}\n".encode())) as base:
        assert release.checksum(base) is None
        with pytest.raises(UserError, match=rf"{name}: HTTP {status}\. Run again to retry"):
            release.download(tmp_path, "0" * 64, base)
    assert not (tmp_path / "bin").exists()


def test_an_incomplete_download_is_an_error(tmp_path: Path) -> None:
    """Its beginning is not unpacked."""
    with (
        served(lambda _: (200, {"Content-Length": "1000"}, b"begun")) as base,
        pytest.raises(UserError, match="Run again to retry"),
    ):
        release.download(tmp_path, "0" * 64, base)
    assert not (tmp_path / "bin").exists()
