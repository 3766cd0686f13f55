"""Docker objects that machines are made of: network, containers, volumes. By Docker's command line, as elsewhere."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from lab.machine.owner import INSTANCE_LABEL, LABEL, Owner

TIMEOUT_SECONDS = 120.0
STOP_SECONDS = 60
"""For the programs of a machine to end, as an instance has some minutes."""
POLL_SECONDS = 0.2
NETWORK = "machines"
CAPABILITIES = (
    "chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap",
    "linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner",
    "sys_chroot", "sys_ptrace", "sys_admin", "sys_boot", "sys_nice", "mknod", "lease", "audit_write", "setfcap",
    "syslog",
)  # fmt: skip
"""By name, not `--privileged`, which asks for some that root may not have itself, on a machine that is a container."""
LOOP_DEVICES = "b 7:* rwm"
LOOP_CONTROL = "c 10:237 rwm"
PROGRAMS = "/opt/lab/machine"
SYS_RESOURCE = 24
"""The number of a capability (linux/capability.h)."""


class EngineError(Exception):
    """Docker's own message."""


def docker(*arguments: str, timeout_seconds: float = TIMEOUT_SECONDS) -> str:
    """What `docker` printed. Raises `EngineError`."""
    try:
        done = subprocess.run(
            ["docker", *arguments], capture_output=True, text=True, check=False, timeout=timeout_seconds
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineError(f"docker {arguments[0]}: {error}") from error
    if done.returncode:
        raise EngineError(f"docker {arguments[0]}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout.strip()


def ensure_network(owner: Owner) -> ipaddress.IPv4Network:
    """The network of this owner's machines. Docker chooses its range among those that are free."""
    name = owner.name(NETWORK)
    create = ("network", "create", "--label", owner.label)
    if name not in docker("network", "ls", "--filter", f"label={owner.label}", "--format", "{{.Name}}").split():
        docker(*create, name)
        # Containers have fixed addresses only in a network whose range was given.
        found = str(_range(name))
        docker("network", "rm", name)
        docker(*create, "--subnet", found, name)
    return _range(name)


def _range(network: str) -> ipaddress.IPv4Network:
    configuration = json.loads(docker("network", "inspect", "--format", "{{json .IPAM.Config}}", network))
    return next(ipaddress.IPv4Network(each["Subnet"]) for each in configuration if "." in each["Subnet"])


def create_machine(
    owner: Owner, instance_id: str, image: str, address: str, hostname: str, folders: Mapping[str, Path]
) -> str:
    """The name of a container that is a machine, not yet started. `folders` are mounted, by their path in it."""
    name = owner.name(instance_id)
    options = ["--label", owner.label, "--label", f"{INSTANCE_LABEL}={instance_id}"]
    options += ["--network", owner.name(NETWORK), "--ip", address, "--hostname", hostname, "--env", "container=docker"]
    options += [f"--cap-add={capability}" for capability in _capabilities()]
    options += [f"--security-opt={each}=unconfined" for each in ("seccomp", "systempaths", "apparmor")]
    options += ["--cgroupns=private", f"--device-cgroup-rule={LOOP_DEVICES}"]
    options += ["--tmpfs=/run", "--tmpfs=/run/lock", "--tmpfs=/tmp:exec"]
    # A container's own file system cannot carry overlay file systems. They go with the container.
    options += ["--volume=/var/lib/docker", "--volume=/var/lib/containerd"]
    options += [f"--volume={folder}:{path}" for path, folder in folders.items()]
    docker("create", "--name", name, *options, image)
    return name


def _capabilities() -> Iterable[str]:
    # Growing a mounted ext4 needs it, and whoever lacks it may not give it.
    own = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapBnd:"))
    extra = ("sys_resource",) if int(own.split()[1], 16) >> SYS_RESOURCE & 1 else ()
    return CAPABILITIES + extra


def stop_machine(name: str) -> None:
    docker("stop", f"--time={STOP_SECONDS}", name, timeout_seconds=STOP_SECONDS + TIMEOUT_SECONDS)


def apply(name: str) -> None:
    """Have a machine that is up ask again for its devices and addresses."""
    docker("exec", name, "/usr/bin/python3", "-IS", f"{PROGRAMS}/boot.py", "apply")


def mount_point(name: str, loop_number: int) -> str | None:
    """Where a machine that is up has a file system of this device mounted; None where it has not."""
    mounts = (line.split() for line in docker("exec", name, "cat", "/proc/1/mountinfo").splitlines())
    # proc(5): device number, root, mount point.
    return next((mount[4] for mount in mounts if mount[2] == f"7:{loop_number}"), None)


@contextlib.contextmanager
def frozen(name: str, loop_number: int) -> Iterator[None]:
    """A machine that is up writes nothing to this device meanwhile, and has written everything before."""
    path = mount_point(name, loop_number)
    if path is None:
        yield
        return
    docker("exec", name, "fsfreeze", "--freeze", path)
    try:
        yield
    finally:
        docker("exec", name, "fsfreeze", "--unfreeze", path)


def ensure_volume(owner: Owner, volume_id: str) -> str:
    return docker("volume", "create", "--label", owner.label, owner.name(volume_id))


def remove_volume(owner: Owner, volume_id: str) -> None:
    """Nothing where there is none: it is made when it is first attached."""
    docker("volume", "rm", "--force", owner.name(volume_id))


def remove(container: str) -> None:
    docker("rm", "--force", "--volumes", container)


def remove_all(directory: Path) -> int:
    """Remove every machine, volume and network of the emulator of `directory`; returns how many.

    Raises `EngineError` for what is still there after a while.
    """
    return sum(
        _remove_kind(kind, listed, command, f"label={LABEL}={directory}")
        for kind, listed, command in (
            ("container", ("ls", "--all"), ("rm", "--force", "--volumes")),
            ("volume", ("ls",), ("rm", "--force")),
            ("network", ("ls",), ("rm",)),
        )
    )


def _remove_kind(kind: str, listed: tuple[str, ...], command: tuple[str, ...], label: str) -> int:
    seen = set[str]()
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while found := docker(kind, *listed, "--quiet", "--filter", label).split():
        seen |= set(found)
        try:
            docker(kind, *command, *found)
        except EngineError:
            # One that is being removed already: the holder of a volume goes by itself when its emulator is killed.
            if time.monotonic() > deadline:
                raise
            time.sleep(POLL_SECONDS)
    return len(seen)
