"""Which address of the lab's network is whose. Pure.

The lower half is of machines; the upper half are addresses that AWS would call public: elastic ones, and those that
an instance is given at its start.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network


class Addresses:
    """Hands out each address once; a public one again after it was given back."""

    def __init__(self, network: IPv4Network) -> None:
        lower, upper = network.subnets(prefixlen_diff=1)
        # Neither the network's own address, nor Docker's gateway, nor the broadcast address.
        self._private = itertools.islice(iter(lower), 2, None)
        self._public: Iterator[IPv4Address] = itertools.islice(iter(upper), upper.num_addresses - 1)
        self._returned: list[IPv4Address] = []
        self._upper = upper
        self._lock = threading.Lock()

    def take_private(self) -> str:
        """Raises `LookupError` where all are taken."""
        with self._lock:
            return self._next(self._private)

    def take_public(self) -> str:
        """Raises `LookupError` where all are taken."""
        with self._lock:
            return str(self._returned.pop()) if self._returned else self._next(self._public)

    def give_back(self, address: str) -> None:
        """A public address; others are ignored."""
        with self._lock:
            if self.is_public(address) and IPv4Address(address) not in self._returned:
                self._returned.append(IPv4Address(address))

    def is_public(self, address: str | None) -> bool:
        return address is not None and IPv4Address(address) in self._upper

    def _next(self, addresses: Iterator[IPv4Address]) -> str:
        found = next(addresses, None)
        if found is None:
            raise LookupError("no address of the lab's network is free")
        return str(found)
