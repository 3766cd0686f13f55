"""`clickhouse-server` of the lab: serves until SIGTERM."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading

from . import native, web
from .access import from_environment
from .engine import Engine


def main() -> int:
    logging.basicConfig(
        level=os.environ.get("CLICKHOUSE_LAB_LOG", "INFO").upper(),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    log = logging.getLogger("clickhouse")
    configuration = from_environment()
    engine = Engine(configuration.data)
    everywhere = "0.0.0.0"  # noqa: S104 - in a container; the stack's network decides who comes
    servers: list[native.Server | web.Server] = [
        native.Server((everywhere, configuration.tcp_port), engine, configuration),
        web.Server((everywhere, configuration.http_port), engine, configuration),
    ]
    if configuration.metrics_port:
        servers.append(web.Server((everywhere, configuration.metrics_port), engine, configuration, metrics=True))
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    version = engine.run("SELECT version()").decode().strip()
    users = ", ".join(sorted(configuration.users))
    log.info("lab: ClickHouse engine %s, native %d, HTTP %d, data in %s, users: %s", version, configuration.tcp_port,
             configuration.http_port, configuration.data, users)  # fmt: skip
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    engine.close()
    log.info("lab: stopped")
    sys.stdout.flush()
    # The engine's own threads do not end by themselves.
    os._exit(0)


if __name__ == "__main__":
    # Before any thread starts: the signals are for sigwait alone.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    raise SystemExit(main())
