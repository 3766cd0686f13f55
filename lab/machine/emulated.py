"""EC2's work over moto's stores: each instance has a machine, each attached volume a device in it.

Whatever takes a while is done in the order in which it was asked for, one operation at a time for each machine, and
shows as on AWS: as a state on the way to another.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from moto.ec2.models.elastic_block_store import Volume
from moto.ec2.models.instances import Instance, InstanceState, StateReason
from rich.console import Console

from core.errors import UserError
from lab.images import build
from lab.machine import engine, leftovers, metadata_server
from lab.machine.active_keys import SECONDS, ActiveKeys
from lab.machine.addresses import Addresses
from lab.machine.description import Description
from lab.machine.disks import Disk, copy
from lab.machine.engine import EngineError
from lab.machine.metadata import Metadata
from lab.machine.owner import Owner

log = logging.getLogger("lab")

KEY_SECONDS_VARIABLE = "TURNSCOPE_LAB_PUSHED_KEY_SECONDS"
"""Shortens the life of pushed keys, for tests."""
STATES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}
POLL_SECONDS = 0.2
SSH_PORT = 22
REBOOTED, HALTED = "129", "130"
ENDED = (REBOOTED, HALTED, "0")
"""Exit codes of a container whose init restarted or halted the system: 128 and SIGHUP or SIGINT (reboot(2))."""
API_URL = "http://169.254.169.254:4599"
"""Of the emulated AWS, from within a machine: `lab.images.machine.forward`."""
SOCKETS, API_SOCKET = "/opt/lab/sockets", "/opt/lab/api"
MADE_FOR_ROOT = ("/dev/sda1", "/dev/xvda")


def set_state(instance: Instance, name: str, reason: str = "") -> None:
    instance._state = InstanceState(name, STATES[name])  # pyright: ignore[reportPrivateUsage]
    if reason:
        instance.state_reason = StateReason(reason, "Server.InternalError")


def is_root(instance: Instance, device: str) -> bool:
    """Whether a device is the root volume's. The machine's root file system is its container's."""
    return device == instance.root_device_name or device in MADE_FOR_ROOT


