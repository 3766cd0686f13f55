"""The AWS emulator of the local stack: moto's server, with what it lacks, and CloudWatch's own work beside it.

    python -m lab.aws_server --port 4599 --state-dir DIR [--project DIR --stack NAME]

It listens on 127.0.0.1 only, keeps everything in memory, and forgets it at the end: each run has a new random
instance id. With `--project` and `--stack` a worker turns log events into metrics and alarms (see
`lab.cloudwatch_worker`); without, nothing but the API is served. Started by `lab.emulator`.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import BaseWSGIServer, make_server

from lab import additions
from lab.firehose import PROGRESS_PATH, emulated
from lab.machine import leftovers
from lab.machine.engine import EngineError
from lab.machine.owner import Owner
from lab.plan_source import PLAN_SOURCE
from lab.state_dir import HEALTH_PATH, HOST, StateDir, write_json

log = logging.getLogger("lab")

WSGIApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class _RequestHandler(MotoRequestHandler):
    """Logs failed requests only: a deployment makes thousands."""

    # An answer in one piece. Where its body came after its head, Go's client on a busy machine gave up in between and
    # asked again, and what is created or deleted once only was refused the second time.
    wbufsize = 2**20

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        if str(code).startswith("5"):
            super().log_request(code, size)


def with_answers(app: WSGIApp, answers: Mapping[str, Callable[[], Any]]) -> WSGIApp:
    """`app`, with what `answers` return, by path, as JSON."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        found = answers.get(environ.get("PATH_INFO", ""))
        if found is None:
            return app(environ, start_response)
        body = json.dumps(found()).encode()
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    return answer


def http_server(port: int, app: WSGIApp) -> BaseWSGIServer:
    """A server of `app` on this machine alone, not yet serving."""
    return make_server(HOST, port, app, threaded=True, request_handler=_RequestHandler)


def serve_socket(path: Path, app: WSGIApp) -> None:
    """Serve `app` on a socket too, for whom it is mounted, until this process ends."""
    server = make_server(f"unix://{path}", 0, app, threaded=True, request_handler=_RequestHandler)
    path.chmod(0o666)
    threading.Thread(target=server.serve_forever, daemon=True).start()


class Ec2:
    """EC2 with machines, from its first request on: moto's is loaded then, and so is what is for it."""

    def __init__(self, owner: Owner) -> None:
        self.served: WSGIApp
        """What machines reach as the AWS API."""
        self._owner = owner
        self._machines: Any = None

    def create_app(self, service: Any) -> Any:
        """As moto's `create_backend_app`; called for one service at a time."""
        if service in additions.NEED_EC2 and self._machines is None:
            from lab.machine import emulated as machines

            self._machines = machines.Machines(self._owner, lambda path: serve_socket(path, self.served))
            machines.configure(self._machines)
            additions.install_ec2()
        return create_backend_app(service)

    def stop(self) -> None:
        if self._machines is not None:
            self._machines.stop()


def serve(port: int, state: StateDir, *, project: Path | None, stack: str, plan_source: str) -> int:
    """Serve until SIGTERM or SIGINT; the process's exit code."""
    state.create()
    lock = state.hold_server_lock(wait_seconds=1.0)
    if lock is None:
        log.error("lab: another emulator runs on %s", state.directory)
        return 1
    with lock:
        try:
            leftovers.remove(state.directory)
        except EngineError as error:
            log.error("lab: the machines of an earlier run cannot be removed: %s", error)
            return 1
        # What an earlier run left describes another instance.
        for left in (state.emulator, state.progress, state.journal, state.notifications):
            left.unlink(missing_ok=True)
        additions.install()
        os.environ["MOTO_PORT"] = str(port)
        os.environ[emulated.DIRECTORY] = str(state.directory)
        url = f"http://{HOST}:{port}"
        health = {"url": url, "port": port, "pid": os.getpid(), "instance_id": uuid.uuid4().hex}
        owner = {"directory": str(state.directory), "project": project and str(project), "stack": stack}
        ec2 = Ec2(Owner(state.directory, stack))
        app = DomainDispatcherApplication(ec2.create_app)
        answers = {HEALTH_PATH: lambda: health | owner, PROGRESS_PATH: emulated.progress}
        ec2.served = with_answers(app, answers)
        server = http_server(port, ec2.served)
        stopping = threading.Event()

        def end() -> None:
            try:
                # While the server answers: the functions of streams write through it.
                emulated.stop()
            finally:
                server.shutdown()

        def stop(*_: Any) -> None:
            stopping.set()
            # shutdown() waits for the serving loop, which this very thread runs.
            threading.Thread(target=end, daemon=True).start()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        if project is not None:
            from lab import cloudwatch_worker

            cloudwatch_worker.start(url, state, plan_source, project, stack, stopping)
        write_json(state.emulator, health)
        log.info("lab: AWS emulator (moto) on %s, instance %s", url, health["instance_id"])
        server.serve_forever()
        ec2.stop()
        # Before the lock goes: whoever starts the next one then finds the port free.
        server.server_close()
        state.emulator.unlink(missing_ok=True)
        log.info("lab: stopped")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m lab.aws_server")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--project", type=Path, help="directory of Pulumi.yaml; with it the worker runs")
    parser.add_argument("--stack", default="local")
    parser.add_argument("--plan-source", default=PLAN_SOURCE, help="module:function(project, stack)")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # httpx logs each address that it asks, and an endpoint's may hold a secret.
    for name in ("botocore", "httpx"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return serve(
        arguments.port,
        StateDir(arguments.state_dir),
        project=arguments.project,
        stack=arguments.stack,
        plan_source=arguments.plan_source,
    )


if __name__ == "__main__":
    raise SystemExit(main())
