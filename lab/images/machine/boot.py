"""lab: the first process of a machine, which prepares what a container lacks and becomes systemd.

`boot.py` boots. `boot.py apply`, run in a machine that is up, makes its devices and addresses those that the emulator
says it has. What a machine has comes from the emulator, over a socket that is mounted into it.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

SOCKET = "/opt/lab/sockets/metadata"
BY_ID = Path("/dev/disk/by-id")
BY_ID_PREFIX = "nvme-Amazon_Elastic_Block_Store_"
LOOP_MAJOR = 7
SETTINGS_OF_HOST = ("/proc/sys/fs", "/proc/sys/kernel", "/proc/sys/vm")
RESTART = "/proc/sysrq-trigger"
"""Of the host itself."""
RANDOM = "/proc/sys/kernel/random"
ATTEMPTS = 50
SETTINGS = Path("/etc/cloud/cloud.cfg.d/91_lab_machine.cfg")
ENVIRONMENT = Path("/etc/systemd/system.conf.d/lab.conf")


class EmulatorConnection(http.client.HTTPConnection):
    """The emulator, over its socket."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(SOCKET)
        self.sock.sendall(b"emulator\n")


def what_it_has() -> dict[str, Any]:
    """Of this machine: `user`, `devices` ([name, volume id, loop number]), `addresses`, `environment`."""
    problem: object = ""
    for attempt in range(ATTEMPTS):
        try:
            connection = EmulatorConnection("localhost", timeout=10)
            connection.request("GET", "/lab/machine")
            answer = connection.getresponse()
            if answer.status == http.client.OK:
                return json.loads(answer.read())
            problem = f"status {answer.status}"
        except OSError as error:
            problem = error
        if attempt == 0:
            print(f"lab: waiting for the emulator: {problem}", flush=True)
        time.sleep(0.2)
    raise SystemExit(f"lab: the emulator does not answer: {problem}")


def set_devices(devices: list[list[Any]]) -> None:
    """A block device for each attached volume under the names that it has on EC2, and no others."""
    BY_ID.mkdir(parents=True, exist_ok=True)
    wanted = {Path("/dev") / name: (volume, int(number)) for name, volume, number in devices}
    links = {BY_ID / (BY_ID_PREFIX + volume.replace("-", "")): node for node, (volume, _) in wanted.items()}
    for link in BY_ID.glob(f"{BY_ID_PREFIX}*"):
        if link not in links:
            link.unlink()
    for node in Path("/dev").glob("nvme[1-9]*n1"):
        if node not in wanted or os.minor(node.stat().st_rdev) != wanted[node][1]:
            node.unlink()
    for node, (_, number) in wanted.items():
        # Under the kernel's own name too, by which blkid finds a UUID.
        for path in (node, Path(f"/dev/loop{number}")):
            if not path.exists():
                os.mknod(path, stat.S_IFBLK | 0o660, os.makedev(LOOP_MAJOR, number))
    for link, node in links.items():
        if not link.is_symlink() or link.resolve() != node:
            link.unlink(missing_ok=True)
            link.symlink_to(f"../../{node.name}")


def set_addresses(addresses: list[str]) -> None:
    """Elastic and other public addresses, as further ones of the interface."""
    shown = json.loads(run("ip", "-json", "-4", "address", "show", "dev", "eth0"))[0]["addr_info"]
    # Docker's own has the network's prefix.
    present = {each["local"] for each in shown if each["prefixlen"] == 32}
    for address in present - set(addresses):
        run("ip", "address", "del", f"{address}/32", "dev", "eth0")
    for address in set(addresses) - present:
        run("ip", "address", "add", f"{address}/32", "dev", "eth0")


def run(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def own_cgroups() -> None:
    """Replace Docker's read-only view of cgroups by the machine's own part of them, for systemd and dockerd."""
    root = "/sys/fs/cgroup"
    controllers = [line.split(":")[1] for line in Path("/proc/self/cgroup").read_text().splitlines()]
    run("umount", "--recursive", root)
    if controllers == [""]:
        run("mount", "-t", "cgroup2", "cgroup2", root)
        return
    run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", root)
    for controller in filter(None, controllers):
        folder = Path(root) / controller.removeprefix("name=")
        folder.mkdir()
        kind = f"none,{controller}" if controller.startswith("name=") else controller
        run("mount", "-t", "cgroup", "-o", kind, "cgroup", str(folder))


def own_settings() -> None:
    """Kernel settings that are not a container's own become the machine's: what it writes there stays in it."""
    if Path(RESTART).exists():
        run("mount", "--bind", "/dev/null", RESTART)
    # Read anew each time, and set by nobody.
    kept = Path("/run/lab-random")
    kept.mkdir()
    run("mount", "--bind", RANDOM, str(kept))
    for root in SETTINGS_OF_HOST:
        values = {
            Path(folder) / name: read(Path(folder) / name) for folder, _, names in os.walk(root) for name in names
        }
        run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", root)
        for path, value in values.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(value)
    Path(RANDOM).mkdir(exist_ok=True)
    run("mount", "--move", str(kept), RANDOM)


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # one to write only
        return b""


def boot() -> None:
    has = what_it_has()
    own_cgroups()
    own_settings()
    # As systemd makes them outside of containers; containers of the machine see what is mounted later.
    run("mount", "--make-rshared", "/")
    run("ip", "address", "add", "169.254.169.254/32", "dev", "lo")
    set_devices(has["devices"])
    set_addresses(has["addresses"])
    SETTINGS.write_text(json.dumps({"system_info": {"default_user": {"name": has["user"], "gecos": has["user"]}}}))
    ENVIRONMENT.parent.mkdir(exist_ok=True)
    values = " ".join(f'"{name}={value}"' for name, value in has["environment"].items())
    ENVIRONMENT.write_text(f"[Manager]\nDefaultEnvironment={values}\n")
    Path("/etc/environment").write_text("".join(f"{name}={value}\n" for name, value in has["environment"].items()))
    for name in list(os.environ):
        if name not in ("PATH", "container"):
            del os.environ[name]
    os.execv("/sbin/init", ["/sbin/init", "--log-target=journal"])  # noqa: S606


if __name__ == "__main__":
    if sys.argv[1:] == ["apply"]:
        found = what_it_has()
        set_devices(found["devices"])
        with contextlib.suppress(subprocess.CalledProcessError):
            set_addresses(found["addresses"])
    else:
        boot()