class Machine:
    """An instance's."""

    def __init__(self, machines: Machines, instance: Instance, address: str) -> None:
        self.instance = instance
        self.address = address
        self.booted = False
        """Whether its sshd answers, since the last start."""
        self.up = False
        self._machines = machines
        self._container = ""
        self._boots = 0
        self._numbers: dict[str, int] = {}
        self._operations = ThreadPoolExecutor(1, f"machine {instance.id}")
        self._description = Description(instance, lambda: machines.keys.of(instance.id))
        self._stop_metadata: Callable[[], None] = lambda: None

    def submit(self, operation: Callable[[], None], failed_state: str) -> None:
        """Do it after what was asked for before; where it fails, the instance is in `failed_state`."""

        def run() -> None:
            try:
                operation()
            except (EngineError, UserError, OSError, LookupError) as error:
                log.error("lab: instance %s: %s", self.instance.id, error)
                set_state(self.instance, failed_state, f"lab: {error}")
            except Exception as error:
                log.exception("lab: instance %s", self.instance.id)
                set_state(self.instance, failed_state, f"lab: {error}")

        self._operations.submit(run)

    def close(self) -> None:
        """Begin nothing more, and wait for what has begun."""
        self._boots += 1
        self._operations.shutdown(cancel_futures=True)

    # --- Operations, each in the machine's own thread ---------------------------------------------------------

    def create(self) -> None:
        try:
            self._create()
        except BaseException:
            self.remove()
            raise

    def _create(self) -> None:
        image = self._machines.image()
        folder = self._machines.folder / self.instance.id
        folder.mkdir()
        metadata = Metadata(self._description.describe)
        self._stop_metadata = metadata_server.serve(folder / "metadata", metadata, self.has)
        hostname = self.instance.private_dns_name.partition(".")[0]
        folders = {SOCKETS: folder, API_SOCKET: self._machines.api_folder}
        self._container = engine.create_machine(
            self._machines.owner, self.instance.id, image, self.address, hostname, folders
        )
        self.boot()

    def boot(self) -> None:
        for volume in self._volumes():
            self._machines.disk(volume)
        self._boots += 1
        engine.docker("start", self._container)
        self.up = True
        set_state(self.instance, "running")
        log.info("lab: instance %s is a machine at %s (%s)", self.instance.id, self.address, self._container)
        threading.Thread(target=self._watch, args=(self._boots,), daemon=True).start()

    def halt(self) -> None:
        self._is_down()
        engine.stop_machine(self._container)

    def reboot(self) -> None:
        self.halt()
        self.boot()

    def remove(self) -> None:
        self._is_down()
        if self._container:
            engine.remove(self._container)
        self._stop_metadata()
        shutil.rmtree(self._machines.folder / self.instance.id, ignore_errors=True)

    def apply(self) -> None:
        """Have the machine take what it has now."""
        if self.up:
            engine.apply(self._container)

    # -----------------------------------------------------------------------------------------------------------

    def uses(self, volume: Volume) -> bool:
        """Whether a file system of an attached volume is mounted."""
        disk = self._machines.open_disk(volume.id)
        return self.up and disk is not None and engine.mount_point(self._container, disk.number) is not None

    @contextlib.contextmanager
    def frozen(self, disk: Disk) -> Iterator[None]:
        """The machine writes nothing to the disk meanwhile."""
        if not self.up:
            yield
            return
        with engine.frozen(self._container, disk.number):
            yield

    def has(self) -> Mapping[str, Any]:
        """What the machine asks of itself: see `lab.images.machine.boot`."""
        devices: list[tuple[str, str, int]] = []
        for volume in self._volumes():
            disk = self._machines.open_disk(volume.id)
            if disk is not None:
                devices.append((f"nvme{self._number(volume.id)}n1", volume.id, disk.number))
        public = {
            nic.public_ip for nic in self.instance.nics.values() if self._machines.addresses.is_public(nic.public_ip)
        }
        environment = {"AWS_ENDPOINT_URL": API_URL}
        return {
            "user": self._description.user,
            "devices": devices,
            "addresses": sorted(each for each in public if each),
            "environment": environment,
        }

    def _volumes(self) -> list[Volume]:
        attached = [
            self.instance.ec2_backend.get_volume(block.volume_id)
            for device, block in self.instance.get_block_device_mapping
            if not is_root(self.instance, device)
        ]
        for gone in self._numbers.keys() - {volume.id for volume in attached}:
            del self._numbers[gone]
        return attached

    def _number(self, volume_id: str) -> int:
        """Of its NVMe device; 0 is the root volume."""
        if volume_id not in self._numbers:
            free = (number for number in range(1, 1000) if number not in self._numbers.values())
            self._numbers[volume_id] = next(free)
        return self._numbers[volume_id]

    def _is_down(self) -> None:
        self.up = self.booted = False
        self._boots += 1

    def _answers(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex((self.address, SSH_PORT)) == 0

    def _watch(self, boot: int) -> None:
        """Notice that a boot is over, and a machine that ends by itself: rebooted or shut down from inside."""
        with subprocess.Popen(["docker", "wait", self._container], stdout=subprocess.PIPE, text=True) as waiting:
            while waiting.poll() is None:
                if boot == self._boots and not self.booted:
                    self.booted = self._answers()
                time.sleep(POLL_SECONDS)
            code = waiting.stdout.read().strip() if waiting.stdout else ""
        if boot != self._boots:
            return
        self._is_down()
        if code not in ENDED:
            last = engine.docker("logs", "--tail=5", self._container)
            log.error("lab: instance %s ended with exit code %s: %s", self.instance.id, code, last)
        if code == REBOOTED:
            self.submit(self.boot, "stopped")
        elif self.instance.instance_initiated_shutdown_behavior == "terminate":
            self.instance.terminate()
        else:
            set_state(self.instance, "stopped")


class Machines:
    """All machines of an emulator. Nothing is made before there is an instance or a public address."""

    def __init__(self, owner: Owner, serve_api: Callable[[Path], None]) -> None:
        self.owner = owner
        self.keys = ActiveKeys(float(os.environ.get(KEY_SECONDS_VARIABLE, SECONDS)))
        self.folder = Path()
        self.by_instance: dict[str, Machine] = {}
        self._serve_api = serve_api
        self._addresses: Addresses | None = None
        self._disks: dict[str, Disk] = {}
        self._made = set[str]()
        self._image = ""
        self._lock = threading.RLock()
        # Its own: a build takes a minute, in which addresses are given.
        self._image_lock = threading.Lock()

    @property
    def api_folder(self) -> Path:
        return self.folder / "api"

    @property
    def addresses(self) -> Addresses:
        """Of the network, which is made at the first call. Raises `EngineError`."""
        with self._lock:
            if self._addresses is None:
                leftovers.note(self.owner.directory, folder := Path(tempfile.mkdtemp(prefix="turnscope-lab-")))
                self.folder = folder
                self.api_folder.mkdir()
                self._serve_api(self.api_folder / "api")
                self._addresses = Addresses(engine.ensure_network(self.owner))
        return self._addresses

    def image(self) -> str:
        """The lab image of machines, built now where it was not before."""
        with self._image_lock:
            if not self._image:
                with Path(os.devnull).open("w") as nowhere:
                    self._image = build.ensure_machine_image(Console(file=nowhere), environment="local").reference
        return self._image

    def disk(self, volume: Volume) -> Disk:
        """The device of an attached volume."""
        image = self.image()
        with self._lock:
            if volume.id not in self._disks:
                self._made.add(volume.id)
                self._disks[volume.id] = Disk(self.owner, volume.id, volume.size, image)
            return self._disks[volume.id]

    def delete_disk(self, volume_id: str) -> None:
        """What a deleted volume held. Most volumes of moto never had anything: those of images, say."""
        with self._lock:
            if volume_id in self._made:
                self._made.remove(volume_id)
                engine.remove_volume(self.owner, volume_id)

    def copy_disk(self, source_id: str, target_id: str) -> None:
        """What a volume or a snapshot holds, of one moment, as that of another. Nothing for one that never had any."""
        if source_id not in self._made:
            return
        disk = self.open_disk(source_id)
        with contextlib.ExitStack() as frozen:
            if disk is not None:
                for machine in list(self.by_instance.values()):
                    frozen.enter_context(machine.frozen(disk))
            copy(self.owner, source_id, target_id, self.image())
        with self._lock:
            self._made.add(target_id)

    def open_disk(self, volume_id: str) -> Disk | None:
        return self._disks.get(volume_id)

    def close_disk(self, volume_id: str) -> None:
        with self._lock:
            disk = self._disks.pop(volume_id, None)
        if disk is not None and not disk.close():
            log.warning("lab: volume %s was detached, and something still uses it", volume_id)

    def run(self, instance: Instance) -> None:
        """Make an instance's machine. Raises `EngineError` or `LookupError` at once where none can be."""
        address = self.addresses.take_private()
        nic = instance.nics[0]
        nic.private_ip_address = address
        nic.private_ip_addresses = [{"Primary": True, "PrivateIpAddress": address}]
        set_state(instance, "pending")
        machine = self.by_instance[instance.id] = Machine(self, instance, address)
        machine.submit(machine.create, "terminated")

    def of(self, instance: Instance | None) -> Machine | None:
        return self.by_instance.get(instance.id) if instance else None

    def stop(self) -> None:
        """Remove everything."""
        for machine in list(self.by_instance.values()):
            machine.close()
        leftovers.remove(self.owner.directory)


_current: list[Machines] = []


def configure(machines: Machines) -> None:
    """From now on instances of this process's moto are machines."""
    _current[:] = [machines]


def current() -> Machines | None:
    """None where instances are moto's alone."""
    return _current[0] if _current else None
