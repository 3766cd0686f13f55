"""EC2 instances that are machines, with the states on the way.

On AWS an instance is pending until it runs, stopping until it is stopped, and its status check is initializing until
its operating system answers. A device of its image is the root volume's.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html

moto's instances are records, running at once; their root volume is always /dev/sda1. Here each is a machine of
`lab.machine`, at an address of the lab's network.
"""

from __future__ import annotations

import copy
from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.instances import Instance, InstanceBackend, InstanceState, Reservation

from lab.machine import emulated
from lab.machine.emulated import set_state
from lab.machine.engine import EngineError

_run_instances = InstanceBackend.run_instances
_start, _stop, _terminate, _reboot = Instance.start, Instance.stop, Instance.terminate, Instance.reboot


def _machine(instance: Instance) -> emulated.Machine | None:
    machines = emulated.current()
    return machines and machines.of(instance)


def _state(instance: Instance) -> InstanceState:
    return copy.copy(instance.instance_state)


def run_instances(self: InstanceBackend, *args: Any, **kwargs: Any) -> Reservation:
    machines = emulated.current()
    if machines is None:
        return _run_instances(self, *args, **kwargs)
    try:
        _ = machines.addresses  # what an instance is given an address of
        reservation = _run_instances(self, *args, **kwargs)
        for instance in reservation.instances:
            machines.run(instance)
    except (EngineError, LookupError) as error:
        raise EC2ClientError("Unsupported", f"lab: an instance is a Docker container, and {error}") from None
    return reservation


def setup_defaults(self: Instance) -> None:
    volume = self.ec2_backend.create_volume(size=8, zone_name=self.availability_zone)
    self.ec2_backend.attach_volume(volume.id, self.id, self.root_device_name, True)


def start(self: Instance) -> InstanceState:
    machine = _machine(self)
    if machine is None:
        return _start(self)
    previous = _state(self)
    if previous.name in ("pending", "running"):
        return previous
    if previous.name != "stopped":
        raise _incorrect_state(self, "started")
    _start(self)
    set_state(self, "pending")
    machine.submit(machine.boot, "stopped")
    return previous


def stop(self: Instance) -> InstanceState:
    machine = _machine(self)
    if machine is None:
        return _stop(self)
    previous = _state(self)
    if previous.name in ("stopping", "stopped"):
        return previous
    if previous.name != "running":
        raise _incorrect_state(self, "stopped")

    def halt() -> None:
        machine.halt()
        _stop(self)

    set_state(self, "stopping")
    machine.submit(halt, "stopped")
    return previous


def reboot(self: Instance) -> None:
    machine = _machine(self)
    if machine is None:
        return _reboot(self)
    if self.state != "running":
        raise _incorrect_state(self, "rebooted")
    return machine.submit(machine.reboot, "stopped")


def terminate(self: Instance) -> InstanceState:
    machine = _machine(self)
    if machine is None:
        return _terminate(self)
    previous = _state(self)
    if previous.name in ("shutting-down", "terminated"):
        return previous

    def remove() -> None:
        machine.remove()
        _terminate(self)

    set_state(self, "shutting-down")
    machine.submit(remove, "terminated")
    return previous


def _incorrect_state(instance: Instance, verb: str) -> EC2ClientError:
    return EC2ClientError(
        "IncorrectInstanceState", f"The instance '{instance.id}' is not in a state from which it can be {verb}."
    )


def _status(answers: bool) -> dict[str, Any]:
    passed, status = ("passed", "ok") if answers else ("initializing", "initializing")
    return {"Details": [{"Name": "reachability", "Status": passed}], "Status": status}


def instance_status(self: Instance) -> dict[str, Any]:
    if self.state != "running":
        return {"Status": "not-applicable"}
    machine = _machine(self)
    return _status(machine is None or machine.booted)


def install() -> None:
    InstanceBackend.run_instances = run_instances
    for method in (setup_defaults, start, stop, reboot, terminate):
        setattr(Instance, method.__name__, method)
    setattr(Instance, instance_status.__name__, property(instance_status))
