"""Public addresses that answer: elastic ones, and those that an instance is given at its start.

On AWS an elastic address leads to the instance that it is associated with, and to one at a time. It stays when the
instance is stopped and started, and takes the place of another public address.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/elastic-ip-addresses-eip.html

moto's are random addresses of the internet; an elastic one stays with the instance that had it before, and is lost
when an instance with another public address is stopped. Here they are addresses of
the lab's network, which the machine has beside its own.
"""

from __future__ import annotations

import logging
from typing import Any

from moto.ec2.models.elastic_ip_addresses import ElasticAddress, ElasticAddressBackend
from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ec2.models.instances import Instance

from lab.machine import emulated
from lab.machine.engine import EngineError

log = logging.getLogger("lab")

_allocate_address = ElasticAddressBackend.allocate_address
_associate_address = ElasticAddressBackend.associate_address
_disassociate_address = ElasticAddressBackend.disassociate_address
_release_address = ElasticAddressBackend.release_address


_start, _stop = NetworkInterface.start, NetworkInterface.stop


def start(self: NetworkInterface) -> None:
    """Of an instance that starts: it has its elastic address, or a new public one if it is to have one."""
    _start(self)
    machines = emulated.current()
    if machines is None or self.public_ip is None:
        return
    self.public_ip = _elastic(self) or machines.addresses.take_public()


def stop(self: NetworkInterface) -> None:
    machines = emulated.current()
    before = self.public_ip
    _stop(self)
    self.public_ip = _elastic(self) or self.public_ip
    if machines and before and before != self.public_ip:
        machines.addresses.give_back(before)


def _elastic(interface: NetworkInterface) -> str | None:
    addresses: list[ElasticAddress] = interface.ec2_backend.addresses
    return next((each.public_ip for each in addresses if each.eni is interface), None)


def allocate_address(
    self: ElasticAddressBackend, domain: str, address: str | None = None, tags: dict[str, str] | None = None
) -> ElasticAddress:
    machines = emulated.current()
    if machines and address is None:
        try:
            address = machines.addresses.take_public()
        except (EngineError, LookupError) as error:
            log.warning("lab: this elastic address leads nowhere: %s", error)
    return _allocate_address(self, domain, address, tags)


def associate_address(
    self: ElasticAddressBackend,
    instance: Any = None,
    eni: Any = None,
    address: str | None = None,
    allocation_id: str | None = None,
    reassociate: bool = False,
) -> ElasticAddress:
    found = self.address_by_ip([address]) if address else self.address_by_allocation([allocation_id or ""])
    before = found[0].eni
    associated = _associate_address(self, instance, eni, address, allocation_id, reassociate)
    if before and before is not associated.eni:
        before.public_ip = None
        _apply(before.instance)
    if associated.eni:
        _apply(associated.eni.instance)
    return associated


def disassociate_address(
    self: ElasticAddressBackend, address: str | None = None, association_id: str | None = None
) -> None:
    found = self.address_by_ip([address]) if address else self.address_by_association([association_id or ""])
    before = found[0].eni
    _disassociate_address(self, address, association_id)
    if before:
        machines = emulated.current()
        if machines and before.public_ip:  # moto's new one
            before.public_ip = machines.addresses.take_public()
        _apply(before.instance)


def release_address(self: ElasticAddressBackend, address: str | None = None, allocation_id: str | None = None) -> None:
    found = self.address_by_ip([address]) if address else self.address_by_allocation([allocation_id or ""])
    released = found[0].public_ip
    _release_address(self, address, allocation_id)
    if machines := emulated.current():
        machines.addresses.give_back(released)


def _apply(instance: Instance | None) -> None:
    machines = emulated.current()
    machine = machines and machines.of(instance)
    if machine:
        try:
            machine.apply()
        except EngineError as error:  # it takes them at its next start
            log.warning("lab: instance %s does not have its addresses yet: %s", machine.instance.id, error)


def install() -> None:
    for method in (allocate_address, associate_address, disassociate_address, release_address):
        setattr(ElasticAddressBackend, method.__name__, method)
    NetworkInterface.start, NetworkInterface.stop = start, stop
