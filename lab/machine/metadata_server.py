"""Serves one machine's metadata over a socket that is mounted into it; `lab.images.machine.forward` is its client."""

from __future__ import annotations

import json
import logging
import socketserver
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from lab.machine.metadata import Metadata, Request

log = logging.getLogger("lab")

OWN_PATH = "/lab/machine"
"""What the machine itself asks at its start and does not forward: `lab.images.machine.boot`."""
EMULATOR = "emulator"


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, path: str, metadata: Metadata, own: Callable[[], Mapping[str, Any]]) -> None:
        super().__init__(path, _Handler)
        self.metadata, self.own = metadata, own


class _Handler(BaseHTTPRequestHandler):
    server: Any
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "EC2ws", ""

    def handle(self) -> None:
        # The first line says who asks: the machine's own start, or over how many hops.
        self._asks = self.rfile.readline(64).decode().strip()
        if self._asks:
            super().handle()

    def _answer(self) -> None:
        if self._asks == EMULATOR:
            body = json.dumps(self.server.own()).encode() if self.path == OWN_PATH else b""
            return self._send(200 if body else 404, body, {})
        headers = {name.lower(): value for name, value in self.headers.items()}
        path = self.path.partition("?")[0]
        try:
            answer = self.server.metadata.answer(Request(self.command, path, headers, int(self._asks)))
        except Exception:
            log.exception("lab: instance metadata")
            return self._send(500, b"", {})
        if answer is None:
            self.close_connection = True
            return None
        return self._send(answer.status, answer.body, answer.headers)

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "text/plain", **headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _answer

    def log_message(self, format: str, *args: Any) -> None:
        pass


def serve(path: Path, metadata: Metadata, own: Callable[[], Mapping[str, Any]]) -> Callable[[], None]:
    """Serve until the returned function is called."""
    path.unlink(missing_ok=True)
    server = _Server(str(path), metadata, own)
    # Who may connect is who the folder is mounted for.
    path.chmod(0o666)
    threading.Thread(target=server.serve_forever, name=f"metadata {path}", daemon=True).start()

    def stop() -> None:
        server.shutdown()
        server.server_close()

    return stop
