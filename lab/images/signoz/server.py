"""`signoz server` of the lab: HTTP on 8080 until SIGTERM."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from .answers import Refusal, invalid
from .api import VERSION, Api, Request
from .store import Store

log = logging.getLogger("signoz")
PORT = 8080
PAGE = f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>SigNoz (lab)</title>
<h1>lab</h1>
<p>A stand-in for SigNoz {VERSION}: this machine reaches no image registry. It stores dashboards, alert rules, channels,
saved views and retention, but does not run queries, evaluate rules or send notifications.</p>
<table><tr><th>kind<th>stored</tr>{{rows}}</table>
"""
KINDS = ("dashboard", "rule", "channel", "route policy", "downtime", "saved view", "pricing rule")


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], store: Store, api: Api) -> None:
        super().__init__(address, Connection)
        self.store = store
        self.api = api


class Connection(BaseHTTPRequestHandler):
    server: Server  # pyright: ignore[reportIncompatibleVariableOverride]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        given = self.rfile.read(length)
        address = urlsplit(self.path)
        if not address.path.startswith("/api/"):
            self._page()
            return
        try:
            query = {name: values[-1] for name, values in parse_qs(address.query).items()}
            request = Request(query=query, json=_json(given))
            answer = self.server.api.answer(
                self.command if self.command != "HEAD" else "GET", address.path, request,
                self.headers.get("SIGNOZ-API-KEY"), self.headers.get("Authorization"),
            )  # fmt: skip
            self._send(answer.status, answer.body)
        except Refusal as refusal:
            if isinstance(refusal.body, str):
                self._write(refusal.status, refusal.body.encode(), "text/plain; charset=utf-8")
            else:
                self._send(refusal.status, refusal.body)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            # A body of another shape than the checks look into.
            log.warning("%s %s: %r", self.command, address.path, error)
            self._send(400, invalid(f"the body has another shape than expected: {error!r}").body)

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def _page(self) -> None:
        rows = "".join(f"<tr><td>{kind}<td>{len(self.server.store.all(kind))}</tr>" for kind in KINDS)
        self._write(200, PAGE.format(rows=rows).encode(), "text/html; charset=utf-8")

    def _send(self, status: int, body: Any) -> None:
        self._write(status, b"" if body is None else json.dumps(body).encode(), "application/json")

    def _write(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        log.debug(format, *args)


def _json(body: bytes) -> Any:
    if not body:
        return None
    try:
        return json.loads(body)
    except ValueError as error:
        raise invalid(f"the body is no JSON: {error}") from None


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    store = Store(Path(os.environ.get("SIGNOZ_SQLSTORE_SQLITE_PATH") or "/var/lib/signoz/signoz.db"))
    api = Api(store)
    try:
        api.accounts.set_root(os.environ)
    except ValueError as error:
        log.error("%s", error)
        return 1
    server = Server(("0.0.0.0", PORT), store, api)  # noqa: S104 - in a container
    threading.Thread(target=server.serve_forever, daemon=True).start()
    log.info("lab: SigNoz stand-in %s on port %d", VERSION, PORT)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    log.info("lab: stopped")
    return 0


if __name__ == "__main__":
    # Before any thread starts: the signals are for sigwait alone.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    sys.exit(main())
