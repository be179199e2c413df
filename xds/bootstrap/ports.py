"""Ports of this host: which are free for an Envoy, and a claim on them while it runs.

Two Envoys share a port by SO_REUSEPORT without a word, each getting half of the connections. So a port is tested by
binding it exclusively, and claimed under a name in the abstract socket namespace: it is atomic, belongs to the network
namespace as ports do, and ends with the process however that ends. Claims know of other Envoys that were started in
this way; the bind knows of everybody else.
"""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Final

from xds.model.instance import Address
from xds.model.problems import Conflict, InvalidInput

_ATTEMPTS: Final = 64


class PortInUse(Conflict):
    """Somebody else has the port."""

    slug = "port_in_use"


class Ports:
    """Claims that are held until `close`, or the end of the process. Use it as a context manager."""

    def __init__(self) -> None:
        """Begin with no claims."""
        self._held: list[socket.socket] = []

    def __enter__(self) -> Ports:
        """Return the claims themselves."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Give everything back."""
        self.close()

    def close(self) -> None:
        """Give every claim back. Idempotent."""
        while self._held:
            self._held.pop().close()

    def allocate(self, wanted: Mapping[str, Address]) -> dict[str, Address]:
        """Return the same addresses by name, each claimed, with a free port where the port was 0.

        PortInUse names the first that is taken; InvalidInput one that this host does not have. Ports that were given
        go first, so that no other address gets one of them by chance.
        """
        given = {name: address for name, address in wanted.items() if address.port}
        for name, address in given.items():
            if twice := next((other for other in given if other != name and given[other].port == address.port), None):
                raise InvalidInput(f"{name} and {twice} are both on port {address.port}", pointer=f"/{name}")
        found = {name: self._claim(name, address) for name, address in given.items()}
        for name, address in wanted.items():
            if name not in found:
                found[name] = self._any(name, address.host)
        return {name: found[name] for name in wanted}

    def _claim(self, name: str, address: Address) -> Address:
        """Claim by name first and look at the port then: the other order lets two starters in."""
        if not self._mark(address):
            raise PortInUse(f"{name} {address}: another Envoy was started for it on this host", pointer=f"/{name}")
        if reason := occupied(address):
            raise PortInUse(f"{name} {address}: {reason}", pointer=f"/{name}")
        return address

    def _any(self, name: str, host: str) -> Address:
        for _ in range(_ATTEMPTS):
            with _bound(Address(host, 0)) as probe:
                address = Address(host, int(probe.getsockname()[1]))
            anywhere = Address("::" if ":" in host else "0.0.0.0", address.port)  # noqa: S104 - looked at, not served
            if not occupied(anywhere) and self._mark(address):
                return address
        raise PortInUse(f"{name}: no free port on {host} in {_ATTEMPTS} attempts", pointer=f"/{name}")

    def _mark(self, address: Address) -> bool:
        if sys.platform != "linux":
            return True
        mark = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            mark.bind(f"\0fairlead.port.{address}")
        except OSError:
            mark.close()
            return False
        self._held.append(mark)
        return True


def occupied(address: Address) -> str:
    """Return why `address` cannot be listened on by one process alone, or "" when it can."""
    try:
        with _bound(address) as probe:
            probe.listen(1)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return "the port is in use"
        if error.errno == errno.EADDRNOTAVAIL:
            return "this host does not have the address"
        return error.strerror or str(error)
    return ""


def _bound(address: Address) -> socket.socket:
    """Bind alone: SO_REUSEADDR only forgives connections of yesterday, a listener still counts."""
    probe = socket.socket(socket.AF_INET6 if ":" in address.host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((address.host, address.port))
    except OSError:
        probe.close()
        raise
    return probe
