"""ClickHouse's HTTP interface: health, and statements. https://clickhouse.com/docs/interfaces/http"""

from __future__ import annotations

import base64
import binascii
import logging
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from .access import Configuration
from .engine import Engine, error_code

log = logging.getLogger("clickhouse")


METRICS = """\
SELECT 'ClickHouseMetrics_' || metric || ' ' || toString(value) FROM system.metrics
UNION ALL SELECT 'ClickHouseProfileEvents_' || event || ' ' || toString(value) FROM system.events"""


class Server(ThreadingHTTPServer):
    """Serves statements, or with `metrics` Prometheus alone."""

    daemon_threads = True

    def __init__(
        self, address: tuple[str, int], engine: Engine, configuration: Configuration, *, metrics: bool = False
    ) -> None:
        super().__init__(address, Request)
        self.metrics = metrics
        self.engine = engine
        self.configuration = configuration


class Request(BaseHTTPRequestHandler):
    server: Server  # pyright: ignore[reportIncompatibleVariableOverride]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if self.server.metrics:
            if path == "/metrics":
                self._result(METRICS, "TabSeparatedRaw")
            else:
                self._answer(404, b"")
        elif path in ("/ping", "/replicas_status"):
            # A statement, so that the answer says that the engine works and not only that the port is open.
            self._result("SELECT 'Ok.'", "TabSeparatedRaw")
        elif path == "/":
            self._statement("")
        else:
            self._answer(404, b"There is no handle " + path.encode() + b"\n")

    do_HEAD = do_GET

    def do_POST(self) -> None:
        if self.server.metrics:
            self._answer(405, b"")
            return
        length = int(self.headers.get("Content-Length") or 0)
        self._statement(self.rfile.read(length).decode())

    def _statement(self, body: str) -> None:
        given = {name: values[-1] for name, values in parse_qs(urlsplit(self.path).query).items()}
        sql = "\n".join(filter(None, (given.get("query", ""), body))).strip().rstrip(";")
        if not sql:
            self._answer(200, b"Ok.\n")
            return
        user, password = self._credentials(given)
        if not self.server.configuration.authenticated(user, password, self.client_address[0]):
            self._answer(403, f"Code: 516. {user}: wrong password, or no such user from this address\n".encode(), 516)
            return
        output_format = given.get("default_format") or self.headers.get("X-ClickHouse-Format") or "TabSeparated"
        self._result(sql, output_format)

    def _result(self, sql: str, output_format: str) -> None:
        try:
            result = self.server.engine.run(sql, output_format)
        except Exception as error:  # whatever the engine says is the client's to know
            self._answer(500, f"{error}\n".encode(), error_code(error))
        else:
            self._answer(200, result)

    def _credentials(self, given: dict[str, str]) -> tuple[str, str]:
        if basic := self.headers.get("Authorization", "").removeprefix("Basic ").strip():
            try:
                user, _, password = base64.b64decode(basic, validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                return "", ""
            return user, password
        user = self.headers.get("X-ClickHouse-User") or given.get("user") or "default"
        return user, self.headers.get("X-ClickHouse-Key") or given.get("password") or ""

    def _answer(self, status: int, body: bytes, code: int = 0) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=UTF-8")
        self.send_header("Content-Length", str(len(body)))
        if code:
            self.send_header("X-ClickHouse-Exception-Code", str(code))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        log.debug(format, *args)
