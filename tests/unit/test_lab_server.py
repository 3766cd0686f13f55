"""How the emulator's server answers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable
from typing import Any

import pytest

from lab.aws_server import http_server
from lab.state_dir import HOST


@pytest.mark.parametrize("body", [b"{}", b"x" * 20_000])
def test_an_answer_comes_in_one_piece(body: bytes) -> None:
    """A body that comes later than its head makes a busy AWS client ask again for what was done already."""

    def app(_: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]

    server = http_server(0, app)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        for _ in range(5):
            with socket.create_connection((HOST, server.port)) as client:
                client.sendall(b"GET / HTTP/1.1\r\nHost: lab\r\n\r\n")
                assert client.recv(2**20).endswith(b"\r\n\r\n" + body)
    finally:
        server.shutdown()
        server.server_close()
