"""The lab's stand-in for SigNoz as a process on this machine, or a real server.

With TURNSCOPE_SIGNOZ_URL, TURNSCOPE_SIGNOZ_EMAIL and TURNSCOPE_SIGNOZ_PASSWORD it is that server instead; it should be
one that nobody needs.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.machine import LIMIT_SECONDS, free_port

ROOT = Path(__file__).parents[2]
URL, EMAIL, PASSWORD = "TURNSCOPE_SIGNOZ_URL", "TURNSCOPE_SIGNOZ_EMAIL", "TURNSCOPE_SIGNOZ_PASSWORD"
STAND_IN = "from lab.images.signoz import server; server.PORT = {port}; raise SystemExit(server.main())"


@contextmanager
def signoz_server(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Address, and e-mail address and password of the root user; the stand-in's database is in `folder`."""
    if os.environ.get(URL):
        yield os.environ[URL], os.environ[EMAIL], os.environ[PASSWORD]
        return
    port, email, password = free_port(), "admin@example.com", "Stand-in-1-password"
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "SIGNOZ_SQLSTORE_SQLITE_PATH": str(folder / "signoz.db"),
        "SIGNOZ_USER_ROOT_ENABLED": "true",
        "SIGNOZ_USER_ROOT_EMAIL": email,
        "SIGNOZ_USER_ROOT_PASSWORD": password,
        "SIGNOZ_USER_ROOT_ORG_NAME": "default",
    }
    process = subprocess.Popen([sys.executable, "-c", STAND_IN.format(port=port)], env=environment)
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + LIMIT_SECONDS
        while True:
            try:
                if httpx.get(f"{address}/api/v2/healthz").status_code == 200:
                    break
            except httpx.TransportError:
                pass
            assert time.monotonic() < deadline, "the stand-in does not start"
            time.sleep(0.1)
        yield address, email, password
    finally:
        process.terminate()
        process.wait(LIMIT_SECONDS)
